"""A training as one HTML page that opens from disk: what was trained, on what, how it went, what it scores."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from egobench.charts.series import Series, series_chart
from egobench.errors import TrainingError
from egobench.whole_file import replace_file
from reference_exo2ego.model.freezing import part_counts
from reference_exo2ego.model.stages import Stage

from .loop import LOSS_PARTS
from .recipe import Recipe, recipe_of
from .run_file import read_run
from .tracking import LOG, read_log

STYLE = """
body{font:15px/1.5 sans-serif;max-width:1120px;margin:2em auto;padding:0 1em;color:#222}
h1{margin-bottom:0}h2{border-top:1px solid #ccc;padding-top:1em;margin-top:2em}
table{border-collapse:collapse;margin:.6em 0}th,td{border:1px solid #ddd;padding:.25em .6em;text-align:left;
vertical-align:top}th{background:#f5f5f5}.charts{display:flex;flex-wrap:wrap;gap:12px}.charts svg{width:520px;
max-width:100%}code,pre{background:#f5f5f5}pre{padding:.6em;overflow:auto}
"""
PAGE = "report.html"


class StageLog(NamedTuple):
    """Records of a stage by kind; of a step that was taken twice, after an interruption, the last one."""

    steps: list[dict[str, Any]]
    validations: list[dict[str, Any]]
    captions: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    notes: list[dict[str, Any]]


def write_report(folder: Path, out: Path | None = None) -> Path:
    """Write the page of a training.

    Args:
        folder: The training's folder; it may still run.
        out: The file; ``None`` for ``report.html`` in the folder.

    Returns:
        The file.

    Raises:
        ResumeError: If the folder holds no training.
        TrainingError: If the page cannot be written.
    """
    values = read_run(folder)
    recipe = recipe_of(values["recipe"], str(folder))
    records = list(read_log(folder / LOG))
    path = out or folder / PAGE
    page = "\n".join(_page(recipe, values, records))
    try:
        replace_file(path, page)
    except OSError as error:
        raise TrainingError(f"{path}: cannot be written ({error.strerror}); name another file with --out") from error
    return path


def stage_log(records: Sequence[Mapping[str, Any]], stage: str) -> StageLog:
    """Records of a stage."""
    kept: dict[tuple[str, int], dict[str, Any]] = {}
    notes: list[dict[str, Any]] = []
    for record in records:
        if record.get("stage") == stage:
            if record["kind"] == "note":
                notes.append(dict(record))
            else:
                kept[record["kind"], record["step"]] = dict(record)
    by_kind = {
        kind: [record for (name, _), record in sorted(kept.items(), key=lambda item: item[0][1]) if name == kind]
        for kind in ("step", "validation", "captions", "scores")
    }
    return StageLog(by_kind["step"], by_kind["validation"], by_kind["captions"], by_kind["scores"], notes)


def as_typed(words: Sequence[str]) -> str:
    """Write a command line so that it can be typed again: the program by its name, its arguments quoted.

    Args:
        words: The command line as a program sees it, at least the program's path.
    """
    program = Path(words[0])
    started = f"python -m {program.parent.name}" if program.name == "__main__.py" else program.name
    return f"{started} {shlex.join(words[1:])}".rstrip()


def _page(recipe: Recipe, values: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    title = f"Training of {recipe.name}"
    yield "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
    yield f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
    yield f"<h1>{escape(title)}</h1><p>{escape(recipe.about)}</p>"
    versions = ", ".join(f"{name} {number}" for name, number in values["versions"].items())
    yield f"<p>Recipe {recipe.fingerprint}, seed {recipe.seed}, {recipe.dtype}; {escape(versions)}.</p>"
    yield f"<pre>{escape(as_typed(values['command']))}</pre>"
    logs = {stage.name: stage_log(records, stage.name) for stage in recipe.trained}
    yield _table(
        ("stage", "steps", "clips", "unreadable", "hours", "first loss", "last loss", "held out"),
        [_summary(stage.name, logs[stage.name]) for stage in recipe.trained],
    )
    yield "<h2>What trains when</h2>"
    stages: list[Stage] = [stage.name for stage in recipe.trained if stage.name != "language"]
    counts = part_counts(recipe.model)
    yield _table(
        ("part", "parameters", *stages),
        [
            (
                row.part,
                f"{row.parameters:,}",
                *(f"{row.trained[stage]:,}" if row.trained[stage] else "" for stage in stages),
            )
            for row in counts
        ],
    )
    for stage in recipe.trained:
        yield f"<h2>{stage.name}</h2>"
        yield from _stage(stage.model_dump(mode="json"), values["data"].get(stage.name, {}), logs[stage.name])
    yield f"<h2>The recipe</h2><pre>{escape(recipe.model_dump_json(indent=1))}</pre></body></html>"


def _stage(settings: Mapping[str, Any], data: Mapping[str, str], log: StageLog) -> Iterator[str]:
    stated = {
        name: value for name, value in settings.items() if name not in {"name", "source"} and value not in (None, {})
    }
    yield "<p>" + ", ".join(f"{escape(name)} {escape(str(value))}" for name, value in stated.items()) + "</p>"
    if data:
        yield _table(("data", "SHA-256"), [(name, digest[:16]) for name, digest in data.items()])
    for note in log.notes:
        yield f"<p>After {note['step']} steps: {escape(str(note['note']))}.</p>"
    yield "<div class='charts'>"
    parts = [name for name in LOSS_PARTS if any(row.get(name) for row in log.steps)]
    if parts[1:] == ["vtg"]:
        parts = ["vtg"]
    held_out = _series(log.validations, "loss", "held out", dots=True)
    yield series_chart("losses", [*(_series(log.steps, name) for name in parts), held_out])
    yield series_chart("norm of the gradient", [_series(log.steps, "grad_norm")], logarithmic=True)
    yield series_chart("learning rate", [_series(log.steps, "rate")])
    yield series_chart("clips a second", [_series(log.steps, "samples_per_second")])
    yield series_chart("share of the time that data are waited for", [_series(log.steps, "data_wait")])
    if any("mfu" in row for row in log.steps):
        yield series_chart("share of what the devices could do (MFU)", [_series(log.steps, "mfu")])
    if any("cosine" in row for row in log.validations):
        cosines = [("cosine", "F(x) and y"), ("cosine_unmapped", "x and y")]
        yield series_chart("cosine", [_series(log.validations, key, name, dots=True) for key, name in cosines])
    yield "</div>"
    if log.scores:
        yield from _scores(log.scores)
    if log.captions:
        yield from _captions(log.captions)


def _scores(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = sorted({name for record in records for name in record["scores"]})
    steps = [f"step {record['step']}" for record in records]
    rows: list[tuple[str, ...]] = []
    for name in names:
        cells = [record["scores"].get(name, {}) for record in records]
        last = cells[-1]
        values = ["" if cell.get("value") is None else f"{100 * cell['value']:.1f}" for cell in cells]
        chance = last.get("chance")
        rows.append((name, *values, "" if chance is None else f"{100 * chance:.1f}", str(last.get("n", ""))))
    yield "<h3>Scores</h3>" + _table(("protocol", *steps, "chance", "samples"), rows)


def _captions(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    first, last = records[0], records[-1]
    rows = [
        (before["prompt"], before["expected"], before["reply"], after["reply"])
        for before, after in zip(first["captions"], last["captions"], strict=False)
    ]
    columns = ("asked", "expected", f"reply at step {first['step']}", f"reply at step {last['step']}")
    yield "<h3>Captions</h3>" + _table(columns, rows)


def _summary(name: str, log: StageLog) -> tuple[str, ...]:
    if not log.steps:
        return (name, "not begun", *[""] * 6)
    first, last = log.steps[0], log.steps[-1]
    seconds = sum(row["seconds"] for row in log.steps) / len(log.steps) * last["step"]
    validated = "" if not log.validations else f"{log.validations[0]['loss']:.4f} to {log.validations[-1]['loss']:.4f}"
    return (
        name,
        f"{last['step']:,} of {last['steps']:,}",
        f"{last['clips']:,}",
        str(last["unreadable"]),
        f"{seconds / 3600:.2f}",
        f"{first['loss']:.4f}",
        f"{last['loss']:.4f}",
        validated,
    )


def _series(rows: Sequence[Mapping[str, Any]], key: str, name: str = "", *, dots: bool = False) -> Series:
    return Series(name or key, [(row["step"], float(row[key])) for row in rows if key in row], dots)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
