"""A small task with real files: twelve clips of one colour each, and questions that only the colour answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from signal import SIGINT, default_int_handler, signal

import av
import numpy as np
import pytest
from PIL import Image

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.plugins import load_task

ANSWERS = {
    "left": ("Turn left and move forward", (200, 20, 20)),
    "forward": ("Move forward", (20, 200, 20)),
    "stop": ("Stop", (20, 20, 200)),
    "right": ("Turn right and move forward", (200, 200, 20)),
}
"""What each folder of videos means, and the colour of its videos."""


def pytest_configure() -> None:
    """Have Ctrl-C heeded: who starts tests in the background hands them, and all that they start, a deaf ear for it."""
    signal(SIGINT, default_int_handler)


@dataclass(frozen=True)
class Navigation:
    """VLN-QA in miniature.

    Attributes:
        root: Where everything is.
        annotations: Folder of the official file.
        videos: Folder of videos.
        data: Folder of the sample set.
        sample_set: The sample set.
    """

    root: Path
    annotations: Path
    videos: Path
    data: Path
    sample_set: SampleSet

    def video(self, number: int) -> Path:
        """The video of the sample of that number."""
        return self.videos / self.sample_set.samples[number].video


def write_video(path: Path, colour: tuple[int, int, int], *, frames: int = 24, fps: int = 12) -> None:
    """Write an H.264 video of one colour that slowly brightens, so that no two frames are equal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"g": "12", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            picture = np.full((48, 64, 3), colour, np.uint8) + np.uint8(number)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def write_frames(video: Path, folder: Path, rate: str, suffix: str = ".png") -> Path:
    """Write every frame of a video, decoded one after another, as EPIC-KITCHENS names them; and how many a second."""
    folder.mkdir(parents=True)
    with av.open(video) as container:
        for number, frame in enumerate(container.decode(video=0), 1):
            picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
            picture.save(folder / f"frame_{number:010d}{suffix}", quality=95)
    (folder / "fps.txt").write_text(f"{rate}\n")
    return folder


class NoEmbedder:
    """Refuses to embed: official constructions need no neighbours."""

    name = "none"

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        raise AssertionError(f"nothing should be embedded here: {texts}")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps what is computed once out of the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EGOBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def navigation(tmp_path: Path) -> Navigation:
    """Twelve questions, three an answer, with their videos."""
    rows: list[dict[str, object]] = []
    options = [text for text, _ in ANSWERS.values()]
    for number in range(12):
        folder, (answer, colour) = list(ANSWERS.items())[number % 4]
        video = f"{folder}/{number}_frame24.mp4"
        write_video(tmp_path / "videos" / video, colour)
        turned = options[number % 3 :] + options[: number % 3]
        rows.append({"video": video, "question": "Which way now?", "candidates": turned, "answer": answer})
    annotations = tmp_path / "annotations"
    annotations.mkdir()
    (annotations / "egocentric_navigation.json").write_text(json.dumps(rows))
    sample_set = build(load_task("vln-qa"), Annotations(annotations), NoEmbedder())
    sample_set.write(tmp_path / "data")
    return Navigation(tmp_path, annotations, tmp_path / "videos", tmp_path / "data", sample_set)
