"""Logs of Inspect (UK AISI), one per part of a run, which ``inspect view`` opens.

A log holds ids, replies and readings; questions, options and right answers only on request, because licences of tasks
may forbid to publish them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from egobench.metrics import MeanMetric
from egobench.prompts import LETTERS, user_turn
from egobench.run.plan import Part
from egobench.run.records import Prediction
from egobench.sample import Sample
from egobench.scoring.entry import ScoreEntry
from egobench.scoring.score import score_samples

from .facts import PROJECT, Exported


def inspect_logs(exported: Exported, parts: Sequence[Part], *, texts: bool) -> Mapping[str, str]:
    """Make the logs of a run, by file name.

    Args:
        exported: The submission, its replies restored where there are sample sets.
        parts: Its parts over sample sets; empty without data, and then no sample has a score.
        texts: Whether questions, options and right answers are shown.
    """
    by_name = {part.name: part for part in parts}
    content = exported.content
    # Inspect lists a file of JSON only where its name begins with a time.
    prefix = f"{exported.attribution.day.isoformat()}T00-00-00+00-00"
    return {
        f"{prefix}_{name}_{content.spec.id}.json": json.dumps(
            _log(exported, name, by_name.get(name), texts=texts), ensure_ascii=False
        )
        + "\n"
        for name in content.rows
    }


def _log(exported: Exported, name: str, part: Part | None, *, texts: bool) -> dict[str, Any]:
    content = exported.content
    rows = content.run.predictions(name)
    samples = {sample.id: sample for sample in part.samples} if part else {}
    created = datetime.fromtimestamp(exported.attribution.timestamp, UTC).isoformat()
    scorer, values = _values(part, rows)
    entries = [entry for entry, _ in exported.values() if entry.id.part.file_stem == name and entry.orders == 1]
    # Lists show the first score alone.
    entries.sort(key=lambda entry: not entry.headline)
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": f"{content.spec.id}-{name}",
            "run_id": content.spec.id,
            "created": created,
            "task": f"{PROJECT.lower()}/{name}",
            # Logs with the same task id pass for attempts at the same thing, of which the last alone is listed.
            "task_id": f"{name}-{content.spec.id}",
            "task_version": 1,
            "task_args": {"method": content.spec.method, "control": content.spec.control or "none"},
            "dataset": {"name": name, "samples": len(rows), "sample_ids": list(rows), "shuffled": False},
            "model": f"{PROJECT.lower()}/{exported.model_name}",
            "config": {"epochs": 1},
            "packages": {PROJECT.lower(): content.spec.harness},
            "metadata": dict(exported.setup()),
        },
        "plan": {"name": "plan", "steps": []},
        "results": {
            "total_samples": len(rows),
            "completed_samples": sum(row.final for row in rows.values()),
            "scores": [_score(entry) for entry in entries],
        },
        "stats": {"started_at": created, "completed_at": created, "model_usage": {}},
        "samples": [
            _sample(exported, row, samples.get(row.id), {scorer: values.get(row.id)}, texts=texts)
            for row in rows.values()
        ],
    }


def _score(entry: ScoreEntry) -> dict[str, Any]:
    figures = {"value": entry.value, "stderr": entry.se, "low": entry.low, "high": entry.high, "chance": entry.chance}
    metrics = {key: {"name": key, "value": figure} for key, figure in figures.items() if figure is not None}
    return {"name": entry.id.metric, "scorer": entry.id.metric, "params": {}, "metrics": metrics}


def _values(part: Part | None, rows: Mapping[str, Prediction]) -> tuple[str, Mapping[str, float]]:
    """Return a metric and the value of each sample: the headline, or accuracy if that is no mean over samples."""
    if part is None or part.gallery is not None:
        return "", {}
    name = part.subset.headline
    if not isinstance(part.task.metrics[name], MeanMetric):
        name = "acc"
    metric = part.task.metrics.get(name)
    if not isinstance(metric, MeanMetric) or any(sample.target is None for sample in part.selected if sample.options):
        return "", {}
    return name, {scored.sample.id: metric.value(scored) for scored in score_samples(part.selected, rows)}


def _sample(
    exported: Exported, row: Prediction, sample: Sample | None, values: Mapping[str, float | None], *, texts: bool
) -> dict[str, Any]:
    open_book = texts and sample is not None
    question = user_turn(sample.question, sample.options) if open_book and sample else f"sample {row.id}"
    answer = row.reply if row.choice is None else LETTERS[row.choice]
    message = {"role": "assistant", "content": row.reply or answer, "source": "generate"}
    model = f"{PROJECT.lower()}/{exported.model_name}"
    log: dict[str, Any] = {
        "id": row.id,
        "epoch": 1,
        "input": question,
        "target": _right_answer(sample) if open_book else "",
        "messages": [{"role": "user", "content": question, "source": "input"}, message],
        "output": {"model": model, "choices": [{"message": message, "stop_reason": "stop"}]},
        "metadata": {"outcome": row.outcome, "read_by": row.rule, "receipt": dict(row.receipt or {})},
        "store": {},
        "events": [],
        "model_usage": {},
        "attachments": {},
    }
    if open_book and sample and sample.options:
        log["choices"] = list(sample.options)
    scores = {scorer: value for scorer, value in values.items() if value is not None}
    if scores:
        note = {"answer": answer, "explanation": f"{row.outcome}: {row.rule}" if row.rule else row.outcome}
        options = {} if row.reply else _option_scores(row)
        log["scores"] = {
            scorer: {"value": value, **note, "metadata": {"scores of the options": options} if options else {}}
            for scorer, value in scores.items()
        }
    if row.error is not None:
        log["error"] = {"message": row.error, "traceback": "", "traceback_ansi": ""}
    return log


def _option_scores(row: Prediction) -> dict[str, float | None]:
    """Return the score of each option by its letter; ``None`` for minus infinity, which JSON lacks."""
    finite = (value if math.isfinite(value) else None for value in row.scores or ())
    return dict(zip(LETTERS, finite, strict=False))


def _right_answer(sample: Sample | None) -> str:
    """Return the letter of the right option, or the answer in words."""
    if sample is None:
        return ""
    return sample.answer if sample.target is None else LETTERS[sample.target]
