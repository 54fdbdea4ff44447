"""``egobench run`` and ``egobench score``: from names and folders to a run and its scores."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from rich.table import Table

from egobench.commands.judging import judge_run
from egobench.commands.progress import ProgressObserver, Stopwatch
from egobench.commands.tables import console, run_table
from egobench.controls import clips
from egobench.dataset.sampleset import MANIFEST, SampleSet, find_sets
from egobench.errors import SampleSetError
from egobench.evaluate import conclude, evaluate, plan, sets_of, settings_of
from egobench.llm_judge.client import find_judge
from egobench.loop.ask import Settings, clip_requests, frame_rule
from egobench.model import Encoder, Method, Model, ScoresOptions
from egobench.orders import orders_of
from egobench.plugins import load_model
from egobench.retrieval.gallery import read_scores, score_gallery
from egobench.retrieval.rerank import TOP, read_retriever
from egobench.run.store import reopen_run
from egobench.run.usage import cost_text, usage_line
from egobench.scoring.score import coverage
from egobench.video import ClipRequest, plan_summary

LIBRARIES = ("av", "decord", "numpy", "pillow", "torch", "torchcodec", "torchvision", "transformers")
FORECAST = {
    "samples": "samples",
    "clips": "clips",
    "files": "files",
    "missing_files": "missing files",
    "frames_to_decode": "frames to decode",
    "minutes": "estimated minutes",
    "prompt_tokens": "tokens read",
    "reply_tokens": "tokens written",
    "cost": "cost",
}
"""Columns of a dry run by key; the last ones where the model tells."""

TRIAL = 3
"""Samples a dry run asks of each part to estimate the time."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What ``egobench run`` was asked for.

    Attributes:
        model: The model's name.
        options: Its options, as texts.
        data: Folder of sample sets.
        tasks: Only these; ``None`` for all.
        construction: Only sample sets of this one; ``None`` for all.
        videos: Folder of videos.
        out: Folder of runs.
        settings: How it is done.
        rerank: A retriever's run, or its file of scores; ``None`` for none.
        top: How many of its best texts are scored again.
        best_method: Whether the model's best method is taken instead of that of the settings.
    """

    model: str
    options: Mapping[str, str]
    data: Path
    tasks: tuple[str, ...] | None
    construction: str | None
    videos: Path
    out: Path
    settings: Settings
    rerank: Path | None = None
    top: int = TOP
    best_method: bool = False

    def load(self) -> tuple[Model, list[SampleSet], Settings]:
        """The model, the sample sets that it can be asked, and how.

        Raises:
            EgoBenchError: If any cannot be had.
            ValueError: If the method does not go with a retriever's texts.
        """
        held = [SampleSet.read(folder) for folder in find_sets(self.data, self.tasks, self.construction)]
        if self.rerank is not None:
            # Before the model is loaded, which may take minutes.
            galleries, settings = self._scored_again(held, self.rerank)
            return load_model(self.model, **self.options), galleries, settings
        model, settings = load_model(self.model, **self.options), self.settings
        if self.best_method:
            settings = replace(settings, method=best_method(model))
        return model, self._asked(model, held), settings

    def _scored_again(self, held: Sequence[SampleSet], retriever: Path) -> tuple[list[SampleSet], Settings]:
        galleries = [one for one in held if one.gallery]
        if not galleries:
            raise SampleSetError(
                f"{self.data} holds no gallery; make one with egobench build --construction gallery (of charades-ego: "
                "gallery157)"
            )
        method: Method = "likelihood-sum" if self.best_method else self.settings.method
        settings = replace(self.settings, method=method, rerank=read_retriever(retriever, galleries, self.top))
        plan(galleries, settings)
        self._leave_out([one for one in held if not one.gallery], "--rerank asks about galleries alone")
        return galleries, settings

    def _asked(self, model: Model, held: list[SampleSet]) -> list[SampleSet]:
        galleries = [one for one in held if one.gallery]
        if isinstance(model, Encoder) or not galleries:
            return held
        sets = [one for one in held if not one.gallery]
        if not sets:
            raise SampleSetError(
                f"{self.data} holds galleries alone, and {model.info.name!r} does not embed clips and texts; score a "
                "retriever's best texts with --rerank RUN, or a table with egobench score FILE.npy --data SET"
            )
        self._leave_out(galleries, f"{model.info.name!r} does not embed clips and texts; see --rerank")
        return sets

    def _leave_out(self, sets: Sequence[SampleSet], why: str) -> None:
        if sets:
            names = ", ".join(one.name for one in sets)
            console(errors=True).print(f"left out: {names}: {why}", soft_wrap=True, markup=False)


def best_method(model: Model) -> Method:
    """What ``--method auto`` takes to ask a model to choose among options."""
    if not isinstance(model, ScoresOptions):
        return "generate"
    # A dual encoder compares texts and knows no letters.
    return "likelihood-sum" if isinstance(model, Encoder) else "likelihood-letter"


def go(wanted: RunRequest, *, as_json: bool) -> float:
    """Do a run and print its scores.

    Returns:
        Its coverage: the share of samples that got a reply, in [0, 1].

    Raises:
        EgoBenchError: If the model, a sample set or the run folder cannot be used.
    """
    model, sets, settings = wanted.load()
    recorded = {"command": sys.argv, "data": str(wanted.data.resolve()), **environment()}
    try:
        with ProgressObserver() as observer:
            result = evaluate(model, sets, wanted.videos, wanted.out, settings, observer=observer, recorded=recorded)
    except KeyboardInterrupt:
        console(errors=True).print("stopped: what was answered is kept, and the same command goes on from there")
        raise
    if as_json:
        told = {"run": str(result.path), "usage": result.usage, "scores": result.scores}
        print(json.dumps(told, indent=1))  # noqa: T201
    else:
        console().print(run_table(result.scores, str(result.path)))
        if line := usage_line(result.usage):
            console().print(line, soft_wrap=True)
        console().print(f"run folder: {result.path}", soft_wrap=True)
    return coverage(result.scores)


def dry(wanted: RunRequest, *, as_json: bool) -> None:
    """Count what a run would ask, open and decode, and estimate its time by asking a few samples of each set.

    Nothing is kept.

    Raises:
        EgoBenchError: If the model or a sample set cannot be used.
    """
    model, sets, settings = wanted.load()
    asked = replace(wanted, settings=settings)
    rows = [forecast(asked, model, sample_set) for sample_set in sets]
    if as_json:
        print(json.dumps(rows, indent=1))  # noqa: T201
        return
    table = Table(title="dry run: nothing was kept", title_justify="left")
    table.add_column("sample set")
    known = {key: column for key, column in FORECAST.items() if any(row[key] is not None for row in rows)}
    for column in known.values():
        table.add_column(column, justify="right")
    sums: dict[str, Any] = {"set": "all", **{key: sum(row[key] or 0 for row in rows) for key in known}}
    for row in [*rows, sums]:
        table.add_section()
        table.add_row(row["set"], *(_told(key, row[key]) for key in known))
    console().print(table)


def _told(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    return cost_text(value) if key == "cost" else f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def forecast(wanted: RunRequest, model: Model, sample_set: SampleSet) -> dict[str, Any]:
    """A row of a table: what a run would ask of one sample set, and its time by that of a few samples."""
    settings, asked, requests = wanted.settings, 0, list[ClipRequest]()
    for part in plan([sample_set], settings):
        asked += sum(len(orders_of(sample, part.orders)) for sample in part.asked)
        rule = frame_rule(part.task, model.info, settings)
        if rule is not None:
            shown = clips(part.samples, settings.control, settings.seed)
            found = clip_requests(part.asked, shown, part.task, wanted.videos, rule)
            requests += [request for request, _ in found.values()]
    readable = [request for request in requests if request.path.exists()]
    summary = plan_summary(readable)
    with TemporaryDirectory() as folder:
        started, watch, tried_with = perf_counter(), Stopwatch(), replace(settings, limit=TRIAL)
        tried = evaluate(model, [sample_set], wanted.videos, Path(folder), tried_with, observer=watch)
        once = perf_counter() - started - watch.seconds
    share = asked / tried.usage["replies"] if tried.usage["replies"] else 0.0
    return {
        "set": sample_set.name,
        "samples": asked,
        "clips": len(requests),
        "files": len({request.path for request in requests}),
        "missing_files": len({request.path for request in requests} - {request.path for request in readable}),
        "frames_to_decode": summary.decoded,
        "minutes": (once + watch.seconds * share) / 60,
        **{key: tried.usage[key] and round(tried.usage[key] * share) for key in ("prompt_tokens", "reply_tokens")},
        "cost": tried.usage["cost"] and tried.usage["cost"] * share,
    }


def rescore(path: Path, data: Path | None) -> tuple[Path, dict[str, Any]]:
    """Compute the scores of a run again from its predictions, and write them.

    Args:
        path: The run folder.
        data: Folder of its sample sets; ``None`` for where they were when it ran.

    Returns:
        The path of ``scores.json`` and its entries.

    Raises:
        StoreError: If the folder holds no run, or one of another version.
        SampleSetError: If a sample set is gone or is not the one that was asked.
    """
    with reopen_run(path) as run:
        parts = plan(sets_of(path, data), settings_of(run.spec))
        scores = conclude(run, parts, seed=run.spec.seed).scores
    return path / "scores.json", dict(scores)


def ask_judge(path: Path, data: Path | None, url: str, model: str) -> None:
    """Ask a judge about the open answers of a run, with progress on standard error.

    Raises:
        ValueError: If the address cannot be used.
        EgoBenchError: If the run, its sample sets or the judge cannot be used.
    """
    judge = find_judge(url, model)
    with ProgressObserver() as observer:
        judge_run(path, data, judge, observer)


def score_file(path: Path, data: Path | None) -> dict[str, Any]:
    """Scores of a table of gallery scores.

    Args:
        path: A ``.npy`` or ``.npz`` file, see :func:`egobench.retrieval.gallery.read_scores`.
        data: The sample set's folder.

    Raises:
        SampleSetError: If that is no sample set with a gallery.
        ScoreFileError: If the scores do not fit it.
    """
    if data is None or not (data / MANIFEST).is_file():
        raise SampleSetError(f"what is {path} about? give --data DATA/<task>/<construction>, the folder of its set")
    sample_set = SampleSet.read(data)
    return score_gallery(read_scores(path, sample_set), sample_set)


def environment() -> dict[str, Any]:
    """What is recorded of where a run was done: Python, libraries, machine. Never part of its identity."""
    found: dict[str, str] = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "libraries": found,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
