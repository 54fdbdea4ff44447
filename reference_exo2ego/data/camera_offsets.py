"""A table of cameras whose files show a moment later than the take's clock says.

Some takes of Ego-Exo4D have the wearer's view a few frames behind the others (issue 347 of facebookresearch/Ego4d). The
table is a CSV file with the columns ``take_uid``, ``camera`` and ``seconds``; the wearer's camera is called ``ego``.
Five frames late, at 30 frames a second, are ``0.166667``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from egobench.annotations import Annotations, CsvFile, Row
from egobench.annotations.fields import Id, Text

CameraOffsets = Mapping[tuple[str, str], float]
"""Seconds by which a camera's file shows a moment later than the take's clock says, by take and camera."""

EGO: Final = "ego"
"""What the wearer's camera is called in the table."""


class _Offset(Row):
    take_uid: Id
    camera: Text
    seconds: float


def read_offsets(path: Path) -> CameraOffsets:
    """Read a table of late cameras.

    Raises:
        AnnotationError: If the file or a row of it cannot be used, or a camera has two entries.
    """
    rows = Annotations(path.parent).table(CsvFile(path.name), _Offset, lambda row: f"{row.camera} of {row.take_uid}")
    return {(row.take_uid, row.camera): row.seconds for row in rows.values()}
