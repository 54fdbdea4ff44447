"""The pictures of the board, of a comparison and of the viewer: ``python docs/pictures/leaderboard_pages.py DEMO``.

DEMO is a folder that ``egobench demo --out DEMO`` wrote. Takes the pages as the Chromium of the system shows them,
1,280 pixels wide, light; and, with a second argument, every page at 1,280 and 360 pixels, light and dark, into that
folder, to be looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import which

from playwright.sync_api import Browser, sync_playwright

from egobench.leaderboard.measures import SampleSets
from egobench.leaderboard.runs import open_runs
from egobench.leaderboard.viewer.build import write_viewer
from egobench.observer import SilentObserver

DOCS = Path(__file__).resolve().parents[1]
HEIGHT = 860


def main(demo: Path, proofs: Path | None) -> None:
    """Take the pictures."""
    site = (demo / "site").resolve()
    view = (demo / "view").resolve()
    with open_runs([demo / "runs"], SilentObserver()) as runs:
        keys = ",".join(run.key for run in runs[:3])
        if not (view / "strips").is_dir():
            write_viewer(runs[:4], view, SampleSets(demo / "data"), videos=demo / "miniego" / "videos")
    pages = {
        "board": (site / "index.html").as_uri(),
        "compare": f"{(site / 'compare.html').as_uri()}#runs={keys}",
        "viewer": f"{(view / 'index.html').as_uri()}#agreement=disagree&part=vln-qa+(official)",
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox"])
        for name, address in pages.items():
            take(browser, address, DOCS / f"{name}.png", width=1280, scheme="light")
        if proofs is not None:
            others = {
                path.stem: path.as_uri() for path in [*site.glob("*.html"), *site.glob("task/*"), *site.glob("model/*")]
            }
            for name, address in {**others, **pages}.items():
                for width in (1280, 360):
                    for scheme in ("light", "dark"):
                        take(browser, address, proofs / f"{name}-{width}-{scheme}.png", width=width, scheme=scheme)
        browser.close()


def take(browser: Browser, address: str, path: Path, *, width: int, scheme: str) -> None:
    """Take one picture."""
    context = browser.new_context(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(address)
    if page.locator("#sample").count():
        page.locator("#sample h2").wait_for()
    page.wait_for_timeout(300)
    page.screenshot(path=path)
    context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
