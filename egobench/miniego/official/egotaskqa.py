"""EgoTaskQA: actions, objects, states and changes, asked directly or by reference to another action."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from random import Random

from egobench.miniego.official.files import Films, uid, write_json
from egobench.miniego.official.questions import Group, Question, Story, grouped
from egobench.miniego.world.captions import gerund
from egobench.miniego.world.episode import Episode, Step
from egobench.miniego.world.vocabulary import HOLDERS, VERBS, place

GENERATION_FPS = 24
"""Frame rate that the frame numbers in file names were made with; the files play at 15 frames a second."""
_TAGS = ("type", "category", "semantic", "structural", "reference")


def candidates(episode: Episode) -> Iterator[Question]:
    """Every question that EgoTaskQA could ask about an episode."""
    story = Story(episode)
    return chain(
        _objects(story), _states(story), _placed(story), _washing(story), _neighbours(story), _reasons(story),
        _orders(story), _next(story),
    )  # fmt: skip


def _ask(story: Story, tags: str, text: str, answer: str, about: Sequence[Step] = ()) -> Question:
    """Question with its tags, ``"template type category semantic structural reference"``."""
    template, *values = tags.split()
    return story.ask(template, text, answer, about, **dict(zip(_TAGS, values, strict=True)))


def _objects(story: Story) -> Iterator[Question]:
    """Which object does the person wash, and which becomes folded?"""
    for verb in ("wash", "fold", "read", "cut", "stir", "shake", "fill"):
        about = story.of(verb)
        if len({step.thing for step in about}) == 1:
            text = f"Which object does the person {verb}?"
            tags = "object descriptive world object query direct"
            yield _ask(story, tags, text, story.phrases[about[0].thing], about)
    for key, words in (("folded", "folded"), ("cut", "cut"), ("full", "full")):
        changes = [change for change in story.episode.changes if change.key == key and change.time > 0 and change.value]
        if len(changes) == 1:
            text = f"Which object becomes {words} in the course of the video?"
            answer = story.phrases[changes[0].subject]
            yield _ask(story, "change descriptive world change query direct", text, answer)
    for number, words in ((0, "first"), (-1, "last")):
        text = f"What is the {words} action of the person?"
        yield _ask(story, f"{words} descriptive world action query direct", text, story.steps[number].text)


def _states(story: Story) -> Iterator[Question]:
    """Where is the cup at the end of the video, and is the fridge open?"""
    last = story.episode.at(story.episode.seconds).state
    for thing in dict.fromkeys(step.thing for step in story.of("put")):
        where = str(last[thing]["place"])
        if where in story.nouns:
            text = f"Where is {story.phrases[thing]} at the end of the video?"
            answer = place(story.nouns[where])
            yield _ask(story, "where descriptive world state query direct", text, answer)
    for fixture in dict.fromkeys(step.thing for step in story.of("open")):
        text = f"Is the {story.nouns[fixture]} open at the end of the video?"
        answer = "yes" if last[fixture]["open"] else "no"
        yield _ask(story, "open descriptive world state verify direct", text, answer)


def _placed(story: Story) -> Iterator[Question]:
    """Does the person put the cup in the fridge?"""
    puts = story.of("put")
    for thing in dict.fromkeys(step.thing for step in puts):
        used = {story.where(step) for step in puts if step.thing == thing}
        for where in map(place, HOLDERS):
            text = f"Does the person put {story.phrases[thing]} {where}?"
            answer = "yes" if where in used else "no"
            yield _ask(story, "placed descriptive world action verify direct", text, answer)


def _washing(story: Story) -> Iterator[Question]:
    """Was the cup clean before, and would it be clean without washing?"""
    first = story.episode.at(0.0).state
    for step in story.only(story.of("wash"), lambda step: step.thing):
        answer = "yes" if first[step.thing]["clean"] else "no"
        name = story.phrases[step.thing]
        text = f"Is {name} clean before the person washes it?"
        yield _ask(story, "before descriptive world state verify indirect", text, answer, [step])
        text = f"If the person did not wash {name}, would it be clean at the end of the video?"
        yield _ask(story, "without counterfactual world state verify direct", text, answer, [step])


def _neighbours(story: Story) -> Iterator[Question]:
    """What does the person do right after opening the fridge, or right before?"""
    once = {id(step) for step in story.only(story.steps, lambda step: step.text)}
    for first, second in pairwise(story.steps):
        if id(first) in once:
            text = f"What does the person do right after {gerund(first)}?"
            yield _ask(story, "after descriptive world action query indirect", text, second.text, [first, second])
        if id(second) in once:
            text = f"What does the person do right before {gerund(second)}?"
            yield _ask(story, "preceding descriptive world action query indirect", text, first.text, [first, second])
    for verb in ("wash", "fold", "read", "shake"):
        about = story.of(verb)
        puts = [step for step in story.of("put") if about and step.start > about[-1].start]
        if len({step.thing for step in about}) == 1 and puts and puts[0].thing == about[0].thing:
            text = f"Where does the person put the object that is {VERBS[verb].participle}?"
            tags = "object-put descriptive world object query indirect"
            yield _ask(story, tags, text, story.where(puts[0]), [*about, puts[0]])


def _reasons(story: Story) -> Iterator[Question]:
    """For which action does the person open the fridge?"""
    steps = list(pairwise(story.steps))
    for step in story.only(story.of("open"), lambda step: step.thing):
        following = next((second for first, second in steps if first is step), None)
        if following is not None:
            text = f"For which action does the person open the {story.nouns[step.thing]}?"
            tags = "reason explanatory intent action query direct"
            yield _ask(story, tags, text, following.text, [step, following])


def _orders(story: Story) -> Iterator[Question]:
    """Does the person take the cup before taking the book?"""
    takes = story.only(story.of("take"), lambda step: story.nouns[step.thing])
    for first in takes:
        for second in takes:
            if first is not second:
                earlier, later = story.nouns[first.thing], story.nouns[second.thing]
                text = f"Does the person take the {earlier} before taking the {later}?"
                answer = "yes" if first.start < second.start else "no"
                tags = "order descriptive world action verify indirect"
                yield _ask(story, tags, text, answer, [first, second])


def _next(story: Story) -> Iterator[Question]:
    """What will the person do next? Asked of a video that ends just before."""
    step = cut_before(story.episode)
    tags = "next predictive intent action query direct"
    yield _ask(story, tags, "What will the person do next?", step.text, [step])


def cut_before(episode: Episode) -> Step:
    """Step before which the shorter video of an episode ends: a step past the middle that needs the head to turn."""
    arrivals = {change.value: change.time for change in episode.changes if change.key == "facing"}
    turned = [
        step
        for before, step in pairwise(episode.steps)
        if any(before.end <= time <= step.start for time in arrivals.values()) and step.verb != "close"
    ]
    return next((step for step in turned if step.start > 0.5 * episode.seconds), turned[-1])


def write(out: Path, episodes: Sequence[Episode], count: int, rng: Random, films: Films) -> dict[str, int]:
    """Write the test files of both splits: half of the questions are to be answered with yes or no, as often as not.

    Args:
        out: Folder of the annotations.
        episodes: Activity episodes at 15 frames a second.
        count: Questions in each split, rounded up to whole groups.
        rng: The source of every choice.
        films: List of the videos to render; these are added.

    Returns:
        Number of questions of each split.
    """
    questions = [question for episode in episodes for question in candidates(episode)]
    verify = [question for question in questions if question.tags["structural"] == "verify"]
    query = [question for question in questions if question.tags["structural"] == "query"]
    counts: dict[str, int] = {}
    # The direct split holds questions of both references, the indirect one only indirect ones: it chooses first.
    for split in ("indirect", "direct"):
        chosen: list[Group] = []
        for pool, size, share in ((verify, 2, 0.4), (query, 4, 0.6)):
            fit = [question for question in pool if split == "direct" or question.tags["reference"] == "indirect"]
            chosen += grouped(fit, size, -(-round(count * share) // size), rng)
            used = {id(question) for group in chosen for question in group}
            pool[:] = [question for question in pool if id(question) not in used]
        split_questions = [question for group in chosen for question in group]
        rng.shuffle(split_questions)
        _write_split(out / split, split_questions, films)
        counts[split] = len(split_questions)
    return counts


def _write_split(out: Path, questions: Sequence[Question], films: Films) -> None:
    intervals = sorted({_interval(question, films) for question in questions})
    write_json(out / "vid_intervals.json", intervals)
    rows: list[dict[str, object]] = []
    for number, question in enumerate(questions):
        tags = dict(question.tags)
        interval = _interval(question, films)
        rows.append(
            {
                "question": question.text,
                "answer": question.answer,
                "program": f"miniego({question.template})",
                "type": [tags["type"]],
                "category": [tags["category"]],
                "semantic": tags["semantic"],
                "structural": tags["structural"],
                "reference": tags["reference"],
                "interval": interval,
                "video_id": intervals.index(interval),
                "question_id": number,
                "reasoning_type": "$".join(tags[key] for key in _TAGS),
            }
        )
    write_json(out / "test_qas.json", rows)


def _interval(question: Question, films: Films) -> str:
    """Name of the video of a question; that of a predictive question ends just before what it asks about."""
    episode = question.episode
    end = episode.seconds
    if question.tags["type"] == "predictive":
        end = round(question.start - 0.05, 3)
    name = f"{uid('lemma', episode.number)[:8]}|P1|0|{round(end * GENERATION_FPS)}"
    films.stretch(episode, 0.0, end, f"egotaskqa/qa_videos/{name}.mp4")
    return name
