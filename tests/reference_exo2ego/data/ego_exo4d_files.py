"""Annotation files in the exact official form of Ego-Exo4D, for tests to read, alter and break."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Narrations = Sequence[tuple[float, str]]


def camera_stream(camera: str, stream: str, path: str | None) -> dict[str, Any]:
    """One stream of a camera, under the name that the loader gives it."""
    return {
        "cam_id": camera,
        "stream_id": stream,
        "readable_stream_id": "rgb" if stream == "214-1" else stream,
        "clip_uid": f"clip-{camera}",
        "relative_path": path,
    }


def take(
    uid: str, *, duration: float = 60.0, cameras: Sequence[str] = ("cam01", "cam02"), **more: Any
) -> dict[str, Any]:
    """One row of ``takes.json``, with the two pseudo-cameras that the real ones have."""
    ego = "frame_aligned_videos/aria01_214-1.mp4"
    videos: dict[str, Any] = {
        "aria01": {
            "et": camera_stream("aria01", "211-1", "frame_aligned_videos/aria01_211-1.mp4"),
            "rgb": camera_stream("aria01", "214-1", ego),
        },
        "collage": {"0": camera_stream("collage", "0", "frame_aligned_videos/ego_preview.mp4")},
        "best_exo": {"0": camera_stream("best_exo", "0", None)},
    }
    listed = [{"cam_id": "aria01", "is_ego": True, "device_type": "aria", "relative_path": ego}]
    for camera in cameras:
        path = f"frame_aligned_videos/{camera}.mp4"
        videos[camera] = {"0": camera_stream(camera, "0", path)}
        listed.append({"cam_id": camera, "is_ego": False, "device_type": "hero10", "relative_path": path})
    return {
        "take_uid": uid,
        "take_name": f"cmu_{uid}",
        "root_dir": f"takes/cmu_{uid}",
        "capture_uid": f"capture-{uid}",
        "capture": {"capture_uid": f"capture-{uid}", "cameras": listed},
        "university_name": "cmu",
        "task_id": 4001,
        "task_name": "Remove a Wheel",
        "parent_task_id": 4000,
        "parent_task_name": "Bike Repair",
        "duration_sec": duration,
        "is_narrated": False,
        "is_dropped": False,
        "best_exo": "cam02",
        "frame_aligned_videos": videos,
        **more,
    }


def description(timestamp: Any, text: str = "C turns the wheel.", **more: Any) -> dict[str, Any]:
    """One narration."""
    return {
        "text": text,
        "timestamp": timestamp,
        "subject": "C",
        "ego_visible": True,
        "best_exo": {"raw_cam_id": "gp01", "cam_id": "cam01"},
        "unsure": False,
        **more,
    }


def annotator_pass(uid: str, descriptions: Iterable[Any], **more: Any) -> dict[str, Any]:
    """One annotator's pass."""
    return {
        "annotation_uid": uid,
        "annotator_id": f"annotator of {uid}",
        "rejected": False,
        "reject_reason": None,
        "descriptions": list(descriptions),
        **more,
    }


def write(
    folder: Path,
    takes: Sequence[Mapping[str, Any]],
    narrated: Mapping[str, Sequence[Any]],
    splits: Mapping[str, str] | None = None,
) -> Path:
    """Write a folder of Ego-Exo4D.

    Args:
        folder: The folder, which is returned.
        takes: Rows of ``takes.json``.
        narrated: Passes by take, all of the split train.
        splits: Split by take; train for takes that are not named.
    """
    split_of = {row["take_uid"]: "train" for row in takes} | dict(splits or {})
    lists = {name: [uid for uid, split in split_of.items() if split == name] for name in ("train", "val", "test")}
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {
        "takes.json": list(takes),
        "annotations/splits.json": {"take_uid_to_split": split_of, "split_to_take_uids": lists},
        "annotations/atomic_descriptions_train.json": {"ds": "2024", "take_cam_id_map": {}, "annotations": narrated},
    }
    for name, value in content.items():
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    return folder
