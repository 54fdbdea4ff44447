"""EgoSchema: questions about whole episodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from egobench.miniego.official.files import Films, uid, write_json
from egobench.miniego.official.questions import Group, Question, Story, shuffled_rows
from egobench.miniego.world.captions import third
from egobench.miniego.world.episode import Episode, Step
from egobench.miniego.world.plans import goal_of

OPTIONS = 5
_GOAL = "What is the overall goal of C's behaviour in the video?"
_ORDER = "Taking the whole video into account, in which order does C pick things up?"
_COURSE = "What becomes of the thing that C picks up first, from the beginning to the end of the video?"
_MOVED = "Compare the beginning of the video with its end: what has changed its place because of C?"


def candidates(episode: Episode) -> Iterator[Question]:
    """Every question that EgoSchema could ask about an episode."""
    story = Story(episode)
    yield story.ask("goal", _GOAL, goal_of(episode).third, ())
    yield story.ask("order", _ORDER, order(story), ())
    yield story.ask("course", _COURSE, course(story, story.of("take")[0]), ())
    moves = list(moved(story))
    if moves:
        yield story.ask_any("moved", _MOVED, moves, ())


def order(story: Story) -> str:
    """Nouns that C takes, in order, e.g. ``"The cup, then the book, then the towel."``."""
    words = ", then ".join(f"the {story.nouns[step.thing]}" for step in story.of("take"))
    return f"{words[0].upper()}{words[1:]}."


def course(story: Story, take: Step) -> str:
    """Sentence about what C does with a thing from a take to the next put."""
    steps: list[Step] = []
    for step in story.steps[story.steps.index(take) :]:
        if step.thing == take.thing and (not steps or step.text != steps[-1].text):
            steps.append(step)
            if step.verb in {"put", "throw"}:
                break
    name = story.phrases[take.thing]
    parts = [third(steps[0]), *(third(step).replace(name, "it") for step in steps[1:])]
    return f"C {', '.join(parts[:-1])} and {parts[-1]}." if len(parts) > 1 else f"C {parts[0]}."


def moved(story: Story) -> Iterator[str]:
    """Sentences about things that changed place, e.g. ``"The red cup went from the fridge to the table."``."""
    first, last = story.episode.at(0.0).state, story.episode.at(story.episode.seconds).state
    for thing in story.episode.things:
        begin, end = str(first[thing.id]["place"]), str(last[thing.id]["place"])
        if begin != end and end in story.nouns:
            words = f"{story.phrases[thing.id]} went from the {story.nouns[begin]} to the {story.nouns[end]}."
            yield f"{words[0].upper()}{words[1:]}"


def write(out: Path, episodes: Sequence[Episode], count: int, rng: Random, films: Films) -> int:
    """Write EgoSchema's three files; every question is labelled.

    Args:
        out: Folder of the annotations.
        episodes: Activity episodes.
        count: Questions, rounded up to whole groups.
        rng: The source of every choice.
        films: List of the videos to render; these are added.

    Returns:
        Number of questions.
    """
    questions = (question for episode in episodes for question in candidates(episode))
    rows = shuffled_rows(questions, OPTIONS, count, rng, lambda group: _rows(group, films))
    write_json(out / "questions.json", [row for row, _, _ in rows])
    write_json(out / "subset_answers.json", {row["q_uid"]: label for row, label, _ in rows})
    spans = {
        str(row["q_uid"]): {
            "video_uid": uid("ego4d", episode.number),
            "starting_sec": 0,
            "ending_sec": int(episode.seconds),
        }
        for row, _, episode in rows
    }
    write_json(out / "uid_to_ego4d.json", spans)
    return len(rows)


def _rows(group: Group, films: Films) -> Iterator[tuple[dict[str, str], int, Episode]]:
    options = {f"option {number}": question.answer for number, question in enumerate(group)}
    for label, question in enumerate(group):
        name = uid("egoschema", question.episode.number, question.text, *options.values())
        films.whole(question.episode, f"egoschema/{name}.mp4")
        drive = uid("drive", name).replace("-", "")
        row = {"q_uid": name, "google_drive_id": drive, "question": question.text, **options}
        yield row, label, question.episode
