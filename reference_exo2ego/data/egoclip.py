"""EgoClip: Ego4D's narrations as clip-text pairs, the egocentric half of the initialization.

``egoclip.csv`` (showlab/EgoVLP, README and ``data_loader/EgoClip_EgoMCQ_dataset.py``) has 3,847,723 rows, cells apart
by tabs. The official reader passes over lines that it cannot split; here each is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from egobench.annotations import Annotations, FieldError, Row
from egobench.annotations.fields import Id, Seconds, Text
from reference_exo2ego.data.samples import TrainingSample, question_and_answer
from reference_exo2ego.data.streaming import ByteProgress, delimited_rows

SOURCE: Final = "egoclip"
PAPER_CLIPS: Final = 3_800_000
"""Clips of Table 1, rounded there."""

_MARK: Final = re.compile(r"^\s*#\s*(?!unsure\b)[A-Za-z]+(?:\s+|$)", re.IGNORECASE)
_UNSURE: Final = re.compile(r"#unsure\b", re.IGNORECASE)


class EgoClipRow(Row):
    """One row of ``egoclip.csv``, as far as it is used."""

    clip_idx: Id
    video_uid: Text
    video_dur: Seconds
    narration_time: Seconds
    clip_start: float
    clip_end: float
    clip_text: Text


def spoken(text: str) -> str:
    """A narration without its marks: ``"#C C picks a #unsure"`` becomes ``"C picks a something"``."""
    return " ".join(_UNSURE.sub("something", _MARK.sub("", text)).split())


def read_egoclip(
    path: Path, *, pattern: str = "{video_uid}.mp4", skip_bad: bool = False, progress: ByteProgress | None = None
) -> tuple[Annotations, Iterator[TrainingSample]]:
    """The rows of ``egoclip.csv`` as training samples, one by one.

    Args:
        path: The file.
        pattern: Path of a video below the folder of videos, with ``{video_uid}`` in it.
        skip_bad: Leave malformed rows out.
        progress: Told how many bytes more have been read.

    Returns:
        What is noted while the samples are read, and the samples.

    Raises:
        ValueError: If the pattern names no video.
        AnnotationError: While reading, if the file or, without ``skip_bad``, a row cannot be used.
    """
    if "{video_uid}" not in pattern:
        raise ValueError(f"the pattern {pattern!r} lacks {{video_uid}}, so that every clip would be of one video")
    files = Annotations(path.parent, skip_bad=skip_bad)

    def sample(row: EgoClipRow) -> TrainingSample:
        start, end = max(row.clip_start, 0.0), min(row.clip_end, row.video_dur)
        if end <= start:
            raise FieldError("clip_end", f"the clip ends at {end:g} s, not after its start at {start:g} s")
        text = spoken(row.clip_text)
        if not text:
            raise FieldError("clip_text", f"{row.clip_text!r} has no words but marks")
        return TrainingSample(
            id=f"egoclip_{row.clip_idx}",
            media=pattern.replace("{video_uid}", row.video_uid),
            modality="video",
            turns=question_and_answer("", text),
            start=round(start, 6),
            end=round(end, 6),
            source=SOURCE,
            facts={"video_uid": row.video_uid, "timestamp": row.narration_time, "text": text},
        )

    columns = tuple(EgoClipRow.model_fields)
    rows = delimited_rows(files, path.name, delimiter="\t", columns=columns, progress=progress)
    return files, files.convert(path, rows, EgoClipRow, sample)
