"""The viewer in Chromium: filters, keys, several runs on one sample, addresses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.leaderboard.pages.made_board import OPTIONS, MadeBoard

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.leaderboard.pages.conftest import Watch

    Open = Callable[..., Watch]

pytestmark = pytest.mark.slow

SAMPLES = 10 * 11
"""Ten samples of each of the eleven subsets of the eight tasks."""


def opened(viewer: Path, watch: Open, fragment: str = "") -> Page:
    page = watch().open(viewer / "index.html", fragment)
    page.locator("#sample h2").wait_for()
    return page


def count(page: Page) -> int:
    return int(page.locator("#status").inner_text().split()[0].replace(",", ""))


def test_a_sample_shows_question_options_truth_and_every_answer(viewer: Path, watch: Open) -> None:
    page = opened(viewer, watch, "in=egoplan+(official)&sample=q1")
    assert page.locator("#sample-title").inner_text() == "Which <i>thing</i>, 1"
    assert page.locator(".options bdi").all_inner_texts() == list(OPTIONS)
    # By hand: the target of question 1 stands at place 1.
    assert page.locator(".options li").nth(1).get_attribute("class") == "truth"
    assert page.locator(".answer").count() == 4
    replies = page.locator(".answer pre").all_inner_texts()
    assert replies[0] == "B"
    assert r"</script><script>hacked()</script> \u202e\x1b]0;x\x07 The answer is (A)." in replies
    assert page.locator(".score-table tr").count() == 5
    assert "Read as B, by: letter." in page.locator(".answer").first.inner_text()


def test_samples_are_filtered_by_task_tag_outcome_and_run(viewer: Path, watch: Open) -> None:
    """By hand: of ten questions the strong run misses number 7 alone, for 7 * 7 = 49 is the one with nine units."""
    page = opened(viewer, watch)
    assert count(page) == SAMPLES
    page.locator("#part").select_option(label="egoplan (official) (10)")
    assert count(page) == 10
    page.locator("#run").select_option(label="strong-9b: strong")
    page.locator("#outcome").select_option("W")
    assert page.locator(".list-row").count() == 1
    assert "q7" in page.locator(".list-row").inner_text()
    page.locator("#outcome").select_option("")
    page.locator("#tag").select_option(label="__proto__")
    page.locator("#value").select_option(label="even (55)")
    assert count(page) == 5
    page.locator("#search").fill("thing</i>, 4")
    assert count(page) == 1


def test_disagreement_between_runs_is_a_filter(viewer: Path, watch: Open) -> None:
    """By hand: the runs that say A alone are right on questions 0 and 5, the strong one on all but 7."""
    page = opened(viewer, watch, "part=egoplan+(official)")
    page.locator("#agreement").select_option("disagree")
    assert 0 < count(page) < 10
    page.locator("#agreement").select_option("none-right")
    alone = page.locator(".list-row").all_inner_texts()
    assert all("q7" in row for row in alone)


def test_keys_go_on_and_back(viewer: Path, watch: Open) -> None:
    page = opened(viewer, watch, "part=vln-qa+(official)")
    assert "sample q0" in page.locator(".sample-head").inner_text()
    page.keyboard.press("j")
    page.keyboard.press("ArrowRight")
    assert "sample q2" in page.locator(".sample-head").inner_text()
    page.keyboard.press("k")
    assert "sample q1" in page.locator(".sample-head").inner_text()
    page.locator("#list").focus()
    page.keyboard.press("End")
    assert "sample q9" in page.locator(".sample-head").inner_text()
    assert page.locator("#list").get_attribute("aria-activedescendant") is not None
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"


def test_the_address_leads_back_to_sample_and_filters(viewer: Path, watch: Open) -> None:
    page = opened(viewer, watch, "part=egomcq+intra+(paper)&agreement=disagree")
    page.keyboard.press("j")
    head, kept = page.locator(".sample-head").inner_text(), count(page)
    again = opened(viewer, watch, page.url.partition("#")[2])
    assert (again.locator(".sample-head").inner_text(), count(again)) == (head, kept)
    assert again.locator("#agreement").input_value() == "disagree"


def test_the_site_leads_to_its_samples(made_board: MadeBoard, watch: Open) -> None:
    from egobench.leaderboard.site.publish import publish

    names = ("strong", "weak")
    index = publish(
        [made_board.by_name[name] for name in names], made_board.root / "with-samples", samples="public"
    )  # fmt: skip
    page = watch().open(index)
    page.locator("tbody.rows th a").first.click()
    page.get_by_role("link", name="Look at every sample").click()
    page.locator("#sample h2").wait_for()
    assert "may not be shown to the public" in page.locator("#sample").inner_text()
    page.locator("#part").select_option(label="vln-qa (official) (10)")
    page.get_by_role("heading", name="Which <i>thing</i>, 0").wait_for()
    page.locator("a.brand").click()
    page.wait_for_url("**/index.html")
