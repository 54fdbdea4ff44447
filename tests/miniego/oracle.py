"""A model that knows the simulator's log and answers every question of MiniEgo by reasoning over it.

It sees what every model sees: frames, their times, question and options. It reads the timecodes in the frames, looks up
the episode in the log, makes sure that the frames are those that the question's clip should give, and answers. Where
anything does not fit it guesses by the prompt's seed, so a right score proves right clips, right times, right options.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from egobench.miniego.drawing import timecode
from egobench.miniego.official.charades import class_of, label
from egobench.miniego.official.questions import Story
from egobench.miniego.world import log
from egobench.miniego.world.captions import COUNTS, gerund, phrase, telegram, third
from egobench.miniego.world.episode import Episode, Step
from egobench.miniego.world.plans import GOALS
from egobench.miniego.world.vocabulary import FIXTURES, VERBS
from egobench.model import ModelInfo, Prompt, Reply

LETTERS = "ABCDEFGHIJ"
NEAR = 0.15
"""Seconds that times may be off by."""


@dataclass(frozen=True)
class Seen:
    """What the frames show.

    Attributes:
        episode: The episode.
        times: Seconds from its start, of every frame.
    """

    episode: Episode
    times: tuple[float, ...]

    @property
    def tolerance(self) -> float:
        """How far the times of frames may be off: one frame and a little."""
        return 1 / self.episode.fps + 0.05

    @property
    def end(self) -> float:
        """Where a file ends of which these are midpoints of equal parts."""
        count = len(self.times)
        return self.times[-1] * count / (count - 0.5)

    @property
    def spans_from_start(self) -> bool:
        """Whether the frames lie at the midpoints of equal parts of ``[0, end]``."""
        count = len(self.times)
        expected = [(number + 0.5) * self.end / count for number in range(count)]
        # The displayed frame is the last one at or before the moment that is asked for.
        return all(abs(time - want) <= self.tolerance for time, want in zip(self.times, expected, strict=True))

    @property
    def whole(self) -> bool:
        """Whether the frames span the whole episode."""
        return self.spans_from_start and abs(self.end - self.episode.seconds) <= self.tolerance + NEAR


class Facts:
    """An episode's log, as seen from questions."""

    def __init__(self, episode: Episode) -> None:
        self.episode = episode
        self.steps = episode.steps
        self.noun = {thing.id: thing.noun for thing in episode.things}
        self.noun |= {fixture.id: fixture.noun for fixture in episode.fixtures}
        self.named = {phrase(thing): thing.id for thing in episode.things}
        self.name = {thing: words for words, thing in self.named.items()}
        self.colour = {thing.id: thing.colour for thing in episode.things}

    def place(self, fixture: str) -> str:
        """Where a thing at a fixture is, in words."""
        noun = self.noun[fixture]
        return f"{FIXTURES[noun].holds} the {noun}"

    def puts(self, words: str) -> list[Step]:
        """The puts of a thing."""
        return [step for step in self.steps if step.verb == "put" and step.thing == self.named.get(words)]

    def takes(self, words: str) -> list[Step]:
        """The takes of a thing."""
        return [step for step in self.steps if step.verb == "take" and step.thing == self.named.get(words)]

    def step(self, words: str) -> int | None:
        """The position of the only step whose gerund this is."""
        numbers = [number for number, step in enumerate(self.steps) if gerund(step) == words]
        return numbers[0] if len(numbers) == 1 else None

    def before(self, thing: str, key: str, time: float) -> object:
        """A state just before a moment, from the changes alone."""
        values = [change for change in self.episode.changes if (change.subject, change.key) == (thing, key)]
        return [change.value for change in values if change.time < time or change.time == 0][-1]

    def last(self, subject: str, key: str) -> object:
        """A state at the end."""
        return self.before(subject, key, self.episode.seconds + 1)


Rule = Callable[..., "str | None"]
_RULES: list[tuple[re.Pattern[str], Rule]] = []


def _rule(pattern: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        _RULES.append((re.compile(pattern), rule))
        return rule

    return register


def _one(values: Sequence[str]) -> str | None:
    return values[0] if len(set(values)) == 1 else None


def _yes(answer: object) -> str:
    return "yes" if answer else "no"


@_rule(r"What colour is the (.+) I put ((?:in|on) the .+)\?")
def _colour(facts: Facts, noun: str, where: str) -> str | None:
    fits = [step for step in facts.steps if step.verb == "put" and facts.place(str(step.other)) == where]
    return _one([facts.colour[step.thing] for step in fits if facts.noun[step.thing] == noun])


@_rule(r"Where did I put (.+)\?")
def _put_where(facts: Facts, words: str) -> str | None:
    return _one([facts.place(str(step.other)) for step in facts.puts(words)])


@_rule(r"Where was (.+) before I took it\?")
def _source(facts: Facts, words: str) -> str | None:
    return _one([facts.place(str(step.other)) for step in facts.takes(words)])


@_rule(r"How many times did I shake (.+)\?")
def _shaken(facts: Facts, words: str) -> str | None:
    count = sum(step.verb == "shake" and step.thing == facts.named.get(words) for step in facts.steps)
    return COUNTS[count] if count else None


@_rule(r"How many times did I open something\?")
def _opened(facts: Facts) -> str | None:
    return COUNTS[sum(step.verb == "open" for step in facts.steps)]


@_rule(r"Which hand did I use to take (.+), and where from\?")
def _hand(facts: Facts, words: str) -> str | None:
    return _one([f"my {step.hand} hand, from the {facts.noun[str(step.other)]}" for step in facts.takes(words)])


@_rule(r"What did I put ((?:in|on) the .+)\?")
def _what_put(facts: Facts, where: str) -> str | None:
    fits = [step for step in facts.steps if step.verb == "put" and facts.place(str(step.other)) == where]
    return _one([facts.name[step.thing] for step in fits])


@_rule(r"What did I take (first|last)\?")
def _taken(facts: Facts, which: str) -> str | None:
    takes = [step for step in facts.steps if step.verb == "take"]
    return facts.name[takes[0 if which == "first" else -1].thing]


@_rule(r"(?:What did I|Which object does the person) (wash|fold|read|cut|stir|throw|shake|fill)(?: away)?\?")
def _what(facts: Facts, verb: str) -> str | None:
    return _one([facts.name[step.thing] for step in facts.steps if step.verb == verb])


@_rule(r"Which object becomes (folded|cut|full) in the course of the video\?")
def _becomes(facts: Facts, key: str) -> str | None:
    changed = [change for change in facts.episode.changes if change.key == key and change.time > 0 and change.value]
    return _one([facts.name[change.subject] for change in changed])


@_rule(r"What is the (first|last) action of the person\?")
def _action(facts: Facts, which: str) -> str | None:
    return facts.steps[0 if which == "first" else -1].text


@_rule(r"Where is (.+) at the end of the video\?")
def _where(facts: Facts, words: str) -> str | None:
    if not facts.puts(words):
        return None
    return facts.place(str(facts.last(facts.named[words], "place")))


@_rule(r"Is the (.+) open at the end of the video\?")
def _open(facts: Facts, noun: str) -> str | None:
    opened = [step.thing for step in facts.steps if step.verb == "open" and facts.noun[step.thing] == noun]
    return _yes(facts.last(opened[0], "open")) if opened else None


@_rule(r"Does the person put (.+) ((?:in|on) the .+)\?")
def _placed(facts: Facts, words: str, where: str) -> str | None:
    puts = facts.puts(words)
    return _yes(where in {facts.place(str(step.other)) for step in puts}) if puts else None


@_rule(r"Is (.+) clean before the person washes it\?|If the person did not wash (.+), would it be clean at .*")
def _clean(facts: Facts, before: str | None, without: str | None) -> str | None:
    thing = facts.named.get(before or without or "")
    washes = [step for step in facts.steps if step.verb == "wash" and step.thing == thing]
    return _yes(facts.before(washes[0].thing, "clean", washes[0].start)) if washes else None


@_rule(r"What does the person do right (after|before) (.+)\?")
def _neighbour(facts: Facts, side: str, words: str) -> str | None:
    number = facts.step(words)
    position = None if number is None else number + (1 if side == "after" else -1)
    return facts.steps[position].text if position is not None and 0 <= position < len(facts.steps) else None


@_rule(r"Where does the person put the object that is (washed|folded|read|shaken)\?")
def _object_put(facts: Facts, participle: str) -> str | None:
    deeds = [step for step in facts.steps if VERBS[step.verb].participle == participle]
    puts = [step for step in facts.steps if step.verb == "put" and deeds and step.start > deeds[-1].start]
    fits = len({step.thing for step in deeds}) == 1 and puts and puts[0].thing == deeds[0].thing
    return facts.place(str(puts[0].other)) if fits else None


@_rule(r"For which action does the person open the (.+)\?")
def _reason(facts: Facts, noun: str) -> str | None:
    fits = [n for n, step in enumerate(facts.steps) if step.verb == "open" and facts.noun[step.thing] == noun]
    return facts.steps[fits[0] + 1].text if len(fits) == 1 else None


@_rule(r"Does the person take the (.+) before taking the (.+)\?")
def _order(facts: Facts, first: str, other: str) -> str | None:
    takes = [
        [s.start for s in facts.steps if s.verb == "take" and facts.noun[s.thing] == noun] for noun in (first, other)
    ]
    return _yes(takes[0][0] < takes[1][0]) if all(len(times) == 1 for times in takes) else None


@_rule(r"What is the overall goal of C's behaviour in the video\?")
def _goal(facts: Facts) -> str | None:
    return next((goal.third for goal in GOALS if goal.text == facts.episode.goal), None)


@_rule(r"Taking the whole video into account, in which order does C pick things up\?")
def _pick_ups(facts: Facts) -> str | None:
    nouns = [f"the {facts.noun[step.thing]}" for step in facts.steps if step.verb == "take"]
    return f"{', then '.join(nouns).capitalize()}."


@_rule(r"What becomes of the thing that C picks up first, .*\?")
def _course(facts: Facts) -> str | None:
    first = next(number for number, step in enumerate(facts.steps) if step.verb == "take")
    name = facts.name[facts.steps[first].thing]
    sentences: list[str] = []
    for step in facts.steps[first:]:
        words = third(step)
        if name in words and step.thing == facts.named[name]:
            words = words.replace(name, "it") if sentences else words
            sentences += [] if sentences and sentences[-1] == words else [words]
            if step.verb in {"put", "throw"}:
                break
    return f"C {', '.join(sentences[:-1])} and {sentences[-1]}."


def _moved(facts: Facts, options: Sequence[str]) -> str | None:
    """The one option that tells of a thing that has changed its place."""
    true: list[str] = []
    for thing, name in facts.name.items():
        begin, end = str(facts.before(thing, "place", 0.0)), str(facts.last(thing, "place"))
        if begin != end and end in facts.noun:
            true.append(f"{name.capitalize()} went from the {facts.noun[begin]} to the {facts.noun[end]}.")
    return _one([option for option in options if option in true])


def _walk(episode: Episode) -> str:
    """The next move on the way to the door of the instruction."""
    colour = episode.facts["instruction"].split()[3]
    facts = Facts(episode)
    side = str(facts.last(next(thing.id for thing in episode.things if thing.colour == colour), "place"))
    if side == "hall/ahead":
        return "Stop" if float(str(facts.last("wearer", "distance"))) < 0.2 else "Move forward"
    return "Turn left and move forward" if side == "hall/left" else "Turn right and move forward"


def _in_progress(seen: Seen) -> Step | None:
    """The step that most frames show."""
    counts: Counter[int] = Counter()
    for time in seen.times:
        counts.update(number for number, step in enumerate(seen.episode.steps) if step.start <= time < step.end)
    if not counts or counts.most_common(1)[0][1] < 0.6 * len(seen.times):
        return None
    return seen.episode.steps[counts.most_common(1)[0][0]]


def _following(episode: Episode, time: float) -> Step | None:
    return next((step for step in episode.steps if step.start > time), None)


def _next_move(seen: Seen, question: str) -> str | None:
    fits = seen.episode.kind == "walk" and seen.episode.facts["instruction"] in question and seen.whole
    return _walk(seen.episode) if fits else None


def _next_action(seen: Seen, question: str) -> str | None:
    """What comes next, if the last frame is the one just before it."""
    step = _following(seen.episode, seen.times[-1])
    fits = step is not None and question.endswith(f"in order to {seen.episode.goal}?")
    return telegram(step) if step is not None and fits and step.start - seen.times[-1] <= NEAR else None


def _after_the_end(seen: Seen) -> str | None:
    step = _following(seen.episode, seen.end - NEAR)
    return step.text if step is not None and seen.spans_from_start else None


def _shown(seen: Seen, options: Sequence[str]) -> str | None:
    """The caption or class of the step that is shown."""
    step = _in_progress(seen)
    if step is None:
        return None
    known = {telegram(step), f"C {third(step)}"}
    if seen.episode.kind == "short":
        known = {label(class_of(Story(seen.episode), step))}
    return _one([option for option in options if option in known])


def answer(seen: Seen, question: str, options: Sequence[str]) -> str | None:
    """What the log says; ``None`` where the frames do not fit the question."""
    if question.startswith("This is a navigation video"):
        return _next_move(seen, question)
    if question.startswith("Considering the progress"):
        return _next_action(seen, question)
    if question == "What will the person do next?":
        return _after_the_end(seen)
    matches = ((pattern.fullmatch(question), rule) for pattern, rule in _RULES)
    match, rule = next((candidate for candidate in matches if candidate[0] is not None), (None, None))
    compares = question.startswith("Compare the beginning of the video with its end")
    if match is None and not compares:
        return _shown(seen, options)
    if not seen.whole or seen.episode.kind != "activity":
        return None
    facts = Facts(seen.episode)
    return _moved(facts, options) if match is None or rule is None else rule(facts, *match.groups())


class Oracle:
    """See the module's first lines.

    Attributes:
        info: What identifies it in a run.
        guesses: Number of questions it guessed so far.
    """

    def __init__(self, path: Path) -> None:
        """Read the log of a world.

        Args:
            path: Its ``log.jsonl``.
        """
        self.info = ModelInfo("oracle", revision="1")
        self.guesses = 0
        self._episodes = {episode.number: episode for episode in log.read(path)}

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Answer by the log, or guess."""
        return [Reply(self._reply(prompt)) for prompt in prompts]

    def _reply(self, prompt: Prompt) -> str:
        seen = self._seen(prompt)
        text = answer(seen, prompt.question, prompt.options) if seen is not None else None
        if not prompt.options:
            return text or "I do not know"
        if text is None or text not in prompt.options:
            self.guesses += 1
            likely = [option for option in prompt.options if option in {"yes", "no"}]
            text = Random(prompt.seed).choice(likely if len(likely) == 2 else prompt.options)
        return f"({LETTERS[prompt.options.index(text)]})"

    def _seen(self, prompt: Prompt) -> Seen | None:
        codes = [timecode.read(frame) for frame in prompt.frames]
        known = [code for code in codes if code is not None]
        if not known or len(known) < len(codes) or len({number for number, _ in known}) > 1:
            return None
        episode = self._episodes[known[0][0]]
        times = tuple(index / episode.fps for _, index in known)
        if any(abs(time - reported) > 0.02 for time, reported in zip(times, prompt.times, strict=True)):
            return None
        return Seen(episode, times)
