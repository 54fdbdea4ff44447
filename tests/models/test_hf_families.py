"""The transformers adapter on a tiny random checkpoint of every family's real class: what has to hold for all alike."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from egobench.errors import ModelError, PromptError
from egobench.prompts import LETTERS, SYSTEM, user_turn
from tests.models.hf_asking import FAMILIES, VIDEO, Checkpoint, blackened, encoded, full_forward, load, words
from tests.models.prompts import OPTIONS, QUESTION, ask

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

# Frames of 56 x 84 pixels. Qwen's grids are steps of two frames, then rows and columns of patches of 14 or 16 pixels,
# VideoLLaMA3's are frames; the others keep the frames of each clip apart, or in one row with their number beside it.
SEEN: dict[str, dict[str, Any]] = {
    "qwen2-vl": {"video_grid_thw": [[8, 2, 4]]},
    "qwen2.5-vl": {"video_grid_thw": [[8, 2, 4]]},
    "qwen3-vl": {"video_grid_thw": [[8, 4, 6]]},
    "qwen3.5": {"video_grid_thw": [[8, 4, 6]]},
    "videollama3": {"video_grid_thw": [[16, 2, 4]]},
    "llava-onevision": {"pixel_values_videos": (1, 16, 3, 56, 56)},
    "internvl": {"pixel_values": (16, 3, 56, 56)},
    "smolvlm": {"pixel_values": (1, 16, 3, 56, 56)},
    "video-llava": {"pixel_values_videos": (1, 16, 3, 56, 56)},
    "llava-next-video": {"pixel_values_videos": (1, 16, 3, 56, 56)},
    "gemma4": {"num_frames_per_video": [16]},
    "gemma3": {"pixel_values": (16, 3, 56, 56)},
}
WITHOUT_NAME = ("video-llava", "llava-next-video")
"""Families whose templates put a system prompt before the turns without naming a role."""


def seen(inputs: Any, key: str) -> Any:
    """Numbers of a grid or of frames, the shape of pixels."""
    return tuple(inputs[key].shape) if key.startswith("pixel") else inputs[key].tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_sixteen_frames_in_are_sixteen_frames_used(family: str, checkpoint: Checkpoint) -> None:
    inputs = encoded(load(checkpoint(family)), ask(count=16))
    assert {key: seen(inputs, key) for key in SEEN[family]} == SEEN[family]


@pytest.mark.parametrize("family", VIDEO)
def test_a_checkpoint_that_samples_frames_by_itself_still_gets_them_all(
    family: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint(family), tmp_path / "sampling"))
    path = folder / "processor_config.json"
    config = json.loads(path.read_text())
    config["video_processor"] |= {"do_sample_frames": True, "num_frames": 4}
    path.write_text(json.dumps(config))
    adapter = load(folder)
    assert adapter.chat.processor.video_processor.do_sample_frames is True
    inputs = encoded(adapter, ask(count=16))
    assert {key: seen(inputs, key) for key in SEEN[family]} == SEEN[family]


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


def test_a_clip_that_stands_still_answers_in_a_batch_as_alone(checkpoint: Checkpoint) -> None:
    # VideoLLaMA3 leaves out patches that look as in the frame before, all but one of a frame: of 2 tokens a frame the
    # first frame's are left, and one of each other.
    adapter, moving = load(checkpoint("videollama3")), ask(seed=1)
    still = replace(moving, frames=np.repeat(moving.frames[:1], 16, axis=0))
    counts = [words(adapter, prompt).count("<|video_pad|>") for prompt in (moving, still)]
    assert counts == [32, 2 + 15]
    assert adapter.generate([moving, still]) == [adapter.generate([prompt])[0] for prompt in (moving, still)]
    (scores,) = adapter.score_options([still], "letter")
    assert scores.logprobs[1] == pytest.approx(full_forward(adapter, encoded(adapter, still, "(B"), 1), abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_letters_are_scored_as_full_forwards_score_them(family: str, checkpoint: Checkpoint) -> None:
    adapter, prompt = load(checkpoint(family)), ask()
    (scores,) = adapter.score_options([prompt], "letter")
    for letter, found, tokens in zip(LETTERS, scores.logprobs, scores.tokens, strict=False):
        # "(A" is one token of the tiny tokenizers, as of Qwen's; behind a blank "A" is.
        assert tokens == 1
        assert found == pytest.approx(full_forward(adapter, encoded(adapter, prompt, f"({letter}"), 1), abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_are_scored_as_full_forwards_score_them(family: str, checkpoint: Checkpoint) -> None:
    # More options than go through the model at once, and of one to many tokens.
    options = (*OPTIONS, "the", "knife and fork and fridge", "tap", "C opens", "the red", "onion", "Answer")
    adapter, prompt = load(checkpoint(family)), ask(options=options)
    (scores,) = adapter.score_options([prompt], "text")
    assert min(scores.tokens) == 1 < max(scores.tokens)
    for option, found, tokens in zip(options, scores.logprobs, scores.tokens, strict=True):
        inputs = encoded(adapter, prompt, option, text=user_turn(QUESTION, ()))
        written = adapter.chat.processor.tokenizer.decode(inputs["input_ids"][0, -tokens:])
        assert written.strip() == option
        assert found == pytest.approx(full_forward(adapter, inputs, tokens), abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_blind_prompt_has_no_place_for_a_video(family: str, checkpoint: Checkpoint) -> None:
    adapter, prompt = load(checkpoint(family)), ask(count=0)
    inputs = encoded(adapter, prompt)
    assert not {"pixel_values", "pixel_values_videos", "video_grid_thw"} & set(inputs)
    between = adapter.chat.render(prompt, prompt.text).partition(prompt.system)[2].partition(prompt.text)[0]
    # Signs of turns at most.
    turns = r"(<\|im_end\|>\n<\|im_start\|>user\n|<end_of_utterance>\nUser: | USER: |\n)"
    assert re.fullmatch(turns, between)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_blind_prompt_scores_the_same_after_a_video(family: str, checkpoint: Checkpoint) -> None:
    # Qwen's models keep the position shift of the last video (rope_deltas) from one call to the next.
    adapter, blind = load(checkpoint(family)), ask(count=0)
    alone, _, after = adapter.score_options([blind, ask(count=16), blind], "text")
    assert alone == after


@pytest.mark.parametrize("family", FAMILIES)
def test_the_system_prompt_and_the_turn_reach_the_model(family: str, checkpoint: Checkpoint) -> None:
    adapter, prompt = load(checkpoint(family)), ask()
    read = words(adapter, prompt)
    assert read.index(SYSTEM["base"]) < read.index(prompt.text)
    # Gemma 3's template here refuses a system role: its text opens the user's turn.
    assert adapter.info.settings["system_as"] == ("user" if family == "gemma3" else "system")
    assert ("system" in read.lower()) is (family not in {"gemma3", *WITHOUT_NAME})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_checkpoint_gives_the_same_numbers(family: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    first = load(checkpoint(family))
    folder = tmp_path / family
    first.model.save_pretrained(folder)
    first.chat.processor.save_pretrained(folder)
    second, prompts = load(folder), [ask()]
    assert replace(second.info, weights=first.info.weights) == first.info
    assert second.score_options(prompts, "text") == first.score_options(prompts, "text")
    assert second.generate(prompts) == first.generate(prompts)


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


@pytest.mark.parametrize(
    ("family", "pattern", "wanted"),
    [
        # Qwen writes the mean of a step's two frames: 0 and 65 s, 130 and 195 s, then 260 s twice (filled up).
        ("qwen3-vl", r"<([\d.]+) seconds>", ["32.5", "162.5", "260.0"]),
        ("qwen3.5", r"<([\d.]+) seconds>", ["32.5", "162.5", "260.0"]),
        ("videollama3", r"Time ([\d.]+)s:", ["0.0", "65.0", "130.0", "195.0", "260.0"]),
        ("smolvlm", r"Frame from ([\d:]+):", ["00:00", "01:05", "02:10", "03:15", "04:20"]),
        ("gemma4", r"(\d\d:\d\d) ", ["00:00", "01:05", "02:10", "03:15", "04:20"]),
    ],
)
def test_timestamps_are_those_of_the_frames_from_the_first_on(
    family: str, pattern: str, wanted: list[str], checkpoint: Checkpoint
) -> None:
    # A clip from the middle of a long file reads as the same clip cut out.
    adapter = load(checkpoint(family))
    for start in (0.0, 1234.5):
        assert re.findall(pattern, words(adapter, ask(count=5, spacing=65.0, start=start))) == wanted


@pytest.mark.parametrize("family", VIDEO)
def test_a_single_frame_is_shown(family: str, checkpoint: Checkpoint) -> None:
    # Qwen3-VL's processor refuses a video of fewer frames than make a step in time; Qwen2-VL's repeats the last.
    adapter, prompt = load(checkpoint(family)), ask(count=1)
    black = replace(prompt, frames=blackened(prompt.frames, 0))
    plain, changed = adapter.score_options([prompt, black], "letter")
    assert plain != changed
    inputs = encoded(adapter, prompt)
    if "video_grid_thw" in inputs:
        assert inputs["video_grid_thw"][0, 0] == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_words_that_stand_for_frames_are_refused_one_by_one(family: str, checkpoint: Checkpoint) -> None:
    adapter = load(checkpoint(family))
    kind = "image" if family == "gemma3" else "video"
    sign = getattr(adapter.chat.processor, f"{kind}_token")
    with pytest.raises(
        PromptError, match=f"the words hold '{re.escape(sign)}', which stands for frames in its prompts"
    ):
        adapter.generate([ask(question=f"What is {sign}?")])


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
