"""Transcripts that stand for videos: which words belong to which moment of a clip.

A language model from nothing has to learn to read a prefix before a visual encoder can learn to write one. So in the
stage ``language`` each token of the video is a sum of some words of what happens at its moment, laid out as the
connector lays tokens out, and all kinds of questions are asked about it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import NamedTuple

from .question_recipe import RowKind
from .question_rows import QuestionRow
from .word_tokenizer import split_words

STEP_SECONDS = 1.3
"""How long an action lasts whose end is not known."""

FACTS = frozenset(
    ["red", "orange", "yellow", "green", "blue", "purple", "white", "black", "left", "right", "ahead", "far", "close"]
)
"""Words that facts without a moment are told in."""

UNSEEN_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "at",
        "both",
        "by",
        "c",
        "from",
        "i",
        "in",
        "into",
        "it",
        "my",
        "of",
        "on",
        "the",
        "to",
        "use",
        "with",
        "your",
        "hand",
        "hands",
        ",",
        ".",
        ":",
        "?",
        "yes",
        "no",
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
    ]
)
"""Words that stand for nothing that could be seen at a moment."""

HANDS = frozenset({"left", "right"})
"""Words that an answer adds to what happens at its moment."""

MOST_WORDS = 16
"""Words of an event at most."""


class Event(NamedTuple):
    """Something that happens.

    Attributes:
        start: Seconds.
        end: Seconds.
        words: What is said of it.
    """

    start: float
    end: float
    words: str


class _Place(NamedTuple):
    start: float
    end: float


def events_of(row: QuestionRow, seconds: float) -> list[Event]:
    """What happens in a clip, in order, from the narrations of its questions' moments.

    The longest list of narrations gives the order. A moment with a single narration says when it happens, one with two
    when the first begins and the second ends; what no moment tells apart is spread evenly between its neighbours.

    Args:
        row: A clip whose questions have moments with narrations.
        seconds: Its length.
    """
    moments = [
        (question.narrations, _Place(*question.moment))
        for question in row.questions
        if question.narrations and question.moment
    ]
    if not moments:
        return []
    order = max((narrations for narrations, _ in moments), key=len)
    places: list[_Place | None] = []
    reached = 0.0
    for number, narration in enumerate(order):
        place = _placed(moments, (narration,), reached)
        if place is None and number + 1 < len(order):
            pair = _placed(moments, order[number : number + 2], reached)
            place = pair and _Place(pair.start, min(pair.start + STEP_SECONDS, (pair.start + pair.end) / 2))
        if place is None and number:
            pair = _placed(moments, order[number - 1 : number + 1], 0.0, ends_after=reached)
            place = pair and _Place(max(pair.end - STEP_SECONDS, (pair.start + pair.end) / 2), pair.end)
        places.append(place)
        reached = reached if place is None else place.end
    filled = _filled(places, seconds)
    return [Event(place.start, place.end, plain(words)) for place, words in zip(filled, order, strict=True)]


def plain(narration: str) -> str:
    """A narration without Ego4D's marks and its subject: ``"#C C takes the cup"`` is ``"takes the cup"``."""
    return re.sub(r"^(#\S+\s+)?C\s+", "", narration)


def narrated(events: Sequence[Event]) -> str:
    """All that happens in one text."""
    return ", ".join(event.words for event in events)


def slots(kind: RowKind, row: QuestionRow, seconds: float, rng: Random) -> list[list[list[str]]]:
    """What happens in each slot of a clip; a slot is what the connector makes one step of: two frames.

    Args:
        kind: The row's kind.
        row: The row.
        seconds: Its length.
        rng: Places facts that have no moment.

    Returns:
        Of each slot the words of every event in it.
    """
    count = -(-kind.frames // 2)
    words_of_slots: list[list[list[str]]] = [[] for _ in range(count)]
    match kind.telling:
        case "caption":
            words_of_slots = [[_seen(split_words(row.questions[0].answer))] for _ in range(count)]
        case "last":
            # What is seen at the end of a clip is what the next action needs, but not yet the action.
            words_of_slots[-1] = [_seen(split_words(row.questions[0].answer)[1:])]
        case "facts":
            for question in row.questions:
                words = split_words(f"{question.question} {question.answer}")
                words_of_slots[rng.randrange(count)].append(_seen([word for word in words if word in FACTS]))
        case "events":
            for event in _with_hands(row, events_of(row, seconds)):
                words = _seen(split_words(event.words))
                middles = (seconds * (frame + 0.5) / kind.frames for frame in range(kind.frames))
                for slot in {frame // 2 for frame, time in enumerate(middles) if event.start <= time < event.end}:
                    words_of_slots[slot].append(words)
    return words_of_slots


def _seen(words: Sequence[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word not in UNSEEN_WORDS][:MOST_WORDS]


def _with_hands(row: QuestionRow, events: Sequence[Event]) -> list[Event]:
    """Events with the hand that answers about their moment name."""
    hands: dict[float, str] = {}
    for question in row.questions:
        named = HANDS & set(split_words(question.answer))
        if named and question.moment and len(question.narrations) == 1:
            hands[question.moment[0]] = " ".join(sorted(named))
    return [event._replace(words=f"{event.words} {hands.get(event.start, '')}") for event in events]


def _placed(
    moments: Sequence[tuple[tuple[str, ...], _Place]],
    narrations: Sequence[str],
    reached: float,
    ends_after: float = 0.0,
) -> _Place | None:
    """The first moment of just these narrations that begins no earlier than what is reached."""
    fitting = (
        place
        for listed, place in moments
        if listed == tuple(narrations) and place.start >= reached - 1e-6 and place.end >= ends_after
    )
    return min(fitting, default=None)


def _filled(places: Sequence[_Place | None], seconds: float) -> list[_Place]:
    """Places with those that are not known spread evenly between their neighbours."""
    known = [-1, *(number for number, place in enumerate(places) if place is not None), len(places)]
    filled = list(places)
    for before, after in pairwise(known):
        first, last = (None if not 0 <= number < len(places) else places[number] for number in (before, after))
        start, end = 0.0 if first is None else first.end, seconds if last is None else last.start
        share = max(0.0, end - start) / max(1, after - before - 1)
        for number in range(before + 1, after):
            filled[number] = _Place(start + share * (number - before - 1), start + share * (number - before))
    return [place for place in filled if place is not None]
