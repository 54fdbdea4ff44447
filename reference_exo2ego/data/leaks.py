"""The leak guard: footage that is both trained on and evaluated on.

Footage is known by the uid of its video: the name of the file without its ending, and what the rows say besides
(``video_uid``, ``take_uid``; the cluster of a sample). Two clips with the same file name are on one clock, so their
overlap is known. Of a clip that was cut out of a video beforehand, as EgoSchema's are, it is known only where a table
of origins says where it was cut; until then it counts as overlapping.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

from pydantic import AliasChoices, Field

from egobench.annotations import Annotations, CsvFile, JsonFile, Row
from egobench.annotations.fields import Id, Seconds
from egobench.errors import LeakError
from egobench.sample import Sample
from reference_exo2ego.data.samples import TrainingSample

UIDS: Final = ("video_uid", "take_uid")
"""Fields of a training sample that name its video."""


ALIGNED: Final = "frame_aligned_videos"
"""The folder in that of an Ego-Exo4D take that holds its cameras' files, all on one clock."""


class Origin(NamedTuple):
    """Where a clip that is a file of its own was cut out: the uid of the video, and from which second on."""

    video: str
    start: float


Origins = Mapping[str, Origin]
"""Origins by the clip's uid."""


class Stretch(NamedTuple):
    """A stretch of one video, in seconds of its own clock; ``end`` is infinite for the end of the file."""

    video: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Leak:
    """What a training set shares with one sample set.

    Attributes:
        sample_set: The sample set's name, e.g. ``"egomcq/paper"``.
        samples: Its samples.
        overlapping: Samples whose clip overlaps one that is trained on.
        undecided: Samples of a video that is trained on, cut out nobody knows where.
        same_video: Samples of a video that is trained on, all of them elsewhere in it.
        videos: Videos that are shared.
        examples: The first few samples that overlap or are undecided, in words.
    """

    sample_set: str
    samples: int
    overlapping: int
    undecided: int
    same_video: int
    videos: int
    examples: tuple[str, ...] = ()

    @property
    def leaks(self) -> bool:
        """Whether footage is shared, or may be."""
        return self.overlapping + self.undecided > 0

    def to_json(self) -> dict[str, Any]:
        """The leak as a JSON object."""
        return {**asdict(self), "leaks": self.leaks}


@dataclass
class TrainedFootage:
    """The footage that a training set shows.

    Attributes:
        origins: Where clips that are files of their own were cut out.
        samples: Training samples so far.
        text_only: Those without video or picture.
    """

    origins: Origins = field(default_factory=dict[str, Origin])
    samples: int = 0
    text_only: int = 0
    _stretches: defaultdict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict[str, list[tuple[float, float]]](list)
    )
    _clocks: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))

    def add(self, sample: TrainingSample) -> None:
        """Add what one training sample shows, its exocentric views among it."""
        self.samples += 1
        if not sample.media:
            self.text_only += 1
            return
        uids = [str(sample.facts[name]) for name in UIDS if sample.facts.get(name)]
        stretches = [(sample.media, sample.start, sample.end)]
        stretches += [(view.video, *sample.times_of(view)) for view in sample.exo]
        for media, start, end in stretches:
            stretch = placed(media, start or 0.0, end, self.origins)
            _add(self._stretches[stretch.video], (stretch.start, stretch.end))
            for uid in {stretch.video, *uids}:
                self._clocks[uid].add(stretch.video)

    def overlaps(self, stretch: Stretch) -> bool:
        """Whether any of a stretch is trained on; touching at one moment is no overlap."""
        intervals = self._stretches.get(stretch.video, [])
        at = bisect_left(intervals, (stretch.end, stretch.end))
        return at > 0 and intervals[at - 1][1] > stretch.start

    def clocks(self, uids: Iterable[str]) -> set[str]:
        """Files whose footage is of the videos with these uids."""
        return {clock for uid in uids for clock in self._clocks.get(uid, ())}


def _add(intervals: list[tuple[float, float]], new: tuple[float, float]) -> None:
    """Add an interval to ordered ones that do not overlap, joining those that it meets."""
    start, end = new
    at = bisect_left(intervals, (start, start))
    if at > 0 and intervals[at - 1][1] >= start:
        at -= 1
    while at < len(intervals) and intervals[at][0] <= end:
        start, end = min(start, intervals[at][0]), max(end, intervals[at][1])
        del intervals[at]
    insort(intervals, (start, end))


def uid_of(path: str) -> str:
    """The uid of a video: the name of its file without the ending; of a camera's file of a take, the take's name."""
    parts = PurePosixPath(path).parts
    if ALIGNED in parts[1:]:
        return parts[parts.index(ALIGNED, 1) - 1]
    return PurePosixPath(path).stem


def placed(path: str, start: float, end: float | None, origins: Origins) -> Stretch:
    """A stretch of a file on the clock of the video that it was cut out of, where that is known."""
    uid, until = uid_of(path), math.inf if end is None else end
    if uid in origins:
        origin = origins[uid]
        return Stretch(origin.video, origin.start + start, origin.start + until)
    return Stretch(uid, start, until)


def find_leaks(footage: TrainedFootage, sets: Sequence[tuple[str, Sequence[Sample]]], *, most: int = 20) -> list[Leak]:
    """Compare sample sets with the footage that is trained on.

    Args:
        footage: What is trained on.
        sets: Names and samples.
        most: Examples that are kept of each set.
    """
    return [_leak(footage, name, samples, most) for name, samples in sets]


def _leak(footage: TrainedFootage, name: str, samples: Sequence[Sample], most: int) -> Leak:
    counts = {"overlapping": 0, "undecided": 0, "same_video": 0}
    videos: set[str] = set()
    examples: list[str] = []
    for sample in samples:
        stretch = placed(sample.video, sample.start, sample.end, footage.origins)
        clocks = footage.clocks({stretch.video, uid_of(sample.video), sample.cluster})
        if not clocks:
            continue
        if footage.overlaps(stretch):
            verdict, words = "overlapping", "overlaps footage that is trained on"
        elif others := sorted(clocks - {stretch.video}):
            verdict, words = (
                "undecided",
                f"is of {sample.cluster}, which is trained on as {others[0]}, on another clock",
            )
        else:
            verdict, words = "same_video", ""
        counts[verdict] += 1
        videos.add(sample.cluster)
        if words and len(examples) < most:
            until = "its end" if sample.end is None else f"{sample.end:g} s"
            examples.append(f"sample {sample.id!r}: {sample.video}, {sample.start:g} s to {until}, {words}")
    return Leak(name, len(samples), **counts, videos=len(videos), examples=tuple(examples))


def require_no_leak(leaks: Sequence[Leak], allowed: Sequence[str]) -> None:
    """Refuse training data that shares footage with a sample set, unless that set is allowed by name.

    Args:
        leaks: From :func:`find_leaks`.
        allowed: Names of sample sets, or of their tasks.

    Raises:
        ValueError: If a name is allowed that no sample set has.
        LeakError: If a set that is not allowed shares footage.
    """
    names = {name for leak in leaks for name in (leak.sample_set, leak.sample_set.partition("/")[0])}
    if strange := sorted(set(allowed) - names):
        raise ValueError(f"no sample set is called {strange[0]!r}; there are {', '.join(sorted(names)) or 'none'}")
    bad = [
        leak
        for leak in leaks
        if leak.leaks and {leak.sample_set, leak.sample_set.partition("/")[0]}.isdisjoint(allowed)
    ]
    if bad:
        shares = ", ".join(f"{leak.sample_set} ({leak.overlapping + leak.undecided} of {leak.samples})" for leak in bad)
        place = "say under --origins where clips were cut out, " if any(leak.undecided for leak in bad) else ""
        raise LeakError(
            f"the training data shows footage of samples that are evaluated on: {shares}; for example "
            f"{bad[0].examples[0]}; {place}take the footage out of the training data, or name the set under --allow"
        )


class _OriginRow(Row):
    clip: Id
    video: Id = Field(validation_alias=AliasChoices("video", "video_uid"))
    start: Seconds = Field(validation_alias=AliasChoices("start", "starting_sec"))


def read_origins(path: Path) -> dict[str, Origin]:
    """Read where clips were cut out.

    Args:
        path: A CSV file with the columns ``clip``, ``video`` and ``start`` (seconds), or EgoSchema's
            ``uid_to_ego4d.json``.

    Raises:
        AnnotationError: If the file or a row of it cannot be used.
    """
    file = JsonFile(path.name, key="clip") if path.suffix == ".json" else CsvFile(path.name)
    table = Annotations(path.parent).table(file, _OriginRow, lambda row: uid_of(row.clip))
    return {clip: Origin(uid_of(row.video), row.start) for clip, row in table.items()}
