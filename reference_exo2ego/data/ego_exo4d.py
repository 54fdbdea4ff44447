"""The official files of Ego-Exo4D: takes, splits, and what two annotators narrate (``atomic_descriptions``).

Read by ``https://docs.ego-exo4d-data.org`` and the loader in facebookresearch/Ego4d. Every camera's file of a take is
cut to the same frames, so that one time is one moment in all of them. ``collage`` and ``best_exo`` stand among the
cameras and are none. Which camera is the wearer's is said by ``is_ego`` in the capture; its colour stream is ``rgb``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import AliasChoices, Field

from egobench.annotations import Annotations, RawRow, Row
from egobench.annotations.fields import Id, Seconds, Text
from egobench.errors import RecordError
from egobench.json_input import MAX_DEPTH
from reference_exo2ego.data.streaming import ByteProgress, is_there, json_items, json_leaves, json_members

TAKES: Final = "takes.json"
CAPTURES: Final = "captures.json"
SPLITS: Final = "annotations/splits.json"
DESCRIPTIONS: Final = "annotations/atomic_descriptions_{split}.json"

Resolution = Literal["full", "448"]
"""Which files of a take are meant: the whole ones, or those downscaled to 448 lines."""

NO_CAMERAS: Final = frozenset({"collage", "best_exo"})

COUNTRIES: Final = {
    "cmu": "United States", "fair": "United States", "gatech": "United States", "georgiatech": "United States",
    "iiith": "India", "indiana": "United States", "indiana_university": "United States", "iu": "United States",
    "minnesota": "United States", "umn": "United States", "nus": "Singapore", "sfu": "Canada",
    "unc": "United States", "uniandes": "Colombia", "upenn": "United States", "utokyo": "Japan",
}  # fmt: skip
"""Where the institutions of ``university_name`` are."""


class Camera(Row):
    """A camera of a capture."""

    cam_id: Text
    is_ego: bool | None = False


class Capture(Row):
    """A recording session: its cameras."""

    capture_uid: Text | None = None
    cameras: tuple[Camera, ...] = ()


class Stream(Row):
    """One stream of a camera; pseudo-cameras have none of their own."""

    readable_stream_id: str | None = None
    relative_path: str | None = None


class Take(Row):
    """One row of ``takes.json``, as far as clips are made of it."""

    take_uid: Text
    take_name: Text
    root_dir: Text | None = None
    university_name: str | None = None
    task_name: str | None = None
    parent_task_name: str | None = None
    duration_sec: Annotated[float, Field(gt=0)]
    best_exo: str | None = None
    is_dropped: bool | None = False
    capture_uid: str | None = None
    capture: Capture | None = None
    frame_aligned_videos: dict[str, dict[str, Stream]] | None = None

    @property
    def folder(self) -> str:
        """Where its files lie, below the folder of the data set."""
        return self.root_dir or f"takes/{self.take_name}"


class BestView(Row):
    """The exocentric camera that an annotator calls the best."""

    cam_id: str | None = None


class Description(Row):
    """One narration."""

    text: str
    timestamp: Seconds
    subject: str | None = Field(default=None, validation_alias=AliasChoices("subject", "narration_subject"))
    ego_visible: bool | None = None
    best_exo: BestView | None = None
    unsure: bool | None = None


class AnnotatorPass(Row):
    """One annotator's way through a take."""

    annotation_uid: Id
    rejected: bool | None = None
    descriptions: tuple[dict[str, Any], ...] | None = None


def ego_cameras(capture: Capture | None) -> list[str]:
    """Names of the cameras that the wearer wears."""
    return [] if capture is None else [camera.cam_id for camera in capture.cameras if camera.is_ego]


def views(take: Take, worn: Sequence[str], resolution: Resolution) -> tuple[str, dict[str, str]]:
    """The files of a take, below the folder of the data set.

    Args:
        take: The take.
        worn: Cameras that the wearer wears; where none is known, those named ``aria...``.
        resolution: Which files are meant.

    Returns:
        The wearer's file, ``""`` where there is none, and the exocentric ones by camera.
    """
    ego, exo = "", dict[str, str]()
    for camera, streams in (take.frame_aligned_videos or {}).items():
        if camera in NO_CAMERAS:
            continue
        is_ego = camera in worn or (not worn and camera.startswith("aria"))
        colour = [
            stream
            for name, stream in streams.items()
            if not camera.startswith("aria") or "rgb" in {name, stream.readable_stream_id}
        ]
        path = next((stream.relative_path for stream in colour if stream.relative_path), None)
        if path is None:
            continue
        path = f"{take.folder}/{_at(path, resolution)}"
        if is_ego and camera.startswith("aria"):
            ego = ego or path
        elif not is_ego:
            exo[camera] = path
    return ego, exo


def _at(path: str, resolution: Resolution) -> str:
    whole = PurePosixPath(path)
    return path if resolution == "full" else str(whole.parent / "downscaled" / resolution / whole.name)


def read_takes(files: Annotations, progress: ByteProgress | None = None) -> Iterator[Take]:
    """The rows of ``takes.json``, one by one.

    Raises:
        AnnotationError: If the file or, without ``skip_bad``, a row of it cannot be used.
    """
    rows = json_items(files, TAKES, progress=progress)
    yield from files.convert(files.folder / TAKES, rows, Take, lambda take: take)


def read_captures(files: Annotations) -> Iterator[Capture]:
    """The rows of ``captures.json``, one by one; none where there is no such file.

    Raises:
        AnnotationError: If the file or, without ``skip_bad``, a row of it cannot be used.
    """
    if is_there(files, CAPTURES):
        rows = json_items(files, CAPTURES)
        yield from files.convert(files.folder / CAPTURES, rows, Capture, lambda capture: capture)


def read_splits(files: Annotations) -> Iterator[tuple[str, str]]:
    """Every take with a split it is in; a take comes once for each of the two lists of the file.

    Raises:
        AnnotationFileError: If the file cannot be used.
    """
    whole, lists = "take_uid_to_split", "split_to_take_uids"
    for place, text in json_leaves(files, SPLITS, prefixes=(whole, lists)):
        if place.startswith(f"{whole}."):
            yield place.removeprefix(f"{whole}."), text
        else:
            yield text, place.removeprefix(f"{lists}.").removesuffix(".item")


def read_passes(
    files: Annotations, split: str, progress: ByteProgress | None = None
) -> Iterator[tuple[str, list[AnnotatorPass]]]:
    """The takes that are narrated, one by one, with each annotator's pass.

    Raises:
        AnnotationError: If the file or, without ``skip_bad``, a pass cannot be used.
    """
    name = DESCRIPTIONS.format(split=split)
    path = files.folder / name
    for take_uid, content in json_members(files, name, prefix="annotations", progress=progress):
        passes = content if isinstance(content, list) else [content]
        raw = (RawRow(f"take {take_uid!r}, pass {number}", row) for number, row in enumerate(passes, 1))
        with _shallow(path, f"take {take_uid!r}"):
            annotator_passes = list(files.convert(path, raw, AnnotatorPass, lambda row: row))
        yield take_uid, annotator_passes


def narrations(
    files: Annotations, split: str, take_uid: str, annotator_pass: AnnotatorPass
) -> Iterator[tuple[int, Description]]:
    """The descriptions of one pass that are well formed, with their places in it, from 0.

    Raises:
        RecordError: At the first malformed one, unless ``skip_bad`` is on.
    """
    path = files.folder / DESCRIPTIONS.format(split=split)
    where = f"take {take_uid!r}, pass {annotator_pass.annotation_uid!r}, description"
    for number, raw in enumerate(annotator_pass.descriptions or ()):
        name = f"{where} {number + 1}"
        with _shallow(path, name):
            descriptions = list(files.convert(path, [RawRow(name, raw)], Description, lambda row: row))
        yield from ((number, description) for description in descriptions)


@contextmanager
def _shallow(path: Path, row: str) -> Generator[None]:
    """Name a row that is nested so deep that not even a message can quote it."""
    try:
        yield
    except RecursionError as error:
        raise RecordError(path, row, "", f"nested deeper than {MAX_DEPTH} lists and objects") from error
