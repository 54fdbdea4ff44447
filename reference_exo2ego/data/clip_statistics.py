"""Statistics of Ego-ExoClip, as supplement A of arXiv 2503.09143 gives them, beside the paper's.

Everything is a sum or a count, so that memory does not grow with the data set.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from reference_exo2ego.data.clip_bounds import ClipBounds
from reference_exo2ego.data.ego_exo4d import COUNTRIES
from reference_exo2ego.data.take_catalogue import StoredTake

PAPER: Final[Mapping[str, float]] = {
    "groups": 2_925,
    "videos": 15_478,
    "narrations": 261_300,
    "pairs": 1_100_000,
    "alpha": 1.92,
    "mean_seconds": 0.68,
    "share_below_1s": 0.82,
    "longest": 70.43,
    "mean_words": 10.98,
}
"""What the paper says: sections 3.1 and 3.2, supplement A. Narrations and pairs are rounded there."""

SECONDS_BIN: Final = 0.1
"""Seconds of one bar of the histogram of durations."""
SECONDS_BINS: Final = 30
"""Bars of it; longer clips are counted into the last."""
WORDS_BINS: Final = 40
"""Longer texts are counted into the last bar."""

PLURALS = {"scenario": "scenarios", "institution": "institutions", "country": "countries", "task": "tasks"}
"""Kinds of slices, as the report counts them."""


@dataclass(slots=True)
class RunningStatistics:
    """Number, mean, standard deviation and extremes of values that are not kept."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    least: float = math.inf
    most: float = -math.inf

    def add(self, value: float) -> None:
        """One value more."""
        self.n += 1
        self.total += value
        self.squares += value * value
        self.least, self.most = min(self.least, value), max(self.most, value)

    @property
    def mean(self) -> float | None:
        """The mean; ``None`` of no values."""
        return self.total / self.n if self.n else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation of the values themselves; ``None`` of no values."""
        return None if not self.n else math.sqrt(max(self.squares / self.n - (self.total / self.n) ** 2, 0.0))


@dataclass(slots=True)
class Slice:
    """Takes, hours of them, and narrations of one scenario, institution, country or task."""

    takes: int = 0
    hours: float = 0.0
    narrations: int = 0


class Comparison(NamedTuple):
    """One line of the table: a number here and in the paper, ``None`` where there is none."""

    name: str
    here: float | None
    paper: float | None


@dataclass
class ClipStatistics:
    """What is counted while clips are written.

    Attributes:
        groups: Takes with clips.
        videos: Files that clips are of, egocentric and exocentric.
        pairs: Clips times exocentric views.
        seconds: Durations of clips.
        words: Words of texts, split at blanks.
        below_1s: Clips of less than a second.
        words_10_to_20: Texts of 10 to 20 words.
        hours: Hours of takes.
        slices: By kind (scenario, institution, country, task) and value.
        seconds_histogram: Clips by duration, bars of :data:`SECONDS_BIN`.
        words_histogram: Texts by number of words, from 1.
    """

    groups: int = 0
    videos: int = 0
    pairs: int = 0
    seconds: RunningStatistics = field(default_factory=RunningStatistics)
    words: RunningStatistics = field(default_factory=RunningStatistics)
    below_1s: int = 0
    words_10_to_20: int = 0
    hours: float = 0.0
    slices: dict[str, defaultdict[str, Slice]] = field(
        default_factory=lambda: {kind: defaultdict(Slice) for kind in ("scenario", "institution", "country", "task")}
    )
    seconds_histogram: list[int] = field(default_factory=lambda: [0] * SECONDS_BINS)
    words_histogram: list[int] = field(default_factory=lambda: [0] * WORDS_BINS)
    _take: StoredTake | None = None
    _cameras: set[str] = field(default_factory=set[str])
    _narrations: int = 0

    def add(self, take: StoredTake, bounds: ClipBounds, text: str, cameras: Sequence[str]) -> None:
        """Count one clip; the clips of a take come one after another.

        Args:
            take: Its take.
            bounds: Where it starts and ends, in seconds.
            text: Its words.
            cameras: Its exocentric views.
        """
        if self._take is None or self._take.uid != take.uid:
            self.end_take()
            self._take = take
        self._cameras.update(cameras)
        self._narrations += 1
        self.pairs += len(cameras)
        duration, words = bounds.end - bounds.start, len(text.split())
        self.seconds.add(duration)
        self.words.add(words)
        self.below_1s += duration < 1
        self.words_10_to_20 += 10 <= words <= 20
        self.seconds_histogram[min(int(duration / SECONDS_BIN), SECONDS_BINS - 1)] += 1
        self.words_histogram[min(max(words, 1), WORDS_BINS) - 1] += 1

    def end_take(self) -> None:
        """Count the take whose clips were added last."""
        if self._take is None:
            return
        take, hours = self._take, self._take.duration / 3600
        country = COUNTRIES.get(take.institution.lower(), "not known")
        kinds = {"scenario": take.scenario, "institution": take.institution, "country": country, "task": take.task}
        for kind, value in kinds.items():
            part = self.slices[kind][value or "not known"]
            part.takes, part.hours, part.narrations = (
                part.takes + 1,
                part.hours + hours,
                part.narrations + self._narrations,
            )
        self.groups += 1
        self.hours += hours
        self.videos += 1 + len(self._cameras)
        self._take, self._cameras, self._narrations = None, set(), 0

    def numbers(self) -> dict[str, float | None]:
        """All single numbers by name; durations in seconds, shares in [0, 1]."""
        n = self.seconds.n
        return {
            "groups": self.groups,
            "videos": self.videos,
            "hours": self.hours,
            "narrations": n,
            "pairs": self.pairs,
            "mean_seconds": self.seconds.mean,
            "sd_seconds": self.seconds.deviation,
            "share_below_1s": self.below_1s / n if n else None,
            "shortest": self.seconds.least if n else None,
            "longest": self.seconds.most if n else None,
            "mean_words": self.words.mean,
            "sd_words": self.words.deviation,
            "share_10_to_20_words": self.words_10_to_20 / n if n else None,
            **{PLURALS[kind]: len(values) for kind, values in self.slices.items()},
        }

    def breakdown(self) -> dict[str, dict[str, dict[str, float]]]:
        """Takes, hours and narrations by kind and value, most hours first."""
        return {
            kind: {
                value: {"takes": part.takes, "hours": part.hours, "narrations": part.narrations}
                for value, part in sorted(values.items(), key=lambda entry: -entry[1].hours)
            }
            for kind, values in self.slices.items()
        }

    def to_json(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        histograms = {"seconds": self.seconds_histogram, "words": self.words_histogram}
        return {**self.numbers(), "breakdown": self.breakdown(), "histograms": histograms}


def beside_paper(numbers: Mapping[str, float | None], alpha: float | None) -> list[Comparison]:
    """The single numbers, each with the paper's where it has one."""
    return [Comparison(name, value, PAPER.get(name)) for name, value in {"alpha": alpha, **numbers}.items()]


@dataclass
class Exclusions:
    """What was left out, counted by reason, with the first few of each.

    Attributes:
        counts: Number by reason.
        examples: The first few by reason, in words.
    """

    counts: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    most: int = 20

    def add(self, reason: str, example: str) -> None:
        """One more."""
        self.counts[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < self.most:
            examples.append(example)

    def to_json(self) -> dict[str, Any]:
        """Counts and examples by reason."""
        return {reason: {"count": n, "examples": self.examples.get(reason, [])} for reason, n in self.counts.items()}
