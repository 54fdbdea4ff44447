"""The board in Chromium: sort, filter, columns, address, comparison, export, dark, narrow, without scripts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from tests.leaderboard.pages.made_board import EVIL_MODEL

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.leaderboard.pages.conftest import Watch

    Open = Callable[..., Watch]

pytestmark = pytest.mark.slow

PLAIN = "section:not([hidden]) table[data-section=generate] tbody.rows tr:not([hidden])"


def models(page: Page) -> list[str]:
    return page.locator(f"{PLAIN} th a").all_inner_texts()


def column_of(page: Page, full: str) -> str:
    return str(page.locator(f'table[data-section=generate] th[data-full="{full}"] button').get_attribute("data-sort"))


def test_rows_are_sorted_by_a_heading_and_back(site: Path, watch: Open) -> None:
    """By hand: 9, 6 and 2 of ten questions are right; who always says A is right on 0 and 5."""
    page = watch().open(site / "index.html")
    heading = page.locator('table[data-section=generate] th[data-full="egoplan acc (official)"]')
    assert models(page)[:2] == ["strong-9b", "middle-6b"]
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    values = page.locator(f"{PLAIN} td:nth-child({1 + heading.evaluate('th => th.cellIndex')}) b").all_inner_texts()
    assert values == ["90.0", "60.0", "20.0", "20.0"]
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert models(page)[-1] == "strong-9b"
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "none"


def test_rows_are_filtered_by_words_and_by_level(site: Path, watch: Open) -> None:
    page = watch().open(site / "index.html")
    # The run of a part of the samples was not scored again: it is hidden until everybody is asked for.
    assert "6 of 7 runs" in page.locator("#status").inner_text()
    page.locator("#level").select_option("")
    assert page.locator("#status").inner_text() == "7 runs"
    page.locator("#search").fill("weak")
    assert models(page) == ["weak-2b"]
    assert page.locator(f"{PLAIN} td.rank").inner_text() != "1"
    page.locator("#search").fill("nobody has this name")
    assert models(page) == []
    page.locator("#reset").click()
    assert len(models(page)) == 4


def test_columns_are_hidden_in_groups(site: Path, watch: Open) -> None:
    page = watch().open(site / "index.html")
    heading = page.locator('table[data-section=generate] th[data-full="egomcq inter acc (paper)"]')
    assert heading.is_visible()
    page.get_by_text("Columns", exact=True).click()
    page.locator("#columns-menu input[data-group=egomcq]").uncheck()
    assert not heading.is_visible()
    page.locator("#columns-menu input[data-group=details]").check()
    assert page.get_by_role("columnheader", name="run id").first.is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#columns-menu").get_attribute("open") is None


def test_the_address_holds_the_state(site: Path, watch: Open) -> None:
    page = watch().open(site / "index.html")
    sort = column_of(page, "vln-qa acc (official)")
    page.locator("#search").fill("b")
    page.locator(f"table[data-section=generate] button[data-sort='{sort}']").click()
    page.get_by_text("Columns", exact=True).click()
    page.locator("#columns-menu input[data-group=egoplan]").uncheck()
    page.locator(f"{PLAIN} input").first.check()
    fragment = page.url.partition("#")[2]
    again = watch().open(site / "index.html", fragment)
    assert models(again) == models(page)
    assert again.locator("#search").input_value() == "b"
    assert not again.locator('table[data-section=generate] th[data-group="egoplan"]').first.is_visible()
    assert again.locator("#compare-count").inner_text() == "1"
    assert again.url.partition("#")[2] == fragment
    unknown = watch().open(site / "index.html", "sort=none&what=ever&cmp=%3Cscript%3E")
    assert len(models(unknown)) == 4


def test_keys_reach_search_and_headings(site: Path, watch: Open) -> None:
    page = watch().open(site / "index.html")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.locator("table[data-section=generate] button[data-sort=name]").focus()
    page.keyboard.press("Enter")
    assert page.locator("table[data-section=generate] thead th.name").get_attribute("aria-sort") == "ascending"


def exported(page: Page, form: str) -> str:
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.locator(f"[data-export={form}]").click()
    assert download.value.suggested_filename == f"leaderboard.{form}"
    return Path(download.value.path()).read_text(encoding="utf-8")


def test_what_is_shown_is_exported_in_five_forms(site: Path, watch: Open) -> None:
    page = watch().open(site / "index.html", "q=strong")
    rows = list(csv.reader(io.StringIO(exported(page, "csv"))))
    assert rows[0][2:4] == ["Avg", "charades-ego/all/mcq/paper/mAP"]
    assert (rows[1][1], rows[1][rows[0].index("egoplan/all/mcq/official/acc")]) == ("strong-9b: strong", "0.9")
    content: Any = json.loads(exported(page, "json"))
    assert content[0]["rows"][0]["egoplan/all/mcq/official/acc"]["value"] == 0.9
    assert "| strong-9b: strong | " in exported(page, "md")
    tex = exported(page, "tex")
    assert r"\begin{tabular}{ll" in tex
    assert "1--4 & strong-9b: strong & 90.4 [" in tex
    assert "& 0 of 110 & re-scored" in tex
    chart = ElementTree.fromstring(exported(page, "svg"))  # noqa: S314 - our own file
    assert chart.tag == "{http://www.w3.org/2000/svg}svg"
    assert "strong" not in {node.get("href") for node in chart.iter()}


def test_texts_of_strangers_stay_texts_in_exports(site: Path, watch: Open) -> None:
    page = watch().open(site / "index.html", "q=hacked")
    assert models(page) == [EVIL_MODEL]
    row_title = page.locator(f"{PLAIN} th small").inner_text()
    assert r"\u202etxt.exe\x1b[31m" in row_title
    assert r"\<script\>" in exported(page, "md")
    assert r"\textbackslash{}u202etxt.exe" in exported(page, "tex")


def test_runs_are_chosen_and_compared(site: Path, watch: Open) -> None:
    page = watch().open(site / "index.html")
    assert page.locator("#compare-link").get_attribute("aria-disabled") == "true"
    for model in ("strong-9b", "middle-6b"):
        page.locator(PLAIN, has_text=model).locator("input").first.check()
    page.locator("#compare-link").click()
    page.wait_for_url("**/compare.html#runs=*")
    assert page.locator("#chips li").count() == 2


def test_the_page_turns_dark_and_stays_so(site: Path, watch: Open) -> None:
    page = watch().open(site / "index.html")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    page.goto((site / "method.html").as_uri())
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    dark_system = watch(color_scheme="dark").open(site / "index.html")
    assert dark_system.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_the_board_reads_without_scripts(site: Path, watch: Open) -> None:
    page = watch(java_script_enabled=False).open(site / "index.html")
    assert page.locator("table[data-section=generate] tbody.rows tr").count() == 5
    assert page.locator("table[data-section=generate] tbody.rows b").first.inner_text() != ""
    assert not page.locator("#tools").is_visible()
    assert page.locator("section .chart").first.is_visible()
    assert not page.locator("tbody.rows input").first.is_visible()
