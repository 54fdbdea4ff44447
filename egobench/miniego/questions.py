"""Questions about episodes, and groups of them in which nothing but the video tells the answers apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from egobench.miniego.captions import phrase
from egobench.miniego.episode import Episode, Step
from egobench.miniego.world import place

Row = TypeVar("Row")

Clash = Callable[["Question", "Question"], bool]
"""Whether two questions must not share their options."""


@dataclass(frozen=True, eq=False)
class Question:
    """A question about one episode.

    Attributes:
        episode: What it is about.
        template: What kind of question it is; kinds take turns.
        text: The question.
        answer: The right answer.
        true: Every answer that is right, ``answer`` included.
        start: Seconds where what it asks about begins.
        end: Seconds where that ends.
        tags: Whatever its task wants to know besides.
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
"""Questions of one text that share their options: their own answers, in this order."""


class Story:
    """An episode's steps, ready to be asked about.

    Attributes:
        episode: The episode.
        steps: Its steps.
        phrases: How captions name each thing, by id.
        nouns: The noun of every thing and fixture, by id.
    """

    def __init__(self, episode: Episode) -> None:
        self.episode = episode
        self.steps = episode.steps
        self.phrases = {thing.id: phrase(thing) for thing in episode.things}
        self.colours = {thing.id: thing.colour for thing in episode.things}
        self.nouns = {thing.id: thing.noun for thing in episode.things}
        self.nouns |= {fixture.id: fixture.noun for fixture in episode.fixtures}

    def of(self, verb: str) -> list[Step]:
        """The steps of one verb."""
        return [step for step in self.steps if step.verb == verb]

    def only(self, steps: Sequence[Step], key: Callable[[Step], object]) -> list[Step]:
        """The steps whose key no other of these steps has."""
        counts: defaultdict[object, int] = defaultdict(int)
        for step in steps:
            counts[key(step)] += 1
        return [step for step in steps if counts[key(step)] == 1]

    def where(self, step: Step) -> str:
        """Where a step takes a thing from or puts it, e.g. ``"in the fridge"``."""
        return place(self.nouns[str(step.other)])

    def ask(self, template: str, text: str, answer: str, about: Sequence[Step], **tags: str) -> Question:
        """A question with one right answer, about some steps."""
        return self.ask_any(template, text, [answer], about, **tags)

    def ask_any(self, template: str, text: str, answers: Sequence[str], about: Sequence[Step], **tags: str) -> Question:
        """A question of which the first answer is asked and the others would be right as well."""
        start = min((step.start for step in about), default=0.0)
        end = max((step.end for step in about), default=self.episode.seconds)
        return Question(self.episode, template, text, answers[0], frozenset(answers), start, end, tags)


def shuffled_rows(
    questions: Iterable[Question], size: int, count: int, rng: Random, rows: Callable[[Group], Iterable[Row]]
) -> list[Row]:
    """Rows of an annotation file, group by group and then shuffled.

    Args:
        questions: Candidates.
        size: Questions in a group.
        count: Questions wanted, rounded up to whole groups.
        rng: The source of every choice.
        rows: What is written of a group.
    """
    groups = grouped(questions, size, -(-count // size), rng)
    found = [row for group in groups for row in rows(group)]
    rng.shuffle(found)
    return found


def grouped(
    questions: Iterable[Question], size: int, limit: int, rng: Random, clash: Clash = lambda _a, _b: False
) -> list[Group]:
    """Groups of questions with equal texts, every answer right for one of the group and wrong for all others.

    All questions of a group show the same options in the same order, so whatever function of the text picks an option
    is right for exactly one of them.

    Args:
        questions: Candidates.
        size: Questions in a group.
        limit: Most groups wanted; kinds of questions take turns until there are as many.
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
    """Greedy groups of candidates with one text.

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
