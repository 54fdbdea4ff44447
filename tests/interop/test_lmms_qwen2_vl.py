"""Models that come with lmms-eval, in a process of their own: a tiny Qwen2-VL there and through our own adapter."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from egobench.asking import Settings
from egobench.evaluate import Result, evaluate
from egobench.interop.clips import read_clip, write_clip
from egobench.model import FramePolicy, Model, ModelInfo, Prompt, Reply, ScoresOptions
from egobench.plugins import load_model
from egobench.prompts import SYSTEM
from tests.interop.conftest import Kitchen
from tests.models.prompts import ask

PYTHON = os.environ.get("EGOBENCH_LMMS_EVAL_PYTHON", "")
"""The Python of an environment with lmms-eval, where this one has none."""

if not PYTHON and find_spec("lmms_eval") is None:
    pytest.skip("needs lmms-eval", allow_module_level=True)

pytestmark = pytest.mark.slow

PIXELS = {"shortest_edge": 3136, "longest_edge": 602112}
"""Least and most pixels of a frame: what lmms-eval's ``qwen2_vl`` sets where nobody says anything."""

SIZE = (84, 112)
"""Height and width of frames that are whole patches of Qwen2-VL, so that nobody resizes them."""


@pytest.fixture(scope="module")
def checkpoint(kitchen: Kitchen, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2-VL that knows the closed questions of the kitchen by heart, with the limits that lmms-eval sets."""
    from egobench.torchvision_ops import ensure_torchvision

    ensure_torchvision()
    from tests.models.tiny_qwen import qwen2_vl

    folder = qwen2_vl(tmp_path_factory.mktemp("qwen") / "tiny-qwen2-vl")
    template = folder / "chat_template.jinja"
    # lmms-eval hands over the system prompt as a plain text, which the published template takes, too.
    plain = "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    text = template.read_text().replace("{% for c in m['content'] %}", plain, 1)
    template.write_text(text.replace("{% endfor %}<|im_end|>", "{% endfor %}{% endif %}<|im_end|>", 1))
    processor = json.loads((folder / "processor_config.json").read_text())
    for part in ("image_processor", "video_processor"):
        processor[part]["size"] = PIXELS
    (folder / "processor_config.json").write_text(json.dumps(processor))
    recorder = Recorder(ModelInfo("recorder", "1", frames=FramePolicy(16, SIZE[0])), [])
    run(recorder, kitchen, tmp_path_factory.mktemp("recorded"))
    teach(folder, [prompt for prompt in recorder.asked if prompt.options])
    return folder


@dataclass
class Recorder:
    """A model that remembers what it was asked."""

    info: ModelInfo
    asked: list[Prompt]

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Remember."""
        self.asked += prompts
        return [Reply("A")] * len(prompts)


def teach(folder: Path, prompts: Sequence[Prompt]) -> None:
    """Train until the prompts are answered with letters, one after another of the alphabet."""
    import torch

    own: Any = load_model("hf", checkpoint=str(folder), rope_fix="no", device="cpu")
    model, words = own.model.train(), own.chat.processor.tokenizer
    inputs = dict(own.chat.encode(prompts, [own.chat.render(prompt, prompt.text) for prompt in prompts]))
    letters = [words(f"\n({letter}")["input_ids"][-1] for letter in "ABCDA"]
    answers = torch.tensor([[letter, words.eos_token_id] for letter in letters])
    read = inputs["input_ids"].shape[1]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], answers], 1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(answers)], 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(25):
        logits = model(**inputs).logits[:, read - 1 : -1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), answers.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def theirs(checkpoint: Path) -> Iterator[Any]:
    """The checkpoint through lmms-eval."""
    model: Any = load_model("lmms-eval:qwen2_vl", checkpoint=str(checkpoint), python=PYTHON, short_side=SIZE[0])
    yield model
    model.close()


def ours(checkpoint: Path, **options: object) -> Any:
    """The checkpoint through transformers."""
    return load_model("hf", checkpoint=str(checkpoint), device="cpu", short_side=SIZE[0], **options)


def pixels(model: Any, prompt: Any) -> str:
    """Hash of what our own adapter hands to the model's first layer."""
    inputs = model.chat.encode([prompt], [model.chat.render(prompt, prompt.text)])
    return sha256(inputs["pixel_values_videos"].numpy().tobytes()).hexdigest()


def run(model: Model, kitchen: Kitchen, out: Path) -> Result:
    return evaluate(model, [kitchen.sample_set], kitchen.videos, out, Settings(frames=16))


def predictions(result: Result) -> dict[tuple[str, str], dict[str, Any]]:
    """What was answered, by part and sample."""
    files = sorted((result.path / "predictions").iterdir())
    rows = [(file.name, json.loads(line)) for file in files for line in file.read_text().splitlines()]
    return {(name, row["id"]): row for name, row in rows}


def test_what_was_found_out_when_it_was_loaded(theirs: Any, checkpoint: Path) -> None:
    assert theirs.info.name == "lmms-eval-qwen2_vl-tiny-qwen2-vl"
    assert theirs.info.revision.startswith("0.7")
    assert theirs.info.weights == ours(checkpoint).info.weights
    assert theirs.info.dtype == "float32"
    found = theirs.info.settings
    assert (found["interface"], found["system_as"], found["frames_as"]) == ("simple", "argument", "max_num_frames")
    # It takes two frames a second of any clip: one of 16 frames in half a second would lose twelve of them.
    assert (found["clip_rate"], found["proof"]) == ("1 a second", "pixels")
    assert not isinstance(theirs, ScoresOptions)


def test_the_same_pixels_tokens_and_replies(theirs: Any, checkpoint: Path, tmp_path: Path) -> None:
    own = ours(checkpoint, rope_fix="no")
    for seed, system in enumerate(SYSTEM.values()):
        prompt = replace(ask(seed=seed, size=SIZE, count=16, question=f"What is cut first, {seed}?"), system=system)
        clip = read_clip(write_clip(prompt.frames, prompt.times, tmp_path / f"{seed}.mp4"))
        assert np.array_equal(clip, prompt.frames)
        told = theirs.route.ask(theirs.worker, prompt, "generate")
        # 8 steps of 2 frames, 6 x 8 patches of 14 x 14 pixels each.
        assert told["pixels"]["frames"] == 16
        assert told["pixels"]["shapes"] == [[8 * 6 * 8, 3, 2, 14, 14]]
        assert told["pixels"]["sha256"] == pixels(own, prompt)
        (mine,), (other,) = own.generate([prompt]), theirs.generate([prompt])
        assert (mine.text, mine.prompt_tokens) == (other.text, other.prompt_tokens)
        assert mine.reply_tokens == other.reply_tokens


def test_an_odd_number_of_frames_is_filled_up_as_our_adapter_does(theirs: Any, checkpoint: Path) -> None:
    own, prompt = ours(checkpoint, rope_fix="no"), ask(size=SIZE, count=7)
    told = theirs.route.ask(theirs.worker, prompt, "generate")
    assert told["pixels"]["frames"] == 8
    assert told["pixels"]["sha256"] == pixels(own, prompt)


def test_a_run_has_the_same_replies_and_scores(theirs: Any, checkpoint: Path, kitchen: Kitchen, tmp_path: Path) -> None:
    mine = run(ours(checkpoint, rope_fix="no"), kitchen, tmp_path / "ours")
    other = run(theirs, kitchen, tmp_path / "theirs")
    left, right = predictions(mine), predictions(other)
    assert left.keys() == right.keys()
    for name, prediction in left.items():
        same = ("reply", "outcome", "choice", "scores", "receipt", "prompt_tokens", "reply_tokens")
        assert {key: prediction[key] for key in same} == {key: right[name][key] for key in same}
    # Not for want of answers: the letters that were learnt come back; one of the six videos is missing.
    assert sorted(p["choice"] for p in left.values() if p["choice"] is not None) == [0, 0, 1, 2, 3]
    values = [{key: entry["value"] for key, entry in result.scores.items()} for result in (mine, other)]
    assert values[0] == values[1]


def test_where_text_begins_after_a_video_makes_a_difference(theirs: Any, checkpoint: Path) -> None:
    # lmms-eval has transformers' positions; our adapter mends them unless told not to.
    prompts = [ask(seed=seed, size=SIZE, question=f"Which way, {seed}?") for seed in range(6)]
    mended = [reply.text for reply in ours(checkpoint).generate(prompts)]
    assert mended != [reply.text for reply in theirs.generate(prompts)]


def test_who_resizes_makes_a_difference(theirs: Any, checkpoint: Path) -> None:
    # Not whole patches: qwen-vl-utils resizes there, transformers here, and they round differently.
    own, prompt = ours(checkpoint, rope_fix="no"), ask(size=(90, 120))
    told = theirs.route.ask(theirs.worker, prompt, "generate")
    assert told["pixels"]["shapes"] == [[8 * 6 * 8, 3, 2, 14, 14]]
    assert told["pixels"]["sha256"] != pixels(own, prompt)


def test_a_blind_prompt_has_the_same_reply(theirs: Any, checkpoint: Path) -> None:
    prompt = ask(count=0)
    (mine,), (other,) = ours(checkpoint).generate([prompt]), theirs.generate([prompt])
    assert (mine.text, mine.prompt_tokens) == (other.text, other.prompt_tokens)


@pytest.mark.parametrize("name", ["clip.MP4", "missing.mp4", "broken.mp4"])
def test_a_video_that_it_drops_without_a_word_is_noticed(name: str, theirs: Any, tmp_path: Path) -> None:
    prompt, path = ask(size=SIZE), tmp_path / name
    if name == "clip.MP4":
        shutil.move(write_clip(prompt.frames, prompt.times, tmp_path / "clip.mp4"), path)
    elif name == "broken.mp4":
        path.write_bytes(b"\0" * 3000)
    request = {"system": prompt.system, "text": prompt.text, "max_new_tokens": 5, "seed": 0, "system_as": "argument"}
    told = theirs.worker.ask(do="generate", clip=str(path), frames=16, **request)
    blind = theirs.worker.ask(do="generate", clip="", frames=0, **request)
    # It answers what it answers blind.
    assert told["text"] == blind["text"]
    assert told["prompt_tokens"] == blind["prompt_tokens"]
    assert "did not reach" in theirs.route.problem(told, 16)


@pytest.mark.parametrize(("family", "interface"), [("qwen2_5_vl", "auto"), ("qwen3_vl", "simple")])
def test_other_models_of_its_are_reached_with_true_times(family: str, interface: str, tmp_path: Path) -> None:
    from tests.models import tiny_qwen

    folder = getattr(tiny_qwen, family)(tmp_path / family)
    model: Any = load_model(f"lmms-eval:{family}", checkpoint=str(folder), python=PYTHON, interface=interface)
    found = model.info.settings
    assert (found["interface"], found["proof"]) == ("chat" if interface == "auto" else "simple", "pixels")
    assert found["clip_rate"] == "true"
    seen, blind = model.generate([ask(size=SIZE), ask(count=0)])
    assert seen.error is None
    assert seen.prompt_tokens > blind.prompt_tokens
    model.close()
