"""Chromium, and a site and a viewer for it to open."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import pytest

from egobench.leaderboard.measures import SampleSets
from egobench.leaderboard.runs import open_runs
from egobench.leaderboard.site.publish import publish
from egobench.leaderboard.viewer.build import write_viewer
from egobench.observer import SilentObserver
from tests.leaderboard.pages.made_board import MadeBoard, make_board

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def made_board(tmp_path_factory: pytest.TempPathFactory) -> MadeBoard:
    """Runs over all eight tasks."""
    return make_board(tmp_path_factory.mktemp("board"))


@pytest.fixture(scope="session")
def site(made_board: MadeBoard) -> Path:
    """Their site."""
    return publish([made_board.runs], made_board.root / "site").parent


@pytest.fixture(scope="session")
def viewer(made_board: MadeBoard) -> Path:
    """The viewer of four of them."""
    names = [name for name in made_board.by_name if name not in {"a part", "middle, blind", "weak"}]
    with open_runs([made_board.by_name[name] for name in names], SilentObserver()) as runs:
        return write_viewer(runs, made_board.root / "viewer", SampleSets()).parent


@pytest.fixture(scope="session")
def chromium() -> Generator[Browser]:
    """Chromium as the system has it: nothing is downloaded."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("EGOBENCH_CHROMIUM") or next(filter(None, map(which, BROWSERS)), None)
    if path is None:
        pytest.fail("no Chromium to test the pages with: apt-get install chromium, or set EGOBENCH_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@dataclass
class Watch:
    """A page and what went on in it.

    Attributes:
        page: The page.
        requests: Addresses that it asked for.
        problems: Errors of scripts, and messages of the console that are none of ours.
    """

    page: Page
    requests: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])

    def open(self, path: Path, fragment: str = "") -> Page:
        """Open a file."""
        self.page.goto(path.as_uri() + (f"#{fragment}" if fragment else ""))
        return self.page


@pytest.fixture
def watch(chromium: Browser) -> Generator[Callable[..., Watch]]:
    """Opens pages; at the end none has asked for anything but files, thrown an error, or run a text as a script."""
    watches: list[Watch] = []

    def new(**options: Any) -> Watch:
        settings: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, **options}
        context = chromium.new_context(**settings)
        context.set_default_timeout(15_000)
        seen = Watch(context.new_page())
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.on("pageerror", lambda error: seen.problems.append(str(error)))
        seen.page.on("dialog", lambda dialog: seen.problems.append(f"dialog {dialog.message}"))
        seen.page.on("console", lambda message: seen.problems.append(message.text) if message.type == "error" else None)
        watches.append(seen)
        return seen

    yield new
    for seen in watches:
        strangers = [url for url in seen.requests if not url.startswith(("file:", "blob:"))]
        seen.page.context.close()
        assert (strangers, seen.problems) == ([], [])
