"""Differences and amounts are SVG whose dots, whiskers and crosses stand where the numbers say."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from egobench.charts.amounts import AmountLine, AmountPoint, write_amounts
from egobench.charts.differences import DifferenceRow, write_differences

SVG = "{http://www.w3.org/2000/svg}"


def tree(path: Path) -> ElementTree.Element:
    return ElementTree.parse(path).getroot()  # noqa: S314 - our own file


def shapes(root: ElementTree.Element, kind: str, attribute: str) -> list[str]:
    return [str(shape.get(attribute)) for shape in root.iter(f"{SVG}{kind}")]


def test_differences_stand_where_they_are(tmp_path: Path) -> None:
    """By hand: the scale goes from -5 to +5 points over 500 pixels around 550; a row is 30 pixels from 56 on."""
    rows = [DifferenceRow("without <KL>", -0.02, -0.04, 0.0, (-0.01, -0.03), -0.042), DifferenceRow("itself", None)]
    write_differences(rows, tmp_path / "a.svg", title="parts")
    root = tree(tmp_path / "a.svg")
    assert list(zip(shapes(root, "circle", "cx"), shapes(root, "circle", "cy"), strict=True)) == [("450.0", "71.0")]
    paths = shapes(root, "path", "d")
    assert {"M350.0 71.0L550.0 71.0", "M500.0 65.0L500.0 77.0", "M400.0 65.0L400.0 77.0"} <= set(paths)
    assert {"M335.0 66.0L345.0 76.0", "M335.0 76.0L345.0 66.0"} <= set(paths)
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert {"without <KL>", "itself", "-2.0", "-5.0", "+5.0", "0"} <= set(words)


def test_the_scale_holds_every_repetition(tmp_path: Path) -> None:
    write_differences([DifferenceRow("a", 0.01, repetitions=(0.12,))], tmp_path / "a.svg", title="")
    words = [text.text for text in tree(tmp_path / "a.svg").iter(f"{SVG}text")]
    assert {"-15.0", "+15.0"} <= set(words)


def test_amounts_are_drawn_by_their_logarithm(tmp_path: Path) -> None:
    """By hand: from 80 to 640 pixels for 0.01 to 1, so 0.1 is at 360; 50 to 340 pixels from 60 to 40 points."""
    line = AmountLine("one", [AmountPoint(0.01, 0.4), AmountPoint(0.1, 0.5, 0.45, 0.55), AmountPoint(1.0, 0.55)])
    write_amounts([line], tmp_path / "a.svg", title="share", unit="share")
    root = tree(tmp_path / "a.svg")
    dots = list(zip(shapes(root, "circle", "cx"), shapes(root, "circle", "cy"), strict=True))
    assert dots[:3] == [("80.0", "340.0"), ("360.0", "195.0"), ("640.0", "122.5")]
    assert "M360.0 267.5L360.0 122.5" in shapes(root, "path", "d")
    assert {"0.01", "0.1", "1", "40", "50", "60"} <= {str(text.text) for text in root.iter(f"{SVG}text")}


def test_a_single_amount_stands_in_the_middle(tmp_path: Path) -> None:
    write_amounts([AmountLine("one", [AmountPoint(1.0, 0.5)])], tmp_path / "a.svg", title="", unit="share")
    assert shapes(tree(tmp_path / "a.svg"), "circle", "cx")[0] == "360.0"
