"""Shapes to a file: SVG, or PNG where the name ends so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from egobench.charts.png import png_picture
from egobench.charts.shapes import Shape
from egobench.charts.svg import svg_picture
from egobench.errors import ChartError
from egobench.whole_file import replace_file


class Size(NamedTuple):
    """Width and height of a picture in pixels."""

    width: int
    height: int


FORMS: dict[str, Callable[[Sequence[Shape], int, int], bytes]] = {".svg": svg_picture, ".png": png_picture}


def check_picture(path: Path) -> None:
    """Refuse a name that says no form, before any work is done.

    Raises:
        ValueError: If it ends in neither ``.svg`` nor ``.png``.
    """
    if path.suffix.lower() not in FORMS:
        raise ValueError(f"{path} names no form of picture; expected a name that ends in {' or '.join(FORMS)}")


def write_picture(path: Path, shapes: Iterable[Shape], size: Size) -> None:
    """Write a picture on white ground.

    Args:
        path: The file; its ending says the form.
        shapes: From back to front.
        size: Width and height.

    Raises:
        ValueError: If the name ends in neither ``.svg`` nor ``.png``.
        ChartError: If it cannot be written.
    """
    check_picture(path)
    content = FORMS[path.suffix.lower()]([*shapes], *size)
    try:
        replace_file(path, content)
    except OSError as error:
        raise ChartError(f"cannot write the picture to {path}: {error.strerror}") from error
