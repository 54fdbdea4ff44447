"""The takes that clips are made of, and what is narrated of them: the filters of section 3.1 of arXiv 2503.09143."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from egobench.annotations import Annotations
from egobench.errors import RecordError
from egobench.observer import Observer
from reference_exo2ego.data.clip_bounds import mean_gap
from reference_exo2ego.data.clip_rule import ClipRule
from reference_exo2ego.data.clip_statistics import Exclusions
from reference_exo2ego.data.ego_exo4d import (
    DESCRIPTIONS,
    SPLITS,
    TAKES,
    AnnotatorPass,
    Description,
    Take,
    ego_cameras,
    narrations,
    read_captures,
    read_passes,
    read_splits,
    read_takes,
    views,
)
from reference_exo2ego.data.streaming import in_megabytes, is_there
from reference_exo2ego.data.take_catalogue import StoredNarration, StoredTake, TakeCatalogue


@dataclass
class NarratedTakes:
    """Reads takes and narrations into a catalogue.

    Attributes:
        files: The folder of Ego-Exo4D.
        rule: What becomes a clip.
        catalogue: Where they go.
        exclusions: What is left out.
        observer: Receives the progress.
    """

    files: Annotations
    rule: ClipRule
    catalogue: TakeCatalogue
    exclusions: Exclusions
    observer: Observer

    def read(self) -> None:
        """Read all of it.

        Raises:
            AnnotationError: If a file or, without ``skip_bad``, a row cannot be used.
            TrainingDataError: If there is no room for the catalogue.
        """
        has_splits = is_there(self.files, SPLITS)
        if has_splits:
            self._read_splits()
        for capture in read_captures(self.files):
            self.catalogue.add_capture(capture.capture_uid or "", ego_cameras(capture))
        for take in read_takes(self.files, in_megabytes(self.observer, self.files.folder / TAKES)):
            if self._chosen(take, has_splits=has_splits):
                self._add(take)
        for split in self.rule.splits:
            self._read_narrations(split)
        if silent := self.catalogue.silent():
            self.exclusions.counts["take without narrations"] += silent

    # --- Takes -------------------------------------------------------------------------------------------------------

    def _read_splits(self) -> None:
        path = self.files.folder / SPLITS
        for take_uid, split in read_splits(self.files):
            self.catalogue.add_split(take_uid, split)
        for take_uid, names in self.catalogue.split_twice():
            problem = f"is in the splits {names}; expected one"
            self.files.refuse(RecordError(path, f"take {take_uid!r}", "split_to_take_uids", problem))

    def _chosen(self, take: Take, *, has_splits: bool) -> bool:
        splits = self.catalogue.splits(take.take_uid)
        if take.is_dropped:
            reason = "take dropped by its authors"
        elif not has_splits:
            return True
        elif len(splits) == 1:
            reason = "" if splits[0] in self.rule.splits else "take of another split"
        else:
            reason = "take in two splits" if splits else "take without a split"
        if reason:
            self.exclusions.add(reason, f"{take.take_name}: {', '.join(splits) or 'none'}")
        return not reason

    def _add(self, take: Take) -> None:
        worn = ego_cameras(take.capture) or self.catalogue.worn(take.capture_uid or "")
        ego, exo = views(take, worn, self.rule.resolution)
        if not ego or not exo:
            lack = "no file of an exocentric camera" if ego else "no file of the wearer's camera"
            self.exclusions.add("take without synchronised cameras", f"{take.take_name}: {lack}")
        elif not self.catalogue.add_take(_stored(take, ego, exo)):
            row, problem = f"take {take.take_uid!r}", "comes twice in the file; expected once"
            self.files.refuse(RecordError(self.files.folder / TAKES, row, "take_uid", problem))

    # --- Narrations --------------------------------------------------------------------------------------------------

    def _read_narrations(self, split: str) -> None:
        path = self.files.folder / DESCRIPTIONS.format(split=split)
        for take_uid, passes in read_passes(self.files, split, in_megabytes(self.observer, path)):
            take = self.catalogue.take(take_uid)
            if take is None:
                self.exclusions.add("narrated take that is not among the chosen", f"{path.name}: {take_uid}")
                continue
            for group in self._groups(take, split, passes):
                self.catalogue.add_group(take.uid, mean_gap([narration.timestamp for narration in group]), group)

    def _groups(self, take: StoredTake, split: str, passes: list[AnnotatorPass]) -> Iterator[list[StoredNarration]]:
        """What is narrated of a take, in order of time: a list per pass, or a single list."""
        merged: list[StoredNarration] = []
        for annotator_pass in passes:
            group = self._pass(take, split, annotator_pass)
            if self.rule.group == "pass" and group:
                yield sorted(group, key=lambda narration: narration.timestamp)
            merged += group
        if self.rule.group == "take" and merged:
            yield sorted(merged, key=lambda narration: narration.timestamp)

    def _pass(self, take: StoredTake, split: str, annotator_pass: AnnotatorPass) -> list[StoredNarration]:
        uid = annotator_pass.annotation_uid
        where = f"take {take.uid!r}, pass {uid!r}"
        if annotator_pass.rejected:
            self.exclusions.add("rejected pass", where)
            return []
        if not self.catalogue.add_pass(uid):
            path, problem = self.files.folder / DESCRIPTIONS.format(split=split), "comes twice; expected once"
            self.files.refuse(RecordError(path, where, "annotation_uid", problem))
            return []
        return [
            StoredNarration(uid, place, row.timestamp, " ".join(row.text.split()), _best(row, take))
            for place, row in narrations(self.files, split, take.uid, annotator_pass)
            if self._passes_filters(row, take, f"{where}, description {place + 1}")
        ]

    def _passes_filters(self, row: Description, take: StoredTake, where: str) -> bool:
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
    camera = (row.best_exo.cam_id if row.best_exo else None) or ""
    return camera if camera in take.exo else take.best_exo
