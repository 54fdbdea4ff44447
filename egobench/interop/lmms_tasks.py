"""The functions that our tasks in lmms-eval are made of; the files of :mod:`egobench.interop.lmms_write` name them.

lmms-eval hands a model a video and lets it sample, so the video handed over is a clip of exactly the frames that
``egobench run`` shows, without loss. Replies are read and scored by the code that a run uses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from logging import getLogger
from typing import Any

import numpy as np

from egobench.errors import ModelError
from egobench.interop.lmms_documents import (
    KEY,
    Document,
    Put,
    documents,
    evidence,
    grey_clip,
    put_of,
    sample_of,
)
from egobench.loop.answer import Answers, Question
from egobench.metrics import OUTCOMES, MeanMetric, ScoredSample
from egobench.model import ModelInfo, Prompt, Reply
from egobench.prompts import SYSTEM, user_turn
from egobench.run.store import Prediction
from egobench.sample import Sample
from egobench.scoring.score import entry, judge

FAILED = "[LMMS_EVAL_"
"""How texts begin that lmms-eval puts in place of an answer: a request failed, or its budget was spent."""

SHARES = ("answered", "media_error", "request_error")
"""Metrics beside those of the task: the share of samples with this outcome."""

Item = Mapping[str, Any]
"""What one sample adds to one metric."""


def make_documents(dataset: Any) -> Any:
    """The documents of a task, in place of the line that says which task it is.

    Args:
        dataset: A :class:`datasets.Dataset` of that one line.

    Raises:
        SampleSetError: If the sample set is gone or was built again with other samples.
    """
    return import_module("datasets").Dataset.from_list(documents(put_of(dataset[0])))


def visual(document: Document) -> list[str]:
    """The clip, for a model of the simple kind; a grey one where the video cannot be had."""
    return [_clip(document)]


def text(document: Document) -> str:
    """The user's turn, for a model of the simple kind."""
    put, sample = put_of(document), sample_of(document)
    turn = user_turn(sample.question, sample.options)
    return f"{SYSTEM[put.prompt]}\n{turn}" if put.system == "turn" else turn


def messages(document: Document) -> list[dict[str, Any]]:
    """System message and user's turn with the clip, for a chat model."""
    put, sample = put_of(document), sample_of(document)
    turn = user_turn(sample.question, sample.options)
    system = {"role": "system", "content": [{"type": "text", "text": SYSTEM[put.prompt]}]}
    user = {"role": "user", "content": [{"type": "video", "url": _clip(document)}, {"type": "text", "text": turn}]}
    return [system, user] if put.system == "turn" else [user]


def target(document: Document) -> str:
    """The right option's letter, or the answer of an open question; ``""`` where it is private."""
    return str(document["target"])


def results(document: Document, replies: Sequence[str]) -> dict[str, Item]:
    """What a reply adds to every metric.

    Args:
        document: What was asked.
        replies: The reply, alone.

    Returns:
        One item a metric.
    """
    put, sample = put_of(document), sample_of(document)
    told = _prediction(document, put, replies[0])
    (judged,) = judge([sample], {sample.id: told})
    common = {
        "id": sample.id,
        "cluster": sample.cluster,
        "outcome": told.outcome,
        "choice": told.choice,
        "rule": told.rule,
        "reply": judged.reply if not sample.options else "",
        "error": told.error,
        "pixels": (told.receipt or {}).get("sha256"),
        KEY: put.to_json(),
    }
    items: dict[str, Item] = {}
    for name, metric in put.part.task.metrics_of(put.part.subset).items():
        items[name] = {**common, "metric": name}
        known = sample.target is not None or not sample.options
        if isinstance(metric, MeanMetric) and known and (value := _value(metric.value, judged)) is not None:
            items[name] = {**items[name], "score": value}
    items |= {share: {"id": sample.id, "score": float(told.outcome == share)} for share in SHARES}
    return items


def score(items: Sequence[Item]) -> float:
    """A metric of our own over all items, by the code that scores a run; its interval goes to the log.

    Args:
        items: At least one, all of one metric.

    Returns:
        The value in [0, 1]; not a number where answers are private or the metric's package is missing.
    """
    put, name = put_of(items[0]), items[0]["metric"]
    by_id = {item["id"]: item for item in items}
    part = put.part
    part = replace(part, asked=tuple(sample for sample in part.asked if sample.id in by_id))
    judged = judge(part.asked, {sample.id: _told_again(sample, by_id[sample.id]) for sample in part.asked})
    held = entry(part, name, part.task.metrics_of(part.subset)[name], judged, seed=0)
    counts = Counter(each.outcome for each in judged)
    outcomes = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome])
    shown = ", ".join(f"{key} {held[key]}" for key in ("value", "low", "high", "chance", "blind_ceiling"))
    _log().info(f"{part.name} {name}: {shown}; {outcomes}; {held['problem'] or 'no problem'}")
    value = held["value"]
    return float("nan") if value is None else float(value)


def share(items: Sequence[Item]) -> float:
    """The mean of the items' scores."""
    return float(sum(item["score"] for item in items)) / len(items)


@dataclass(frozen=True, slots=True)
class _Told:
    """A model that repeats what another one has said."""

    text: str

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("told", "")

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        failed = self.text.startswith(FAILED)
        return [Reply("" if failed else self.text, error=self.text if failed else None) for _ in prompts]


def _clip(document: Document) -> str:
    found = evidence(document, clip=True)
    if found.clip is None:
        _log().warning(f"{document['id']}: {found.prediction.error}; its answer will not count")
    return str(found.clip or grey_clip(put_of(document)))


def _prediction(document: Document, put: Put, reply: str) -> Prediction:
    known = evidence(document, clip=False).prediction
    if known.outcome == "media_error":
        return known
    sample = sample_of(document)
    nothing = Prompt(np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0), "", sample.question, sample.options, "", 1, 0)
    answers = Answers(_Told(reply), put.part, 1).of([Question(nothing, known)])
    return next(told for batch, _ in answers for told in batch)


def _value(value: Callable[[ScoredSample], float], judged: ScoredSample) -> float | None:
    try:
        return value(judged)
    except ModelError:
        # The metric's package is missing; score() says so once.
        return None


def _told_again(sample: Sample, item: Item) -> Prediction:
    """The prediction that an item came from, as far as a metric looks at it."""
    told = Prediction(sample.id, item["outcome"], reply=item["reply"])
    if item["choice"] is None:
        return told
    return replace(told, scores=tuple(float(place == item["choice"]) for place in range(len(sample.options))))


def _log() -> Any:
    """Where lmms-eval's users look."""
    try:
        return import_module("loguru").logger
    except ImportError:
        return getLogger(__name__)
