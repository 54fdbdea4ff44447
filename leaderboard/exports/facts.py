"""Facts of a submission that all export formats state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from egobench.errors import UnknownPluginError
from egobench.plugins import load_task
from egobench.scoring.entry import ScoreEntry

from ..checks.content import Content
from ..submission import Level

PROJECT = "EgoBench"

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attribution:
    """Facts of an exported result that no run holds.

    Attributes:
        day: Day of the evaluation.
        developer: Developer of the model, as in the first part of its name on the Hub.
        organization: Organization that evaluated it.
        url: A page about the evaluation; ``""`` for none.
        dataset: The data set on the Hub whose leaderboard shows the result; ``""`` for none.
    """

    day: date
    developer: str = UNKNOWN
    organization: str = UNKNOWN
    url: str = ""
    dataset: str = ""

    @property
    def timestamp(self) -> int:
        """The beginning of the day in UTC, in seconds since 1970."""
        return int(datetime.combine(self.day, time(), UTC).timestamp())

    @property
    def relationship(self) -> str:
        """Whether the evaluator made the model: ``"first_party"``, ``"third_party"``, or ``"other"`` if unknown."""
        if UNKNOWN in {self.developer, self.organization}:
            return "other"
        return "first_party" if self.developer == self.organization else "third_party"


@dataclass(frozen=True, slots=True)
class Exported:
    """A submission to be exported.

    Attributes:
        content: Content of the submission.
        level: How much stands behind its numbers.
        attribution: Facts that the run does not hold.
    """

    content: Content
    level: Level
    attribution: Attribution

    @property
    def model_name(self) -> str:
        """The model's name without its developer, as one part of a path."""
        return _component(str(self.content.spec.model["name"]).rpartition("/")[2])

    @property
    def developer(self) -> str:
        """The model's developer."""
        developer, slash, _ = str(self.content.spec.model["name"]).partition("/")
        stated = self.attribution.developer
        return _component(developer if slash and stated == UNKNOWN else stated)

    @property
    def model_id(self) -> str:
        """The model as the Hub names it."""
        return f"{self.developer}/{self.model_name}"

    def values(self) -> Iterator[tuple[ScoreEntry, float]]:
        """Yield the scores that have a value, with the value."""
        for entry in self.content.scores.values():
            if entry.value is not None:
                yield entry, entry.value

    def setup(self) -> Mapping[str, str]:
        """Return how the run was done, as texts by name."""
        spec = self.content.spec
        frames = {
            task: f"{rule['fps']} fps" if rule.get("fps") else str(rule["count"]) for task, rule in spec.frames.items()
        }
        facts = {
            "run_id": spec.id,
            "level": self.level,
            "method": spec.method,
            "control": spec.control or "none",
            "prompt": spec.prompt,
            "frames": "; ".join(f"{task}: {count}" for task, count in frames.items()) or "none",
            "orders": str(spec.orders),
            "limit": "none" if spec.limit is None else str(spec.limit),
            "seed": str(spec.seed),
        }
        return {key: value for key, value in facts.items() if value}


def _component(name: str) -> str:
    """Turn a name into one part of a path, valid on any system and in addresses."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or UNKNOWN


def task_home(task: str) -> str:
    """Return the address of a task's data; ``""`` where the task is not installed."""
    try:
        source = load_task(task).source
    except UnknownPluginError:
        return ""
    return source.home or source.paper
