"""Values of samples in several runs, computed again from the rows, and the influence of each source video on scores.

Scores of a metric with a value per sample are paired by sample: single answers, answers that are right in several
orders of the options, a judge's grades, and samples ranked over a whole gallery. Class-wise mAP has no value per
sample, so its influences come from leaving out one video at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from egobench.dataset.galleries import gallery_of
from egobench.dataset.sampleset import SampleSet
from egobench.errors import ModelError, SampleSetError
from egobench.llm_judge.rubric import rubric_hash
from egobench.llm_judge.score import judged_metrics
from egobench.metrics import MeanMetric, Metric, ScoredSample
from egobench.metrics.gallery import GalleryMetric
from egobench.metrics.orders import circular
from egobench.plugins import load_task
from egobench.retrieval.influence import read_influences
from egobench.run.plan import Part, PartId, plan
from egobench.run.records import Prediction
from egobench.run.store import Run
from egobench.sample import Sample
from egobench.scoring.entry import ScoreEntry
from egobench.scoring.sample_values import SampleValues, Unsealing
from egobench.scoring.score import score_samples, score_samples_in_orders
from egobench.statistics.resampling import Influence, values_without

from .bundle import judged_sample_texts, sample_texts
from .runs import BoardRun
from .sealing import unseal


class MeasureValues:
    """Values of the samples of a part in several runs, by measure.

    Args:
        sample_set: The sample set.
        part: The part.
    """

    def __init__(self, sample_set: SampleSet, part: PartId) -> None:
        self._sample_set, self._part = sample_set, part
        chosen = [sample for sample in sample_set.samples if sample.subset == part.subset or sample_set.gallery]
        self._values = SampleValues(chosen)
        self._samples = self._values.samples
        names, self._sizes = np.unique([sample.cluster for sample in self._samples], return_counts=True)
        self._clusters: tuple[str, ...] = tuple(names.tolist())
        self._influences: defaultdict[str, dict[str, Influence]] = defaultdict(dict)

    def why_unpaired(self, entry: ScoreEntry) -> str:
        """Return why runs are not compared by a score; ``""`` where they are."""
        metric = entry.id.metric
        if entry.positions is not None and not metric.startswith("circular"):
            reason = "it says where a model puts its answers, not how good they are"
        elif entry.gallery is not None:
            known = self._sample_set.gallery and metric in self._gallery_metrics
            reason = "" if known else "its task has no such metric of a gallery"
        elif entry.judge is not None:
            reason = "" if entry.id.rubric == rubric_hash() else "its judge was asked otherwise than judges are now"
        elif any(sample.target is None for sample in self._samples) and self._part.protocol == "mcq":
            reason = "the answers of some samples are private"
        else:
            known = entry.orders > 1 or metric in self._metrics
            reason = "" if known else "its values per sample cannot be computed from the rows"
        return reason and f"{reason}; the interval of every run is its own"

    def read(self, run: BoardRun, entries: Mapping[str, ScoreEntry]) -> None:
        """Read the values of the samples in a run.

        Args:
            run: The run.
            entries: Its entries of the part by measure, without those that :meth:`why_unpaired` gives a reason for.

        Raises:
            StoreError: If its rows are damaged.
            SampleSetError: If some are missing, or are not about these samples.
        """
        galleries = {key: entry for key, entry in entries.items() if entry.gallery is not None}
        judged = {key: entry for key, entry in entries.items() if entry.judge is not None}
        turned = {key: entry for key, entry in entries.items() if entry.orders > 1}
        plain = {key: entry for key, entry in entries.items() if key not in {**galleries, **judged, **turned}}
        if plain:
            self._read_answers(run, {key: self._metrics[entry.id.metric] for key, entry in plain.items()})
        for key, entry in turned.items():
            by_order = self._run_of(run).predictions_by_order(self._part.file_stem)
            scored = score_samples_in_orders(self._samples, by_order, entry.orders)
            self._keep(key, run.key, circular, scored)
        for key, entry in judged.items():
            self._keep(key, run.key, *self._judged(run, entry))
        if galleries:
            self._read_gallery(run, {key: self._gallery_metrics[entry.id.metric] for key, entry in galleries.items()})

    def keys(self, measure: str) -> set[str]:
        """Return the keys of the runs whose values of a measure were read."""
        return {*self._influences[measure]}

    def value(self, measure: str, key: str) -> float:
        """Return the score of a run, as its rows give it."""
        return float(self._influences[measure][key].values[0])

    def influence(self, measure: str, keys: Sequence[str]) -> Influence:
        """Return what each source video adds to the scores of some runs, at least one."""
        return Influence.beside([self._influences[measure][key] for key in keys])

    @cached_property
    def _metrics(self) -> Mapping[str, Metric]:
        task = load_task(self._part.task)
        subset = next((subset for subset in task.subsets if subset.name == self._part.subset), None)
        known = subset is not None and subset.protocol == self._part.protocol
        return task.metrics_of(subset) if subset is not None and known else {}

    @cached_property
    def _gallery_metrics(self) -> Mapping[str, GalleryMetric]:
        return gallery_of(self._sample_set).metrics

    @cached_property
    def _relevance(self) -> np.ndarray:
        """Relevance of the gallery's texts for all samples of the set, ``(n_samples, n_texts)``."""
        return gallery_of(self._sample_set).relevance(self._sample_set.samples, self._sample_set.gallery)

    def _run_of(self, run: BoardRun) -> Run:
        return Run(run.folder, run.spec)

    def _part_of(self, run: BoardRun) -> Part:
        parts = plan([self._sample_set], run.spec.settings())
        part = next((part for part in parts if part.id == self._part), None)
        if part is None:
            raise SampleSetError(f"{self._sample_set.name} has no part {self._part.file_stem}")
        return part

    def _keep(self, measure: str, key: str, metric: Metric, scored: Sequence[ScoredSample]) -> None:
        self._check_complete(len(scored))
        if isinstance(metric, MeanMetric):
            self._keep_values(measure, key, np.fromiter(map(metric.value, scored), np.float64, len(scored)))
            return
        rest, value = values_without(metric, scored, self._sizes.tolist()), np.array([metric.value(scored)])
        self._influences[measure][key] = Influence.of_rest(value, rest[:, None], self._sizes, self._clusters)

    def _keep_values(self, measure: str, key: str, by_sample: np.ndarray) -> None:
        self._influences[measure][key] = Influence.of_means(by_sample[:, None], self._sizes, self._clusters)

    def _read_answers(self, run: BoardRun, metrics: Mapping[str, Metric]) -> None:
        sealed = run.sealed and self._part.protocol == "open"
        unsealing: Unsealing | None = (lambda predictions: _unsealed(predictions, self._samples)) if sealed else None
        values = self._values.read(self._run_of(run), self._part.file_stem, metrics, unsealing=unsealing)
        for key, metric in metrics.items():
            if key in values.problems:
                raise ModelError(values.problems[key])
            if isinstance(metric, MeanMetric):
                self._keep_values(key, run.key, values.by_sample[key])
            else:
                self._keep(key, run.key, metric, values.scored_samples)

    def _predictions(self, run: BoardRun) -> Mapping[str, Prediction]:
        """Read a run's predictions in the first order of the options, with restored replies."""
        predictions = self._run_of(run).predictions(self._part.file_stem)
        sealed = run.sealed and self._part.protocol == "open"
        return _unsealed(predictions, self._samples) if sealed else predictions

    def _judged(self, run: BoardRun, entry: ScoreEntry) -> tuple[MeanMetric, list[ScoredSample]]:
        """Return a judge's metric, and the samples that it graded."""
        predictions = self._predictions(run)
        replies = self._run_of(run).judge_replies().get(entry.id.judge, {})
        part = self._part_of(run)
        if run.sealed:
            texts = judged_sample_texts(part, predictions)
            replies = {
                key: replace(reply, reply=unseal(reply.reply, texts[key]))
                for key, reply in replies.items()
                if key in texts
            }
        metrics = judged_metrics(part, predictions, replies)
        return metrics[entry.id.metric], score_samples(self._samples, predictions)

    def _read_gallery(self, run: BoardRun, metrics: Mapping[str, GalleryMetric]) -> None:
        part = self._part_of(run)
        self._check_complete(len(part.selected))
        for key, influence in read_influences(self._run_of(run), part, metrics, self._relevance).items():
            self._influences[key][run.key] = influence

    def _check_complete(self, count: int) -> None:
        if count < len(self._samples):
            raise SampleSetError(f"{count} of {len(self._samples)} samples of {self._part.file_stem} were asked")


def _unsealed(predictions: Mapping[str, Prediction], samples: Iterable[Sample]) -> dict[str, Prediction]:
    """Restore the replies of a bundle's predictions.

    Raises:
        BundleError: If a reply refers to words that its sample lacks.
    """
    return {
        sample.id: replace(prediction, reply=unseal(prediction.reply, sample_texts(sample)))
        for sample in samples
        if (prediction := predictions.get(sample.id)) is not None
    }
