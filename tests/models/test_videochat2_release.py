"""VideoChat2 as its release evaluates it: the words of each task, and the crop of its frames."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models.prompts import ask
from tests.models.videochat2_asking import load, written

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.models.tiny_videochat2 import tiny_videochat2

    return tiny_videochat2(tmp_path_factory.mktemp("tiny") / "videochat2")


def test_egoschema_is_asked_in_the_words_of_its_own_script(tiny: Path) -> None:
    # video_chat2/demo/demo_mistral.ipynb of the official repository: the system prompt goes to the Q-Former alone, and
    # Python's capitalize puts all letters but the first in small ones.
    adapter = load(tiny, prompt="own")
    prompt = replace(ask(question="Which object did C take FIRST?"), task="egoschema")
    options = "(A) an onion\n(B) the red mug\n(C) a slice of bread\n(D) nothing"
    question = f"Question: Which object did c take first?\nOptions:\n{options}\nOnly give the best option."
    read = written(adapter, prompt)
    assert read.endswith(f"</Video> [/INST] [INST] {question} [/INST] Best option:(")
    assert read.count("Carefully watch the video") == 1
    other = written(adapter, replace(prompt, task="vln-qa"))
    assert other.count("Carefully watch the video") == 2
    assert "Question: Which object did C take FIRST?" in other
    # What the Q-Former looks for is the same.
    assert torch.equal(adapter.frontend.encode_frames(prompt), adapter.frontend.encode_frames(replace(prompt, task="")))


def test_the_releases_words_are_part_of_the_run(tiny: Path) -> None:
    own, harness = (load(tiny, prompt=prompt).info.settings["prompt"] for prompt in ("own", "harness"))
    assert harness == "harness"
    assert str(own).startswith("own ")
    assert len(str(own)) == 4 + 12


@pytest.mark.parametrize("size", [(256, 456), (336, 599), (456, 256), (300, 401), (224, 225), (240, 320), (100, 355)])
def test_frames_are_cropped_as_torchvision_crops_them(size: tuple[int, int]) -> None:
    # video_chat2/dataset/video_transforms.py: Resize of the shorter side and CenterCrop of torchvision, on pictures.
    from PIL import Image

    library: Any = import_module("torchvision.transforms")
    adapter: Any = import_module("egobench.models.videochat2.adapter")
    frames = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    resize = library.Resize(224, interpolation=library.InterpolationMode.BICUBIC)
    theirs = library.Compose([resize, library.CenterCrop(224)])
    wanted = np.stack([np.asarray(theirs(Image.fromarray(frame))) for frame in frames])
    assert np.array_equal(adapter.squares(frames, 224), wanted)
