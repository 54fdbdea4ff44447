"""Scores of whole galleries: a table with a row for every sample and a column for every text of the gallery.

The scores come from a dual encoder, or from anything else that fills such a table; what is done with them here is the
official metric, row order and column order being those of the sample set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from egobench.errors import SampleSetError, ScoreFileError
from egobench.metrics import OUTCOMES
from egobench.metrics.gallery import GalleryMetric, RowMetric
from egobench.plugins import load_task
from egobench.sample import GalleryItem, Sample
from egobench.sampleset import SampleSet
from egobench.statistics import Estimate
from egobench.task import Gallery

if TYPE_CHECKING:
    import numpy as np

ROWS = 512
"""Rows that are looked through at a time."""

REPLICATES = 200
"""Of the bootstrap of whole tables; they know a standard error to 5 %."""


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
    gallery, manifest = _gallery(sample_set), sample_set.manifest
    _check(scores, sample_set)
    relevance = gallery.relevance(sample_set.samples, sample_set.gallery)
    outcomes = {outcome: len(scores) * (outcome == "answered") for outcome in OUTCOMES}
    entries: dict[str, dict[str, Any]] = {}
    for number, (name, metric) in enumerate(gallery.metrics.items()):
        try:
            found = _estimate(metric, scores, relevance, sample_set.samples, seed)
        except ValueError as error:
            raise ScoreFileError(f"scores of {sample_set.name}: {error}") from error
        entries[f"{manifest.task}/all/gallery/{manifest.construction}/{name}/{method}"] = {
            "n": len(scores),
            "n_expected": len(scores),
            "partial": False,
            "outcomes": outcomes,
            "clusters": found.clusters,
            "value": found.value,
            "se": found.se,
            "low": found.low,
            "high": found.high,
            "answered_only": found.value,
            "problem": None,
            "chance": manifest.chance[f"all/{name}"],
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
    """What scores that are all equal get, by metric."""
    import numpy as np  # noqa: PLC0415 - as above

    relevance = gallery.relevance(samples, items)
    tied = np.zeros(relevance.shape, np.float32)
    return {name: _value(metric, tied, relevance) for name, metric in gallery.metrics.items()}


def _gallery(sample_set: SampleSet) -> Gallery:
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


def _estimate(
    metric: GalleryMetric, scores: np.ndarray, relevance: np.ndarray, samples: Sequence[Sample], seed: int
) -> Estimate:
    from egobench.statistics.clustered import bootstrapped, mean  # noqa: PLC0415 - scipy

    if isinstance(metric, RowMetric):
        return mean(metric.values(scores, relevance).tolist(), [sample.cluster for sample in samples])
    compute = metric.value
    # A sample that nothing is right for ranks last everywhere and changes no value, so it is no draw either.
    rows = [row for row, right in enumerate(relevance) if right.any()]
    clusters = [samples[row].cluster for row in rows]

    def drawn(picked: Sequence[int]) -> float:
        chosen = [rows[place] for place in picked]
        return compute(scores[chosen], relevance[chosen])

    return bootstrapped(drawn, clusters, seed=seed, replicates=REPLICATES)
