"""A table of cameras whose files show a moment later than the take's clock says.

Some takes of Ego-Exo4D have the wearer's view a few frames behind the others (issue 347 of facebookresearch/Ego4d). The
table is a CSV file with the columns ``take_uid``, ``camera`` and ``seconds``; the wearer's camera is called ``ego``.
Five frames late, at 30 frames a second, are ``0.166667``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from egobench.annotations import Annotations, FieldError, Row
from egobench.annotations.fields import Id, Text
from reference_exo2ego.data.streaming import delimited_rows

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
    files = Annotations(path.parent)
    offsets: dict[tuple[str, str], float] = {}

    def note(row: _Offset) -> _Offset:
        key = (row.take_uid, row.camera)
        if offsets.setdefault(key, row.seconds) != row.seconds:
            raise FieldError("seconds", f"{row.camera} of take {row.take_uid} has an entry already; expected one")
        return row

    rows = delimited_rows(files, path.name, delimiter=",", columns=tuple(_Offset.model_fields))
    for _ in files.checked(path, rows, _Offset, note):
        pass
    return offsets
