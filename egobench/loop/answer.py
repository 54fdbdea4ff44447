"""From questions to predictions: one call of the model, and what its answers mean for a score."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from egobench.errors import ModelError, ModelMemoryError, PromptError
from egobench.metrics import Outcome
from egobench.model import Encoder, Method, Model, OptionForm, OptionScores, Prompt, Reply, ScoresOptions, Usage
from egobench.orders import turn_back
from egobench.replies import read_reply
from egobench.retrieval.embeddings import score_texts
from egobench.run.records import Prediction

Number = TypeVar("Number", int, float)

FORMS: dict[Method, OptionForm] = {"likelihood-letter": "letter", "likelihood-official": "enclosed-text"}
"""What each method scores of an option; the others score its text."""

MEANS: frozenset[Method] = frozenset({"likelihood-mean", "likelihood-official"})
"""Methods whose scores are a mean over tokens."""

NO_FRAMES = (np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0))
"""The frames and times of a prompt that shows no video."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a prediction keeps of its question: which sample, in which order, and what was shown.

    Attributes:
        sample_id: The sample's id.
        order: By how many places the options are turned.
        receipt: Which frames are shown; ``None`` where none are.
        video: Fingerprint of the video file; ``""`` where none is opened.
    """

    sample_id: str
    order: int = 0
    receipt: dict[str, Any] | None = None
    video: str = ""

    def prediction(self, outcome: Outcome, usage: Usage | None = None, **answer: Any) -> Prediction:
        """A prediction about the sample.

        Args:
            outcome: What became of it.
            usage: What it took.
            **answer: Further fields of the prediction, which tell the answer.
        """
        used = usage or Usage()
        return Prediction(
            id=self.sample_id,
            outcome=outcome,
            receipt=self.receipt,
            video=self.video,
            order=self.order,
            prompt_tokens=used.prompt_tokens,
            reply_tokens=used.reply_tokens,
            tries=used.tries,
            cost=used.cost,
            **answer,
        )


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, and the evidence of it.

    Attributes:
        prompt: What the model reads.
        evidence: What the prediction keeps of it.
    """

    prompt: Prompt
    evidence: Evidence


class Answers(NamedTuple):
    """What came of some questions.

    Attributes:
        predictions: In the order of the questions; empty where they will be asked again in smaller batches.
        problem: What went wrong, ``""`` mostly.
    """

    predictions: list[Prediction]
    problem: str = ""


class Answerer(Protocol):
    """Answers questions with a model, one way or another."""

    def __call__(self, questions: Sequence[Question]) -> list[Prediction]:
        """One prediction per question, in order.

        Args:
            questions: At least one.

        Raises:
            ModelError: If the model breaks its contract.
            ModelMemoryError: If the batch does not fit into memory.
            PromptError: If the model cannot take one of the prompts.
        """
        ...


@dataclass(frozen=True, slots=True)
class ReplyAnswerer:
    """Has a model reply in words, and reads the replies.

    Attributes:
        model: The model.
    """

    model: Model

    def __call__(self, questions: Sequence[Question]) -> list[Prediction]:
        """One prediction per question, in order."""
        replies = _same_count(self.model, self.model.generate([question.prompt for question in questions]), questions)
        return [_read(question, reply) for question, reply in zip(questions, replies, strict=True)]


@dataclass(frozen=True, slots=True)
class LikelihoodAnswerer:
    """Has a model score every option.

    Attributes:
        model: The model.
        method: Which score counts.
        rule: The method as predictions keep it, with what changes its numbers.
        text_prior: Share of the scores without the video that is subtracted, at least 0.
    """

    model: Model
    method: Method
    rule: str
    text_prior: float = 0.0

    def __call__(self, questions: Sequence[Question]) -> list[Prediction]:
        """One prediction per question, in order."""
        model = self.model
        if not isinstance(model, ScoresOptions):
            raise ModelError(f"model {model.info.name!r} cannot score options; use --method generate")
        scores = self._scores(model, [question.prompt for question in questions])
        return [
            self._prediction(question, option_scores)
            for question, option_scores in zip(questions, _same_count(model, scores, questions), strict=True)
        ]

    def _scores(self, model: ScoresOptions, prompts: Sequence[Prompt]) -> Sequence[OptionScores]:
        form = FORMS.get(self.method, "text")
        with_video = model.score_options(prompts, form)
        if not self.text_prior:
            return with_video
        frames, times = NO_FRAMES
        without = model.score_options([replace(prompt, frames=frames, times=times) for prompt in prompts], form)
        counts = [[len(scores.logprobs) for scores in batch] for batch in (with_video, without)]
        if counts[0] != counts[1]:
            raise ModelError(f"{counts[0]} scores with the video and {counts[1]} without it; expected as many")
        return [
            subtract_prior(scores, prior, self.text_prior) for scores, prior in zip(with_video, without, strict=True)
        ]

    def _prediction(self, question: Question, answer: OptionScores) -> Prediction:
        scores, n_options = answer.logprobs, len(question.prompt.options)
        if len(scores) != n_options or len(scores) != len(answer.tokens):
            raise ModelError(
                f"{len(scores)} scores and {len(answer.tokens)} token counts for {n_options} options; expected one of "
                "each per option"
            )
        if self.method in MEANS:
            scores = tuple(total / count for total, count in zip(scores, answer.tokens, strict=True))
        if not all(score < math.inf for score in scores):
            return question.evidence.prediction("request_error", error=f"a score is not a number: {scores}")
        chosen = _choose_top(scores, question.evidence.order)
        return question.evidence.prediction(
            "answered", answer, rule=self.rule, floored=answer.floored, **chosen._asdict()
        )


@dataclass(frozen=True, slots=True)
class EmbeddingAnswerer:
    """Scores every text of a gallery by its cosine with the clip.

    Attributes:
        encoder: The model.
        texts: The gallery's texts, embedded, ``(n_items, dim)``.
    """

    encoder: Encoder
    texts: np.ndarray

    def __call__(self, questions: Sequence[Question]) -> list[Prediction]:
        """One prediction per question, in order; its scores are one number per text."""
        scores = score_texts(self.encoder, [question.prompt for question in questions], self.texts)
        return [
            question.evidence.prediction("answered", rule="embedding", scores=row)
            for question, row in zip(questions, scores, strict=True)
        ]


class BatchedAnswerer:
    """Answers batches, in smaller ones where one does not fit or holds a prompt that the model cannot take.

    Attributes:
        batch_size: Questions per call; halved when memory runs out, for all further batches.
    """

    def __init__(self, answerer: Answerer, batch_size: int) -> None:
        self.batch_size = batch_size
        self._answerer = answerer

    def answer(self, questions: Sequence[Question]) -> Generator[Answers]:
        """Answer a batch.

        Args:
            questions: Any number.

        Yields:
            Predictions in the order of the questions, some at a time; or none, with the reason why a batch is halved.

        Raises:
            ModelError: If the model cannot do what the method needs, or breaks its contract.
        """
        waiting = [list(questions)] if questions else []
        while waiting:
            batch = waiting.pop()
            if len(batch) > self.batch_size:
                waiting += [batch[self.batch_size :], batch[: self.batch_size]]
                continue
            try:
                predictions = self._timed(batch)
            except (ModelMemoryError, PromptError) as error:
                half = len(batch) // 2
                if not half:
                    yield Answers([_failure(batch[0], error)], str(error))
                    continue
                if isinstance(error, ModelMemoryError):
                    self.batch_size = min(self.batch_size, half)
                    now = f"{self.batch_size} are asked at a time now"
                    yield Answers([], f"{error}; a batch of {len(batch)} was halved, and {now}")
                waiting += [batch[half:], batch[:half]]
                continue
            yield Answers(predictions)

    def _timed(self, batch: Sequence[Question]) -> list[Prediction]:
        started = perf_counter()
        predictions = self._answerer(batch)
        seconds = round((perf_counter() - started) / len(batch), 6)
        return [replace(prediction, seconds=seconds) for prediction in predictions]


def subtract_prior(scores: OptionScores, prior: OptionScores, share: float) -> OptionScores:
    """Scores less a share of what the options score without the video (VisualGPTScore, arXiv 2306.01879)."""
    pairs = zip(scores.logprobs, prior.logprobs, strict=True)
    return replace(
        scores,
        logprobs=tuple(with_video - share * without for with_video, without in pairs),
        floored=max(scores.floored, prior.floored),
        prompt_tokens=_sum_known(scores.prompt_tokens, prior.prompt_tokens),
        reply_tokens=_sum_known(scores.reply_tokens, prior.reply_tokens),
        tries=scores.tries + prior.tries - 1,
        cost=_sum_known(scores.cost, prior.cost),
    )


def _sum_known(first: Number | None, second: Number | None) -> Number | None:
    return None if first is None or second is None else first + second


AnswerT = TypeVar("AnswerT", Reply, OptionScores)


def _same_count(model: Model, answers: Sequence[AnswerT], questions: Sequence[Question]) -> Sequence[AnswerT]:
    if len(answers) != len(questions):
        raise ModelError(f"model {model.info.name!r} gave {len(answers)} answers to {len(questions)} prompts")
    return answers


def _failure(question: Question, error: ModelError) -> Prediction:
    tries = error.tries if isinstance(error, PromptError) else 1
    return question.evidence.prediction("request_error", Usage(tries=tries), error=f"{type(error).__name__}: {error}")


def _read(question: Question, reply: Reply) -> Prediction:
    if reply.error is not None:
        return question.evidence.prediction("request_error", reply, error=reply.error)
    options = question.prompt.options
    if not options:
        outcome: Outcome = "answered" if reply.text.strip() else "unparsed"
        return _worded(question, reply, outcome, "words" if reply.text.strip() else "empty")
    reading = read_reply(reply.text, options)
    if reading.choice is None:
        return _worded(question, reply, reading.outcome, reading.rule)
    scores = [float(position == reading.choice) for position in range(len(options))]
    return _worded(question, reply, reading.outcome, reading.rule, chosen=_choose_top(scores, question.evidence.order))


class _Choice(NamedTuple):
    """What is chosen of the options in the sample's own order.

    Attributes:
        scores: One an option.
        choice: Position of the top one; ``None`` for a tie.
    """

    scores: tuple[float, ...] | None = None
    choice: int | None = None


def _worded(
    question: Question, reply: Reply, outcome: Outcome, rule: str, *, chosen: _Choice | None = None
) -> Prediction:
    """The prediction of a reply in words."""
    words = {"reply": reply.text, "finish_reason": reply.finish_reason, "rule": rule}
    return question.evidence.prediction(outcome, reply, **words, **(chosen or _Choice())._asdict())


def _choose_top(scores: Sequence[float], order: int) -> _Choice:
    """The choice by scores of the options in an order; a tie for the top chooses none."""
    own = turn_back(scores, order)
    top = max(own)
    return _Choice(own, own.index(top) if own.count(top) == 1 else None)
