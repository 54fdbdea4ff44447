"""Transcripts in the place of videos: the words that belong to each moment of a clip.

A language model with random weights has to learn to read visual tokens before a visual encoder can learn to write them.
So in the stage ``language`` each visual token is a sum of embeddings of words for what happens at its moment, laid out
as the connector lays tokens out, and all kinds of questions are asked about it.
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
"""Seconds of an action whose end is not known."""

FACTS = frozenset(
    ["red", "orange", "yellow", "green", "blue", "purple", "white", "black", "left", "right", "ahead", "far", "close"]
)
"""Words in which questions state facts without a moment."""

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
"""Words for nothing that can be seen at a moment."""

HANDS = frozenset({"left", "right"})
"""Words of an answer that are added to the event at its moment."""

MOST_WORDS = 16
"""Most words of an event."""


class Event(NamedTuple):
    """Something that happens in a clip.

    Attributes:
        start: Start in seconds.
        end: End in seconds.
        words: Its narration.
    """

    start: float
    end: float
    words: str


class _Place(NamedTuple):
    """Start and end of an event in seconds."""

    start: float
    end: float


def events_of(row: QuestionRow, seconds: float) -> list[Event]:
    """Reconstruct the events of a clip, in order, from the moments of its questions and their narrations.

    The longest list of narrations gives the order. A moment with one narration gives the times of that event, a moment
    with two the start of the first and the end of the second; other events are spread evenly between their neighbours.

    Args:
        row: A clip whose questions have moments with narrations.
        seconds: Length of the clip.
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
    """Strip Ego4D's marks and the subject from a narration: ``"#C C takes the cup"`` is ``"takes the cup"``."""
    return re.sub(r"^(#\S+\s+)?C\s+", "", narration)


def narrated(events: Sequence[Event]) -> str:
    """Join the events into one text."""
    return ", ".join(event.words for event in events)


def slots(kind: RowKind, row: QuestionRow, seconds: float, rng: Random) -> list[list[list[str]]]:
    """Return the words of the events in each slot of a clip, two frames that the connector turns into one step.

    Args:
        kind: Kind of the row.
        row: The row.
        seconds: Length of the clip.
        rng: Generator that places facts without a moment.

    Returns:
        For each slot the words of every event in it.
    """
    count = -(-kind.frames // 2)
    words_of_slots: list[list[list[str]]] = [[] for _ in range(count)]
    match kind.telling:
        case "caption":
            words_of_slots = [[_visible_words(split_words(row.questions[0].answer))] for _ in range(count)]
        case "last":
            # What is seen at the end of a clip is what the next action needs, but not yet the action.
            words_of_slots[-1] = [_visible_words(split_words(row.questions[0].answer)[1:])]
        case "facts":
            for question in row.questions:
                words = split_words(f"{question.question} {question.answer}")
                words_of_slots[rng.randrange(count)].append(_visible_words([word for word in words if word in FACTS]))
        case "events":
            for event in _with_hands(row, events_of(row, seconds)):
                words = _visible_words(split_words(event.words))
                middles = (seconds * (frame + 0.5) / kind.frames for frame in range(kind.frames))
                for slot in {frame // 2 for frame, time in enumerate(middles) if event.start <= time < event.end}:
                    words_of_slots[slot].append(words)
    return words_of_slots


def _visible_words(words: Sequence[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word not in UNSEEN_WORDS][:MOST_WORDS]


def _with_hands(row: QuestionRow, events: Sequence[Event]) -> list[Event]:
    """Add to events the hands that answers name about their moment."""
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
    """Find the first moment of exactly these narrations that begins at or after ``reached`` and ends late enough."""
    fitting = (
        place
        for listed, place in moments
        if listed == tuple(narrations) and place.start >= reached - 1e-6 and place.end >= ends_after
    )
    return min(fitting, default=None)


def _filled(places: Sequence[_Place | None], seconds: float) -> list[_Place]:
    """Fill unknown places in, spread evenly between their neighbours."""
    known = [-1, *(number for number, place in enumerate(places) if place is not None), len(places)]
    filled = list(places)
    for before, after in pairwise(known):
        first, last = (None if not 0 <= number < len(places) else places[number] for number in (before, after))
        start, end = 0.0 if first is None else first.end, seconds if last is None else last.start
        share = max(0.0, end - start) / max(1, after - before - 1)
        for number in range(before + 1, after):
            filled[number] = _Place(start + share * (number - before - 1), start + share * (number - before))
    return [place for place in filled if place is not None]
