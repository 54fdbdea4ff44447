"""Filling a frame store: what is missing is planned, the disk is asked, and each file is decoded in one pass."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from egobench.errors import FrameStoreSpaceError, VideoError
from egobench.observer import Observer
from egobench.video.clips import ClipRequest, DecodedClip, FailedClip
from egobench.video.facts import VideoFacts, facts_of, index_of
from egobench.video.frame_store.catalogue import FrameCatalogue, KnownFile
from egobench.video.frame_store.claims import claim_videos
from egobench.video.frame_store.keeping import ClipKeeper
from egobench.video.plan import Timeline, frames_of_clip
from egobench.video.sampling import Size, shrunk_size
from egobench.video.stream import stream_clips

CLAIMS: Final = "claims"
"""Folder in a store: a file per video that a process is decoding."""
CLAIMED_FILES: Final = 16
"""Most files that a process claims per thread: the disk is waited for once for all of them."""
CLAIMED_SHARE: Final = 1 / 8
"""Most of what is left that a process claims, so that others have something to do to the end."""


@dataclass(frozen=True, slots=True)
class StoreEstimate:
    """What it takes to have the frames of some clips in a store.

    Attributes:
        clips: Clips in all.
        stored: Clips that are there already.
        files: Files to be decoded.
        frames: Distinct frames to be added.
        bytes: Bytes to be added.
        free_bytes: Bytes that the disk has free.
        failed: Clips that cannot be read, as far as can be told without decoding.
    """

    clips: int
    stored: int
    files: int
    frames: int
    bytes: int
    free_bytes: int
    failed: tuple[FailedClip, ...]


@dataclass(slots=True)
class FillReport:
    """What was done to have the frames of some clips in a store.

    Attributes:
        clips: Clips in all.
        stored: Clips that were there already, or came there meanwhile: from another process, or out of a file with the
            same content.
        added: Clips decoded by this process.
        frames: Frames that it added.
        bytes: Bytes of these.
        failed: Clips that cannot be decoded.
    """

    clips: int = 0
    stored: int = 0
    added: int = 0
    frames: int = 0
    bytes: int = 0
    failed: list[FailedClip] = field(default_factory=list[FailedClip])


@dataclass(slots=True, eq=False)
class FilePlan:
    """The clips of a file that are not in the store.

    Attributes:
        path: The file.
        file: Its content.
        requests: The clips.
        frames: Distinct frames to be added.
        bytes: Bytes to be added.
    """

    path: Path
    file: KnownFile
    requests: list[ClipRequest] = field(default_factory=list[ClipRequest])
    frames: int = 0
    bytes: int = 0


class FillPlan(NamedTuple):
    """What is to be decoded, and what it takes.

    Attributes:
        files: Every file that can be read.
        estimate: Their sum.
    """

    files: list[FilePlan]
    estimate: StoreEstimate


def plan_filling(catalogue: FrameCatalogue, requests: Iterable[ClipRequest]) -> FillPlan:
    """Plan what is missing, from the files' indexes; nothing is decoded or written.

    Raises:
        ValueError: If two different clips have the same key.
        FrameStoreError: If the store is damaged, or cannot be read.
    """
    requests_by_path: dict[Path, list[ClipRequest]] = {}
    keys: set[str] = set()
    for request in dict.fromkeys(requests):
        if request.key in keys:
            raise ValueError(f"two different clips have the key {request.key!r}; expected a key per clip")
        keys.add(request.key)
        requests_by_path.setdefault(request.path, []).append(request)
    catalogue.index.refresh()
    files: list[FilePlan] = []
    failed: list[FailedClip] = []
    planned = _PlannedFrames({}, set())
    for path, file_requests in requests_by_path.items():
        try:
            files.append(_plan_file(catalogue, path, file_requests, planned, failed))
        except VideoError as error:
            failed.extend(FailedClip(request.key, error) for request in file_requests)
    estimate = StoreEstimate(
        clips=len(keys),
        stored=len(keys) - len(failed) - sum(len(plan.requests) for plan in files),
        files=sum(plan.frames > 0 for plan in files),
        frames=sum(plan.frames for plan in files),
        bytes=sum(plan.bytes for plan in files),
        free_bytes=free_bytes(catalogue.folder),
        failed=tuple(failed),
    )
    return FillPlan(files, estimate)


class _PlannedFrames(NamedTuple):
    """What some files add to the store: another file with the same content adds none of it again.

    Attributes:
        numbers: Numbers of frames by video and short side.
        timelines: Videos whose display times are added.
    """

    numbers: dict[tuple[str, int], set[int]]
    timelines: set[str]


def _plan_file(
    catalogue: FrameCatalogue,
    path: Path,
    requests: Sequence[ClipRequest],
    planned: _PlannedFrames,
    failed: list[FailedClip],
) -> FilePlan:
    plan, index = FilePlan(path, catalogue.content(path)), None
    video = plan.file.video
    timeline: Timeline | None = catalogue.timeline(video)
    if timeline is None:
        timeline = index = index_of(path)
    added: Counter[int] = Counter()
    unreadable: list[FailedClip] = []
    for request in requests:
        try:
            numbers = frames_of_clip(timeline, request)
        except VideoError as error:
            unreadable.append(FailedClip(request.key, error))
            continue
        rendition, side = catalogue.rendition(video, request), request.rule.short_side
        absent = {number for number in numbers if catalogue.index.place(rendition, number) is None}
        if absent:
            plan.requests.append(request)
            numbers_before = planned.numbers.setdefault((video, side), set())
            added[side] += len(absent - numbers_before)
            numbers_before |= absent
    plan.frames = added.total()
    if plan.frames:
        index = index or index_of(path)
        facts = facts_of(index)
        plan.bytes = sum(count * _frame_bytes(facts, side) for side, count in added.items())
        if catalogue.index.timeline(video) is None and video not in planned.timelines:
            planned.timelines.add(video)
            plan.bytes += 8 * len(index.times)
    failed.extend(unreadable)
    return plan


def _frame_bytes(facts: VideoFacts, short_side: int) -> int:
    size = shrunk_size(Size(facts.width, facts.height), short_side)
    return size.width * size.height * 3


def free_bytes(folder: Path) -> int:
    """Return the bytes free on the disk of a folder that may not be there yet."""
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    return shutil.disk_usage(existing).free


def check_space(folder: Path, estimate: StoreEstimate, limit: int | None) -> None:
    """Refuse what the disk cannot hold.

    Args:
        folder: The store.
        estimate: What is to be added.
        limit: Bytes that may be added at most; ``None`` for what the disk has.

    Raises:
        FrameStoreSpaceError: If there is less room.
    """
    room = estimate.free_bytes if limit is None else min(limit, estimate.free_bytes)
    if estimate.bytes > room:
        reason = "may be added" if room == limit else "are free on its disk"
        raise FrameStoreSpaceError(
            f"{folder}: {estimate.frames:,} frames take {estimate.bytes:,} bytes, and {room:,} {reason}; nothing was "
            "written; ask for fewer clips, fewer frames or a smaller short side, or use another disk"
        )


class Filling:
    """Decodes files that this process has claimed, and appends their frames to a shard of its own.

    Args:
        catalogue: The store.
        keeper: Writes the frames.
        report: Counts what is done.
        observer: Receives progress by clip, and a warning per clip that cannot be decoded.
    """

    def __init__(self, catalogue: FrameCatalogue, keeper: ClipKeeper, report: FillReport, observer: Observer) -> None:
        self._catalogue, self._keeper, self._report, self._observer = catalogue, keeper, report, observer

    def fill(self, plan: FillPlan, workers: int) -> None:
        """Decode all that no other process decodes meanwhile.

        Args:
            plan: What is to be decoded.
            workers: Files decoded at a time, a thread each.
        """
        for clip in plan.estimate.failed:
            self._fail(clip)
        for file_plan in plan.files:
            self._keeper.keep_file(file_plan.file)
        pending = [file_plan for file_plan in plan.files if file_plan.requests]
        while pending:
            hashes = (file_plan.file.video for file_plan in pending)
            most = max(workers, min(workers * CLAIMED_FILES, int(len(pending) * CLAIMED_SHARE)))
            with claim_videos(self._catalogue.folder / CLAIMS, hashes, most) as videos:
                # Of files with the same content, one: the others have nothing left to decode when their turn comes.
                batch = {
                    file_plan.file.video: file_plan for file_plan in pending[::-1] if file_plan.file.video in videos
                }
                self._catalogue.index.refresh()
                self._decode(list(batch.values()), workers)
                self._keeper.flush()
            done = {id(file_plan) for file_plan in batch.values()}
            pending = [file_plan for file_plan in pending if id(file_plan) not in done]

    def _decode(self, files: Sequence[FilePlan], workers: int) -> None:
        videos: dict[str, str] = {}
        requests: dict[str, ClipRequest] = {}
        for file_plan in files:
            for request in self._still_missing(file_plan):
                requests[request.key], videos[request.key] = request, file_plan.file.video
        with stream_clips(
            list(requests.values()),
            decoder=self._catalogue.decoder,
            workers=workers,
            in_flight=2 * workers + 2,
            resize=self._catalogue.resize,
        ) as clips:
            for clip in clips:
                if isinstance(clip, FailedClip):
                    self._fail(clip)
                else:
                    self._keep(requests[clip.key], clip, videos[clip.key])

    def _still_missing(self, file_plan: FilePlan) -> list[ClipRequest]:
        """Write the display times of a file; return the clips that no other process has added since the plan."""
        catalogue, video = self._catalogue, file_plan.file.video
        try:
            timeline = self._keeper.keep_timeline(file_plan.path, video)
            missing = [
                request
                for request in file_plan.requests
                if catalogue.places(catalogue.rendition(video, request), frames_of_clip(timeline, request)) is None
            ]
        except VideoError as error:
            for request in file_plan.requests:
                self._fail(FailedClip(request.key, error))
            return []
        n_stored = len(file_plan.requests) - len(missing)
        if n_stored:
            self._report.stored += n_stored
            self._observer.advance(n_stored)
        return missing

    def _keep(self, request: ClipRequest, clip: DecodedClip, video: str) -> None:
        try:
            row = self._keeper.keep(request, clip, video)
        except VideoError as error:
            self._fail(FailedClip(request.key, error))
            return
        self._report.added += 1
        self._report.frames += len(row.new)
        self._report.bytes += row.frame_bytes * len(row.new)
        self._observer.advance(1)

    def _fail(self, clip: FailedClip) -> None:
        self._report.failed.append(clip)
        self._observer.warn(f"{clip.key}: {clip.error}")
        self._observer.advance(1)
