"""A small QAEgo4D with real videos, one of which is missing, and how lmms-eval is run on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.evaluate import evaluate
from egobench.plugins import load_model, load_task
from egobench.run.spec import Settings
from tests.interop.taught_qwen import Recorder, taught_qwen

MISSING = 3
"""Number of the video that there is no file of."""

ROWS = 6


@dataclass(frozen=True)
class Kitchen:
    """Six closed and six open questions, each about a video of its own.

    Attributes:
        root: A folder to write to.
        data: Folder of sample sets.
        videos: Folder of videos.
        sample_set: The sample set.
    """

    root: Path
    data: Path
    videos: Path
    sample_set: SampleSet

    @property
    def missing(self) -> str:
        """Id of the samples that there is no video of."""
        return f"q_{MISSING}"


class NoEmbedder:
    """Refuses to embed."""

    name = "none"

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        raise AssertionError(f"nothing should be embedded here: {texts}")


def write_moving(path: Path, number: int) -> None:
    """Two seconds of noise that moves, 112 x 84 pixels: whole patches of Qwen2-VL, so nothing resizes them."""
    texture = np.random.default_rng(number).integers(0, 256, (84, 112, 3), dtype=np.uint8)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(24), options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 112, 84, "yuv420p"
        for frame in range(48):
            picture = np.roll(texture, (frame, 2 * frame), axis=(0, 1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


@pytest.fixture(scope="session")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    """The world, made once."""
    root = tmp_path_factory.mktemp("kitchen")
    videos, annotations = root / "videos", root / "annotations"
    videos.mkdir()
    annotations.mkdir()
    rows: list[dict[str, object]] = []
    for number in range(ROWS):
        if number != MISSING:
            write_moving(videos / f"v{number}.mp4", number)
        rows.append(
            {
                "video_id": f"v{number}",
                "sample_id": f"q_{number}",
                "question": f"What did C pick up at step {number}?",
                "answer": "the red mug",
                "moment_start_frame": 0,
                "moment_end_frame": 30,
                "video_uid": f"uid-{number}",
            }
        )
    closed = [row | {"wrong_answers": ["an onion", "the tap", "a slice of bread"]} for row in rows]
    (annotations / "annotations.QaEgo4D_test.json").write_text(json.dumps(rows))
    (annotations / "annotations.QaEgo4D_test_close.json").write_text(json.dumps(closed))
    sample_set = build(load_task("qaego4d"), Annotations(annotations), NoEmbedder())
    sample_set.write(root / "data")
    return Kitchen(root, root / "data", videos, sample_set)


@pytest.fixture(scope="session")
def qwen(kitchen: Kitchen, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2-VL that knows the closed questions of the kitchen by heart, put with the prompt ``base``."""
    pytest.importorskip("lmms_eval")
    recorder, folder = Recorder(), tmp_path_factory.mktemp("qwen")
    evaluate(recorder, [kitchen.sample_set], kitchen.videos, folder / "runs", Settings(frames=16, prompt="base"))
    return taught_qwen(folder / "tiny-qwen2-vl", [prompt for prompt in recorder.asked if prompt.options])


@pytest.fixture(scope="session")
def through_worker(qwen: Path) -> Iterator[Any]:
    """The checkpoint through lmms-eval's ``qwen2_vl``, in a process of its own."""
    model: Any = load_model("lmms-eval:qwen2_vl", checkpoint=str(qwen))
    yield model
    model.close()


def python(*arguments: str | Path, cwd: Path) -> str:
    """Run Python offline, on one thread, and return what it wrote to either stream."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HF_HOME": str(cwd / "hf")}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout + done.stderr


def logged(folder: Path, task: str) -> dict[str, dict[str, Any]]:
    """What lmms-eval logged of each sample of a task, by our id."""
    (file,) = folder.rglob(f"*_samples_{task}.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return {row["answered"]["id"]: row for row in rows}


def numbers(folder: Path) -> dict[str, dict[str, float]]:
    """The results that lmms-eval wrote, by task and metric."""
    (file,) = folder.rglob("*_results.json")
    found: dict[str, dict[str, Any]] = json.loads(file.read_text())["results"]
    return {
        task: {key.removesuffix(",none"): value for key, value in row.items() if key.endswith(",none")}
        for task, row in found.items()
    }
