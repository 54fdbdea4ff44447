"""Looks for dead links in the Markdown files of the checkout: files, headings, and code that is named by its path.

Usage: ``python .ci/links.py [--external]``. Prints ``file:line: what is dead``; exit code 1 where there is any. With
``--external`` links to other sites are asked for too, which needs the network; nothing in tox does it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^ *(```|~~~)")
LINK = re.compile(r"(?<!`)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
CODE_PATH = re.compile(
    r"`(?P<target>(?:\.ci|\.github|benchmarks|docs|egobench|leaderboard|models|reference_exo2ego|tasks|tests)/[\w./-]*)`"
)
"""A file or folder of the checkout, named in backticks."""

SEEING_IS_NOT_ALLOWED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
"""What a site answers to programs where it has the page."""

TIMEOUT = 20.0
"""Seconds to wait for a site."""


class Link(NamedTuple):
    """A link of a Markdown file.

    Attributes:
        path: The file.
        line: Its line, from 1.
        target: An address, a path with or without ``#heading``, or a path named in backticks.
        is_code: Whether it was named in backticks, as a path from the top of the checkout.
    """

    path: Path
    line: int
    target: str
    is_code: bool


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines outside fenced code."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield number, line


def links(path: Path) -> Iterator[Link]:
    """Yield every link of a Markdown file, those in fenced code excepted."""
    for number, line in prose(path.read_text(encoding="utf-8")):
        yield from (Link(path, number, match["target"], is_code=False) for match in LINK.finditer(line))
        if path.name != "CHANGELOG.md":  # it names what was
            yield from (Link(path, number, match["target"], is_code=True) for match in CODE_PATH.finditer(line))


def anchors(path: Path) -> set[str]:
    """Names of a Markdown file's headings, as GitHub and the documentation site make them."""
    headings = [line.lstrip("#").strip() for _, line in prose(path.read_text(encoding="utf-8")) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def problem(link: Link) -> str | None:
    """Say why a link inside the checkout is dead; ``None`` where it is not, or leads to another site."""
    if link.is_code:
        return None if (ROOT / link.target).exists() else f"there is no {link.target}"
    if re.match(r"[a-z]+:", link.target):
        return None
    file, _, heading = link.target.partition("#")
    path = (link.path.parent / file).resolve() if file else link.path
    if not path.exists():
        return f"there is no {file}"
    if heading and path.suffix == ".md" and heading not in anchors(path):
        return f"{file or link.path.name} has no heading #{heading}"
    return None


def external_problem(link: Link) -> str | None:
    """Say why a page of another site is dead; ``None`` where it answers."""
    request = Request(link.target, headers={"User-Agent": "egobench link check"})  # noqa: S310 - http and https alone
    try:
        with urlopen(request, timeout=TIMEOUT):  # noqa: S310
            return None
    except URLError as error:
        status = getattr(error, "code", None)
        return None if status in SEEING_IS_NOT_ALLOWED else f"{link.target}: {error}"


def markdown_files() -> list[Path]:
    """The Markdown files that people read: at the top, in ``docs`` and in ``.github``."""
    folders = (ROOT / "docs", ROOT / ".github")
    return sorted([*ROOT.glob("*.md"), *(path for folder in folders for path in folder.rglob("*.md"))])


def main(arguments: list[str]) -> int:
    """Print dead links; 1 where there are any, else 0."""
    every_link = [link for path in markdown_files() for link in links(path)]
    dead = [(link, reason) for link in every_link if (reason := problem(link))]
    if "--external" in arguments:
        pages = [link for link in every_link if link.target.startswith(("http://", "https://"))]
        dead += [(link, reason) for link in pages if (reason := external_problem(link))]
    report = [f"{link.path.relative_to(ROOT)}:{link.line}: {reason}" for link, reason in dead]
    sys.stdout.write("\n".join([*report, f"{len(every_link)} links, {len(dead)} dead"]) + "\n")
    return int(bool(dead))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
