"""Ego-ExoClip: clip-text pairs of the wearer's view and synchronised exocentric ones, section 3 of arXiv 2503.09143.

Three steps: the takes are catalogued; the narrations of both annotators are read, filtered and put in order, which
gives every video's mean gap; then, with the mean of these known, every narration gets its clip by Eq. 1. Nothing is
held in memory but one take at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from egobench.annotations import Annotations
from egobench.asking import Observer, Silent
from egobench.errors import RecordError, TrainingDataError
from egobench.filecheck import check_files, known_files
from reference_exo2ego.data.clip_bounds import ClipBounds, clip_bounds, half_width, mean_gap
from reference_exo2ego.data.clip_statistics import ClipStatistics, Exclusions
from reference_exo2ego.data.ego_exo4d import (
    DESCRIPTIONS,
    SPLITS,
    TAKES,
    AnnotatorPass,
    Description,
    Resolution,
    Take,
    ego_cameras,
    narrations,
    read_captures,
    read_passes,
    read_splits,
    read_takes,
    views,
)
from reference_exo2ego.data.samples import SampleWriter, SyncedView, TrainingSample, question_and_answer
from reference_exo2ego.data.streaming import in_megabytes
from reference_exo2ego.data.take_catalogue import NarrationGroup, StoredNarration, StoredTake, TakeCatalogue

SOURCE: Final = "ego-exoclip"
BATCH: Final = 64
"""Takes whose videos are looked at together."""

CameraOffsets = Mapping[tuple[str, str], float]
"""Seconds by which a camera's file shows a moment later than the take's clock says, by take and camera."""


@dataclass(frozen=True, slots=True)
class ClipRule:
    """What becomes a clip; where the paper is silent, nothing is left out.

    Attributes:
        splits: Takes of these splits; any other is the benchmark's to validate or test on.
        resolution: Which files of a take are named.
        views: All exocentric cameras, or the one that the annotator, or else the take, calls the best.
        group: Whether beta and neighbours are those of one annotator's pass, or of all that is said of the take.
        alpha: Seconds to use for alpha; ``None`` to compute it.
        subject: Only narrations about ``"C"``, the wearer, or ``"O"``, others; ``None`` for both.
        keep_unsure: Whether narrations count that the annotator was not sure of.
        keep_unseen: Whether those count that cannot be seen in the wearer's view.
        wearer: What stands for the word ``C`` in the texts.
    """

    splits: tuple[str, ...] = ("train",)
    resolution: Resolution = "full"
    views: Literal["all", "best"] = "all"
    group: Literal["pass", "take"] = "pass"
    alpha: float | None = None
    subject: Literal["C", "O"] | None = None
    keep_unsure: bool = True
    keep_unseen: bool = True
    wearer: str = "C"

    def __post_init__(self) -> None:
        """Refuse an alpha that divides nothing."""
        if self.alpha is not None and not 0 < self.alpha < float("inf"):
            raise ValueError(f"alpha is {self.alpha} seconds; expected a number above 0")


@dataclass(frozen=True, slots=True)
class VideoCheck:
    """How the files of the takes are looked at.

    Attributes:
        kept: File that keeps what was found out, so that a second start looks at new files only.
        workers: Threads, at least 1.
        decode: Decode every frame; otherwise only the files' indexes are read.
    """

    kept: Path
    workers: int = 2
    decode: bool = False


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
    """Write Ego-ExoClip: one row a narration.

    Args:
        files: The folder of Ego-Exo4D.
        out: The file to write, ``.jsonl`` or ``.json``; an earlier one stays until this one is whole.
        rule: What becomes a clip.
        check: How to look at the videos; ``None`` takes them as they are named.
        offsets: Cameras known to be late.
        observer: Who is told how it goes.

    Raises:
        AnnotationError: If an annotation file, or without ``skip_bad`` a row, cannot be used.
        TrainingDataError: If nothing is left, or something cannot be written.
    """
    build = _Build(files, rule, observer or Silent())
    with TakeCatalogue() as catalogue, SampleWriter(out) as writer:
        build.catalogue_takes(catalogue)
        build.read_narrations(catalogue)
        if check is not None:
            build.look_at_videos(catalogue, check)
        alpha = rule.alpha or catalogue.mean_beta()
        for sample in build.samples(catalogue, alpha, offsets or {}):
            writer.write(sample)
        if not writer.count:
            reasons = ", ".join(f"{reason}: {n}" for reason, n in build.exclusions.counts.items()) or "no takes"
            first = next((words[0] for words in build.exclusions.examples.values() if words), "")
            raise TrainingDataError(f"{files.folder}: no clip is left ({reasons}); for example {first or 'none'}")
    return ClipReport(alpha, build.statistics, build.exclusions, files.dropped, files.sources, check is not None)


@dataclass
class _Build:
    files: Annotations
    rule: ClipRule
    observer: Observer
    statistics: ClipStatistics = field(default_factory=ClipStatistics)
    exclusions: Exclusions = field(default_factory=Exclusions)

    # --- Takes -------------------------------------------------------------------------------------------------------

    def catalogue_takes(self, catalogue: TakeCatalogue) -> None:
        files = self.files
        if known := files.has(SPLITS):
            for take_uid, split in read_splits(files):
                catalogue.add_split(take_uid, split)
            for take_uid, split_names in catalogue.split_twice():
                problem = f"is in the splits {split_names}; expected one"
                files.refuse(RecordError(files.folder / SPLITS, f"take {take_uid!r}", "split_to_take_uids", problem))
        for capture in read_captures(files):
            catalogue.add_capture(capture.capture_uid or "", ego_cameras(capture))
        for take in read_takes(files, in_megabytes(self.observer, files.folder / TAKES)):
            if known and not self._chosen(take, catalogue.splits(take.take_uid)):
                continue
            worn = ego_cameras(take.capture) or catalogue.worn(take.capture_uid or "")
            ego, exo = views(take, worn, self.rule.resolution)
            if not ego or not exo:
                lack = "no file of the wearer's camera" if not ego else "no file of an exocentric camera"
                self.exclusions.add("take without synchronised cameras", f"{take.take_name}: {lack}")
                continue
            if not catalogue.add_take(_stored(take, ego, exo)):
                row = f"take {take.take_uid!r}"
                files.refuse(
                    RecordError(files.folder / TAKES, row, "take_uid", "comes twice in the file; expected once")
                )

    def _chosen(self, take: Take, splits: list[str]) -> bool:
        if len(splits) == 1 and splits[0] in self.rule.splits and not take.is_dropped:
            return True
        if len(splits) > 1:
            reason = "take in two splits"
        elif take.is_dropped:
            reason = "take dropped by its authors"
        else:
            reason = "take of another split" if splits else "take without a split"
        self.exclusions.add(reason, f"{take.take_name}: {', '.join(splits) or 'none'}")
        return False

    # --- Narrations --------------------------------------------------------------------------------------------------

    def read_narrations(self, catalogue: TakeCatalogue) -> None:
        for split in self.rule.splits:
            path = self.files.folder / DESCRIPTIONS.format(split=split)
            for take_uid, passes in read_passes(self.files, split, in_megabytes(self.observer, path)):
                take = catalogue.take(take_uid)
                if take is None:
                    self.exclusions.add("narrated take that is not among the chosen", f"{path.name}: {take_uid}")
                    continue
                for group in self._groups(take, split, passes, catalogue):
                    catalogue.add_group(take.uid, mean_gap([narration.timestamp for narration in group]), group)
        if silent := catalogue.silent():
            self.exclusions.counts["take without narrations"] += silent

    def _groups(
        self, take: StoredTake, split: str, passes: list[AnnotatorPass], catalogue: TakeCatalogue
    ) -> Iterator[list[StoredNarration]]:
        """What is narrated of a take, in order of time: a list a pass, or one list."""
        merged: list[StoredNarration] = []
        for annotator_pass in passes:
            uid = annotator_pass.annotation_uid
            where = f"take {take.uid!r}, pass {uid!r}"
            if annotator_pass.rejected:
                self.exclusions.add("rejected pass", where)
                continue
            if not catalogue.add_pass(uid):
                path = self.files.folder / DESCRIPTIONS.format(split=split)
                self.files.refuse(RecordError(path, where, "annotation_uid", "comes twice in the files; expected once"))
                continue
            kept = [
                StoredNarration(uid, place, row.timestamp, " ".join(row.text.split()), _best(row, take))
                for place, row in narrations(self.files, split, take.uid, annotator_pass)
                if self._kept(row, take, f"{where}, description {place + 1}")
            ]
            if self.rule.group == "pass" and kept:
                yield sorted(kept, key=lambda narration: narration.timestamp)
            merged += kept
        if self.rule.group == "take" and merged:
            yield sorted(merged, key=lambda narration: narration.timestamp)

    def _kept(self, row: Description, take: StoredTake, where: str) -> bool:
        rule, reason = self.rule, ""
        if not row.text.strip():
            reason = "narration without words"
        elif row.timestamp > take.duration:
            reason = "narration after the end of its take"
        elif rule.subject is not None and row.subject != rule.subject:
            reason = "narration about another subject"
        elif row.unsure and not rule.keep_unsure:
            reason = "narration its annotator was not sure of"
        elif row.ego_visible is False and not rule.keep_unseen:
            reason = "narration of what the wearer's view does not show"
        if reason:
            self.exclusions.add(reason, f"{where}, {row.timestamp:g} s of {take.duration:g} s: {row.text[:60]!r}")
        return not reason

    # --- Videos ------------------------------------------------------------------------------------------------------

    def look_at_videos(self, catalogue: TakeCatalogue, check: VideoCheck) -> None:
        """Note the length of every file, and leave out what cannot be read."""
        known = known_files(check.kept)
        self.observer.begin("takes whose videos are checked", catalogue.narrated(), 0)
        for batch in catalogue.batches(BATCH):
            paths = [self.files.folder / path for take in batch for path in (take.ego, *take.exo.values())]
            checks = check_files(paths, known, check.kept, workers=check.workers, decode=check.decode)
            by_path = {found.path: found for found in checks}
            for take in batch:
                seconds: dict[str, float] = {}
                for path in (take.ego, *take.exo.values()):
                    found = by_path[str(self.files.folder / path)]
                    if found.error or found.intact <= 0 or found.damaged:
                        self.exclusions.add(
                            "video that cannot be used", found.error or f"{found.path}: {_damage(found)}"
                        )
                    else:
                        seconds[path] = found.intact
                self._settle(take, seconds, catalogue)
            self.observer.advance(len(batch))

    def _settle(self, take: StoredTake, seconds: dict[str, float], catalogue: TakeCatalogue) -> None:
        exo = {camera: path for camera, path in take.exo.items() if path in seconds}
        if take.ego in seconds and exo:
            catalogue.replace_take(replace(take, exo=exo, seconds=seconds))
            lengths = [seconds[path] for path in (take.ego, *exo.values())]
            if max(lengths) - min(lengths) > 1:
                spread = f"{min(lengths):.2f} to {max(lengths):.2f} s"
                self.observer.warn(f"take {take.uid!r}: its cameras' files last {spread}; are they cut to one clock?")
        else:
            lack = take.ego if take.ego not in seconds else "any exocentric camera"
            self.exclusions.add("take whose videos cannot be used", f"take {take.uid!r}: {lack}")
            catalogue.remove_take(take.uid)

    # --- Clips -------------------------------------------------------------------------------------------------------

    def samples(
        self, catalogue: TakeCatalogue, alpha: float | None, offsets: CameraOffsets
    ) -> Iterator[TrainingSample]:
        self.observer.begin("takes with clips", catalogue.narrated(), 0)
        last = ""
        for group in catalogue.groups():
            times = [narration.timestamp for narration in group.narrations]
            every = clip_bounds(times, half_width(group.beta, alpha), group.take.duration)
            for narration, bounds in zip(group.narrations, every, strict=True):
                sample = self._sample(group, narration, bounds, offsets)
                if sample is not None:
                    self.statistics.add(group.take, bounds, sample.turns[1], [view.camera for view in sample.exo])
                    yield sample
            if group.take.uid != last:
                last = group.take.uid
                self.observer.advance(1)
        self.statistics.end_take()

    def _sample(
        self, group: NarrationGroup, narration: StoredNarration, bounds: ClipBounds, offsets: CameraOffsets
    ) -> TrainingSample | None:
        take, where = group.take, f"pass {narration.annotation_uid!r}, description {narration.place + 1}"
        if bounds.end <= bounds.start:
            self.exclusions.add("clip without length", f"take {take.uid!r}, {where}: {narration.timestamp:g} s")
            return None
        ego = _shifted(bounds, offsets.get((take.uid, "ego"), 0.0))
        if not _inside(ego, take.seconds.get(take.ego)):
            self.exclusions.add("clip outside the wearer's video", f"{take.ego}: {where}")
            return None
        seen: list[SyncedView] = []
        for camera, path in take.exo.items():
            own = _shifted(bounds, offsets.get((take.uid, camera), 0.0))
            if not _inside(own, take.seconds.get(path)):
                self.exclusions.add("clip outside an exocentric video", f"{path}: {where}")
            elif self.rule.views == "all" or camera == narration.best_exo:
                seen.append(SyncedView(camera, path) if own == ego else SyncedView(camera, path, own.start, own.end))
        if not seen:
            self.exclusions.add("clip without an exocentric view", f"take {take.uid!r}, {where}")
            return None
        text = (
            re.sub(r"\bC\b", lambda _: self.rule.wearer, narration.text) if self.rule.wearer != "C" else narration.text
        )
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
            exo=tuple(seen),
            source=SOURCE,
            facts=facts,
        )


def _stored(take: Take, ego: str, exo: Mapping[str, str]) -> StoredTake:
    return StoredTake(
        uid=take.take_uid,
        ego=ego,
        exo=exo,
        duration=take.duration_sec,
        best_exo=take.best_exo or "",
        scenario=take.parent_task_name or "",
        task=take.task_name or "",
        institution=take.university_name or "",
        seconds={},
    )


def _best(row: Description, take: StoredTake) -> str:
    named = (row.best_exo.cam_id if row.best_exo else None) or ""
    return named if named in take.exo else take.best_exo


def _shifted(bounds: ClipBounds, offset: float) -> ClipBounds:
    return ClipBounds(round(max(bounds.start + offset, 0.0), 6), round(max(bounds.end + offset, 0.0), 6))


def _inside(bounds: ClipBounds, seconds: float | None) -> bool:
    return seconds is None or bounds.start < seconds


def _damage(found: Any) -> str:
    return f"damaged at {found.damaged[0][0]:.3f} s" if found.damaged else "holds no frame"
