"""The page of comparisons: its numbers are those of the library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from egobench.compare import compare
from tests.leaderboard.pages.made_board import MadeBoard

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.leaderboard.pages.conftest import Watch

    Open = Callable[..., Watch]

pytestmark = pytest.mark.slow

DASH = "\N{EN DASH}"


def opened(made_board: MadeBoard, site: Path, watch: Open, *names: str) -> Page:
    keys = ",".join(made_board.by_name[name].name for name in names)
    return watch().open(site / "compare.html", f"runs={keys}")


def signed(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")


def p_words(p: float | None) -> str:
    return DASH if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def test_differences_are_those_of_egobench_compare(made_board: MadeBoard, site: Path, watch: Open) -> None:
    page = opened(made_board, site, watch, "strong", "weak")
    rows = page.locator("#differences tbody tr").all()
    cells = {row.locator("th").inner_text(): row.locator("td").all() for row in rows}
    comparison = compare([made_board.by_name["strong"], made_board.by_name["weak"]])
    checked = 0
    for score in comparison.scores:
        task, subset, _, construction, metric = score.id.split("/")
        title = f"{task} {metric if subset == 'all' else f'{subset} {metric}'} ({construction})"
        test = score.tests[0]
        assert cells[title][2].locator("b").inner_text() == signed(test.effect)
        if metric == "acc" and test.low is not None and test.high is not None:
            # Class-wise mAP has a resampled error there, a jackknifed one here.
            assert cells[title][2].locator("i").inner_text() == f"{signed(test.low)} to {signed(test.high)}"
            assert cells[title][3].inner_text() == p_words(test.p)
            checked += 1
    assert checked == 8


def test_holms_correction_is_over_the_headline_differences(made_board: MadeBoard, site: Path, watch: Open) -> None:
    """By hand, from the p-values of the page: Holm's are at least as large, and in the same order."""
    page = opened(made_board, site, watch, "middle", "weak")
    rows = page.locator("#differences tbody tr").all()
    pairs = [(row.locator("td").nth(3).inner_text(), row.locator("td").nth(4).inner_text()) for row in rows]
    numbers = sorted((float(p), float(h)) for p, h in pairs if DASH not in (p, h) and "<" not in p + h)
    assert len(numbers) >= 3
    assert all(h >= p for p, h in numbers)
    assert [h for _, h in numbers] == sorted(h for _, h in numbers)


def test_the_matrix_is_antisymmetric_and_has_a_table(made_board: MadeBoard, site: Path, watch: Open) -> None:
    page = opened(made_board, site, watch, "strong", "middle", "weak")
    words = page.locator("#matrix .cell-words").all_text_contents()
    assert len(words) == 6
    assert sorted(word[1:] for word in words if word[0] == "+") == sorted(word[1:] for word in words if word[0] != "+")
    page.locator("#matrix summary").click()
    assert page.locator("#matrix table tbody tr").count() == 3


def test_runs_are_added_left_out_and_kept_in_the_address(made_board: MadeBoard, site: Path, watch: Open) -> None:
    page = opened(made_board, site, watch, "strong", "middle")
    page.locator("#add").select_option(made_board.by_name["weak"].name)
    assert page.locator("#chips li").count() == 3
    assert page.url.count(",") == 2
    page.locator("#chips button").first.click()
    assert page.locator("#chips li").count() == 2
    page.locator("#number").select_option(label="vln-qa acc (official)")
    again = watch().open(site / "compare.html", page.url.partition("#")[2])
    assert again.locator("#matrix h3").inner_text() == "vln-qa acc (official)"
    assert again.locator("#radar polygon.run").count() == 2
    with again.expect_download() as download:
        again.locator("#radar [data-save=svg]").click()
    assert "<polygon" in Path(download.value.path()).read_text(encoding="utf-8")
