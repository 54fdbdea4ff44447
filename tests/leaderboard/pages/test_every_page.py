"""What holds of every page: none scrolls sideways on a phone, none hinders a screen reader, no text is a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.leaderboard.pages.conftest import Watch

    Open = Callable[..., Watch]

pytestmark = pytest.mark.slow

SITE = ("index.html", "method.html", "ledger.html", "task/egotaskqa.html", "compare.html")


def pages(site: Path, viewer: Path) -> list[Path]:
    """One page of each kind, and every model's."""
    return [*(site / name for name in SITE), *sorted((site / "model").glob("*.html")), viewer / "index.html"]


def settled(page: Page) -> None:
    page.wait_for_load_state("load")
    if page.locator("#sample").count():
        page.locator("#sample h2").wait_for()


def test_no_page_scrolls_sideways_on_a_phone(site: Path, viewer: Path, watch: Open) -> None:
    seen = watch(viewport={"width": 360, "height": 740})
    for path in pages(site, viewer):
        page = seen.open(path)
        settled(page)
        assert (path.name, page.evaluate("document.documentElement.scrollWidth")) == (path.name, 360)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(site: Path, viewer: Path, watch: Open, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    seen = watch(color_scheme=scheme, reduced_motion="reduce")
    for path in pages(site, viewer):
        page = seen.open(path, "runs=" + runs_of(site) if path.name == "compare.html" else "")
        settled(page)
        page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true; })")
        violations = Axe().run(page, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
        listed = [(rule["id"], node["html"][:200]) for rule in violations for node in rule["nodes"][:3]]
        assert (path.name, listed) == (path.name, [])


def runs_of(site: Path) -> str:
    import json

    rows = json.loads((site / "data" / "board.json").read_text(encoding="utf-8"))
    return ",".join(sorted({row["run"] for row in rows if row["method"] == "generate"})[:3])


def test_no_text_of_a_run_becomes_markup(site: Path, viewer: Path, watch: Open) -> None:
    seen = watch()
    for path in pages(site, viewer):
        page = seen.open(path)
        settled(page)
        assert page.evaluate("typeof hacked") == "undefined"
        assert page.locator("img[src=x], main script, b > b, i > i").count() == 0
        assert "\u202e" not in page.content()
        assert "\x1b" not in page.content()


def test_a_page_that_would_load_from_elsewhere_is_stopped(site: Path, watch: Open) -> None:
    """The policy in the page itself is tried: a script from the network is refused before it is asked for."""
    seen = watch()
    page = seen.open(site / "index.html")
    refused = page.evaluate(
        "new Promise(done => { document.addEventListener('securitypolicyviolation', event => done(event.blockedURI));"
        "const script = document.createElement('script'); script.src = 'https://example.org/x.js';"
        "document.head.appendChild(script); })"
    )
    assert refused == "https://example.org/x.js"
    assert [problem for problem in seen.problems if "Content Security Policy" not in problem] == []
    seen.problems.clear()
    seen.requests.remove("https://example.org/x.js")
