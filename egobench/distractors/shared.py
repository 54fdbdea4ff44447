"""Shared option sets: samples with alike answers form groups, and all of a group show the answers of the group.

Every option is right exactly once in its group, so a function of the options alone is right once in as many samples as
a group has (PROTOCOL section 4).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

from egobench.replies import normalised
from egobench.sample import Record
from egobench.task import Construction, Dropped, Options, Tools, Truth

if TYPE_CHECKING:
    from egobench.distractors.answers import Answers

Key = Callable[[Record], str]
"""What the records of a group have in common."""

Group = list[Record]

WIDER = "placed_in_wider_groups"
"""Fact of the manifest: how many records found a group only by a later key that differs from their first one."""


def anywhere(record: Record) -> str:
    """The key that all records of a subset have in common."""
    del record
    return ""


def shared_sets(
    size: int,
    *,
    true_of: Truth,
    within: Sequence[Key] = (anywhere,),
    paraphrase: float = 0.95,
    left_out: float = 0,
) -> Construction:
    """Group the samples of a subset by how alike their answers are, and show each group's answers to all of it.

    In a group no answer is known to be true of another's clip: texts differ once normalised, ``true_of`` tells no, no
    two texts are near-copies, no two clips overlap in time. Samples answered "yes" or "no" form groups of two instead,
    one of each; which of the more frequent ones stay out is drawn by the seed.

    Args:
        size: Samples of a group, and options of each.
        true_of: How to tell that an answer is true of another clip too.
        within: Only records with the same key share a group; those that find none try the next key.
        paraphrase: Texts whose cosine is above count as one, in [-1, 1].
        left_out: Share of samples that may stay out so that the others get nearer options, in [0, 1).

    Returns:
        The construction. It reports ``placed``, ``co_correct`` and ``similarity_ratio``, the last over all groups but
        those of yes and no; a record without a group is a :class:`Dropped`.

    Raises:
        ValueError: If ``size``, ``paraphrase`` or ``left_out`` is out of range.
    """
    if size < 2 or not -1 <= paraphrase <= 1 or not 0 <= left_out < 1:
        raise ValueError(
            f"groups of {size}, paraphrases above {paraphrase}, {left_out} left out; "
            "expected at least 2, a cosine, and a share below 1"
        )
    rules = _Rules(size, true_of, tuple(within), paraphrase, left_out)

    def construct(records: Sequence[Record], tools: Tools) -> Iterator[Options | Dropped]:
        return rules.construct(records, tools)

    return construct


@dataclass(frozen=True, slots=True)
class _Rules:
    size: int
    true_of: Truth
    within: tuple[Key, ...]
    paraphrase: float
    left_out: float

    def construct(self, records: Sequence[Record], tools: Tools) -> Iterator[Options | Dropped]:
        from egobench.distractors.answers import Answers  # noqa: PLC0415 - numpy and scipy, only for a build

        options_by_id: dict[tuple[str, str], Options] = {}
        likeness = [0.0, 0.0]
        also_true = 0
        for subset in sorted({record.subset for record in records}):
            part = sorted((one for one in records if one.subset == subset and one.answer), key=lambda one: one.id)
            if not part:
                continue
            answers = Answers(part, self.true_of, self.paraphrase, tools.embedder)
            groups = self._groups(part, answers, tools)
            own = {(subset, one.id): options for group in groups for one, options in _shown(group, tools)}
            also_true += sum(answers.also_true(one, own[subset, one.id]) for group in groups for one in group)
            searched = [group for group in groups if not _two_way(group[0])]
            for place, value in enumerate(answers.likeness(searched)):
                likeness[place] += value
            options_by_id |= own
        tools.report["placed"] = len(options_by_id) / len(records) if records else 0.0
        if options_by_id:
            tools.report["co_correct"] = also_true / len(options_by_id)
        if likeness[1] > 0:
            tools.report["similarity_ratio"] = likeness[0] / likeness[1]
        for record in records:
            yield options_by_id.get((record.subset, record.id)) or Dropped(self._reason(record))

    def _groups(self, part: Sequence[Record], answers: Answers, tools: Tools) -> list[Group]:
        groups: list[Group] = []
        waiting = list(part)
        for number, key in enumerate(self.within):
            blocks: defaultdict[tuple[bool, str], Group] = defaultdict(list)
            for record in waiting:
                blocks[_two_way(record), key(record)].append(record)
            new_groups: list[Group] = []
            for (two_way, name), block in sorted(blocks.items()):
                seed = _seed(tools, part[0].subset, f"{number}/{name}")
                new_groups += _pairs(block, seed) if two_way else answers.group(block, self.size, seed, self.left_out)
            placed = {record.id for group in new_groups for record in group}
            waiting = [record for record in waiting if record.id not in placed]
            groups += new_groups
            if number:
                # A key that has the same value as the first one puts a record into no wider block.
                wider = sum(key(one) != self.within[0](one) for group in new_groups for one in group)
                tools.annotations.facts[WIDER] = tools.annotations.facts.get(WIDER, 0) + wider
        return groups

    def _reason(self, record: Record) -> str:
        if not record.answer:
            return "not placed: its answer is private"
        if _two_way(record):
            return f"not placed: more samples are answered {record.answer!r} than its opposite"
        return f"not placed: left over when groups of {self.size}, no answer true of another's clip, were formed"


def _two_way(record: Record) -> bool:
    return normalised(record.answer) in {"yes", "no"}


def _pairs(records: Sequence[Record], seed: int) -> list[Group]:
    """As many yes as no, paired by lot."""
    rng = Random(seed)  # noqa: S311 - reproducible, not secret
    sides = [[one for one in records if normalised(one.answer) == word] for word in ("yes", "no")]
    for side in sides:
        rng.shuffle(side)
    return [[yes, no] for yes, no in zip(*sides, strict=False)]


def _shown(group: Group, tools: Tools) -> Iterator[tuple[Record, Options]]:
    """Each record's order of the group's answers; every place is the target's once in the group."""
    by_lot = sorted(group, key=lambda one: tools.rng(one).random())
    for place, record in enumerate(by_lot):
        others = [one.answer for one in group if one is not record]
        tools.rng(record).shuffle(others)
        yield record, Options((*others[:place], record.answer, *others[place:]), place)


def _seed(tools: Tools, subset: str, block: str) -> int:
    key = f"{tools.task}/{subset}/{block}/{tools.seed}"
    return int.from_bytes(sha256(key.encode()).digest()[:8])
