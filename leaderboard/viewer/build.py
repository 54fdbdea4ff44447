"""Writing the viewer: a page, an index for its filters, and samples in chunks that are loaded when they are shown."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from egobench import __version__
from egobench.observer import Observer, SilentObserver
from egobench.run.media import check_videos

from ..measures import SampleSets
from ..runs import BoardRun
from ..site.build import asset, new_site, page_environment, write_pages
from ..site.comparison_data import script_json
from ..site.naming import run_title
from .collect import ViewedPart, ViewedSample, collect_parts
from .outcomes import WORDS
from .strips import StripMaker

CHUNK = 100
"""Samples of a chunk, a file of its own."""

MOST_VALUES = 1_000
"""Most values of a tag in its filter; of tags with more, the most common ones are there."""

FOLDERS = ("assets", "data")
STRIPS = "strips"


@dataclass
class _Index:
    """The index that filters work on, column by column.

    Attributes:
        ids: Ids of all samples.
        snippets: Beginnings of questions, each once.
        snippet_of: Place of each sample's snippet.
        outcomes: For each run a character per sample.
        parts: The parts, with the number of the first sample of each.
        postings: By tag and value, the numbers of its samples.
    """

    outcomes: list[list[str]]
    ids: list[str] = field(default_factory=list[str])
    snippets: dict[str, int] = field(default_factory=dict[str, int])
    snippet_of: list[int] = field(default_factory=list[int])
    parts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    postings: defaultdict[str, defaultdict[str, list[int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list[int]))
    )

    def add(self, sample: ViewedSample) -> None:
        """Add a sample."""
        number = len(self.ids)
        self.ids.append(sample.id)
        self.snippet_of.append(self.snippets.setdefault(sample.snippet, len(self.snippets)))
        for column, outcome in zip(self.outcomes, sample.outcomes, strict=True):
            column.append(outcome)
        for tag, values in sample.tags.items():
            for value in dict.fromkeys(values):
                self.postings[tag][value].append(number)

    def to_json(self) -> dict[str, Any]:
        """Return the index as a JSON object; numbers of samples as steps from one to the next."""
        return {
            "ids": self.ids,
            "snippets": [*self.snippets],
            "snippetOf": self.snippet_of,
            "outcomes": ["".join(column) for column in self.outcomes],
            "parts": self.parts,
            "tags": [
                {"name": tag, "values": [[value, _steps(numbers)] for value, numbers in _common(by_value)]}
                for tag, by_value in sorted(self.postings.items())
            ],
        }


def write_viewer(
    runs: Sequence[BoardRun],
    out: Path,
    sets: SampleSets,
    *,
    videos: Path | None = None,
    public: bool = False,
    home: str = "",
    observer: Observer | None = None,
) -> Path:
    """Write the viewer of some runs.

    Args:
        runs: The runs, side by side in this order.
        out: The folder; a viewer that was written there before is replaced.
        sets: Finds the sample sets.
        videos: Folder of videos, or of one folder of videos per task: for film strips; ``None`` for none.
        public: Whether questions and answers are shown only where the task's licence allows it.
        home: Address of the board that it belongs to; ``""`` for none.
        observer: Receives the progress.

    Returns:
        The page to open.

    Raises:
        SiteError: If the folder holds something else, or cannot be written.
        MissingVideoError: If there is no such folder of videos.
        SampleSetError: If a sample set is not at hand.
        StoreError: If the rows of a run are damaged.
    """
    observer = observer or SilentObserver()
    if videos is not None:
        check_videos(videos)
    with new_site(out, "viewer", (*FOLDERS, STRIPS)) as folder:
        maker = None if videos is None else StripMaker(videos, folder / STRIPS, observer)
        index = _write_samples(folder, collect_parts(runs, sets, strip_maker=maker, public=public), len(runs))
        run_facts = [_run(run) for run in runs]
        data = {"runs": run_facts, "chunk": CHUNK, "words": WORDS, **index.to_json()}
        page = page_environment("egobench.leaderboard.viewer").get_template("viewer.html")
        title = ", ".join(dict.fromkeys(run.model for run in runs))
        contents = {
            "index.html": page.render(
                runs=run_facts, title=title[:120], home=home, version=__version__, count=len(index.ids)
            ),
            "data/index.js": f"EGOBENCH.index({_text(data)});\n",
            "assets/viewer.js": asset("egobench.leaderboard.viewer", "viewer.js"),
            "assets/viewer.css": asset("egobench.leaderboard.viewer", "viewer.css"),
            **{f"assets/{name}": asset("egobench.leaderboard.site", name) for name in ("style.css", "theme.js")},
        }
        write_pages(folder, contents)
    return out / "index.html"


def _write_samples(folder: Path, parts: Iterable[ViewedPart], runs: int) -> _Index:
    """Write the samples of all parts in chunks; what is left to write is their index."""
    index = _Index([[] for _ in range(runs)])
    chunk: list[dict[str, Any]] = []
    for part in parts:
        index.parts.append({"title": _part_title(part.id), "task": part.id.task, "first": len(index.ids),
                            "protocol": part.id.protocol, "withheld": part.withheld})  # fmt: skip
        for sample in part.viewed():
            index.add(sample)
            chunk.append(sample.detail)
            if len(chunk) == CHUNK:
                _write_chunk(folder, len(index.ids) // CHUNK - 1, chunk)
                chunk = []
    if chunk:
        _write_chunk(folder, len(index.ids) // CHUNK, chunk)
    return index


def _write_chunk(folder: Path, number: int, rows: Sequence[dict[str, Any]]) -> None:
    write_pages(folder, {f"data/chunk-{number}.js": f"EGOBENCH.chunk({number}, {_text([*rows])});\n"})


def _text(value: Any) -> str:
    """Write a value as JSON in a JavaScript string, which browsers parse many times faster than a literal."""
    return json.dumps(script_json(value), ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _run(run: BoardRun) -> dict[str, Any]:
    return {"key": run.key, "title": run_title(run), "method": run.method, "control": run.spec.control or ""}


def _part_title(part: Sequence[str]) -> str:
    task, subset, _, construction = part
    return f"{task if subset == 'all' else f'{task} {subset}'} ({construction})"


def _common(by_value: dict[str, list[int]]) -> Iterator[tuple[str, list[int]]]:
    kept = sorted(by_value.items(), key=lambda item: (-len(item[1]), item[0]))[:MOST_VALUES]
    return iter(sorted(kept))


def _steps(numbers: Sequence[int]) -> list[int]:
    return [number - before for number, before in zip(numbers, [0, *numbers], strict=False)]
