"""Curves of scores are SVG whose dots, whiskers and lines stand where the numbers say."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from egobench.charts.curves import Curve, CurvePoint, write_curves
from egobench.errors import ChartError

SVG = "{http://www.w3.org/2000/svg}"
POINTS = (CurvePoint("checkpoint-500", 0.25, 0.2, 0.3), CurvePoint("<b>&", None), CurvePoint("checkpoint-1500", 0.75))


def drawn(path: Path) -> ElementTree.Element:
    write_curves([Curve("egoplan/all/mcq/official/acc", POINTS, 0.25), Curve("second", POINTS)], path)
    return ElementTree.parse(path).getroot()  # noqa: S314 - our own file


def test_dots_stand_at_their_scores(tmp_path: Path) -> None:
    """By hand: three columns of 260 pixels from 60 on; 80 pixels from 34 to 114 are the range from 1 to 0."""
    dots = [(dot.get("cx"), dot.get("cy")) for dot in drawn(tmp_path / "a.svg").iter(f"{SVG}circle")]
    assert dots[:2] == [("190.0", "94.0"), ("710.0", "54.0")]
    assert dots[2:] == [("190.0", "244.0"), ("710.0", "204.0")]


def test_chance_is_dashed_where_it_is_known(tmp_path: Path) -> None:
    dashed = [line.get("d") for line in drawn(tmp_path / "a.svg").iter(f"{SVG}path") if line.get("stroke-dasharray")]
    assert dashed == ["M60 94.0H840"]


def test_names_of_runs_are_text(tmp_path: Path) -> None:
    words = [text.text for text in drawn(tmp_path / "a.svg").iter(f"{SVG}text")]
    assert {"checkpoint-500", "<b>&", "checkpoint-1500", "25.0", "75.0", "chance 25.0"} <= set(words)


def test_equal_numbers_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        drawn(tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_picture_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChartError, match="cannot write the picture"):
        write_curves([Curve("a", POINTS)], tmp_path / "none" / "a.svg")
