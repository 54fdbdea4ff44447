"""Ego-Exo4D: takes filmed by the wearer and by fixed cameras, with the narrations of two narrators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from egobench.miniego.official.files import Films, uid, write_json
from egobench.miniego.world.cameras import best_camera, fixed_cameras
from egobench.miniego.world.episode import Episode, View
from egobench.miniego.world.narrators import narrations
from egobench.miniego.world.plans import GOALS, SIBLINGS, Scenario, goal_of

EGO: Final = "aria01"
EGO_FILE: Final = "frame_aligned_videos/aria01_214-1.mp4"
SCENARIOS: Final = get_args(Scenario)
INSTITUTIONS: Final = ("miniego-north", "miniego-east", "miniego-south")
"""Who films; a participant is filmed by one of them."""


def write(out: Path, episodes: Sequence[Episode], films: Films) -> int:
    """Write takes, captures, splits and narrations.

    Args:
        out: Folder of the training data.
        episodes: Activity episodes of the splits train and val.
        films: List of the videos to render; these are added.

    Returns:
        Number of takes.
    """
    takes = [_take(episode) for episode in episodes]
    write_json(out / "takes.json", takes)
    write_json(out / "captures.json", [take["capture"] for take in takes])
    for split in ("train", "val"):
        members = [episode for episode in episodes if episode.split == split]
        content = {
            "ds": "miniego",
            "take_cam_id_map": {take_uid(episode): {"ego": EGO, "exo": _exo(episode)} for episode in members},
            "annotations": {take_uid(episode): list(_passes(episode)) for episode in members},
        }
        write_json(out / "annotations" / f"atomic_descriptions_{split}.json", content)
    splits = {take_uid(episode): episode.split for episode in episodes}
    by_split = {split: [take for take, its in splits.items() if its == split] for split in ("train", "val", "test")}
    benchmarks = {take: ["atomic_action_descriptions"] for take in splits}
    content = {"take_uid_to_split": splits, "split_to_take_uids": by_split, "take_uid_to_benchmark": benchmarks}
    write_json(out / "annotations" / "splits.json", content)
    for episode in episodes:
        root = f"takes/{_name(episode)}"
        films.whole(episode, f"{root}/{EGO_FILE}")
        for view in fixed_cameras(episode):
            films.whole(episode, f"{root}/frame_aligned_videos/{_camera_name(view)}.mp4", view)
    return len(takes)


def take_uid(episode: Episode) -> str:
    """Id of the take of an episode."""
    return uid("take", episode.split, episode.number)


def _camera_name(view: View) -> str:
    return view.replace("exo", "cam0")


def _exo(episode: Episode) -> list[str]:
    return [_camera_name(view) for view in fixed_cameras(episode)]


def _name(episode: Episode) -> str:
    return f"miniego_{episode.goal.replace(' ', '_')}_{episode.number:05d}"


def _take(episode: Episode) -> dict[str, Any]:
    """Row of ``takes.json``."""
    root = f"takes/{_name(episode)}"
    files = {EGO: EGO_FILE, **{camera: f"frame_aligned_videos/{camera}.mp4" for camera in _exo(episode)}}
    cameras = [
        {"cam_id": camera, "is_ego": camera == EGO, "device_type": "aria" if camera == EGO else "hero10",
         "relative_path": path}
        for camera, path in files.items()
    ]  # fmt: skip
    videos = {
        camera: {"rgb" if camera == EGO else "0": _stream(camera, "214-1" if camera == EGO else "0", path)}
        for camera, path in files.items()
    }
    participant = episode.number // SIBLINGS
    capture = uid("capture", episode.split, episode.number)
    scenario = goal_of(episode).scenario
    parent = 1000 * (1 + SCENARIOS.index(scenario))
    return {
        "take_uid": take_uid(episode),
        "take_name": _name(episode),
        "root_dir": root,
        "capture_uid": capture,
        "capture": {"capture_uid": capture, "cameras": cameras},
        "participant_uid": participant,
        "university_name": INSTITUTIONS[participant % len(INSTITUTIONS)],
        "task_id": parent + 1 + GOALS.index(goal_of(episode)),
        "task_name": episode.goal.capitalize(),
        "parent_task_id": parent,
        "parent_task_name": scenario,
        "take_idx": episode.number,
        "duration_sec": episode.seconds,
        "is_narrated": False,
        "is_dropped": False,
        "validated": True,
        "best_exo": _camera_name(best_camera(episode)),
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
    camera = _camera_name(best_camera(episode))
    for narrator in (0, 1):
        descriptions = [
            {
                "text": f"C {narration.words}.",
                "timestamp": narration.time,
                "subject": "C",
                "ego_visible": True,
                "best_exo": {"raw_cam_id": camera, "cam_id": camera},
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
