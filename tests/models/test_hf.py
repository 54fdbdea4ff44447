"""The transformers adapter on tiny random checkpoints of the real classes, loaded through ``from_pretrained``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from egobench.asking import Settings
from egobench.errors import ModelError, ModelOptionError
from egobench.evaluate import evaluate
from egobench.model import FramePolicy, Prompt
from egobench.plugins import load_model
from egobench.prompts import LETTERS, SYSTEM, user_turn
from tests.conftest import Navigation
from tests.models.prompts import OPTIONS, QUESTION, ask

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

Checkpoint = Callable[[str], Path]
VIDEO = ("qwen2-vl", "qwen2.5-vl", "qwen3-vl", "llava-onevision", "internvl")
FAMILIES = (*VIDEO, "gemma3")
QWEN2 = ("qwen2-vl", "qwen2.5-vl")


def load(folder: Path, **options: object) -> Any:
    """The adapter; tests look at its ``model`` and ``chat`` too."""
    return load_model("hf", checkpoint=str(folder), **options)


def encoded(adapter: Any, prompt: Prompt, answer: str = "") -> Any:
    """What the model takes for a prompt whose answer has begun."""
    return adapter.chat.encode([prompt], [adapter.chat.render(prompt, prompt.text) + answer])


def full_forward(adapter: Any, inputs: Any, tokens: int) -> float:
    """Log-probability of the last tokens of a text, in one pass without a cache."""
    with torch.inference_mode():
        logprobs = torch.log_softmax(adapter.model(**inputs).logits[0].float(), -1)
    ids = inputs["input_ids"][0]
    return sum(float(logprobs[place - 1, ids[place]]) for place in range(len(ids) - tokens, len(ids)))


def positions(adapter: Any, inputs: Any) -> Any:
    """Time, height and width positions of every token, ``(3, tokens)``."""
    grids = {key: inputs[key] for key in ("video_grid_thw", "second_per_grid_ts") if key in inputs}
    found, _ = adapter.model.model.get_rope_index(
        inputs["input_ids"], mm_token_type_ids=inputs["mm_token_type_ids"], **grids
    )
    return found[:, 0]


def blackened(frames: np.ndarray, black: int) -> np.ndarray:
    """The frames with one of them black."""
    changed = frames.copy()
    changed[black] = 0
    return changed


@pytest.mark.parametrize("family", FAMILIES)
def test_sixteen_frames_in_are_sixteen_frames_used(family: str, checkpoint: Checkpoint) -> None:
    inputs = encoded(load(checkpoint(family)), ask(count=16))
    if family.startswith("qwen"):
        # Two frames a step: 8 steps, never the 2 that Qwen3-VL's processor would sample at 24 frames a second.
        assert inputs["video_grid_thw"][:, 0].tolist() == [8]
    elif family == "llava-onevision":
        assert inputs["pixel_values_videos"].shape[:2] == (1, 16)
    else:
        assert len(inputs["pixel_values"]) == 16


@pytest.mark.parametrize("family", FAMILIES)
def test_every_frame_changes_the_scores(family: str, checkpoint: Checkpoint) -> None:
    adapter, prompt = load(checkpoint(family)), ask(count=4)
    plain, *changed = adapter.score_options(
        [prompt] + [replace(prompt, frames=blackened(prompt.frames, frame)) for frame in range(4)], "letter"
    )
    assert all(scores.logprobs != plain.logprobs for scores in changed)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_answers_as_singles_do(family: str, checkpoint: Checkpoint) -> None:
    adapter = load(checkpoint(family))
    prompts = [
        ask(seed=1),
        ask(seed=2, question="What?", options=OPTIONS[:2]),  # shorter, so that it is padded
        ask(count=0),
        ask(seed=3, size=(84, 56)),
        ask(seed=4, options=()),
    ]
    assert adapter.generate(prompts) == [adapter.generate([prompt])[0] for prompt in prompts]


@pytest.mark.parametrize("family", FAMILIES)
def test_letters_are_scored_as_full_forwards_score_them(family: str, checkpoint: Checkpoint) -> None:
    adapter, prompt = load(checkpoint(family)), ask()
    (scores,) = adapter.score_options([prompt], "letter")
    for letter, found, tokens in zip(LETTERS, scores.logprobs, scores.tokens, strict=False):
        # "(A" is one token of the tiny tokenizers, as of Qwen's.
        assert tokens == 1
        assert found == pytest.approx(full_forward(adapter, encoded(adapter, prompt, f"({letter}"), 1), abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_are_scored_as_full_forwards_score_them(family: str, checkpoint: Checkpoint) -> None:
    # More options than go through the model at once, and of one to many tokens.
    options = (*OPTIONS, "the", "knife and fork and fridge", "tap", "C opens", "the red", "onion", "Answer")
    adapter, prompt = load(checkpoint(family)), ask(options=options)
    (scores,) = adapter.score_options([prompt], "text")
    asked = replace(prompt, text=user_turn(QUESTION, ()))
    assert min(scores.tokens) == 1 < max(scores.tokens)
    for option, found, tokens in zip(options, scores.logprobs, scores.tokens, strict=True):
        assert tokens == len(adapter.chat.processor.tokenizer(option)["input_ids"])
        assert found == pytest.approx(full_forward(adapter, encoded(adapter, asked, option), tokens), abs=1e-5)


def test_a_long_clip_is_scored_as_full_forwards_score_it(checkpoint: Checkpoint) -> None:
    # 16 frames of 180 s: Qwen2.5-VL counts its 8 steps to position 7 x 45 = 315, far beyond the tokens of the text.
    adapter, prompt = load(checkpoint("qwen2.5-vl")), ask(spacing=180 / 16)
    (scores,) = adapter.score_options([prompt], "text")
    asked = replace(prompt, text=user_turn(QUESTION, ()))
    assert positions(adapter, encoded(adapter, asked))[0].max() > 315
    for option, found, tokens in zip(OPTIONS, scores.logprobs, scores.tokens, strict=True):
        assert found == pytest.approx(full_forward(adapter, encoded(adapter, asked, option), tokens), abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_blind_prompt_has_no_place_for_a_video(family: str, checkpoint: Checkpoint) -> None:
    adapter, prompt = load(checkpoint(family)), ask(count=0)
    inputs = encoded(adapter, prompt)
    assert not {"pixel_values", "pixel_values_videos", "video_grid_thw"} & set(inputs)
    assert "<" not in adapter.chat.render(prompt, prompt.text).partition("user\n")[2].partition("Question")[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_blind_prompt_scores_the_same_after_a_video(family: str, checkpoint: Checkpoint) -> None:
    # Qwen's models keep the position shift of the last video (rope_deltas) from one call to the next.
    adapter, blind = load(checkpoint(family)), ask(count=0)
    alone, _, after = adapter.score_options([blind, ask(count=16), blind], "text")
    assert alone == after


@pytest.mark.parametrize("family", FAMILIES)
def test_the_system_prompt_and_the_turn_reach_the_model(family: str, checkpoint: Checkpoint) -> None:
    adapter, prompt = load(checkpoint(family)), ask()
    read = adapter.chat.processor.tokenizer.decode(encoded(adapter, prompt)["input_ids"][0])
    assert read.index(SYSTEM["base"]) < read.index(prompt.text)
    # Gemma 3's template here refuses a system role: its text opens the user's turn.
    assert adapter.info.settings["system_as"] == ("user" if family == "gemma3" else "system")
    assert ("system\n" in read) is (family != "gemma3")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_checkpoint_gives_the_same_numbers(family: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    first = load(checkpoint(family))
    folder = tmp_path / family
    first.model.save_pretrained(folder)
    first.chat.processor.save_pretrained(folder)
    second, prompts = load(folder), [ask()]
    assert second.info == first.info
    assert second.score_options(prompts, "text") == first.score_options(prompts, "text")
    assert second.generate(prompts) == first.generate(prompts)


@pytest.mark.parametrize(("family", "step"), [("qwen2-vl", 1), ("qwen2.5-vl", 2)])
def test_text_after_a_video_is_counted_from_the_largest_position(
    family: str, step: int, checkpoint: Checkpoint
) -> None:
    # 16 frames are 8 steps in time; Qwen2.5-VL counts 2 positions a second, and 2 frames half a second apart last one.
    adapter = load(checkpoint(family))
    inputs = encoded(adapter, ask())
    found = positions(adapter, inputs)
    places = (inputs["mm_token_type_ids"][0] == 2).nonzero()[:, 0]
    first, after = int(places[0]), int(places[-1]) + 1
    assert found[:, first - 1].tolist() == [first - 1] * 3
    assert found[0, places].unique().tolist() == [first + step * number for number in range(8)]
    assert found[:, after].tolist() == [first + step * 7 + 1] * 3
    rest = found.shape[1] - after
    assert found[:, after:].tolist() == [[first + step * 7 + 1 + number for number in range(rest)]] * 3


@pytest.mark.parametrize("family", FAMILIES)
def test_generation_is_what_full_forwards_would_choose(family: str, checkpoint: Checkpoint) -> None:
    adapter, prompt = load(checkpoint(family)), ask()
    inputs = dict(encoded(adapter, prompt))
    start = inputs["input_ids"].shape[1]
    ends = adapter.model.generation_config.eos_token_id
    for _ in range(prompt.max_new_tokens):
        with torch.inference_mode():
            chosen = adapter.model(**inputs).logits[:, -1].argmax(-1, keepdim=True)
        fill = {"input_ids": chosen, "attention_mask": torch.ones_like(chosen)}
        for key in ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids"):
            if key in inputs:
                inputs[key] = torch.cat([inputs[key], fill.get(key, torch.zeros_like(chosen))], dim=1)
        if int(chosen) in ends:
            break
    (reply,) = adapter.generate([prompt])
    written = inputs["input_ids"][0, start:]
    assert reply.text == adapter.chat.processor.tokenizer.decode(written, skip_special_tokens=True).strip()
    assert (reply.prompt_tokens, reply.reply_tokens) == (start, len(written))


def test_timestamps_are_those_of_the_frames_from_the_first_on(checkpoint: Checkpoint) -> None:
    # Qwen3-VL writes the mean of a step's two frames: 0 and 2 s, 4 and 6 s, then 8 s twice (filled up). A clip from the
    # middle of a long file reads as the same clip cut out.
    adapter = load(checkpoint("qwen3-vl"))
    for start in (0.0, 1234.5):
        inputs = encoded(adapter, ask(count=5, spacing=2.0, start=start))
        read = adapter.chat.processor.tokenizer.decode(inputs["input_ids"][0])
        assert [part.partition(" seconds>")[0] for part in read.split("<")[1:] if " seconds>" in part] == [
            "1.0",
            "5.0",
            "8.0",
        ]


def test_frames_with_one_time_and_read_only_pixels_are_taken(checkpoint: Checkpoint) -> None:
    prompt = ask(count=4, spacing=0.0)
    turned = prompt.frames[::-1]
    turned.flags.writeable = False
    for family in VIDEO:
        adapter = load(checkpoint(family))
        assert len(adapter.generate([replace(prompt, frames=turned)])) == 1


def test_a_processor_that_drops_frames_is_found_out(checkpoint: Checkpoint) -> None:
    class Halving:
        """A processor that keeps every second frame."""

        def __init__(self, processor: Any) -> None:
            self.processor = processor

        def __getattr__(self, name: str) -> Any:
            return getattr(self.processor, name)

        def __call__(self, *, videos: list[np.ndarray], **options: Any) -> Any:
            return self.processor(videos=[video[::2].copy() for video in videos], **options)

    for family in VIDEO:
        adapter = load(checkpoint(family))
        careless = replace(adapter, chat=replace(adapter.chat, processor=Halving(adapter.chat.processor)))
        with pytest.raises(ModelError, match="given 1 x 16 frames and used 8; it drops or samples them"):
            careless.generate([ask()])


@pytest.mark.parametrize("family", ["qwen2-vl", "internvl"])
def test_frames_may_be_shown_as_images(family: str, checkpoint: Checkpoint) -> None:
    adapter = load(checkpoint(family), as_images="yes")
    assert adapter.info.settings["frames_as"] == "images"
    assert load(checkpoint(family)).info.settings["frames_as"] == "video"
    one, *_ = scores = adapter.score_options([ask(count=3), ask(count=2)], "letter")
    assert one != scores[1]


def test_a_checkpoint_without_a_place_for_a_video_says_so(checkpoint: Checkpoint) -> None:
    assert load(checkpoint("gemma3")).info.settings["frames_as"] == "images"
    with pytest.raises(ModelError, match="no place for video in its chat template and processor; it takes images"):
        load(checkpoint("gemma3"), as_images="no")


def test_thinking_is_off_where_the_template_knows_it(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "thinking"))
    template = folder / "chat_template.jinja"
    closed = "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
    template.write_text(template.read_text() + "{% if add_generation_prompt %}" + closed + "{% endif %}")
    adapter, prompt = load(folder), ask()
    assert adapter.info.settings["thinking_off_by"] == "switch"
    assert adapter.chat.render(prompt, prompt.text).endswith("assistant\n<think>\n\n</think>\n\n")
    (scores,) = adapter.score_options([prompt], "letter")
    inputs = encoded(adapter, prompt, "(B")
    assert scores.logprobs[1] == pytest.approx(full_forward(adapter, inputs, scores.tokens[1]), abs=1e-5)


def test_the_run_records_what_changes_answers(checkpoint: Checkpoint) -> None:
    info = load(checkpoint("qwen2-vl"), frames=8, short_side=224, revision="step-100").info
    assert (info.name, info.revision, info.dtype) == ("qwen2-vl", "step-100", "float32")
    assert info.frames == FramePolicy(count=8, short_side=224)
    assert info.weights.startswith("sampled-sha256:")
    assert info.settings["rope_fix"] is True
    assert load(checkpoint("qwen2-vl"), rope_fix="no").info.settings["rope_fix"] is False
    assert load(checkpoint("qwen3-vl")).info.settings["rope_fix"] is False
    assert load(checkpoint("qwen2-vl"), dtype="bfloat16").info.dtype == "bfloat16"


def test_one_changed_weight_in_the_middle_changes_the_fingerprint(checkpoint: Checkpoint, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "trained"))
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][24] += 1
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    before, after = load(checkpoint("qwen2-vl")).info, load(folder).info
    assert before.weights != after.weights
    assert before.settings == after.settings


def test_sampling_and_penalties_of_a_checkpoint_are_ignored(checkpoint: Checkpoint, tmp_path: Path) -> None:
    from transformers import GenerationConfig

    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "penalised"))
    GenerationConfig(do_sample=True, temperature=5.0, repetition_penalty=9.0, eos_token_id=2).save_pretrained(folder)
    prompts = [ask(seed=seed) for seed in range(3)]
    assert load(folder).generate(prompts) == load(checkpoint("qwen2-vl")).generate(prompts)


def test_a_missing_checkpoint_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no such folder, and the Hugging Face hub does not give it .*; expected a f"):
        load(tmp_path / "nothing")
    with pytest.raises(ModelError, match="checkpoint 'nobody/no-such-model': no such folder"):
        load_model("hf", checkpoint="nobody/no-such-model")


def test_a_checkpoint_of_the_hubs_cache_is_known_by_its_commit(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--somebody--tiny-vl"
    shutil.copytree(checkpoint("qwen2-vl"), repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    info = load_model("hf", checkpoint="somebody/tiny-vl").info
    assert (info.name, info.revision) == ("tiny-vl", commit)
    assert info.weights == load(checkpoint("qwen2-vl")).info.weights


def test_a_folder_that_is_no_checkpoint_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no \*.safetensors file; expected a checkpoint"):
        load(tmp_path)


def test_a_truncated_checkpoint_is_a_clear_error(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "truncated"))
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    with pytest.raises(ModelError, match=r"not a whole safetensors file .* bytes are missing from its header"):
        load(folder)
    weights.write_bytes(whole[:-100])
    with pytest.raises(ModelError, match=r"not a whole safetensors file .bytes of tensor .* are missing"):
        load(folder)


def test_a_device_that_is_not_there_is_a_clear_error(checkpoint: Checkpoint) -> None:
    with pytest.raises(ModelError, match="device 'nonsense': "):
        load(checkpoint("qwen2-vl"), device="nonsense")
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match=r"device 'cuda:1': torch .* finds no CUDA GPU here; give -o device=cpu"):
            load(checkpoint("qwen2-vl"), device="cuda:1")


def test_missing_weights_are_never_made_up(checkpoint: Checkpoint, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "partial"))
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"1 weights of Qwen2VLForConditionalGeneration are missing, first .*up_proj"):
        load(folder)


def test_a_checkpoint_without_a_chat_template_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "plain"))
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="no chat template"):
        load(folder)


def test_a_wrong_option_lists_the_right_ones(checkpoint: Checkpoint) -> None:
    with pytest.raises(ModelOptionError, match=r"no option 'devise'.*checkpoint: str, revision: str, dtype: .*device"):
        load(checkpoint("qwen2-vl"), devise="cpu")
    with pytest.raises(ModelOptionError, match=r"option 'dtype': .*'float32'"):
        load(checkpoint("qwen2-vl"), dtype="float8")
    with pytest.raises(ModelOptionError, match="needs -o checkpoint="):
        load_model("hf")


def test_a_run_from_video_files_gives_the_same_answers_in_batches(
    checkpoint: Checkpoint, navigation: Navigation
) -> None:
    adapter = load(checkpoint("qwen2-vl"))
    answers: list[list[tuple[str, str]]] = []
    for size in (1, 5):
        settings = Settings(batch_size=size)
        result = evaluate(adapter, [navigation.sample_set], navigation.videos, navigation.root / f"{size}", settings)
        lines = [
            json.loads(line) for path in result.path.glob("predictions/*") for line in path.read_text().splitlines()
        ]
        assert len(lines) == 12
        assert all(len(line["receipt"]["times"]) == 16 for line in lines)
        answers.append(sorted((line["id"], line["reply"]) for line in lines))
    assert answers[0] == answers[1]
