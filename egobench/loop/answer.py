"""From prompts to predictions: one call of the model, and what its answers mean for a score."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TypeVar

import numpy as np

from egobench.errors import ModelError, ModelMemoryError, PromptError
from egobench.model import Encoder, Model, OptionForm, OptionScores, Prompt, Reply, ScoresOptions, Usage
from egobench.orders import turn_back
from egobench.replies import read_reply
from egobench.retrieval.embeddings import rows_of
from egobench.run.store import Prediction
from egobench.scoring.score import Part

T = TypeVar("T", int, float)

NOTHING = (np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0))
"""The frames and times of a prompt that shows no video."""


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, and what is known of its answer before it is given.

    Attributes:
        prompt: What the model is asked.
        evidence: The prediction so far: sample, order, receipt and video.
    """

    prompt: Prompt
    evidence: Prediction


@dataclass(slots=True)
class Answers:
    """The answers of one model to one part of a run.

    Attributes:
        model: Who is asked.
        part: What is asked.
        batch_size: Prompts a call; halved when memory runs out, for the rest of the part.
        texts: The part's gallery, embedded, ``(n_items, dim)``; ``None`` where it is not.
    """

    model: Model
    part: Part
    batch_size: int
    texts: np.ndarray | None = None

    def of(self, questions: Sequence[Question]) -> Generator[tuple[list[Prediction], str]]:
        """Ask, in smaller batches where one does not fit or holds a prompt that the model cannot take.

        Args:
            questions: A batch; none is none.

        Yields:
            Predictions in the order of the questions, some at a time, and what went wrong with them, ``""`` mostly;
            none, and why, when a batch is halved.

        Raises:
            ModelError: If the model cannot do what the method asks, or breaks its contract.
        """
        waiting = [list(questions)] if questions else []
        while waiting:
            batch = waiting.pop()
            if len(batch) > self.batch_size:
                waiting += [batch[self.batch_size :], batch[: self.batch_size]]
                continue
            try:
                found = self._ask(batch)
            except (ModelMemoryError, PromptError) as error:
                half = len(batch) // 2
                if not half:
                    told = f"{type(error).__name__}: {error}"
                    tries = error.tries if isinstance(error, PromptError) else 1
                    failed = replace(batch[0].evidence, outcome="request_error", error=told, tries=tries)
                    yield [failed], str(error)
                    continue
                if isinstance(error, ModelMemoryError):
                    self.batch_size = min(self.batch_size, half)
                    now = f"{self.batch_size} are asked at a time now"
                    yield [], f"{error}; a batch of {len(batch)} was halved, and {now}"
                waiting += [batch[half:], batch[:half]]
                continue
            yield found, ""

    def _ask(self, batch: Sequence[Question]) -> list[Prediction]:
        model, part = self.model, self.part
        prompts = [question.prompt for question in batch]
        started = perf_counter()
        answers: Sequence[Reply] | Sequence[OptionScores] | Sequence[tuple[float, ...]]
        if self.texts is not None and isinstance(model, Encoder):
            answers = rows_of(model, prompts, self.texts)
        elif part.method == "generate":
            answers = model.generate(prompts)
        elif isinstance(model, ScoresOptions):
            answers = self._scores(model, prompts)
        else:
            raise ModelError(f"model {model.info.name!r} cannot score options; use --method generate")
        seconds = (perf_counter() - started) / len(batch)
        if len(answers) != len(batch):
            raise ModelError(f"model {model.info.name!r} gave {len(answers)} answers to {len(batch)} prompts")
        pairs: Iterable[tuple[Question, Reply | OptionScores | tuple[float, ...]]] = zip(batch, answers, strict=True)
        return [replace(_read(each, answer, part), seconds=round(seconds, 6)) for each, answer in pairs]

    def _scores(self, model: ScoresOptions, prompts: Sequence[Prompt]) -> Sequence[OptionScores]:
        form: OptionForm = "letter" if self.part.method == "likelihood-letter" else "text"
        scores = model.score_options(prompts, form)
        if not self.part.text_prior:
            return scores
        frames, times = NOTHING
        blind = model.score_options([replace(prompt, frames=frames, times=times) for prompt in prompts], form)
        told = [[len(one.logprobs) for one in each] for each in (scores, blind)]
        if told[0] != told[1]:
            raise ModelError(f"{told[0]} scores with the video and {told[1]} without it; expected as many")
        return [_less(seen, unseen, self.part.text_prior) for seen, unseen in zip(scores, blind, strict=True)]


def _less(seen: OptionScores, unseen: OptionScores, share: float) -> OptionScores:
    """Scores less a share of what the options score without the video (VisualGPTScore, arXiv 2306.01879)."""
    pairs = zip(seen.logprobs, unseen.logprobs, strict=True)
    return replace(
        seen,
        logprobs=tuple(one - share * other for one, other in pairs),
        floored=max(seen.floored, unseen.floored),
        prompt_tokens=_total(seen.prompt_tokens, unseen.prompt_tokens),
        reply_tokens=_total(seen.reply_tokens, unseen.reply_tokens),
        tries=seen.tries + unseen.tries - 1,
        cost=_total(seen.cost, unseen.cost),
    )


def _total(one: T | None, other: T | None) -> T | None:
    return None if one is None or other is None else one + other


def _read(question: Question, answer: Reply | OptionScores | tuple[float, ...], part: Part) -> Prediction:
    if isinstance(answer, tuple):
        return replace(question.evidence, outcome="answered", rule=part.method, scores=answer)
    if isinstance(answer, OptionScores):
        return _scored(question, answer, part)
    told = replace(_taken(question.evidence, answer), reply=answer.text)
    if answer.error is not None:
        return replace(told, outcome="request_error", reply="", error=answer.error)
    if not question.prompt.options:
        blank = not answer.text.strip()
        return replace(told, outcome="unparsed" if blank else "answered", rule="empty" if blank else "words")
    reading = read_reply(answer.text, question.prompt.options)
    told = replace(told, outcome=reading.outcome, rule=reading.rule)
    if reading.choice is None:
        return told
    chosen = [float(position == reading.choice) for position in range(len(question.prompt.options))]
    return _chosen(told, chosen)


def _scored(question: Question, answer: OptionScores, part: Part) -> Prediction:
    scores = answer.logprobs
    if len(scores) != len(question.prompt.options) or len(scores) != len(answer.tokens):
        raise ModelError(
            f"{len(scores)} scores and {len(answer.tokens)} token counts for {len(question.prompt.options)} options; "
            "expected one of each an option"
        )
    if part.method == "likelihood-mean":
        scores = tuple(total / count for total, count in zip(scores, answer.tokens, strict=True))
    if not all(score < math.inf for score in scores):
        return replace(question.evidence, outcome="request_error", error=f"a score is not a number: {scores}")
    rule = part.scored_by + (f", {answer.floored} floored" if answer.floored else "")
    return _chosen(replace(_taken(question.evidence, answer), outcome="answered", rule=rule), scores)


def _taken(evidence: Prediction, answer: Usage) -> Prediction:
    return replace(
        evidence,
        prompt_tokens=answer.prompt_tokens,
        reply_tokens=answer.reply_tokens,
        tries=answer.tries,
        cost=answer.cost,
    )


def _chosen(told: Prediction, scores: Sequence[float]) -> Prediction:
    """The answer by the sample's own order of options; a tie for the top chooses none."""
    own = turn_back(scores, told.order)
    top = max(own)
    return replace(told, scores=own, choice=own.index(top) if own.count(top) == 1 else None)
