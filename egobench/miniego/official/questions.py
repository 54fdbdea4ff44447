"""Questions about episodes, and groups of them in which nothing but the video tells the answers apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from egobench.miniego.world.captions import phrase
from egobench.miniego.world.episode import Episode, Step
from egobench.miniego.world.vocabulary import place

Row = TypeVar("Row")

Clash = Callable[["Question", "Question"], bool]
"""Whether two questions must not share their options."""


@dataclass(frozen=True, eq=False)
class Question:
    """A question about one episode.

    Attributes:
        episode: The episode.
        template: Kind of question; kinds take turns.
        text: The question.
        answer: The right answer.
        true: Every right answer, ``answer`` included.
        start: Seconds at which the evidence begins.
        end: Seconds at which the evidence ends.
        tags: Further columns of its task.
    """

    episode: Episode
    template: str
    text: str
    answer: str
    true: frozenset[str]
    start: float
    end: float
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


Group = tuple[Question, ...]
"""Questions with equal texts that share their options: their own answers, in this order."""


class Story:
    """Lookups over the steps of an episode that questions are made from.

    Attributes:
        episode: The episode.
        steps: Its steps.
        phrases: Phrase of each thing, by id.
        colours: Colour of each thing, by id.
        nouns: Noun of each thing and fixture, by id.
    """

    def __init__(self, episode: Episode) -> None:
        self.episode = episode
        self.steps = episode.steps
        self.phrases = {thing.id: phrase(thing) for thing in episode.things}
        self.colours = {thing.id: thing.colour for thing in episode.things}
        self.nouns = {thing.id: thing.noun for thing in episode.things}
        self.nouns |= {fixture.id: fixture.noun for fixture in episode.fixtures}

    def of(self, verb: str) -> list[Step]:
        """Steps with a verb."""
        return [step for step in self.steps if step.verb == verb]

    def only(self, steps: Sequence[Step], key: Callable[[Step], object]) -> list[Step]:
        """Steps whose key no other of these steps has."""
        counts: defaultdict[object, int] = defaultdict(int)
        for step in steps:
            counts[key(step)] += 1
        return [step for step in steps if counts[key(step)] == 1]

    def where(self, step: Step) -> str:
        """Phrase for the place that a step takes a thing from or puts it, e.g. ``"in the fridge"``."""
        return place(self.nouns[str(step.other)])

    def ask(self, template: str, text: str, answer: str, about: Sequence[Step], **tags: str) -> Question:
        """Make a question with a single right answer, about some steps."""
        return self.ask_any(template, text, [answer], about, **tags)

    def ask_any(self, template: str, text: str, answers: Sequence[str], about: Sequence[Step], **tags: str) -> Question:
        """Make a question whose ``answer`` is the first of several right ones."""
        start = min((step.start for step in about), default=0.0)
        end = max((step.end for step in about), default=self.episode.seconds)
        return Question(self.episode, template, text, answers[0], frozenset(answers), start, end, tags)


def shuffled_rows(
    questions: Iterable[Question], size: int, count: int, rng: Random, rows: Callable[[Group], Iterable[Row]]
) -> list[Row]:
    """Make the rows of an annotation file, group by group, and shuffle them.

    Args:
        questions: Candidates.
        size: Questions in a group.
        count: Questions, rounded up to whole groups.
        rng: The source of every choice.
        rows: Function that gives the rows of a group.
    """
    groups = grouped(questions, size, -(-count // size), rng)
    written = [row for group in groups for row in rows(group)]
    rng.shuffle(written)
    return written


def grouped(
    questions: Iterable[Question], size: int, limit: int, rng: Random, clash: Clash = lambda _a, _b: False
) -> list[Group]:
    """Group questions with equal texts so that each answer is right for a single question of its group.

    All questions of a group show the same options in the same order, so whatever function of the text picks an option
    is right for exactly one of them.

    Args:
        questions: Candidates.
        size: Questions in a group.
        limit: Most groups; kinds of questions take turns until there are as many.
        rng: The source of every choice.
        clash: Pairs that must not be grouped for other reasons.

    Returns:
        At most ``limit`` groups; no question twice.
    """
    texts: defaultdict[tuple[str, str], list[Question]] = defaultdict(list)
    for question in questions:
        texts[question.template, question.text].append(question)
    waiting: defaultdict[str, list[Group]] = defaultdict(list)
    for (template, _), candidates in texts.items():
        waiting[template] += _groups(candidates, size, rng, clash)
    for groups in waiting.values():
        rng.shuffle(groups)
    chosen: list[Group] = []
    while len(chosen) < limit and any(waiting.values()):
        for groups in waiting.values():
            if groups and len(chosen) < limit:
                chosen.append(groups.pop())
    return chosen


def _groups(candidates: list[Question], size: int, rng: Random, clash: Clash) -> list[Group]:
    """Group candidates with equal texts greedily.

    Answers that are frequent go first, so that few are left over; then siblings, which come one after another.
    """
    by_answer: defaultdict[str, list[Question]] = defaultdict(list)
    for question in candidates:
        by_answer[question.answer].append(question)
    groups: list[Group] = []
    while len(by_answer) >= size:
        answers = sorted(by_answer, key=lambda answer: -len(by_answer[answer]))
        group = [by_answer[answers[0]][0]]
        for answer in answers[1:]:
            fit = next((question for question in by_answer[answer] if _fits(question, group, clash)), None)
            if fit is not None and len(group) < size:
                group.append(fit)
        if len(group) == size:
            groups.append(tuple(rng.sample(group, size)))
        for question in group if len(group) == size else group[:1]:
            by_answer[question.answer].remove(question)
            if not by_answer[question.answer]:
                del by_answer[question.answer]
    return groups


def _fits(question: Question, group: Sequence[Question], clash: Clash) -> bool:
    return not any(
        question.answer in other.true or other.answer in question.true or clash(question, other) for other in group
    )
