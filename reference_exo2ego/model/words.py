"""Text with a place for a video, and putting the video's tokens there.

A row begins with what all its questions share, the video's place in it. Several questions about one video can stand
behind it in one row: each sees the video and itself, so the row says of each what it would say of it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

VIDEO = -201
"""Stands in a row of tokens for the video, as in VideoLLaMA2."""

IGNORED = -100
"""The label of a token that is not predicted."""

FILLING = -1
"""The segment of what a row is filled up with."""


class Question(NamedTuple):
    """A question and its answer as tokens; ``answer`` ends with the end-of-text token."""

    prompt: Sequence[int]
    answer: Sequence[int]


@dataclass(frozen=True, slots=True)
class Words:
    """A batch of texts, filled up on the right.

    Attributes:
        ids: Tokens, :data:`VIDEO` once a row, ``(clips, words)``.
        labels: The tokens that are predicted, else :data:`IGNORED`, ``(clips, words)``.
        segments: 0 for what all questions of a row share, the question's number from 1 on for the rest; ``None`` where
            every row has a single question.
    """

    ids: torch.Tensor
    labels: torch.Tensor
    segments: torch.Tensor | None = None

    def to(self, device: torch.device | str) -> Words:
        """Copy to another device."""
        segments = None if self.segments is None else self.segments.to(device)
        return Words(self.ids.to(device), self.labels.to(device), segments)


class Spliced(NamedTuple):
    """The input of the language model: text with the video's tokens in their place.

    Attributes:
        inputs: Embeddings of text and video, ``(clips, tokens, width)``.
        labels: The label of every token, ``(clips, tokens)``.
        mask: Added to attention, ``(clips, 1, tokens, tokens)``; ``None`` where each token sees all before it.
        positions: ``(clips, tokens)``; ``None`` where they are counted through.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    mask: torch.Tensor | None
    positions: torch.Tensor | None


def tokenise(tokenizer: Any, after: str, answer: str) -> Question:
    """Tokenise a question and its answer just as option scoring does.

    Prompt and answer are tokenised together, for a tokenizer may join the last characters of the one with the first of
    the other; a blank parts them where the prompt does not end in one.

    Args:
        tokenizer: Tokenizer of transformers.
        after: Words behind the video, up to where the answer begins.
        answer: The answer.
    """
    gap = "" if after[-1:].isspace() else " "
    alone, together = (
        list(tokenizer(text, add_special_tokens=False)["input_ids"])
        for text in (after, f"{after}{gap}{answer.strip()}")
    )
    alike = [own == other for own, other in zip(alone, together, strict=False)]
    shared = alike.index(False) if False in alike else len(alike)
    return Question(together[:shared], [*together[shared:], tokenizer.eos_token_id])


def pack(rows: Sequence[tuple[Sequence[int], Sequence[Question]]]) -> Words:
    """Lay out one row of text per clip, with all questions about the clip behind its video.

    Args:
        rows: Per clip, the tokens before the video and at least one question about it.

    Raises:
        ValueError: If a row has no question, or a further question no prompt: its first word would be predicted from
            the answer before.
    """
    laid = [_lay_out(before, questions) for before, questions in rows]
    longest = max(len(ids) for ids, _, _ in laid)
    ids, labels, segments = (
        torch.tensor([[*row[column], *[filling] * (longest - len(row[column]))] for row in laid])
        for column, filling in enumerate((0, IGNORED, FILLING))
    )
    return Words(ids, labels, segments if any(len(questions) > 1 for _, questions in rows) else None)


def splice(words: Words, embed: Callable[[torch.Tensor], torch.Tensor], video: torch.Tensor) -> Spliced:
    """Insert the videos' tokens where the text holds their place.

    Args:
        words: The words.
        embed: Embeds tokens: ``(clips, words)`` to ``(clips, words, width)``.
        video: Tokens of the videos, ``(clips, tokens, width)``.

    Raises:
        ValueError: If a row has no place for a video, or several.
    """
    is_video = words.ids == VIDEO
    if not bool((is_video.sum(1) == 1).all()):
        raise ValueError("expected one place for a video in every row of words")
    count, added = words.ids.shape[1], video.shape[1]
    place = is_video.int().argmax(1, keepdim=True)
    order = torch.arange(count - 1 + added, device=words.ids.device)
    inside = (order >= place) & (order < place + added)
    # Where each token comes from, in a row of all words and the video behind them.
    source = torch.where(inside, count + order - place, order - torch.where(order < place, 0, added - 1))
    embedded = embed(words.ids.clamp(min=0))
    embedded = torch.cat([embedded, video.to(embedded)], dim=1)
    inputs = embedded.gather(1, source[:, :, None].expand(-1, -1, embedded.shape[2]))

    def expanded(column: torch.Tensor, filling: int) -> torch.Tensor:
        behind = column.new_full((len(column), added), filling)
        return torch.cat([column, behind], dim=1).gather(1, source)

    labels = expanded(words.labels, IGNORED)
    if words.segments is None:
        return Spliced(inputs, labels, None, None)
    segments = expanded(words.segments, 0)
    return Spliced(inputs, labels, _mask(segments, inputs.dtype), _positions(segments))


def _lay_out(before: Sequence[int], questions: Sequence[Question]) -> tuple[list[int], list[int], list[int]]:
    if not questions:
        raise ValueError("a row of words without a question; expected at least one")
    if any(not question.prompt for question in questions[1:]):
        raise ValueError("a further question about a video without a prompt; expected at least one token")
    ids, labels, segments = [*before, VIDEO], [IGNORED] * (len(before) + 1), [0] * (len(before) + 1)
    for number, (prompt, answer) in enumerate(questions, start=1):
        ids += [*prompt, *answer]
        labels += [*[IGNORED] * len(prompt), *answer]
        segments += [number] * (len(prompt) + len(answer))
    return ids, labels, segments


def _mask(segments: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    same = (segments[:, :, None] == segments[:, None]) | (segments[:, None] == 0)
    hidden = ~(same & torch.ones_like(same[0]).tril())
    return torch.zeros_like(hidden, dtype=dtype).masked_fill_(hidden, torch.finfo(dtype).min)[:, None]


def _positions(segments: torch.Tensor) -> torch.Tensor:
    order = torch.arange(segments.shape[1], device=segments.device).expand_as(segments)
    shared = (segments == 0).sum(1, keepdim=True)
    begins = torch.ones_like(segments, dtype=torch.bool)
    begins[:, 1:] = segments[:, 1:] != segments[:, :-1]
    start = torch.where(begins, order, 0).cummax(1).values
    return torch.where(segments == 0, order, shared + order - start)
