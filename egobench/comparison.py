"""The outcome of a comparison of runs, as objects, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from egobench.run.spec import RunSpec
from egobench.statistics import Estimate, PairedTest
from egobench.statistics.ranks import RankSet
from egobench.statistics.resampling import Column

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A run that is compared with others.

    Attributes:
        name: The name that it was given, else ``<model>/<run id>``; with its path where another run has the same.
        path: Its folder.
        spec: What identifies it.
        gain: What the first run minus this one is called; ``"difference"`` unless it is a control of the first run.
        differs: Fields of the spec that are not as in the first run; empty for the first.
    """

    name: str
    path: Path
    spec: RunSpec
    gain: str
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ComparedScore:
    """A metric, or an average of metrics, of all runs.

    Attributes:
        id: ``task/subset/protocol/construction/metric``, or the name of an average.
        headline: Whether it stands for its subset, and so belongs to the family of tests.
        values: One per run.
        intervals: One per run for averages, which no single run shows; else empty.
        tests: The first run minus each of the others.
        adjusted: Holm's p-value of each test within the family; ``None`` outside of it.
        ranks: One per run where three or more are ranked, ``None`` for a run that is not; else empty.
        partial: Whether only some of the samples were asked.
        column: The samples; ``None`` for averages.
    """

    id: str
    headline: bool
    values: tuple[float, ...]
    intervals: tuple[Estimate, ...]
    tests: tuple[PairedTest, ...]
    adjusted: tuple[float | None, ...]
    ranks: tuple[RankSet | None, ...]
    partial: bool
    column: Column | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs against one another.

    Attributes:
        runs: The first is compared with each of the others; plain runs come before controls.
        scores: One per subset, or one per metric.
        averages: ``Avg`` and ``Avg (debiased)``, as far as all ten scores are there.
        absent: Ids of the headline scores that an average lacks, by its name; an average without any is left out.
        problems: Why a score could not be compared, by id.
        family: Number of tests that Holm's correction is over.
    """

    runs: tuple[ComparedRun, ...]
    scores: tuple[ComparedScore, ...]
    averages: tuple[ComparedScore, ...]
    absent: Mapping[str, tuple[str, ...]]
    problems: Mapping[str, str]
    family: int

    def to_json(self) -> dict[str, Any]:
        """The comparison as a JSON object; values in [0, 1]."""
        return {
            "runs": [
                {
                    "name": run.name,
                    "path": str(run.path),
                    "model": run.spec.model["name"],
                    "method": run.spec.method,
                    "control": run.spec.control,
                    "differs": list(run.differs),
                }
                for run in self.runs
            ],
            "numbers": [self._score_json(score) for score in self.scores],
            "averages": [self._score_json(score) for score in self.averages],
            "absent": {name: list(ids) for name, ids in self.absent.items()},
            "problems": dict(self.problems),
            "family": {"correction": "Holm", "tests": self.family},
        }

    def to_frame(self) -> pd.DataFrame:
        """The comparison as a table: one row per score and per run that the first one is compared with."""
        import pandas as pd  # noqa: PLC0415 - for notebooks; the command line stays light

        return pd.DataFrame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """The comparison as flat JSON objects: one per score and per run that the first one is compared with."""
        first = self.runs[0]
        return [
            {
                "id": score.id,
                "first": first.name,
                "second": run.name,
                "what": run.gain,
                "first_value": score.values[0],
                "second_value": value,
                **asdict(test),
                "p_holm": adjusted,
            }
            for score in (*self.scores, *self.averages)
            for run, value, test, adjusted in zip(
                self.runs[1:], score.values[1:], score.tests, score.adjusted, strict=True
            )
        ]

    def _score_json(self, score: ComparedScore) -> dict[str, Any]:
        names = [run.name for run in self.runs]
        tests = zip(self.runs[1:], score.tests, score.adjusted, strict=True)
        return {
            "id": score.id,
            "headline": score.headline,
            "partial": score.partial,
            "values": dict(zip(names, score.values, strict=True)),
            "intervals": {name: asdict(interval) for name, interval in zip(names, score.intervals, strict=False)},
            "tests": [
                {"first": names[0], "second": run.name, "what": run.gain, **asdict(test), "p_holm": adjusted}
                for run, test, adjusted in tests
            ],
            "ranks": {
                name: None if ranks is None else [ranks.best, ranks.worst]
                for name, ranks in zip(names, score.ranks, strict=False)
            },
        }
