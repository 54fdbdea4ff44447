"""Ego-Exo4D: takes filmed by the wearer and by fixed cameras, with the narrations of two narrators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from egobench.miniego.official.files import Films, uid, write_json
from egobench.miniego.world.episode import Episode, View
from egobench.miniego.world.narrators import narrations

EXO_CAMERAS: Final[dict[str, View]] = {"cam01": "exo1", "cam02": "exo2", "cam03": "exo3", "cam04": "exo4"}
"""View of each fixed camera."""
EGO_FILE: Final = "frame_aligned_videos/aria01_214-1.mp4"


def write(out: Path, episodes: Sequence[Episode], films: Films) -> int:
    """Write takes, splits and narrations.

    Args:
        out: Folder of the training data.
        episodes: Activity episodes of the splits train and val.
        films: List of the videos to render; these are added.

    Returns:
        Number of takes.
    """
    takes = [_take(episode) for episode in episodes]
    write_json(out / "takes.json", takes)
    for split in ("train", "val"):
        passes = {take_uid(episode): list(_passes(episode)) for episode in episodes if episode.split == split}
        cameras = {take: {"ego": "aria01", "exo": list(EXO_CAMERAS)} for take in passes}
        content = {"ds": "miniego", "take_cam_id_map": cameras, "annotations": passes}
        write_json(out / "annotations" / f"atomic_descriptions_{split}.json", content)
    splits = {take_uid(episode): episode.split for episode in episodes}
    by_split = {split: [take for take, its in splits.items() if its == split] for split in ("train", "val", "test")}
    benchmarks = {take: ["atomic_action_descriptions"] for take in splits}
    content = {"take_uid_to_split": splits, "split_to_take_uids": by_split, "take_uid_to_benchmark": benchmarks}
    write_json(out / "annotations" / "splits.json", content)
    for episode in episodes:
        root = f"takes/{_name(episode)}"
        films.whole(episode, f"{root}/{EGO_FILE}")
        for camera, view in EXO_CAMERAS.items():
            films.whole(episode, f"{root}/frame_aligned_videos/{camera}.mp4", view)
    return len(takes)


def take_uid(episode: Episode) -> str:
    """Id of the take of an episode."""
    return uid("take", episode.number)


def _name(episode: Episode) -> str:
    return f"miniego_{episode.goal.replace(' ', '_')}_{episode.number:05d}"


def _take(episode: Episode) -> dict[str, Any]:
    """Row of ``takes.json``."""
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
        "take_uid": take_uid(episode),
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
    """Narrations of both narrators, as rows of atomic descriptions."""
    for narrator in (0, 1):
        descriptions = [
            {
                "text": f"C {narration.words}.",
                "timestamp": narration.time,
                "subject": "C",
                "ego_visible": True,
                "best_exo": {"raw_cam_id": "cam01", "cam_id": "cam01"},
                "unsure": False,
            }
            for narration in narrations(episode, narrator)
        ]
        yield {
            "annotation_uid": uid("pass", episode.number, narrator),
            "annotator_id": f"narrator-{narrator + 1}",
            "rejected": False,
            "reject_reason": None,
            "descriptions": descriptions,
        }
