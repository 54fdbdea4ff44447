"""The functions that our tasks in lmms-eval are made of; the files of :mod:`egobench.interop.lmms_write` name them.

lmms-eval hands a model a video and lets it sample, so the video handed over is a clip of exactly the frames that
``egobench run`` shows, without loss. Replies are read and scored by the code that a run uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from logging import getLogger
from typing import Any

from egobench.errors import ModelError
from egobench.interop.lmms_documents import (
    KEY,
    Document,
    documents,
    grey_clip,
    presentation_of,
    sample_of,
    shown_clip,
)
from egobench.loop.answer import NO_FRAMES, Evidence, Question, ReplyAnswerer
from egobench.metrics import OUTCOMES, MeanMetric, ScoredSample
from egobench.model import ModelInfo, Prompt, Reply
from egobench.prompts import SYSTEM, user_turn
from egobench.run.records import Prediction
from egobench.sample import Sample
from egobench.scoring.entry import ProtocolId
from egobench.scoring.score import score_metric, score_samples

FAILURE_PREFIX = "[LMMS_EVAL_"
"""Prefix of all texts that lmms-eval puts in place of an answer: a request failed, or its budget was spent."""

SHARES = ("answered", "media_error", "request_error")
"""Outcomes whose shares stand as metrics beside those of the task."""

Item = Mapping[str, Any]
"""The result of a sample under a metric, as lmms-eval collects it."""


def make_documents(dataset: Any) -> Any:
    """Make the documents of a task out of the one line that its file holds.

    Args:
        dataset: A :class:`datasets.Dataset` of that one line.

    Raises:
        SampleSetError: If the sample set is gone or was built again with other samples.
    """
    return import_module("datasets").Dataset.from_list(documents(presentation_of(dataset[0])))


def visual(document: Document) -> list[str]:
    """Return the clip, for a model of the simple kind; a grey one where the video cannot be read."""
    return [_clip(document)]


def text(document: Document) -> str:
    """Return the user's turn, for a model of the simple kind."""
    presentation, sample = presentation_of(document), sample_of(document)
    turn = user_turn(sample.question, sample.options)
    return f"{SYSTEM[presentation.prompt]}\n{turn}" if presentation.system == "turn" else turn


def messages(document: Document) -> list[dict[str, Any]]:
    """Return system message and user's turn with the clip, for a chat model."""
    presentation, sample = presentation_of(document), sample_of(document)
    turn = user_turn(sample.question, sample.options)
    system = {"role": "system", "content": [{"type": "text", "text": SYSTEM[presentation.prompt]}]}
    user = {"role": "user", "content": [{"type": "video", "url": _clip(document)}, {"type": "text", "text": turn}]}
    return [system, user] if presentation.system == "turn" else [user]


def target(document: Document) -> str:
    """Return the right option's letter, or the answer of an open question; ``""`` where it is private."""
    return str(document["target"])


def results(document: Document, replies: Sequence[str]) -> dict[str, Item]:
    """Read a reply, and return its result under every metric.

    Args:
        document: The document that was asked.
        replies: The reply, alone.

    Returns:
        One item per metric.
    """
    presentation, sample = presentation_of(document), sample_of(document)
    prediction = _prediction(document, replies[0])
    (scored,) = score_samples([sample], {sample.id: prediction})
    common = {
        "id": sample.id,
        "cluster": sample.cluster,
        "outcome": prediction.outcome,
        "choice": prediction.choice,
        "rule": prediction.rule,
        "reply": scored.reply if not sample.options else "",
        "error": prediction.error,
        "pixels": (prediction.receipt or {}).get("sha256"),
        KEY: presentation.to_json(),
    }
    items: dict[str, Item] = {}
    for name, metric in presentation.part.task.metrics_of(presentation.part.subset).items():
        items[name] = {**common, "metric": name}
        known = sample.target is not None or not sample.options
        if isinstance(metric, MeanMetric) and known and (value := _value(metric.value, scored)) is not None:
            items[name] = {**items[name], "score": value}
    items |= {share: {"id": sample.id, "score": float(prediction.outcome == share)} for share in SHARES}
    return items


def score(items: Sequence[Item]) -> float:
    """Compute a metric over all items by the code that scores a run; its interval goes to the log.

    Args:
        items: At least one, all of one metric.

    Returns:
        The value in [0, 1]; not a number where answers are private or the metric's package is missing.
    """
    presentation, name = presentation_of(items[0]), items[0]["metric"]
    by_id = {item["id"]: item for item in items}
    part = presentation.part
    part = replace(part, selected=tuple(sample for sample in part.selected if sample.id in by_id))
    predictions = {sample.id: _restored(sample, by_id[sample.id]) for sample in part.selected}
    scored = score_samples(part.selected, predictions)
    metric = part.task.metrics_of(part.subset)[name]
    entry = score_metric(part, ProtocolId.of(part, name), metric, scored, seed=0)
    outcomes = ", ".join(f"{entry.outcomes[outcome]} {outcome}" for outcome in OUTCOMES if entry.outcomes[outcome])
    numbers = ", ".join(
        f"{key} {getattr(entry, key)}" for key in ("value", "low", "high", "chance", "blind", "blind_trained")
    )
    _log().info(f"{part.name} {name}: {numbers}; {outcomes}; {entry.problem or 'no problem'}")
    return float("nan") if entry.value is None else entry.value


def share(items: Sequence[Item]) -> float:
    """Compute the mean of the items' scores."""
    return float(sum(item["score"] for item in items)) / len(items)


@dataclass(frozen=True, slots=True)
class _Repeater:
    """A model that repeats the reply of another model."""

    text: str

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("repeater", "")

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        failed = self.text.startswith(FAILURE_PREFIX)
        return [Reply("" if failed else self.text, error=self.text if failed else None) for _ in prompts]


def _clip(document: Document) -> str:
    evidence = shown_clip(document, clip=True)
    if evidence.path is None:
        _log().warning(f"{document['id']}: {evidence.error}; its answer will not count")
    return str(evidence.path or grey_clip(presentation_of(document)))


def _prediction(document: Document, reply: str) -> Prediction:
    sample, evidence = sample_of(document), shown_clip(document, clip=False)
    if evidence.error is not None:
        return Prediction(sample.id, "media_error", error=evidence.error)
    prompt = Prompt(*NO_FRAMES, "", sample.question, sample.options, "", 1, 0)
    (prediction,) = ReplyAnswerer(_Repeater(reply))([Question(prompt, Evidence(sample.id, receipt=evidence.receipt))])
    return prediction


def _value(value: Callable[[ScoredSample], float], scored: ScoredSample) -> float | None:
    try:
        return value(scored)
    except ModelError:
        # The metric's package is missing; score() says so once.
        return None


def _restored(sample: Sample, item: Item) -> Prediction:
    """Restore the prediction behind an item, as far as metrics use it."""
    prediction = Prediction(sample.id, item["outcome"], reply=item["reply"])
    if item["choice"] is None:
        return prediction
    scores = tuple(float(place == item["choice"]) for place in range(len(sample.options)))
    return replace(prediction, scores=scores, choice=item["choice"])


def _log() -> Any:
    """Return the logger that lmms-eval uses."""
    try:
        return import_module("loguru").logger
    except ImportError:
        return getLogger(__name__)
