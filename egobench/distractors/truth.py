"""Which texts are known to be true of which clip, and which records may therefore not share their answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from egobench.replies import normalised
from egobench.sample import Clip, Record, Tags
from egobench.task import Truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

Statement = tuple[str, ...]
"""A normalised text, as one word; or what the tags of an answer say, as a word a tag after an empty one."""

BLOCK_ROWS = 1024


class Known:
    """What is known to be true of the clips of a set of samples.

    Args:
        truth: What the task knows besides equal texts.
        answers: Every answer of the set with its tags.
    """

    def __init__(self, truth: Truth, answers: Iterable[tuple[str, Tags]]) -> None:
        self._truth = truth
        self._meanings: defaultdict[str, set[Statement]] = defaultdict(set)
        for answer, tags in answers:
            self._meanings[normalised(answer)] |= self._meaning(tags)

    def says(self, text: str) -> set[Statement]:
        """What a text says: itself, and what any answer of the same text says."""
        plain = normalised(text)
        return {(plain,)} | self._meanings.get(plain, set())

    def holds(self, answer: str, tags: Tags) -> set[Statement]:
        """What is true of a clip with this answer and these tags."""
        also = tags.get(self._truth.also, ())
        texts = [answer, *([also] if isinstance(also, str) else also)]
        return {(normalised(text),) for text in texts} | self._meaning(tags)

    def kind(self, answer: str, tags: Tags) -> Statement:
        """What the answer says, in one statement: two answers of one kind are true of each other's clips."""
        return next(iter(self._meaning(tags)), (normalised(answer),))

    def co_correct(self, options: Sequence[str], target: int, tags: Tags) -> bool:
        """Whether an option other than the target is known to be true as well."""
        true_statements = self.holds(options[target], tags)
        return any(
            place != target and not self.says(option).isdisjoint(true_statements)
            for place, option in enumerate(options)
        )

    def _meaning(self, tags: Tags) -> set[Statement]:
        values = [tags.get(name, "") for name in self._truth.same]
        words = [value if isinstance(value, str) else ",".join(sorted(value)) for value in values]
        return {("", *words)} if any(words) else set()


def conflicts(records: Sequence[Record], known: Known, near: csr_array) -> csr_array:
    """Pairs of records whose answers may not stand in one set of options.

    Args:
        records: The records.
        known: What is true of their clips.
        near: ``(n, n)``, 1 where the answers mean nearly the same.

    Returns:
        ``(n, n)`` symmetric, 1 where an answer is true of the other's clip, where answers mean nearly the same, or
        where the clips overlap in time; 0 on the diagonal.
    """
    says, holds = statements(
        [known.says(record.answer) for record in records],
        [known.holds(record.answer, record.tags) for record in records],
    )
    true = says @ holds.T
    pairs = (true + true.T + near + _overlaps([record.clip for record in records])).tocoo()
    off = pairs.row != pairs.col
    return csr_array((np.ones(int(off.sum())), (pairs.row[off], pairs.col[off])), shape=pairs.shape)


def statements(*groups: Sequence[set[Statement]]) -> list[csr_array]:
    """Sets of statements as rows of 0 and 1, with the same columns for every group: ``(n_sets, n_statements)`` each."""
    column: dict[Statement, int] = {}
    for statement in sorted({statement for group in groups for said in group for statement in said}):
        column[statement] = len(column)
    matrices: list[csr_array] = []
    for group in groups:
        columns = [column[statement] for statements_of in group for statement in sorted(statements_of)]
        rows = np.repeat(np.arange(len(group)), [len(statements_of) for statements_of in group])
        matrices.append(csr_array((np.ones(len(columns)), (rows, columns)), shape=(len(group), len(column))))
    return matrices


def near_copies(vectors: NDArray[np.floating], rows: NDArray[np.int64], limit: float) -> csr_array:
    """Pairs whose texts are more alike than a limit.

    Args:
        vectors: ``(n_texts, dim)``, rows of length 1.
        rows: ``(n,)`` the text of each.
        limit: Cosine above which two texts count as one.

    Returns:
        ``(n, n)``, 1 for such a pair, the diagonal included.
    """
    first, second = [np.arange(len(vectors))], [np.arange(len(vectors))]
    for start in range(0, len(vectors), BLOCK_ROWS):
        is_near = vectors[start : start + BLOCK_ROWS] @ vectors.T > limit
        rows_near, columns_near = np.divmod(np.flatnonzero(is_near), len(vectors))
        first.append(rows_near + start)
        second.append(columns_near)
    pairs = (np.concatenate(first), np.concatenate(second))
    texts = csr_array((np.ones(len(pairs[0])), pairs), shape=(len(vectors), len(vectors)))
    texts.data[:] = 1
    return texts[rows][:, rows]


def _overlaps(clips: Sequence[Clip]) -> csr_array:
    by_video: defaultdict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for number, clip in enumerate(clips):
        by_video[clip.video].append((clip.start, float("inf") if clip.end is None else clip.end, number))
    pairs: list[tuple[int, int]] = []
    for stretches in by_video.values():
        stretches.sort()
        for place, (_, end, one) in enumerate(stretches):
            for start, _, other in stretches[place + 1 :]:
                if start >= end:
                    break
                pairs += [(one, other), (other, one)]
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    return csr_array((np.ones(len(pairs)), (rows, columns)), shape=(len(clips), len(clips)))
