"""EgoExoLearn: every step of takes seen by the wearer and by a fixed camera, told as an instruction, for training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from egobench.miniego.official.files import Films, uid, write_csv
from egobench.miniego.world.cameras import best_camera
from egobench.miniego.world.episode import Episode, Step

_HEADER: Final = (
    "video_uid", "annotation_uid", "subset", "view", "scene", "start_sec", "end_sec", "narration_en",
    "narration_en_hand_prompt", "narration_en_no_hand_prompt",
)  # fmt: skip


def write(out: Path, episodes: Sequence[Episode], films: Films) -> int:
    """Write ``annotations/fine_annotation_trainval_en.csv``.

    Args:
        out: Folder of the annotations.
        episodes: Activity episodes of both splits.
        films: List of the videos to render; these are added.

    Returns:
        Number of annotations.
    """
    rows = [row for episode in episodes for view in ("ego", "exo") for row in _rows(episode, view)]
    write_csv(out / "annotations" / "fine_annotation_trainval_en.csv", _HEADER, rows)
    for episode in episodes:
        films.whole(episode, f"egoexolearn/videos/{_video(episode, 'ego')}.mp4")
        films.whole(episode, f"egoexolearn/videos/{_video(episode, 'exo')}.mp4", best_camera(episode))
    return len(rows)


def _video(episode: Episode, view: str) -> str:
    return uid("egoexolearn", episode.split, episode.number, view)


def _rows(episode: Episode, view: str) -> Iterator[tuple[object, ...]]:
    for number, step in enumerate(episode.steps):
        scene = "kitchen" if step.room == "kitchen" else "lab"
        yield (
            _video(episode, view), uid("egoexolearn", episode.split, episode.number, view, number), episode.split,
            view, scene, step.start, step.end, *_narrations(step),
        )  # fmt: skip


def _narrations(step: Step) -> tuple[str, str, str]:
    """The instruction, what each hand does, and the instruction without hands."""
    plain = f"{step.text[0].upper()}{step.text[1:]}."
    if step.hand == "both":
        return f"Use both hands to {step.text}.", f"Both hands: {step.text}.", plain
    return f"Use your {step.hand} hand to {step.text}.", f"{step.hand.capitalize()} hand: {step.text}.", plain
