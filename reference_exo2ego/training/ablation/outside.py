"""Egocentric files of samples and what they look like from outside, so that one encoder can be shown either view."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from egobench.errors import RecipeError
from reference_exo2ego.data.samples import SampleWriter, TrainingSample, read_samples

from .variants import Views

SUFFIX = ".exo"
"""What stands before the ending of a file of exocentric samples that belongs to an egocentric one."""

SELECTING = ("path", "view", "sources", "asks", "question")
"""What says which clips of a file are shown, and how."""


@dataclass(slots=True)
class OutsideFiles:
    """Files of samples as fixed cameras see them: made of those with exocentric views, or lying beside them.

    Attributes:
        data: Folder that paths of a recipe are below.
        folder: Where files are made.
    """

    data: Path
    folder: Path
    _of: dict[str, str | None] = field(default_factory=dict[str, "str | None"], init=False, repr=False)

    def of(self, path: str) -> str | None:
        """The file of exocentric samples that belongs to a file; ``None`` where nothing was filmed from outside.

        Args:
            path: As in a recipe.

        Raises:
            TrainingDataError: If it cannot be written.
            AnnotationError: If a file cannot be read.
        """
        if path not in self._of:
            beside = Path(path).with_name(f"{Path(path).stem}{SUFFIX}{Path(path).suffix}")
            self._of[path] = str(beside) if (self.data / beside).is_file() else self._make(path)
        return self._of[path]

    def _make(self, path: str) -> str | None:
        source = self.data / path
        if not any(sample.exo for sample in read_samples(source)):
            return None
        # Files of several folders may have one name.
        folders = [part for part in Path(path).parent.parts if part not in {"/", ".."}]
        out = self.folder.joinpath(*folders, f"{source.stem}{SUFFIX}{source.suffix}")
        out.parent.mkdir(parents=True, exist_ok=True)
        with SampleWriter(out) as writer:
            for sample in read_samples(source):
                for seen in from_outside(sample):
                    writer.write(seen)
        return str(out.resolve())


def from_outside(sample: TrainingSample) -> Iterator[TrainingSample]:
    """The exocentric views of a sample, each as a sample of its own."""
    for number, view in enumerate(sample.exo):
        start, end = sample.times_of(view)
        name = f"{sample.id}_{view.camera or number}"
        yield replace(sample, id=name, media=view.video, modality="video", start=start, end=end, exo=())


def seen_by_one(source: Mapping[str, Any], views: Views, outside: OutsideFiles) -> dict[str, Any]:
    """A stage's source whose clips are all shown to the learner's encoder, whoever filmed them.

    Args:
        source: The source as plain values.
        views: Whose clips stay.
        outside: Files of exocentric samples.
    """

    def shown(files: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
        return tuple(seen for file in files for seen in _seen(file, views, outside))

    return _with_files(source, shown)


def asked_about(source: Mapping[str, Any], views: Views, outside: OutsideFiles) -> dict[str, Any]:
    """A source of questions about egocentric clips, asked about the same moments as others film them.

    Args:
        source: The source as plain values.
        views: ``ego`` for the source itself, ``exo`` for the other views alone, ``both`` for both.
        outside: Files of exocentric samples.
    """

    def asked(files: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
        chosen: list[dict[str, Any]] = [dict(file) for file in files] if views != "exo" else []
        for file in files if views != "ego" else ():
            other = outside.of(file["path"])
            if other is not None and _has_samples(outside.data / other, file):
                chosen.append({**file, "path": other})
        return tuple(chosen)

    return _with_files(source, asked)


def joined(source: Mapping[str, Any], other: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A source with the clips of another one that it lacks.

    Args:
        source: The source as plain values.
        other: The other one, likewise.
        name: Of the other one's stage.

    Raises:
        RecipeError: If they are of different kinds.
    """
    if ("files" in source) != ("files" in other):
        raise RecipeError(
            f"{name}: its source is of another kind than that of the stage before it; one encoder is "
            f"trained on both together, so give both the same kind"
        )
    known = [_selection(file) for files in _files(source) for file in files]
    if "files" in source:
        lacking = [file for file in other["files"] if _selection(file) not in known]
        return {**source, "files": (*source["files"], *lacking)}
    rows = [
        {**row, "name": f"{name}-{row['name']}", "files": extra}
        for row in other["rows"]
        if (extra := tuple(file for file in row["files"] if _selection(file) not in known))
    ]
    turns = [(row["name"],) for row in rows]
    return {**source, "rows": (*source["rows"], *rows), "turns": (*source["turns"], *turns)}


def files_of(source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All files of a source of plain values; those of several kinds of rows one after the other."""
    return [file for files in _files(source) for file in files]


def _files(source: Mapping[str, Any]) -> list[Sequence[dict[str, Any]]]:
    return [source["files"]] if "files" in source else [row["files"] for row in source["rows"]]


def _with_files(source: Mapping[str, Any], change: Any) -> dict[str, Any]:
    """A source with other files; kinds of rows without any are left out, and their turns."""
    if "files" in source:
        return {**source, "files": change(source["files"])}
    rows = [{**row, "files": files} for row in source["rows"] if (files := change(row["files"]))]
    names = {row["name"] for row in rows}
    turns = [tuple(name for name in turn if name in names) for turn in source["turns"]]
    return {**source, "rows": tuple(rows), "turns": tuple(turn for turn in turns if turn)}


def _seen(file: Mapping[str, Any], views: Views, outside: OutsideFiles) -> Iterator[dict[str, Any]]:
    if file["view"] != "exo" and views != "exo":
        yield {**file, "view": "ego"}
    if file["view"] != "ego" and views != "ego":
        # A file without exocentric views was filmed from outside itself. What thins pairs thins the wearer's videos.
        thinned = {"share": 1.0} if file["view"] == "pair" else {}
        yield {**file, "view": "ego", "path": outside.of(file["path"]) or file["path"], **thinned}


def _has_samples(path: Path, file: Mapping[str, Any]) -> bool:
    """Whether a file has a sample of a selection's sources and questions."""
    sources, asks = file.get("sources") or (), re.compile(file.get("asks") or "")
    return any(
        (not sources or sample.source in sources)
        and asks.search(str(file.get("question") or sample.facts.get("question") or sample.turns[0]))
        for sample in read_samples(path)
    )


def _selection(file: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(file.get(name) for name in SELECTING)
