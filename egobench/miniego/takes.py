"""Training data: Ego-Exo4D-style takes told by two narrators, and the same narrations as EgoClip rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from egobench.miniego.captions import third
from egobench.miniego.egomcq import tags
from egobench.miniego.episode import Episode, Step
from egobench.miniego.files import Films, uid, write_csv, write_json
from egobench.miniego.questions import Story
from egobench.miniego.render import View
from egobench.miniego.simulate import stream
from egobench.miniego.world import VERBS

EXO_CAMERAS: Final = ("cam01", "cam02", "cam03", "cam04")
EXO_VIEWS: Final[tuple[View, ...]] = ("exo1", "exo2", "exo3", "exo4")
EGO_FILE: Final = "frame_aligned_videos/aria01_214-1.mp4"
JITTER: Final = (0.12, 0.35)
"""Standard deviation of each narrator's timestamps from the middle of the step, in seconds."""
SKIPPED: Final = (0.0, 0.08)
"""Share of the steps that each narrator passes over."""
ALPHA: Final = 1.0
"""Share of the mean gap between narrations that an EgoClip clip lasts."""

_OTHER_WORDS: Final = {
    "takes": "picks up",
    "puts": "places",
    "throws": "drops",
    "opens": "pulls open",
    "closes": "shuts",
    "turns on": "switches on",
    "turns off": "switches off",
    "washes": "rinses",
    "fills": "fills up",
    "pours from": "tips out",
    "drinks from": "takes a sip from",
    "stirs": "mixes what is in",
    "cuts": "slices",
    "wipes": "cleans",
    "folds": "folds up",
    "shakes": "rattles",
    "reads": "looks into",
}
"""How the second narrator says what the first one says."""

_EGOCLIP_HEADER: Final = (
    "clip_idx", "video_uid", "video_dur", "narration_source", "narration_ind", "narration_time", "clip_start",
    "clip_end", "clip_text", "tag_verb", "tag_noun",
)  # fmt: skip

Narration = tuple[float, str, Step]
"""Seconds from the start of the take, the words without their subject, and what they are about."""


def narrations(episode: Episode, narrator: int) -> list[Narration]:
    """What one narrator says of an episode, in order of time.

    Args:
        episode: The episode.
        narrator: 0 for the one who uses the canonical words, 1 for the other.
    """
    rng = stream("narrator", episode.number, narrator)
    told: list[Narration] = []
    for step in episode.steps:
        if rng.random() < SKIPPED[narrator]:
            continue
        time = (step.start + step.end) / 2 + rng.gauss(0.0, JITTER[narrator])
        time = round(min(max(time, 0.0), episode.seconds), 3)
        told.append((time, _other_words(step, rng) if narrator else third(step), step))
    return sorted(told, key=lambda narration: narration[0])


def _other_words(step: Step, rng: Random) -> str:
    words = third(step)
    plain = VERBS[step.verb].third
    spoken = plain if plain in _OTHER_WORDS else f"{plain} from"
    words = _OTHER_WORDS[spoken] + words.removeprefix(spoken)
    return words if rng.random() < 0.5 or step.hand == "both" else f"{words} with the {step.hand} hand"


def write(out: Path, episodes: Sequence[Episode], films: Films) -> int:
    """Write takes, their narrations, and ``egoclip.csv``.

    Args:
        out: Folder of the training data.
        episodes: Activity episodes of the splits train and val.
        films: Told which videos are needed, below ``out``.

    Returns:
        The number of takes.
    """
    takes = [_take(episode) for episode in episodes]
    write_json(out / "takes.json", takes)
    splits = {take["take_uid"]: episode.split for take, episode in zip(takes, episodes, strict=True)}
    for split in ("train", "val"):
        told = {_uid(each): list(_passes(each)) for each in episodes if each.split == split}
        cameras = {take: {"ego": "aria01", "exo": list(EXO_CAMERAS)} for take in told}
        content = {"ds": "miniego", "take_cam_id_map": cameras, "annotations": told}
        write_json(out / "annotations" / f"atomic_descriptions_{split}.json", content)
    by_split = {split: [take for take, its in splits.items() if its == split] for split in ("train", "val", "test")}
    benchmarks = {take: ["atomic_action_descriptions"] for take in splits}
    content = {"take_uid_to_split": splits, "split_to_take_uids": by_split, "take_uid_to_benchmark": benchmarks}
    write_json(out / "annotations" / "splits.json", content)
    train = [episode for episode in episodes if episode.split == "train"]
    rows = (row for episode in train for row in _egoclip(episode))
    numbered = ((number, *row) for number, row in enumerate(rows))
    write_csv(out / "egoclip.csv", _EGOCLIP_HEADER, numbered, delimiter="\t")
    for episode in episodes:
        root = f"takes/{_name(episode)}"
        films.whole(episode, f"{root}/{EGO_FILE}")
        for view, camera in zip(EXO_VIEWS, EXO_CAMERAS, strict=True):
            films.whole(episode, f"{root}/frame_aligned_videos/{camera}.mp4", view)
        if episode.split == "train":
            films.whole(episode, f"egoclip/{_uid(episode)}.mp4")
    return len(takes)


def _uid(episode: Episode) -> str:
    return uid("take", episode.number)


def _name(episode: Episode) -> str:
    return f"miniego_{episode.goal.replace(' ', '_')}_{episode.number:05d}"


def _take(episode: Episode) -> dict[str, Any]:
    """One row of ``takes.json``."""
    root = f"takes/{_name(episode)}"
    ego = {"cam_id": "aria01", "is_ego": True, "device_type": "aria", "relative_path": EGO_FILE}
    cameras = [ego]
    videos: dict[str, Any] = {"aria01": {"rgb": _stream("aria01", "214-1", EGO_FILE)}}
    for camera in EXO_CAMERAS:
        path = f"frame_aligned_videos/{camera}.mp4"
        cameras.append({"cam_id": camera, "is_ego": False, "device_type": "hero10", "relative_path": path})
        videos[camera] = {"0": _stream(camera, "0", path)}
    capture = uid("capture", episode.number // 5)
    return {
        "take_uid": _uid(episode),
        "take_name": _name(episode),
        "root_dir": root,
        "capture_uid": capture,
        "capture": {"capture_uid": capture, "cameras": cameras},
        "participant_uid": episode.number // 5,
        "university_name": "miniego",
        "task_id": 1000,
        "task_name": episode.goal,
        "parent_task_id": 1000,
        "parent_task_name": "Household",
        "take_idx": episode.number,
        "duration_sec": episode.seconds,
        "is_narrated": False,
        "is_dropped": False,
        "validated": True,
        "best_exo": "cam01",
        "task_start_sec": episode.steps[0].start,
        "task_end_sec": episode.steps[-1].end,
        "objects": [],
        "frame_aligned_videos": videos,
    }


def _stream(camera: str, stream_id: str, path: str) -> dict[str, str]:
    readable = "rgb" if stream_id == "214-1" else stream_id
    return {"cam_id": camera, "stream_id": stream_id, "readable_stream_id": readable, "relative_path": path}


def _passes(episode: Episode) -> Iterator[dict[str, Any]]:
    """The narrations of both narrators, as rows of atomic descriptions."""
    for narrator in (0, 1):
        descriptions = [
            {
                "text": f"C {words}.",
                "timestamp": time,
                "subject": "C",
                "ego_visible": True,
                "best_exo": {"raw_cam_id": "cam01", "cam_id": "cam01"},
                "unsure": False,
            }
            for time, words, _ in narrations(episode, narrator)
        ]
        yield {
            "annotation_uid": uid("pass", episode.number, narrator),
            "annotator_id": f"narrator-{narrator + 1}",
            "rejected": False,
            "reject_reason": None,
            "descriptions": descriptions,
        }


def _egoclip(episode: Episode) -> Iterator[tuple[object, ...]]:
    """The rows of an episode without their index: clips around each narration, as long as the mean gap."""
    story = Story(episode)
    for narrator in (0, 1):
        told = narrations(episode, narrator)
        half = ALPHA * episode.seconds / max(1, len(told)) / 2
        for number, (time, words, step) in enumerate(told):
            classes = tags(story, step)
            start, end = round(max(0.0, time - half), 3), round(min(episode.seconds, time + half), 3)
            yield (
                _uid(episode), episode.seconds, f"narration_pass_{narrator + 1}", number, time, start, end,
                f"#C C {words}", classes["tag_verb"], classes["tag_noun"],
            )  # fmt: skip
