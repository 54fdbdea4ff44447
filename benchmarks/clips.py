"""How fast and in how much memory Ego-ExoClip is made: generated files in Ego-Exo4D's form, without videos.

Run from the checkout: python benchmarks/clips.py --takes 1000 --narrations 90. Prints a JSON object: narrations a CPU
second of ``exo2ego clips`` (reading, Eq. 1, writing; no video is looked at) and the peak memory of that process in MB.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from egobench.annotations import Annotations
from reference_exo2ego.data.clip_rule import ClipRule
from reference_exo2ego.data.ego_exo_clip import build_clips

CAMERAS = ("cam01", "cam02", "cam03", "cam04")
GAP = 1.9
"""Seconds between narrations."""


def take(number: int, seconds: float) -> dict[str, object]:
    """One row of ``takes.json``."""
    videos: dict[str, object] = {
        "aria01": {"rgb": {"readable_stream_id": "rgb", "relative_path": "frame_aligned_videos/aria01_214-1.mp4"}},
        "collage": {"0": {"readable_stream_id": "0", "relative_path": "frame_aligned_videos/ego_preview.mp4"}},
    }
    for camera in CAMERAS:
        videos[camera] = {"0": {"readable_stream_id": "0", "relative_path": f"frame_aligned_videos/{camera}.mp4"}}
    cameras = [{"cam_id": name, "is_ego": name == "aria01", "device_type": "any"} for name in ("aria01", *CAMERAS)]
    return {
        "take_uid": f"take-{number:08d}",
        "take_name": f"cmu_bike{number:08d}",
        "root_dir": f"takes/cmu_bike{number:08d}",
        "capture": {"cameras": cameras},
        "university_name": "cmu",
        "task_name": "Remove a Wheel",
        "parent_task_name": "Bike Repair",
        "duration_sec": seconds,
        "is_dropped": False,
        "best_exo": "cam02",
        "frame_aligned_videos": videos,
    }


def passes(number: int, narrations: int) -> list[dict[str, object]]:
    """Two annotators' passes over a take."""
    return [
        {
            "annotation_uid": f"pass-{number:08d}-{annotator}",
            "rejected": False,
            "descriptions": [
                {
                    "text": f"C turns the wheel of the bicycle with the left hand, as often as {place}.",
                    "timestamp": round(GAP * (place + annotator / 2), 3),
                    "subject": "C",
                    "ego_visible": True,
                    "best_exo": {"raw_cam_id": "gp01", "cam_id": "cam01"},
                    "unsure": False,
                }
                for place in range(narrations // 2)
            ],
        }
        for annotator in range(2)
    ]


def write(folder: Path, takes: int, narrations: int) -> None:
    """Write the files of a data set, one row after another."""
    (folder / "annotations").mkdir()
    seconds = GAP * (narrations // 2 + 1)
    uids = [f"take-{number:08d}" for number in range(takes)]
    _write(folder / "takes.json", "[", (json.dumps(take(number, seconds)) for number in range(takes)), "]")
    rows = (f"{json.dumps(uid)}: {json.dumps(passes(number, narrations))}" for number, uid in enumerate(uids))
    _write(folder / "annotations" / "atomic_descriptions_train.json", '{"annotations": {', rows, "}}")
    splits = (f"{json.dumps(uid)}: " + '"train"' for uid in uids)
    _write(folder / "annotations" / "splits.json", '{"take_uid_to_split": {', splits, "}}")


def _write(path: Path, begin: str, rows: Iterator[str], end: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(begin + next(rows))
        for row in rows:
            file.write(",\n" + row)
        file.write(end)


def build(folder: Path) -> dict[str, float]:
    """Make the clips in this process: what that took."""
    started = process_time()
    report = build_clips(Annotations(folder), folder / "clips.jsonl", ClipRule(), check=None)
    seconds = process_time() - started
    n, kilobytes = report.statistics.seconds.n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"narrations": n, "cpu_seconds": seconds, "narrations_per_second": n / seconds, "peak_mb": kilobytes / 1024}


def main() -> None:
    """Write the files in this process and measure in a fresh one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--takes", type=int, default=1000)
    parser.add_argument("--narrations", type=int, default=90, help="of a take, by both annotators")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder is not None:
        print(json.dumps(build(options.folder)))  # noqa: T201
        return
    with TemporaryDirectory() as name:
        write(Path(name), options.takes, options.narrations)
        command = [sys.executable, "-P", __file__, "--folder", name]
        subprocess.run(command, check=True)  # noqa: S603


if __name__ == "__main__":
    main()
