"""The transformers adapter on tiny random checkpoints of the real classes, loaded through ``from_pretrained``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import ModelError
from egobench.evaluate import evaluate
from egobench.model import FramePolicy
from egobench.prompts import user_turn
from egobench.replies import read_reply
from egobench.run.spec import Settings
from tests.conftest import Navigation
from tests.models.hf_asking import Checkpoint, encoded, full_forward, load, words
from tests.models.prompts import OPTIONS, QUESTION, ask

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


def positions(adapter: Any, inputs: Any) -> Any:
    """Time, height and width positions of every token, ``(3, tokens)``."""
    grids = {key: inputs[key] for key in ("video_grid_thw", "second_per_grid_ts") if key in inputs}
    found, _ = adapter.model.model.get_rope_index(
        inputs["input_ids"], mm_token_type_ids=inputs["mm_token_type_ids"], **grids
    )
    return found[:, 0]


def test_a_long_clip_is_scored_as_full_forwards_score_it(checkpoint: Checkpoint) -> None:
    # 16 frames of 180 s: Qwen2.5-VL counts its 8 steps to position 7 x 45 = 315, far beyond the tokens of the text.
    adapter, prompt = load(checkpoint("qwen2.5-vl")), ask(spacing=180 / 16)
    (scores,) = adapter.score_options([prompt], "text")
    asked = user_turn(QUESTION, ())
    assert positions(adapter, encoded(adapter, prompt, text=asked))[0].max() > 315
    for option, found, tokens in zip(OPTIONS, scores.logprobs, scores.tokens, strict=True):
        inputs = encoded(adapter, prompt, option, text=asked)
        assert found == pytest.approx(full_forward(adapter, inputs, tokens), abs=1e-5)


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


def test_half_precision_does_not_move_a_videos_frames(checkpoint: Checkpoint) -> None:
    # 16 frames 11.37 s apart: a step of two frames lasts 22.74 s, which bfloat16 would make 22.75.
    found: list[Any] = []
    for dtype in ("float32", "bfloat16"):
        adapter = load(checkpoint("qwen2.5-vl"), dtype=dtype)
        adapter.model.model.language_model.register_forward_pre_hook(
            lambda _, __, named: found.append(named["position_ids"]), with_kwargs=True
        )
        adapter.score_options([ask(spacing=11.37)], "letter")
    assert torch.equal(*found)


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


def thinking(checkpoint: Checkpoint, folder: Path, end: str) -> Path:
    """A Qwen2-VL whose template ends in thoughts."""
    copy = Path(shutil.copytree(checkpoint("qwen2-vl"), folder))
    template = copy / "chat_template.jinja"
    template.write_text(
        template.read_text() + "{# strips </think> #}{% if add_generation_prompt %}" + end + "{% endif %}"
    )
    return copy


# How published templates end: Qwen3.5 and GLM-4.5V with a switch, Qwen3-VL-Thinking, GLM's and Kimi-VL's without one.
SWITCH = "{% if enable_thinking is defined and not enable_thinking %}OFF{% else %}ON{% endif %}"
ENDS = {
    "Qwen3.5": (SWITCH.replace("OFF", "<think>\n\n</think>\n\n").replace("ON", "<think>\n"), "switch"),
    "GLM-4.5V": (SWITCH.replace("OFF", "<think></think>").replace("ON", ""), "switch"),
    "Qwen3-VL-Thinking": ("<think>\n", "closed"),
    "GLM-4.1V-Thinking": ("<think>", "closed"),
    "Kimi-VL-Thinking": ("◁think▷", "closed"),
    "Qwen2-VL": ("", "nothing"),
}
AT_ONCE = {
    "Qwen3.5": "<think>\n\n</think>\n\n(",
    "GLM-4.5V": "<think></think>\n(",
    "Qwen3-VL-Thinking": "<think>\n\n</think>\n\n(",
    "GLM-4.1V-Thinking": "<think></think>\n(",
    "Kimi-VL-Thinking": "◁think▷◁/think▷\n(",
    "Qwen2-VL": "(",
}


@pytest.mark.parametrize("name", ENDS)
def test_letters_are_scored_behind_closed_thoughts(name: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    end, by = ENDS[name]
    for budget in (0, 5):
        adapter, prompt = load(thinking(checkpoint, tmp_path / f"{budget}", end), thinking=budget), ask()
        assert (adapter.info.settings["thinking"], adapter.info.settings["thinking_off_by"]) == (budget, by)
        assert words(adapter, prompt, "(").endswith(f"assistant\n{AT_ONCE[name]}")
        (scores,) = adapter.score_options([prompt], "letter")
        inputs = encoded(adapter, prompt, "(B")
        assert scores.logprobs[1] == pytest.approx(full_forward(adapter, inputs, scores.tokens[1]), abs=1e-5)


def test_thoughts_whose_signs_are_special_tokens_are_told_from_a_reply(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = thinking(checkpoint, tmp_path / "special", ENDS["GLM-4.5V"][0])
    adapter = load(folder, thinking=20)
    words = adapter.chat.processor.tokenizer
    assert words.add_special_tokens({"extra_special_tokens": ["<think>", "</think>", "<|pause|>"]}) == 3
    wrote = "<think>It is (A)<|pause|> or (B).</think>\nB<|im_end|><|endoftext|>"
    said = adapter.chat.decode_reply(words(wrote, add_special_tokens=False)["input_ids"])
    assert said == "<think>It is (A) or (B).</think>\nB"
    assert read_reply(said, OPTIONS).choice == 1
    assert adapter.chat.decode_reply(words("(A)<|pause|> B<|im_end|>")["input_ids"]) == "(A) B"


def test_a_model_thinks_as_long_as_it_may_before_its_reply(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder, prompt = thinking(checkpoint, tmp_path / "thinking", ENDS["Qwen3-VL-Thinking"][0]), ask()
    (short,), (long,) = (load(folder, thinking=budget).generate([prompt]) for budget in (0, 20))
    assert "think" not in short.text
    # Thoughts that never end are no reply.
    assert long.text.startswith("<think>\n")
    assert read_reply(long.text, OPTIONS).rule == "unclosed think block"
    assert (short.reply_tokens, long.reply_tokens) == (6, 26)
    with pytest.raises(ModelError, match="has no </think>, so thoughts could not be told from a reply"):
        load(checkpoint("internvl"), thinking=20)
    with pytest.raises(ModelError, match=r"thinking=-1: expected a number of tokens"):
        load(folder, thinking=-1)


@pytest.mark.parametrize(
    ("family", "wanted"),
    [("qwen2-vl", "assistant\n(A"), ("smolvlm", "Assistant: (A"), ("video-llava", "ASSISTANT: (A")],
)
def test_an_answer_stands_as_a_model_would_write_it(family: str, wanted: str, checkpoint: Checkpoint) -> None:
    adapter = load(checkpoint(family))
    assert words(adapter, ask(), "(A").endswith(wanted)
    assert words(adapter, ask()).endswith(wanted.removesuffix("(A").rstrip(" "))
    # Behind a token of the template's own nothing parts them.
    assert adapter.chat.begin(f"it{adapter.chat.processor.tokenizer.eos_token}", "(A").endswith(">(A")


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{{ messages[0]['role'] }}", "it leaves texts out"),
        ("{{ raise_exception('only one turn') }}", "only one turn"),
        ("{% for m in messages %}{{ m['content'] }}{% endfor %}", "it knows turns of text alone"),
    ],
)
def test_a_template_that_cannot_put_a_question_is_a_clear_error(
    template: str, problem: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "other"))
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(ModelError, match=rf"cannot put a system prompt and a question \({problem}"):
        load(folder)


def test_the_template_that_a_processor_puts_in_its_place_is_recorded(checkpoint: Checkpoint) -> None:
    # SmolVLM's processor has one of its own for videos: the checkpoint's knows images alone.
    video, images = (load(checkpoint("smolvlm"), as_images=answer) for answer in ("no", "yes"))
    assert video.chat.processor.chat_template == images.chat.processor.chat_template
    assert video.info.settings["chat_template"] != images.info.settings["chat_template"]


def test_the_run_records_what_changes_answers(checkpoint: Checkpoint) -> None:
    info = load(checkpoint("qwen2-vl"), frames=8, short_side=224, revision="step-100").info
    assert (info.name, info.revision, info.dtype) == ("qwen2-vl", "step-100", "float32")
    assert info.frames == FramePolicy(count=8, short_side=224)
    assert info.weights.startswith("sha256:")
    assert info.settings["rope_fix"] is True
    assert load(checkpoint("qwen2-vl"), rope_fix="no").info.settings["rope_fix"] is False
    assert load(checkpoint("qwen3-vl")).info.settings["rope_fix"] is False
    assert load(checkpoint("qwen2-vl"), dtype="bfloat16").info.dtype == "bfloat16"


def test_sampling_and_penalties_of_a_checkpoint_are_ignored(checkpoint: Checkpoint, tmp_path: Path) -> None:
    from transformers import GenerationConfig

    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "penalised"))
    GenerationConfig(do_sample=True, temperature=5.0, repetition_penalty=9.0, eos_token_id=2).save_pretrained(folder)
    prompts = [ask(seed=seed) for seed in range(3)]
    assert load(folder).generate(prompts) == load(checkpoint("qwen2-vl")).generate(prompts)


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
