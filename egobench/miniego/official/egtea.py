"""EGTEA Gaze+: a clip per step in the kitchen, with classes of action, verb and noun, for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from egobench.miniego.official.epic import noun_words
from egobench.miniego.official.files import Films, write_lines
from egobench.miniego.official.questions import Story
from egobench.miniego.world.episode import Episode
from egobench.miniego.world.plans import SIBLINGS
from egobench.miniego.world.vocabulary import FIXTURES, NOUNS, VERBS

FPS: Final = 24
"""Rate at which the frame numbers count, whatever the rate of the file."""
ROOM: Final = "kitchen"
_VERBS: Final = [verb.capitalize() for verb in VERBS]
_NOUNS: Final = [noun.replace(" ", "_") for noun in (*NOUNS, *FIXTURES)]
_HEADER: Final = (
    "Clip ID", "Clip Prefix", "Video Session", "Starting Time (ms)", "Ending Time (ms)", "Action Label", "Verb Label",
    "Noun Label(s)",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Clip:
    """Clip of a step.

    Attributes:
        split: ``train`` or ``val``.
        session: Name of the recording.
        start: Milliseconds from its start.
        end: Milliseconds from its start.
        verb: Verb class.
        nouns: Noun classes, the main noun first.
    """

    split: str
    session: str
    start: int
    end: int
    verb: str
    nouns: tuple[str, ...]

    @property
    def action(self) -> str:
        """Action class, e.g. ``"Take cup,fridge"``."""
        return f"{self.verb} {','.join(self.nouns)}"

    @property
    def prefix(self) -> str:
        """Name up to the milliseconds."""
        return f"{self.session}-{self.start}-{self.end}"

    @property
    def name(self) -> str:
        """Name of the cropped clip, without ``.mp4``."""
        first, last = (round(time * FPS / 1000) for time in (self.start, self.end))
        return f"{self.prefix}-F{first:06d}-F{last:06d}"


def session(episode: Episode) -> str:
    """Name of the recording of a take, e.g. ``"OP03-R01-PrepareAMeal"``."""
    participant, recording = divmod(episode.number, SIBLINGS)
    words = "".join(word.capitalize() for word in episode.goal.split())
    return f"OP{participant:02d}-R{recording + 1:02d}-{words}"


def write(out: Path, episodes: Sequence[Episode], films: Films) -> int:
    """Write the classes, the first split, and the table of all labels.

    Args:
        out: Folder of the annotations.
        episodes: Activity episodes of both splits.
        films: List of the videos to render; these are added.

    Returns:
        Number of clips.
    """
    clips: list[_Clip] = []
    for episode in episodes:
        films.whole(episode, f"egtea/videos/{session(episode)}.mp4")
        story = Story(episode)
        for step in episode.steps:
            if step.room == ROOM:
                nouns = tuple(noun.replace(" ", "_") for noun in noun_words(story, step))
                start, end = round(1000 * step.start), round(1000 * step.end)
                clip = _Clip(episode.split, session(episode), start, end, step.verb.capitalize(), nouns)
                films.stretch(episode, step.start, step.end, f"egtea/cropped_clips/{clip.session}/{clip.name}.mp4")
                clips.append(clip)
    _write_splits(out / "action_annotation", clips)
    lines = ["; ".join(_HEADER)]
    for number, clip in enumerate(clips, 1):
        cells = (number, clip.prefix, clip.session, clip.start, clip.end, clip.action, clip.verb, ", ".join(clip.nouns))
        lines.append("; ".join(map(str, cells)))
    write_lines(out / "raw_annotations" / "action_labels.csv", lines)
    return len(clips)


def _write_splits(folder: Path, clips: Sequence[_Clip]) -> None:
    """Write the classes by number from 1, and the clips of the first split; val takes the place of test."""
    actions = sorted({clip.action for clip in clips})
    for name, classes in (("action", actions), ("verb", _VERBS), ("noun", _NOUNS)):
        write_lines(folder / f"{name}_idx.txt", [f"{label} {number}" for number, label in enumerate(classes, 1)])
    for split, name in (("train", "train"), ("val", "test")):
        lines = [_line(clip, actions) for clip in clips if clip.split == split]
        write_lines(folder / f"{name}_split1.txt", lines)


def _line(clip: _Clip, actions: Sequence[str]) -> str:
    """Line of a split file: name, action, verb and nouns by their numbers from 1."""
    nouns = " ".join(str(1 + _NOUNS.index(noun)) for noun in clip.nouns)
    return f"{clip.name} {1 + actions.index(clip.action)} {1 + _VERBS.index(clip.verb)} {nouns}"
