"""Files of training samples as clips: one per sample and view, kept compactly in memory until they are shown."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic_core import to_json

from egobench.errors import TrainingDataError
from reference_exo2ego.data.samples import Modality, TrainingSample, read_samples, sample_of

from .files import file_digest
from .recipe import SampleFile
from .sampler import is_kept

COLUMNS = 4
"""Numbers per clip: its file, its sample there, its camera there, and its video or picture."""


class View(NamedTuple):
    """A camera's view of a clip.

    Attributes:
        path: The file; ``None`` for text alone.
        modality: Video, picture or text.
        start: Start in seconds; ``None`` for the beginning of the file.
        end: End in seconds; ``None`` for the end of the file.
    """

    path: Path | None
    modality: Modality
    start: float | None = None
    end: float | None = None


class Clip(NamedTuple):
    """A clip with the conversation about it.

    Attributes:
        id: Id of its sample, with the camera.
        ego: View of the wearer's camera; ``None`` where it is not shown.
        exo: View of another camera; ``None`` where it is not shown.
        turns: Questions and answers by turns.
    """

    id: str
    ego: View | None
    exo: View | None
    turns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _File:
    """A file in memory: its samples as JSON, one behind the other, and the position at which each ends."""

    file: SampleFile
    videos: Path
    rows: bytes
    ends: Sequence[int]


class ClipRows:
    """The clips of some files of samples with the same kind of views.

    Args:
        files: The files; their views are of one kind.
        data: The folder that they are below.
        seed: Decides which videos a file keeps, where it keeps a share of them.

    Attributes:
        weights: How often each clip is shown in an epoch.
        lengths: Characters of each clip's text.
        digests: SHA-256 of each file, by its path in the recipe.

    Raises:
        TrainingDataError: If there is no clip in a file.
        AnnotationError: If a file cannot be read.
    """

    def __init__(self, files: Sequence[SampleFile], data: Path, seed: int = 0) -> None:
        self.weights, self.lengths = array("d"), array("l")
        self.digests: dict[str, str] = {}
        self._seed = seed
        self._files: list[_File] = []
        self._places = array("l")
        self._media: dict[str, int] = {}
        for file in files:
            self._add(file, data)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, number: int) -> Clip:
        """Return a clip by its number, from 0."""
        file, row, camera, _ = self._places[COLUMNS * number : COLUMNS * (number + 1)]
        source = self._files[file]
        return _clip(self._sample(source, row), source.file.view, camera, source.videos)

    def by_media(self) -> dict[str, list[int]]:
        """Return the numbers of the clips of each video or picture."""
        names, clips = list(self._media), dict[str, list[int]]()
        for number in range(len(self)):
            clips.setdefault(names[self._places[COLUMNS * number + COLUMNS - 1]], []).append(number)
        return clips

    def _add(self, file: SampleFile, data: Path) -> None:
        rows, ends, before = bytearray(), array("q"), len(self)
        path = data / file.path
        for sample in read_samples(path):
            if not is_kept(sample.media or sample.id, file.share, self._seed):
                continue
            cameras = len(sample.exo) if file.view != "ego" else 0
            if file.view == "pair" and not cameras:
                raise TrainingDataError(
                    f"{path}: sample {sample.id!r} has no exocentric view; stage 2 needs one of each"
                )
            rows += to_json(sample.to_json())
            ends.append(len(rows))
            length = sum(map(len, sample.turns))
            media = self._media.setdefault(sample.media or sample.id, len(self._media))
            for camera in range(max(1, cameras)):
                self._places.extend((len(self._files), len(ends) - 1, camera, media))
                self.lengths.append(length)
                self.weights.append(file.weight)
        if len(self) == before:
            kept = "" if file.share == 1 else f" of the {100 * file.share:g} % that are kept"
            raise TrainingDataError(f"{path}: no samples in it{kept}; expected at least one to train on")
        self._files.append(_File(file, data / file.videos, bytes(rows), ends))
        self.digests[file.path] = file_digest(path)

    @staticmethod
    def _sample(source: _File, row: int) -> TrainingSample:
        begin = source.ends[row - 1] if row else 0
        return _parse(source.rows[begin : source.ends[row]])


def _parse(row: bytes) -> TrainingSample:
    return sample_of(json.loads(row))


def _clip(sample: TrainingSample, view: Literal["ego", "exo", "pair"], camera: int, videos: Path) -> Clip:
    own = View(videos / sample.media if sample.media else None, sample.modality, sample.start, sample.end)
    if view == "ego" or not sample.exo:
        return Clip(sample.id, own, None, sample.turns) if view == "ego" else Clip(sample.id, None, own, sample.turns)
    other = sample.exo[camera]
    exo = View(videos / other.video, "video", *sample.times_of(other))
    return Clip(f"{sample.id}, {other.camera or camera}", own if view == "pair" else None, exo, sample.turns)
