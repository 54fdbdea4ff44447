"""The texts nearest to the answer, as the paper's evaluation sets took their wrong options.

Such distractors are often true of the clip too, and they point at the answer, which is nearest to all of them (PROTOCOL
section 4): a set built so is for comparison with published rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from egobench.distractors.official import in_drawn_order, published
from egobench.sample import Record
from egobench.task import Construction, Dropped, Options, Tools

if TYPE_CHECKING:
    import numpy as np

Pool = Callable[[Sequence[Record], Tools], Iterable[str]]
"""From all records of a build to the texts that distractors are taken from."""


class Places(NamedTuple):
    """Elements of a matrix by their indices, ``(n,)`` each."""

    rows: np.ndarray
    columns: np.ndarray


BLOCK_ROWS = 256
"""Rows of similarities in memory at a time: 41 MB for 40,000 texts, where the whole matrix has 6.4 GB."""

STRIDE = 32
"""Scores of which the largest is looked at first; most of a row is never looked at again."""


def nearest(total: int, *, pool: Pool | None = None) -> Construction:
    """Add the texts of a pool that are nearest to the answer to the options there are, and draw the order.

    A record that was published with as many options keeps them as they are.

    Args:
        total: Number of options of every sample.
        pool: Texts to take from, the same for every record. Without it: answers and options of the record's own subset.

    Returns:
        The construction. A record gets a :class:`Dropped` where its answer is private, where it has more options than
        ``total``, or where the pool holds too few texts other than its options.

    Raises:
        ValueError: If ``total`` is less than 2.
    """
    if total < 2:
        raise ValueError(f"{total} options; a choice needs at least 2")

    def construct(records: Sequence[Record], tools: Tools) -> Iterator[Options | Dropped]:
        narrow = [record for record in records if len(record.options) < total]
        subsets = {record.subset for record in narrow}
        if pool is None:
            pools = {name: _own_texts(records, name) for name in subsets}
        else:
            shared = sorted(set(pool(records, tools)))
            pools = dict.fromkeys(subsets, shared)
        near = _near_texts(narrow, pools, total, tools)
        for record in records:
            yield _widen(record, near.get((record.subset, record.answer), ()), total, tools)

    return construct


def nearest_rows(queries: np.ndarray, vectors: np.ndarray, count: int) -> np.ndarray:
    """The rows with the largest dot product, equal ones (to 1e-6) in ascending order of their number.

    Args:
        queries: ``(n_queries, dim)`` float32.
        vectors: ``(n_vectors, dim)`` float32.
        count: How many to find, in [1, ``n_vectors``].

    Returns:
        Row numbers in ``vectors``, nearest first: ``(n_queries, count)``.
    """
    import numpy as np  # noqa: PLC0415 - a task that names a construction stays light

    nearest_columns = np.empty((len(queries), count), dtype=np.int64)
    for start in range(0, len(queries), BLOCK_ROWS):
        scores = queries[start : start + BLOCK_ROWS] @ vectors.T
        rows, columns = largest(scores, count)
        rounded = np.round(scores[rows, columns].astype(np.float64), 6)
        order = np.lexsort((columns, -rounded, rows))
        firsts = np.searchsorted(rows, np.arange(len(scores)))
        nearest_columns[start : start + BLOCK_ROWS] = columns[order[firsts[:, None] + np.arange(count)]]
    return nearest_columns


def largest(scores: np.ndarray, count: int) -> Places:
    """Where the largest scores of every row stand, and little else.

    Args:
        scores: ``(n_rows, n_columns)``.
        count: How many, in [1, ``n_columns``].

    Returns:
        The places in the order of the matrix: at least ``count`` a row, with all scores that are as large as the last
        of these to 2e-6, so that ties are never cut by the order of a kernel.
    """
    import numpy as np  # noqa: PLC0415 - a task that names a construction stays light

    n_rows, n_columns = scores.shape
    # As many strides have a score as large as the last of their maxima, so that many scores are no smaller.
    stride = max(1, min(STRIDE, n_columns // (4 * count)))
    whole = n_columns // stride
    maxima = scores[:, : stride * whole].reshape(n_rows, stride, whole).max(axis=1)
    least = np.partition(maxima, -count, axis=1)[:, -count]
    rows, columns = np.divmod(np.flatnonzero(scores >= least[:, None] - 2e-6), n_columns)
    return Places(rows, columns)


def top_values(scores: np.ndarray, count: int) -> np.ndarray:
    """The largest scores of every row, largest first: ``(n_rows, count)``.

    Args:
        scores: ``(n_rows, n_columns)``.
        count: How many, in [1, ``n_columns``].
    """
    import numpy as np  # noqa: PLC0415 - a task that names a construction stays light

    rows, columns = largest(scores, count)
    values = scores[rows, columns]
    order = np.lexsort((-values, rows))
    firsts = np.searchsorted(rows, np.arange(len(scores)))
    top: np.ndarray = values[order[firsts[:, None] + np.arange(count)]]
    return top


def _own_texts(records: Sequence[Record], subset: str) -> list[str]:
    own = [record for record in records if record.subset == subset]
    return sorted({text for record in own for text in (record.answer, *record.options) if text})


def _near_texts(
    records: Sequence[Record], pools: Mapping[str, Sequence[str]], count: int, tools: Tools
) -> dict[tuple[str, str], list[str]]:
    """By subset and answer, the ``count`` texts of the subset's pool nearest to the answer, every text embedded once.

    ``count`` is enough: of the options a record has, the pool holds each at most once.
    """
    answers = {
        name: sorted({record.answer for record in records if record.subset == name and record.answer}) for name in pools
    }
    texts = sorted({text for part in (*pools.values(), *answers.values()) for text in part})
    if not texts:
        return {}
    vectors = tools.embedder(texts)
    row = {text: number for number, text in enumerate(texts)}
    near: dict[tuple[str, str], list[str]] = {}
    for name, pool in pools.items():
        if not pool or not answers[name]:
            continue
        queries, others = vectors[[row[text] for text in answers[name]]], vectors[[row[text] for text in pool]]
        for answer, rows in zip(answers[name], nearest_rows(queries, others, min(count, len(pool))), strict=True):
            near[name, answer] = [pool[int(number)] for number in rows]
    return near


def _widen(record: Record, near: Sequence[str], total: int, tools: Tools) -> Options | Dropped:
    if not record.answer:
        return Dropped("its answer is private, so nothing can be near to it")
    texts = record.options or (record.answer,)
    missing = total - len(texts)
    if missing < 0:
        return Dropped(f"it has {len(texts)} options already, more than {total}")
    if missing == 0:
        return published(record, tools)
    added = [text for text in near if text not in texts][:missing]
    if len(added) < missing:
        return Dropped(f"the pool holds {len(added)} texts other than its options; {missing} were needed")
    return in_drawn_order(record, (*texts, *added), tools)
