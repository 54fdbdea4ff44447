"""A gallery that colours answer: eight clips of one colour each and their captions, as EPIC-KITCHENS publishes them.

No two clips share a verb or a noun, so a caption is either right or wrong: average precision is one over its rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.model import FramePolicy, ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.plugins import load_task
from tests.conftest import NoEmbedder, write_video
from tests.tasks.official_files import EPIC_COLUMNS, write

COLOURS = tuple(product((20, 200), (20, 200), (20, 200)))
CAPTIONS = ("take plate", "cut onion", "open fridge", "wash cup", "pour milk", "close door", "peel carrot", "stir soup")


@dataclass(frozen=True)
class Coloured:
    """The gallery and its videos.

    Attributes:
        root: Where everything is.
        videos: Folder of videos.
        data: Folder of the sample set.
        sample_set: The sample set; sample and caption of one number belong together.
    """

    root: Path
    videos: Path
    data: Path
    sample_set: SampleSet

    def video(self, number: int) -> Path:
        """The video of the sample of that number."""
        return self.videos / self.sample_set.samples[number].video


def write_gallery(root: Path) -> Coloured:
    """Write videos and annotations, and build the gallery."""
    rows: list[dict[str, str]] = []
    for number, (colour, caption) in enumerate(zip(COLOURS, CAPTIONS, strict=True)):
        name = f"P01_{number:02}"
        write_video(root / "videos" / "P01" / f"{name}.MP4", colour)
        cells = {
            "narration_id": f"{name}_0",
            "participant_id": "P01",
            "video_id": name,
            "start_timestamp": "00:00:00.25",
            "stop_timestamp": "00:00:01.50",
            "narration": caption,
            "verb_class": str(number),
            "all_noun_classes": f"[{number}]",
        }
        rows.append({**dict.fromkeys(EPIC_COLUMNS.split(","), ""), **cells})
    sentences = [{key: row[key] for key in ("narration_id", "narration")} for row in rows]
    files = {"EPIC_100_retrieval_test.csv": rows, "EPIC_100_retrieval_test_sentence.csv": sentences}
    annotations = Annotations(write(root / "annotations", files))
    sample_set = build(load_task("epic-kitchens-mir"), annotations, NoEmbedder(), construction="gallery")
    sample_set.write(root / "data")
    return Coloured(root, root / "videos", root / "data", sample_set)


def seen(prompt: Prompt) -> int:
    """Which clip a prompt shows."""
    colour = prompt.frames.mean(axis=(0, 1, 2))
    return int(np.argmin([np.abs(colour - each).sum() for each in COLOURS]))


class Planted:
    """An encoder whose embeddings are the truth: clip and caption of one number are one axis."""

    info = ModelInfo("planted", "1", frames=FramePolicy(count=4))

    def __init__(self) -> None:
        self.asked: list[int] = []

    def encode_clips(self, prompts: Sequence[Prompt]) -> np.ndarray:
        self.asked += [seen(prompt) for prompt in prompts]
        return np.eye(8, dtype=np.float32)[[seen(prompt) for prompt in prompts]]

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.eye(8, dtype=np.float32)[[CAPTIONS.index(text) for text in texts]]

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        return [Reply("A")] * len(prompts)


class Teller:
    """Tells the true caption among the options from all others, which are all the same to it."""

    info = ModelInfo("teller", "1", frames=FramePolicy(count=4))

    def __init__(self) -> None:
        self.asked: list[Prompt] = []

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> list[OptionScores]:
        self.asked += prompts
        assert form in {"letter", "text"}
        return [
            OptionScores(
                tuple(-1.0 if option == CAPTIONS[seen(prompt)] else -7.5 for option in prompt.options),
                (2,) * len(prompt.options),
            )
            for prompt in prompts
        ]

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        return [Reply("A")] * len(prompts)
