"""From predictions to scores: every number of a run is derived from its rows, here and nowhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from egobench.controls import Control
from egobench.errors import ModelError
from egobench.metrics import OUTCOMES, Judged, Metric
from egobench.model import Method
from egobench.sample import Sample
from egobench.sampleset import SampleSet
from egobench.statistics import Estimate, chance, estimate
from egobench.store import Prediction
from egobench.task import Subset, Task


@dataclass(frozen=True, slots=True)
class Part:
    """One subset of one sample set in a run: what one predictions file is about.

    Attributes:
        task: The task.
        sample_set: The sample set.
        subset: The subset.
        samples: All its samples.
        asked: The samples that the run asks, all of them without ``--limit``.
        method: How an answer becomes a number; open questions are always generated.
        control: What is removed or altered, ``None`` for a plain run.
    """

    task: Task
    sample_set: SampleSet
    subset: Subset
    samples: tuple[Sample, ...]
    asked: tuple[Sample, ...]
    method: Method
    control: Control | None

    @property
    def name(self) -> str:
        """``<task>.<subset>.<protocol>.<construction>``, the beginning of its predictions files' names."""
        construction = self.sample_set.manifest.construction
        return f"{self.task.name}.{self.subset.name}.{self.subset.protocol}.{construction}"

    def protocol_id(self, metric: str) -> str:
        """Names a column: numbers with different ids or sample sets never share one."""
        parts = [*self.name.split("."), metric, self.method, *([self.control] if self.control else [])]
        return "/".join(parts)


def judge(samples: Sequence[Sample], predictions: Mapping[str, Prediction]) -> list[Judged]:
    """Samples that have been asked, in their order, with what became of them."""
    return [
        Judged(sample, found.outcome, found.scores, found.reply if found.outcome == "answered" else "")
        for sample in samples
        if (found := predictions.get(sample.id)) is not None
    ]


def score(part: Part, predictions: Mapping[str, Prediction], *, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every metric of a part.

    Args:
        part: The part.
        predictions: By sample id; samples without one count as not yet asked.
        seed: Seed of bootstrap replicates.

    Yields:
        Protocol id and its entry in ``scores.json``; values in [0, 1].
    """
    judged = judge(part.asked, predictions)
    outcomes = Counter(each.outcome for each in judged)
    answered = [each for each in judged if each.outcome == "answered"]
    shown = {part.subset.headline, *part.subset.beside}
    for name, metric in part.task.metrics_of(part.subset).items():
        found, problem = _attempt(metric, judged, seed)
        yield (
            part.protocol_id(name),
            {
                "n": len(judged),
                "n_expected": len(part.samples),
                "partial": len(judged) < len(part.samples),
                "outcomes": {outcome: outcomes[outcome] for outcome in OUTCOMES},
                "clusters": len({each.sample.cluster for each in judged}),
                "value": found.value if found else None,
                "se": found.se if found else None,
                "low": found.low if found else None,
                "high": found.high if found else None,
                "answered_only": alone.value if (alone := _attempt(metric, answered, seed)[0]) else None,
            "problem": problem,
                "chance": chance(metric, part.asked),
                "blind_ceiling": part.sample_set.manifest.blind_ceiling,
                "samples_sha256": part.sample_set.manifest.samples_sha256,
                "headline": name == part.subset.headline,
                "shown": name in shown,
            },
        )


def _attempt(metric: Metric, judged: Sequence[Judged], seed: int) -> tuple[Estimate | None, str | None]:
    """An estimate, or why there is none: a metric whose package is not installed must not cost the others."""
    if not judged:
        return None, "no sample"
    try:
        return estimate(metric, judged, seed=seed), None
    except ModelError as error:
        return None, str(error)


def coverage(scores: Mapping[str, Mapping[str, Any]]) -> float:
    """Share of the asked samples that the model replied to, over all parts, in [0, 1]; 1 when none was asked."""
    rows = [entry for entry in scores.values() if entry["headline"]]
    asked = sum(entry["n"] for entry in rows)
    lost = sum(entry["outcomes"]["media_error"] + entry["outcomes"]["request_error"] for entry in rows)
    return 1 - lost / asked if asked else 1.0
