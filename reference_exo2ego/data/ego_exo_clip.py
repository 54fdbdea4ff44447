"""Ego-ExoClip: clip-text pairs of the wearer's view and synchronised exocentric ones, section 3 of arXiv 2503.09143.

Takes and narrations are read, filtered and put in order; then, with every video's mean gap known and the mean of these,
every narration gets its clip by Eq. 1. Nothing is held in memory but one take at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from egobench.annotations import Annotations
from egobench.errors import TrainingDataError
from egobench.observer import Observer, SilentObserver
from reference_exo2ego.data.camera_offsets import EGO, CameraOffsets
from reference_exo2ego.data.clip_bounds import ClipBounds, clip_bounds, half_width
from reference_exo2ego.data.clip_rule import ClipRule
from reference_exo2ego.data.clip_statistics import ClipStatistics, Exclusions
from reference_exo2ego.data.narrated_takes import NarratedTakes
from reference_exo2ego.data.samples import SampleWriter, SyncedView, TrainingSample, question_and_answer
from reference_exo2ego.data.take_catalogue import StoredNarration, StoredTake, TakeCatalogue
from reference_exo2ego.data.take_videos import VideoCheck, check_videos

SOURCE: Final = "ego-exoclip"


@dataclass(frozen=True, slots=True)
class ClipReport:
    """What was made.

    Attributes:
        alpha: Seconds; ``None`` where no take has two narrations.
        statistics: What was counted.
        exclusions: What was left out.
        problems: Malformed rows that were left out.
        sources: SHA-256 by annotation file.
        checked: Whether the videos were looked at.
    """

    alpha: float | None
    statistics: ClipStatistics
    exclusions: Exclusions
    problems: list[dict[str, str]]
    sources: Mapping[str, str]
    checked: bool


def build_clips(
    files: Annotations,
    out: Path,
    rule: ClipRule,
    *,
    check: VideoCheck | None,
    offsets: CameraOffsets | None = None,
    observer: Observer | None = None,
) -> ClipReport:
    """Write Ego-ExoClip: one row per narration.

    Args:
        files: The folder of Ego-Exo4D.
        out: The file to write, ``.jsonl`` or ``.json``; an earlier one stays until this one is whole.
        rule: What becomes a clip.
        check: How to look at the videos; ``None`` takes them as they are named.
        offsets: Cameras known to be late.
        observer: Receives the progress.

    Raises:
        AnnotationError: If an annotation file, or without ``skip_bad`` a row, cannot be used.
        TrainingDataError: If nothing is left, or something cannot be written.
    """
    progress, exclusions = observer or SilentObserver(), Exclusions()
    with TakeCatalogue() as catalogue, SampleWriter(out) as writer:
        NarratedTakes(files, rule, catalogue, exclusions, progress).read()
        if check is not None:
            check_videos(files.folder, catalogue, check, exclusions, progress)
        alpha = rule.alpha or catalogue.mean_beta()
        clips = _Clips(rule, offsets or {}, exclusions)
        for sample in clips.samples(catalogue, alpha, progress):
            writer.write(sample)
        if not writer.count:
            raise TrainingDataError(f"{files.folder}: no clip is left; {_reasons(exclusions)}")
    return ClipReport(alpha, clips.statistics, exclusions, files.dropped, files.sources, check is not None)


def _reasons(exclusions: Exclusions) -> str:
    reasons = [
        f"{reason} ({count}), as {exclusions.examples[reason][0]}"
        if reason in exclusions.examples
        else f"{reason} ({count})"
        for reason, count in exclusions.counts.most_common()
    ]
    return "; ".join(reasons) or "no take is narrated"


@dataclass
class _Clips:
    rule: ClipRule
    offsets: CameraOffsets
    exclusions: Exclusions
    statistics: ClipStatistics = field(default_factory=ClipStatistics)

    def samples(self, catalogue: TakeCatalogue, alpha: float | None, observer: Observer) -> Iterator[TrainingSample]:
        observer.begin("takes cut into clips", catalogue.narrated(), 0)
        last = ""
        for take, beta, narrations in catalogue.groups():
            times = [narration.timestamp for narration in narrations]
            every = clip_bounds(times, half_width(beta, alpha), take.duration)
            synced = {camera: SyncedView(camera, path) for camera, path in take.exo.items()}
            for narration, bounds in zip(narrations, every, strict=True):
                sample = self._sample(take, narration, bounds, synced)
                if sample is not None:
                    self.statistics.add(take, bounds, sample.turns[1], [view.camera for view in sample.exo])
                    yield sample
            if take.uid != last:
                last = take.uid
                observer.advance(1)
        self.statistics.end_take()

    def _sample(
        self, take: StoredTake, narration: StoredNarration, bounds: ClipBounds, synced: Mapping[str, SyncedView]
    ) -> TrainingSample | None:
        where = f"pass {narration.annotation_uid!r}, description {narration.place + 1}"
        ego = _shifted(bounds, self.offsets.get((take.uid, EGO), 0.0))
        if bounds.end <= bounds.start:
            self.exclusions.add("clip without length", f"take {take.uid!r}, {where}: {narration.timestamp:g} s")
            return None
        if not _begins_in(ego, take.seconds.get(take.ego)):
            self.exclusions.add("clip after the end of the wearer's video", f"{take.ego}: {where}")
            return None
        exo = tuple(self._exo_views(take, narration, bounds, ego, synced))
        if not exo:
            self.exclusions.add("clip without an exocentric view", f"take {take.uid!r}, {where}")
            return None
        text = self._worded(narration.text)
        facts: dict[str, Any] = {
            "take_uid": take.uid,
            "annotation_uid": narration.annotation_uid,
            "timestamp": narration.timestamp,
            "text": text,
            "best_exo": narration.best_exo,
            "scenario": take.scenario,
            "task": take.task,
            "institution": take.institution,
        }
        return TrainingSample(
            id=f"{narration.annotation_uid}_{narration.place}",
            media=take.ego,
            modality="video",
            turns=question_and_answer("", text),
            start=ego.start,
            end=ego.end,
            exo=exo,
            source=SOURCE,
            facts=facts,
        )

    def _exo_views(
        self,
        take: StoredTake,
        narration: StoredNarration,
        bounds: ClipBounds,
        ego: ClipBounds,
        synced: Mapping[str, SyncedView],
    ) -> Iterator[SyncedView]:
        """The exocentric views of a clip, with times of their own where these differ from the wearer's."""
        late = self.offsets.get((take.uid, EGO), 0.0)
        for camera, view in synced.items():
            if self.rule.views == "best" and camera != narration.best_exo:
                continue
            offset = self.offsets.get((take.uid, camera), 0.0)
            own = ego if offset == late else _shifted(bounds, offset)
            if _begins_in(own, take.seconds.get(view.video)):
                yield view if own is ego else view._replace(start=own.start, end=own.end)
            else:
                self.exclusions.add("view after the end of its video", f"{view.video}: {narration.timestamp:g} s")

    def _worded(self, text: str) -> str:
        return text if self.rule.wearer == "C" else re.sub(r"\bC\b", lambda _: self.rule.wearer, text)


def _shifted(bounds: ClipBounds, offset: float) -> ClipBounds:
    return ClipBounds(round(max(bounds.start + offset, 0.0), 6), round(max(bounds.end + offset, 0.0), 6))


def _begins_in(bounds: ClipBounds, seconds: float | None) -> bool:
    return seconds is None or bounds.start < seconds
