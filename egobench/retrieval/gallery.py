"""Scores of whole galleries: a table with a row per sample and a column per text of the gallery.

The table comes from a run of a dual encoder, from a run that scores a retriever's best texts again, or from a file of
somebody else's; here it meets the official metrics. The order of rows and columns is that of the sample set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast
from zipfile import BadZipFile

from egobench.dataset.galleries import gallery_of
from egobench.dataset.sampleset import SampleSet
from egobench.errors import SampleSetError, ScoreFileError, bare_reason
from egobench.metrics import OUTCOMES, Outcome
from egobench.metrics.gallery import GalleryMetric, RowMetric, table_value, tied_values
from egobench.run.plan import Part, PartId
from egobench.scoring.entry import GallerySize, ProtocolId, ScoreEntry, Scores, by_id
from egobench.scoring.score import Attempt, blind_fields, estimate_fields
from egobench.statistics import Estimate
from egobench.task import Gallery

if TYPE_CHECKING:
    import numpy as np

    from egobench.retrieval.tables import ScoreTable

ROWS = 512
"""Rows that are looked through at a time."""

REPLICATES = 200
"""Of the bootstrap of whole tables; they know a standard error to 5 %."""


def score_gallery(scores: np.ndarray, sample_set: SampleSet, *, method: str = "scores", seed: int = 0) -> Scores:
    """Every metric of a gallery, ties counted by their expected value.

    Args:
        scores: ``(n_samples, n_items)``, higher is better, in the order of the sample set.
        sample_set: A set that was built with a gallery.
        method: Where the scores come from, as the protocol id shall name it.
        seed: Seed of bootstrap replicates.

    Returns:
        Entries by protocol id.

    Raises:
        SampleSetError: If the set has no gallery.
        ScoreFileError: If the scores have another shape, or one is not a number.
    """
    from egobench.retrieval.tables import ScoreTable, TableSamples  # noqa: PLC0415 - numpy

    gallery, manifest = gallery_of(sample_set), sample_set.manifest
    _check(scores, sample_set)
    answered: list[Outcome] = ["answered"] * len(scores)
    part = PartId(manifest.task, "all", "gallery", manifest.construction)
    table = ScoreTable(scores, TableSamples(sample_set.samples, answered))
    ids = {name: ProtocolId(part, name, method) for name in gallery.metrics}
    entries = by_id(_score(table, gallery, sample_set, ids, seed))
    problem = next((entry.problem for entry in entries.values() if entry.problem), None)
    if problem:
        raise ScoreFileError(f"scores of {sample_set.name}: {problem}")
    return entries


def score_gallery_part(table: ScoreTable, part: Part, *, seed: int) -> list[ScoreEntry]:
    """Every metric of a part of a run that is about a gallery.

    A sample without an answer is never ranked by chance: where a metric is a mean over samples its value is 0, and
    where samples are ranked class by class it is last in every class.

    Args:
        table: The scores of the samples that were asked; rows of samples without an answer are not looked at.
        part: The part.
        seed: Seed of bootstrap replicates.

    Returns:
        One entry per metric; a metric that cannot be had says why.

    Raises:
        SampleSetError: If the part has no gallery.
    """
    gallery = part.gallery
    if gallery is None:
        raise SampleSetError(f"{part.name} has no gallery to score")
    ids = {name: ProtocolId.of(part, name) for name in gallery.metrics}
    return _score(table, gallery, part.sample_set, ids, seed)


def read_scores(path: Path, sample_set: SampleSet) -> np.ndarray:
    """Read a table of scores from a file.

    Args:
        path: A ``.npy`` file, whose order is taken on trust, or an ``.npz`` file with the arrays ``scores``,
            ``samples`` (ids of the rows) and ``gallery`` (ids of the columns), whose order is checked.
        sample_set: What the scores are of.

    Returns:
        ``(n_samples, n_items)``.

    Raises:
        ScoreFileError: If the file cannot be read, or its rows or columns are not those of the sample set.
    """
    import numpy as np  # noqa: PLC0415 - the command line stays light

    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return cast("np.ndarray", content)
        with content:
            scores: np.ndarray = content["scores"]
            rows, columns = [str(name) for name in content["samples"]], [str(name) for name in content["gallery"]]
    except KeyError as error:
        raise ScoreFileError(f"{path}: {error}; an .npz file needs the arrays scores, samples and gallery") from error
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise ScoreFileError(
            f"{path}: not a file of numbers as numpy.save writes them ({bare_reason(error)})"
        ) from error
    _same_order(rows, [sample.id for sample in sample_set.samples], f"{path}: samples")
    _same_order(columns, [item.id for item in sample_set.gallery], f"{path}: gallery")
    return scores


def _check(scores: np.ndarray, sample_set: SampleSet) -> None:
    import numpy as np  # noqa: PLC0415 - as above

    expected = (len(sample_set.samples), len(sample_set.gallery))
    what = f"scores of {sample_set.name}"
    if scores.shape != expected:
        hint = "; is the table transposed?" if scores.shape == expected[::-1] else ""
        raise ScoreFileError(f"{what} have the shape {scores.shape}; expected (samples, gallery) = {expected}{hint}")
    if scores.dtype.kind not in "fiu":
        raise ScoreFileError(f"{what} are of type {scores.dtype}; expected numbers")
    for start in range(0, len(scores), ROWS):
        bad = np.argwhere(np.isnan(scores[start : start + ROWS]))
        if len(bad):
            row, column = start + int(bad[0][0]), int(bad[0][1])
            sample, item = sample_set.samples[row].id, sample_set.gallery[column].id
            raise ScoreFileError(f"{what}: the score of sample {sample!r} and item {item!r} is not a number")


def _same_order(ids: Sequence[str], expected: Sequence[str], what: str) -> None:
    if ids == expected:
        return
    if sorted(ids) != sorted(expected):
        raise ScoreFileError(
            f"{what} lists {len(ids)} ids, which are not the {len(expected)} of the sample set; e.g. "
            f"{sorted(set(ids) ^ set(expected))[:1] or 'an id that comes twice'}"
        )
    place = next(n for n, (name, right) in enumerate(zip(ids, expected, strict=True)) if name != right)
    raise ScoreFileError(
        f"{what} is in another order: position {place} is {ids[place]!r}, expected {expected[place]!r}; "
        "put the scores in the order of the sample set"
    )


def _score(
    table: ScoreTable, gallery: Gallery, sample_set: SampleSet, ids: Mapping[str, ProtocolId], seed: int
) -> list[ScoreEntry]:
    samples, outcomes = table.rows.samples, Counter(table.rows.outcomes)
    manifest, n_expected = sample_set.manifest, len(sample_set.samples)
    relevance = gallery.relevance(samples, sample_set.gallery)
    # The manifest knows chance over all samples, of the metrics that there were when the set was built.
    known = manifest.chance if len(samples) == n_expected else dict[str, float]()
    entries: list[ScoreEntry] = []
    for position, (name, metric) in enumerate(gallery.metrics.items()):
        attempt = _attempt(metric, table, relevance, seed)
        clusters = attempt.estimate.clusters if attempt.estimate else len({sample.cluster for sample in samples})
        entries.append(
            ScoreEntry(
                id=ids[name],
                n=len(samples),
                n_expected=n_expected,
                outcomes={outcome: outcomes[outcome] for outcome in OUTCOMES},
                clusters=clusters,
                **estimate_fields(attempt.estimate),
                answered_only=_answered_only(attempt.estimate, metric, table, relevance),
                problem=attempt.problem,
                chance=known[f"all/{name}"] if f"all/{name}" in known else _chance(metric, relevance),
                **blind_fields(manifest, "all"),
                samples_sha256=manifest.samples_sha256,
                orders=1,
                headline=position == 0,
                shown=True,
                gallery=GallerySize(
                    gallery_sha256=manifest.gallery_sha256,
                    items=len(sample_set.gallery),
                    items_with_positives=int((relevance == 1).any(axis=0).sum()),
                ),
            )
        )
    return entries


def _attempt(metric: GalleryMetric, table: ScoreTable, relevance: np.ndarray, seed: int) -> Attempt:
    if not table.rows.samples:
        return Attempt(None, "no sample")
    try:
        return Attempt(_estimate(metric, table, relevance, seed), None)
    except ValueError as error:
        return Attempt(None, str(error))


def _answered_only(
    estimate: Estimate | None, metric: GalleryMetric, table: ScoreTable, relevance: np.ndarray
) -> float | None:
    """The score over answered samples alone; ``None`` where nothing is right for any of them, or it is not defined."""
    answered = _answered(table)
    if estimate is None or answered.all():
        return None if estimate is None else estimate.value
    relevance_of_answered = relevance[answered]
    if not relevance_of_answered.any():
        return None
    try:
        return table_value(metric, table.scores[answered], relevance_of_answered)
    except ValueError:
        return None


def _chance(metric: GalleryMetric, relevance: np.ndarray) -> float | None:
    """The value under scores that are all equal; ``None`` where the metric is not defined for all of the samples."""
    try:
        return tied_values({"": metric}, relevance).get("")
    except ValueError:
        return None


def sample_values(metric: RowMetric, table: ScoreTable, relevance: np.ndarray) -> np.ndarray:
    """The value of each sample of a table, ``(n_samples,)``; 0 for one that was not answered."""
    import numpy as np  # noqa: PLC0415 - as above

    answered = _answered(table)
    if answered.all():
        return metric.values(table.scores, relevance)
    values = np.zeros(len(answered))
    if answered.any():
        values[answered] = metric.values(table.scores[answered], relevance[answered])
    return values


def ranked_table(table: ScoreTable, relevance: np.ndarray) -> ScoreTable:
    """The samples of a table that anything is right for; those that were not answered rank last everywhere.

    A sample that nothing is right for changes no value of a :class:`~egobench.metrics.gallery.TableMetric`, so it is no
    draw of a resampling either.
    """
    import numpy as np  # noqa: PLC0415 - as above

    from egobench.retrieval.tables import ScoreTable, TableSamples  # noqa: PLC0415 - numpy

    rows = np.flatnonzero(relevance.any(axis=1))
    scores = np.where(_answered(table)[rows, None], table.scores[rows], -np.inf)
    chosen = rows.tolist()
    samples = [table.rows.samples[row] for row in chosen]
    return ScoreTable(scores, TableSamples(samples, [table.rows.outcomes[row] for row in chosen]))


def _answered(table: ScoreTable) -> np.ndarray:
    import numpy as np  # noqa: PLC0415 - as above

    return np.array([outcome == "answered" for outcome in table.rows.outcomes], dtype=bool)


def _estimate(metric: GalleryMetric, table: ScoreTable, relevance: np.ndarray, seed: int) -> Estimate:
    from egobench.statistics.clustered import bootstrapped, mean  # noqa: PLC0415 - scipy

    if isinstance(metric, RowMetric):
        values = sample_values(metric, table, relevance).tolist()
        return mean(values, [sample.cluster for sample in table.rows.samples])
    compute = metric.value
    ranked, right = ranked_table(table, relevance), relevance[relevance.any(axis=1)]
    clusters = [sample.cluster for sample in ranked.rows.samples]

    def value_of_draw(draw: Sequence[int]) -> float:
        rows = list(draw)
        return compute(ranked.scores[rows], right[rows])

    return bootstrapped(value_of_draw, clusters, seed=seed, replicates=REPLICATES)
