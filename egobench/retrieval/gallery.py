"""Scores of whole galleries: a table with a row for every sample and a column for every text of the gallery.

The scores come from a run of a dual encoder, from one that scores a retriever's best texts again, or from anything else
that fills such a table; what is done with them here is the official metric, row order and column order being those of
the sample set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from egobench.dataset.sampleset import SampleSet
from egobench.errors import SampleSetError, ScoreFileError
from egobench.metrics import OUTCOMES, Outcome
from egobench.metrics.gallery import GalleryMetric, RowMetric
from egobench.plugins import load_task
from egobench.sample import GalleryItem, Sample
from egobench.statistics import Estimate
from egobench.task import Gallery

if TYPE_CHECKING:
    import numpy as np

ROWS = 512
"""Rows that are looked through at a time."""

REPLICATES = 200
"""Of the bootstrap of whole tables; they know a standard error to 5 %."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The samples of a gallery that were asked, and what became of them.

    Attributes:
        samples: In the order of the rows of scores.
        outcomes: One a sample. A row counts as scores only where it is ``"answered"``.
        column: From a metric's name to the id of its number.
    """

    samples: Sequence[Sample]
    outcomes: Sequence[Outcome]
    column: Callable[[str], str]


def score_gallery(
    scores: np.ndarray, sample_set: SampleSet, *, method: str = "scores", seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Every metric of a gallery, ties counted by their expected value.

    Args:
        scores: ``(n_samples, n_items)``, higher is better, in the order of the sample set.
        sample_set: A set that was built with a gallery.
        method: Where the scores come from, the last part of the protocol id.
        seed: Seed of bootstrap replicates.

    Returns:
        By protocol id, entries as in ``scores.json``.

    Raises:
        SampleSetError: If the set has no gallery.
        ScoreFileError: If the scores have another shape, or one is not a number.
    """
    gallery_of(sample_set)
    _check(scores, sample_set)
    answered: list[Outcome] = ["answered"] * len(scores)
    name = f"{sample_set.manifest.task}/all/gallery/{sample_set.manifest.construction}"
    scored = Scored(sample_set.samples, answered, lambda metric: f"{name}/{metric}/{method}")
    entries = score_rows(scores, sample_set, scored, seed=seed)
    problem = next((entry["problem"] for entry in entries.values() if entry["problem"]), None)
    if problem:
        raise ScoreFileError(f"scores of {sample_set.name}: {problem}")
    return entries


def score_rows(scores: np.ndarray, sample_set: SampleSet, scored: Scored, *, seed: int) -> dict[str, dict[str, Any]]:
    """Every metric of the samples of a gallery that were asked.

    A sample without an answer is never ranked by chance: where a metric is a mean over samples its value is 0, and
    where samples are ranked class by class it is last in every class.

    Args:
        scores: ``(n_asked, n_items)``, higher is better; rows of samples without an answer are not looked at.
        sample_set: A set that was built with a gallery.
        scored: What the rows are.
        seed: Seed of bootstrap replicates.

    Returns:
        By protocol id, entries as in ``scores.json``; a metric that cannot be had says why.

    Raises:
        SampleSetError: If the set has no gallery.
    """
    gallery, manifest, asked = gallery_of(sample_set), sample_set.manifest, scored.samples
    relevance = gallery.relevance(asked, sample_set.gallery)
    outcomes = Counter(scored.outcomes)
    tied = None if len(asked) == len(sample_set.samples) else gallery_chance(gallery, asked, sample_set.gallery)
    entries: dict[str, dict[str, Any]] = {}
    for number, (name, metric) in enumerate(gallery.metrics.items()):
        found, alone, problem = _attempt(metric, scores, relevance, scored, seed)
        entries[scored.column(name)] = {
            "n": len(asked),
            "n_expected": len(sample_set.samples),
            "partial": len(asked) < len(sample_set.samples),
            "outcomes": {outcome: outcomes[outcome] for outcome in OUTCOMES},
            "clusters": found.clusters if found else len({sample.cluster for sample in asked}),
            "value": found.value if found else None,
            "se": found.se if found else None,
            "low": found.low if found else None,
            "high": found.high if found else None,
            "answered_only": alone,
            "problem": problem,
            "chance": manifest.chance[f"all/{name}"] if tied is None else tied.get(name),
            "blind_ceiling": manifest.blind_ceiling,
            "samples_sha256": manifest.samples_sha256,
            "gallery_sha256": manifest.gallery_sha256,
            "items": len(sample_set.gallery),
            "items_with_positives": int((relevance == 1).any(axis=0).sum()),
            "orders": 1,
            "headline": number == 0,
            "shown": True,
            "by": {},
        }
    return entries


def read_scores(path: Path, sample_set: SampleSet) -> np.ndarray:
    """A table of scores from a file.

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
        held = np.load(path, allow_pickle=False)
        if isinstance(held, np.ndarray):
            return held
        with held:
            scores: np.ndarray = held["scores"]
            rows, columns = [str(one) for one in held["samples"]], [str(one) for one in held["gallery"]]
    except KeyError as error:
        raise ScoreFileError(f"{path}: {error}; an .npz file needs the arrays scores, samples and gallery") from error
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise ScoreFileError(f"{path}: not a file of numbers as numpy.save writes them ({error})") from error
    _same_order(rows, [sample.id for sample in sample_set.samples], f"{path}: samples")
    _same_order(columns, [item.id for item in sample_set.gallery], f"{path}: gallery")
    return scores


def gallery_chance(gallery: Gallery, samples: Sequence[Sample], items: Sequence[GalleryItem]) -> Mapping[str, float]:
    """What scores that are all equal get, by metric; without metrics that the samples do not define."""
    import numpy as np  # noqa: PLC0415 - as above

    relevance = gallery.relevance(samples, items)
    if not relevance.any():
        return {}
    tied = np.zeros(relevance.shape, np.float32)
    return {name: _value(metric, tied, relevance) for name, metric in gallery.metrics.items()}


def gallery_of(sample_set: SampleSet) -> Gallery:
    """The gallery a sample set was built with.

    Raises:
        SampleSetError: If it was built without.
    """
    gallery = load_task(sample_set.manifest.task).galleries.get(sample_set.manifest.construction)
    if gallery is None or not sample_set.gallery:
        raise SampleSetError(
            f"{sample_set.name} has no gallery to score; build one with egobench build --construction gallery"
        )
    return gallery


def _check(scores: np.ndarray, sample_set: SampleSet) -> None:
    import numpy as np  # noqa: PLC0415 - as above

    expected = (len(sample_set.samples), len(sample_set.gallery))
    what = f"scores of {sample_set.name}"
    if scores.shape != expected:
        turned = "; is the table transposed?" if scores.shape == expected[::-1] else ""
        raise ScoreFileError(f"{what} have the shape {scores.shape}; expected (samples, gallery) = {expected}{turned}")
    if scores.dtype.kind not in "fiu":
        raise ScoreFileError(f"{what} are of type {scores.dtype}; expected numbers")
    for start in range(0, len(scores), ROWS):
        bad = np.argwhere(np.isnan(scores[start : start + ROWS]))
        if len(bad):
            row, column = start + bad[0][0], bad[0][1]
            sample, item = sample_set.samples[row].id, sample_set.gallery[column].id
            raise ScoreFileError(f"{what}: the score of sample {sample!r} and item {item!r} is not a number")


def _same_order(found: Sequence[str], expected: Sequence[str], what: str) -> None:
    if found == expected:
        return
    if sorted(found) != sorted(expected):
        raise ScoreFileError(
            f"{what} lists {len(found)} ids, which are not the {len(expected)} of the sample set; e.g. "
            f"{sorted(set(found) ^ set(expected))[:1] or 'one comes twice'}"
        )
    place = next(n for n, (one, other) in enumerate(zip(found, expected, strict=True)) if one != other)
    raise ScoreFileError(
        f"{what} is in another order: position {place} is {found[place]!r}, expected {expected[place]!r}; "
        "put the scores in the order of the sample set"
    )


def _value(metric: GalleryMetric, scores: np.ndarray, relevance: np.ndarray) -> float:
    if isinstance(metric, RowMetric):
        return float(metric.values(scores, relevance).mean())
    return metric.value(scores, relevance)


def _attempt(
    metric: GalleryMetric, scores: np.ndarray, relevance: np.ndarray, scored: Scored, seed: int
) -> tuple[Estimate | None, float | None, str | None]:
    """An estimate, the value of the answered samples alone, and why there is none."""
    import numpy as np  # noqa: PLC0415 - as above

    held = np.array([outcome == "answered" for outcome in scored.outcomes], dtype=bool)
    if not len(held):
        return None, None, "no sample"
    try:
        if held.all():
            found = _estimate(metric, scores, relevance, scored.samples, seed)
            return found, found.value, None
        own = np.asarray(scores[held]), relevance[held]
        if isinstance(metric, RowMetric):
            values = np.zeros(len(held))
            values[held] = metric.values(*own) if held.any() else 0.0
            return _mean(values, scored.samples), float(values[held].mean()) if held.any() else None, None
        last = np.full(relevance.shape, -np.inf)
        last[held] = own[0]
        found = _estimate(metric, last, relevance, scored.samples, seed)
        return found, _value(metric, *own) if own[1].any() else None, None
    except ValueError as error:
        return None, None, str(error)


def _mean(values: np.ndarray, samples: Sequence[Sample]) -> Estimate:
    from egobench.statistics.clustered import mean  # noqa: PLC0415 - scipy

    return mean(values.tolist(), [sample.cluster for sample in samples])


def _estimate(
    metric: GalleryMetric, scores: np.ndarray, relevance: np.ndarray, samples: Sequence[Sample], seed: int
) -> Estimate:
    from egobench.statistics.clustered import bootstrapped  # noqa: PLC0415 - scipy

    if isinstance(metric, RowMetric):
        return _mean(metric.values(scores, relevance), samples)
    compute = metric.value
    # A sample that nothing is right for ranks last everywhere and changes no value, so it is no draw either.
    rows = [row for row, right in enumerate(relevance) if right.any()]
    clusters = [samples[row].cluster for row in rows]

    def drawn(picked: Sequence[int]) -> float:
        chosen = [rows[place] for place in picked]
        return compute(scores[chosen], relevance[chosen])

    return bootstrapped(drawn, clusters, seed=seed, replicates=REPLICATES)
