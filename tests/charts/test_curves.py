"""Curves of scores are SVG whose dots, whiskers and lines stand where the numbers say."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from egobench.charts.curves import PANEL_HEIGHT, WIDTH, Curve, CurvePoint, write_curves
from egobench.errors import ChartError

SVG = "{http://www.w3.org/2000/svg}"
POINTS = (CurvePoint("checkpoint-500", 0.25, 0.2, 0.3), CurvePoint("<b>&", None), CurvePoint("checkpoint-1500", 0.75))


def drawn(path: Path) -> ElementTree.Element:
    write_curves([Curve("egoplan/all/mcq/official/acc", POINTS, 0.25, 0.5), Curve("second", POINTS)], path)
    return ElementTree.parse(path).getroot()  # noqa: S314 - our own file


def test_dots_stand_at_their_scores(tmp_path: Path) -> None:
    """By hand: 670 pixels from 60 on in three columns; 110 pixels from 40 to 150 are the range from 1 to 0."""
    dots = [(dot.get("cx"), dot.get("cy")) for dot in drawn(tmp_path / "a.svg").iter(f"{SVG}circle")]
    assert dots[:2] == [("171.7", "122.5"), ("618.3", "67.5")]
    assert dots[2:] == [("171.7", "312.5"), ("618.3", "257.5")]


def test_chance_and_blind_figures_are_dashed_where_they_are_known(tmp_path: Path) -> None:
    """By hand: 0.25 and 0.5 of 110 pixels above 150."""
    dashed = [line.get("d") for line in drawn(tmp_path / "a.svg").iter(f"{SVG}path") if line.get("stroke-dasharray")]
    assert dashed == ["M60.0 122.5L730.0 122.5", "M60.0 95.0L730.0 95.0"]


def test_names_of_runs_are_text(tmp_path: Path) -> None:
    words = [text.text for text in drawn(tmp_path / "a.svg").iter(f"{SVG}text")]
    assert {"checkpoint-500", "<b>&", "checkpoint-1500", "25.0", "75.0", "chance 25.0", "blind 50.0"} <= set(words)


def test_equal_numbers_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        drawn(tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_png_has_the_dots_where_the_svg_has_them(tmp_path: Path) -> None:
    """Twice the pixels: the centre of the first dot is of its colour, a corner of the picture is white."""
    write_curves([Curve("first", POINTS, 0.25)], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (2 * WIDTH, 2 * PANEL_HEIGHT)
        assert picture.getpixel((343, 245)) == (0x00, 0x72, 0xB2)
        assert picture.getpixel((0, 0)) == (255, 255, 255)


def test_other_forms_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"a\.pdf names no form of picture; expected a name that ends in \.svg or \.png"
    ):
        write_curves([Curve("a", POINTS)], tmp_path / "a.pdf")


def test_a_picture_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChartError, match="cannot write the picture"):
        write_curves([Curve("a", POINTS)], tmp_path / "none" / "a.svg")
