"""What the viewer shows of each sample: question, answers of every run, and how they were read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from egobench.errors import SampleSetError
from egobench.plugins import load_task
from egobench.run.plan import PartId
from egobench.run.records import Prediction, PredictionsByOrder
from egobench.run.store import Run
from egobench.sample import Sample
from egobench.task import Task

from ..bundle import sample_texts
from ..measures import SampleSets
from ..runs import BoardRun
from ..sealing import seal, unseal
from .outcomes import outcome_of
from .strips import Strip, StripMaker

MOST_LETTERS = 6_000
"""Most characters of a text that are shown; longer ones are cut, with a note of their length."""

SNIPPET = 96
"""Characters of a question in the list."""


class ViewedSample(NamedTuple):
    """A sample as the viewer shows it.

    Attributes:
        id: The sample's id.
        snippet: The beginning of its question, or of its answer where all have one question; ``""`` where neither may
            be shown.
        outcomes: One character per run, see :mod:`egobench.leaderboard.viewer.outcomes`.
        tags: Its tags, every value in a tuple.
        detail: All the rest, as a JSON object.
    """

    id: str
    snippet: str
    outcomes: str
    tags: Mapping[str, tuple[str, ...]]
    detail: dict[str, Any]


@dataclass
class ViewedPart:
    """A part of a sample set that at least one of the runs was asked.

    Attributes:
        id: Task, subset, protocol and construction.
        withheld: Why questions, options and truth are not shown; ``""`` where they are.
        public: Whether everybody may see the page: then no error names a path.
        samples: In the order of the sample set.
        runs: The runs.
        predictions: By run, order of the options and sample id.
        strips: By run and sample id.
    """

    id: PartId
    withheld: str
    public: bool
    samples: tuple[Sample, ...]
    runs: Sequence[BoardRun]
    predictions: list[PredictionsByOrder] = field(default_factory=list[PredictionsByOrder])
    strips: list[Mapping[str, Strip]] = field(default_factory=list[Mapping[str, Strip]])

    def viewed(self) -> Iterator[ViewedSample]:
        """Yield the samples in their order; those that no run was asked are left out."""
        # Where all samples have one question, what tells them apart is the answer.
        alike = len({sample.question for sample in self.samples}) == 1
        for sample in self.samples:
            answers = [by_order.get(0, {}).get(sample.id) for by_order in self.predictions]
            if not any(answers):
                continue
            yield ViewedSample(
                id=sample.id,
                snippet="" if self.withheld else _cut(sample.answer if alike else sample.question, SNIPPET),
                outcomes="".join(outcome_of(sample, answer, truth=not self.withheld) for answer in answers),
                tags={} if self.withheld else _tags(sample),
                detail=self._detail(sample, answers),
            )

    def _detail(self, sample: Sample, answers: Sequence[Prediction | None]) -> dict[str, Any]:
        open_text: dict[str, Any] = {
            "video": sample.video,
            "target": sample.target,
            "question": _cut(sample.question),
            "options": [_cut(option) for option in sample.options],
            "answer": _cut(sample.answer),
            "tags": {name: list(values) for name, values in _tags(sample).items()},
        }
        return {
            "id": sample.id,
            "start": sample.start,
            "end": sample.end,
            "count": len(sample.options),
            **({} if self.withheld else open_text),
            "answers": [
                None if answer is None else self._answer(sample, place, answer) for place, answer in enumerate(answers)
            ],
        }

    def _answer(self, sample: Sample, place: int, answer: Prediction) -> dict[str, Any]:
        strip = self.strips[place].get(sample.id) if self.strips else None
        other_orders = [
            [order, turned.choice]
            for order, by_sample in sorted(self.predictions[place].items())
            if order and (turned := by_sample.get(sample.id)) is not None
        ]
        row: dict[str, Any] = {
            "outcome": outcome_of(sample, answer, truth=not self.withheld),
            "reply": _cut(self._reply(sample, place, answer.reply)),
            "choice": answer.choice,
            "rule": answer.rule,
            "scores": None if answer.scores is None else [round(score, 4) for score in answer.scores],
            "error": _error(answer.error or "", kind_only=self.public),
            "receipt": _receipt(answer.receipt),
            "strip": strip.name if strip else "",
            "proof": strip.proof if strip else "",
            "orders": other_orders,
            "finish": answer.finish_reason,
        }
        return {key: value for key, value in row.items() if value not in (None, "", [])}

    def _reply(self, sample: Sample, place: int, reply: str) -> str:
        """Return a reply; sealed where the question may not be shown, since a reply may repeat it."""
        texts = sample_texts(sample)
        whole = unseal(reply, texts) if self.runs[place].sealed else reply
        return seal(whole, texts) if self.withheld else whole


def collect_parts(
    runs: Sequence[BoardRun], sets: SampleSets, *, strip_maker: StripMaker | None, public: bool
) -> Iterator[ViewedPart]:
    """Yield the parts of some runs, one after the other, so that memory holds one at a time.

    Args:
        runs: The runs, side by side in this order.
        sets: Finds their sample sets.
        strip_maker: Makes film strips; ``None`` for none.
        public: Whether questions and answers are shown only where the task's licence allows it.

    Raises:
        SampleSetError: If a sample set is not at hand.
        StoreError: If the rows of a run are damaged.
    """
    parts: dict[tuple[PartId, str], None] = {}
    for run in runs:
        for entry in run.scores.values():
            parts.setdefault((entry.id.part, entry.samples_sha256))
    for part_id, digest in sorted(parts):
        members = [run for run in runs if any(_is_of(run, part_id, digest))]
        found_sets = (sets.find(run, digest) for run in members)
        sample_set = next((found_set for found_set in found_sets if found_set is not None), None)
        if sample_set is None:
            raise SampleSetError(
                f"the samples of {part_id.file_stem} that {members[0].folder} was asked are not at hand; give --data"
            )
        task = load_task(part_id.task)
        samples = tuple(
            sample for sample in sample_set.samples if part_id.protocol in {"gallery", "rerank"}
            or sample.subset == part_id.subset
        )  # fmt: skip
        part = ViewedPart(part_id, _withheld(task) if public else "", public, samples, runs)
        for run in runs:
            by_order = Run(run.folder, run.spec).predictions_by_order(part_id.file_stem) if run in members else {}
            part.predictions.append(by_order)
            if strip_maker is not None and not part.withheld:
                part.strips.append(strip_maker.make(run, task, samples, by_order.get(0, {})))
        yield part


def _is_of(run: BoardRun, part: PartId, digest: str) -> Iterator[bool]:
    return (entry.id.part == part and entry.samples_sha256 == digest for entry in run.scores.values())


def _withheld(task: Task) -> str:
    if task.source.shareable:
        return ""
    return f"Questions, options and truth of {task.name} may not be shown to the public ({task.source.licence})."


def _tags(sample: Sample) -> dict[str, tuple[str, ...]]:
    return {name: (value,) if isinstance(value, str) else tuple(value) for name, value in sorted(sample.tags.items())}


def _error(message: str, *, kind_only: bool) -> str:
    """Return why there is no answer; its kind alone where the public may read it, since messages name paths."""
    kind = message.partition(":")[0]
    return (kind if kind.isidentifier() else "an error") if kind_only and message else _cut(message)


def _receipt(receipt: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if receipt is None:
        return None
    kept = ("times", "indices", "width", "height", "decoder", "resize")
    return {key: receipt[key] for key in kept if key in receipt} | {"sha256": str(receipt.get("sha256", ""))[:16]}


def _cut(text: str, most: int = MOST_LETTERS) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}…" if most == SNIPPET else f"{text[:most]} … ({len(text):,} characters in all)"
