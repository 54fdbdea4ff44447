"""VideoLLaMA2 on tiny random checkpoints in the published layout."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import ModelError, ModelOptionError
from egobench.evaluate import evaluate
from egobench.model import FramePolicy, Prompt
from egobench.plugins import load_model
from egobench.prompts import LETTERS, SYSTEM, user_turn
from egobench.run.spec import Settings
from tests.conftest import Navigation
from tests.models.prompts import OPTIONS, QUESTION, ask

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

CHATML = (
    "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)
LLAMA = (
    "{% for m in messages %}{% if m['role'] == 'system' %}<s>[INST] {{ m['content'] }}\n{% else %}"
    "{{ m['content'] }} [/INST]{% endif %}{% endfor %}"
)
DROPPING = (
    "{% for m in messages %}{% if m['role'] == 'user' %}<s>[INST] {{ m['content'] }} [/INST]{% endif %}{% endfor %}"
)
RELEASES = {"2": "", "2.1": CHATML}
Tiny = Callable[[str], Path]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The folder of a tiny checkpoint by its release."""
    from tests.reference_exo2ego.published_layout import tiny_checkpoint

    @cache
    def made(release: Any) -> Path:
        return tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "videollama2", release, template=RELEASES[release])

    return made


def load(folder: Path, **options: object) -> Any:
    """The adapter; tests look at its ``language`` and ``reader`` too."""
    return load_model("videollama2", checkpoint=str(folder), **options)


def with_template(tiny: Tiny, folder: Path, template: str) -> Path:
    """A copy of the checkpoint on Mistral with a chat template."""
    copy = Path(shutil.copytree(tiny("2"), folder))
    (copy / "chat_template.jinja").write_text(template)
    return copy


def written(adapter: Any, prompt: Prompt, purpose: str = "reply") -> str:
    """The prompt as the model reads it, the clip marked."""
    turn = adapter.frontend.prompt_parts(prompt, purpose)
    return f"{turn.before}<clip>{turn.after}" if len(prompt.frames) else turn.after


def full_forwards(adapter: Any, prompt: Prompt, purpose: str, answers: Sequence[str]) -> list[tuple[float, int]]:
    """Log-probability of each answer in a pass of its own, without a cache; its tokens, from where any text differs."""
    turn = adapter.frontend.prompt_parts(prompt, purpose)
    texts = [adapter.tokens(turn.after + answer) for answer in ("", *answers)]
    shared = next(place for place, column in enumerate(zip_longest(*texts)) if len(set(column)) > 1)
    scores: list[tuple[float, int]] = []
    for full in texts[1:]:
        with torch.inference_mode():
            embeds = adapter.embed(prompt, adapter.tokens(turn.before), full)
            logprobs = torch.log_softmax(adapter.language(inputs_embeds=embeds).logits[0].float(), -1)
        count = len(full) - shared
        total = sum(float(logprobs[-1 - count + place, full[shared + place]]) for place in range(count))
        scores.append((total, count))
    return scores


@pytest.mark.parametrize("release", RELEASES)
def test_each_of_sixteen_frames_changes_the_scores(release: str, tiny: Tiny) -> None:
    adapter, prompt = load(tiny(release)), ask(count=16)
    # 9 steps of 3 x 3 tokens with borders around 4 x 4 patches, 8 steps of 2 x 2 without.
    assert adapter.frontend.encode_frames(prompt).shape == ({"2": 81, "2.1": 32}[release], 32)
    black: list[Prompt] = []
    for frame in range(16):
        frames = prompt.frames.copy()
        frames[frame] = 0
        black.append(replace(prompt, frames=frames))
    plain, *changed = adapter.score_options([prompt, *black], "letter")
    assert all(scores.logprobs != plain.logprobs for scores in changed)


@pytest.mark.parametrize("release", RELEASES)
def test_a_batch_answers_as_singles_do(release: str, tiny: Tiny) -> None:
    adapter = load(tiny(release))
    prompts = [
        ask(seed=1),
        ask(seed=2, question="What?", options=OPTIONS[:2]),
        ask(count=0),
        ask(seed=3, size=(84, 56), count=7),
        replace(ask(seed=4, options=()), max_new_tokens=3),
    ]
    assert adapter.generate(prompts) == [adapter.generate([prompt])[0] for prompt in prompts]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("own", ["harness", "own"])
@pytest.mark.parametrize("count", [16, 0])
def test_cached_scores_are_those_of_full_forwards(release: str, own: str, count: int, tiny: Tiny) -> None:
    options = (*OPTIONS, "the", "knife and fork and fridge", "tap", "C opens", "the red", "onion")
    adapter, prompt = load(tiny(release), prompt=own), ask(options=options, count=count)
    (letters,), (texts,) = (adapter.score_options([prompt], form) for form in ("letter", "text"))
    # After a line's end an option stands as it is, after [/INST] behind a blank.
    gap = " " if release == "2" else ""
    for form, scores, answers in (
        ("letter", letters, LETTERS[: len(options)]),
        ("text", texts, [gap + option for option in options]),
    ):
        wanted = full_forwards(adapter, prompt, form, answers)
        assert scores.tokens == tuple(count for _, count in wanted)
        assert scores.logprobs == pytest.approx([total for total, _ in wanted], abs=1e-5)


@pytest.mark.parametrize("release", RELEASES)
def test_generation_is_what_full_forwards_would_choose(release: str, tiny: Tiny) -> None:
    adapter, prompt = load(tiny(release)), ask()
    turn = adapter.frontend.prompt_parts(prompt, "reply")
    before, after = adapter.tokens(turn.before), adapter.tokens(turn.after)
    chosen: list[int] = []
    while len(chosen) < prompt.max_new_tokens and adapter.tokenizer.eos_token_id not in chosen:
        with torch.inference_mode():
            embeds = adapter.embed(prompt, before, after + chosen)
            chosen.append(int(adapter.language(inputs_embeds=embeds).logits[0, -1].argmax()))
    (reply,) = adapter.generate([prompt])
    assert reply.text == adapter.tokenizer.decode(chosen, skip_special_tokens=True).strip()
    features = {"2": 81, "2.1": 32}[release]
    assert (reply.prompt_tokens, reply.reply_tokens) == (len(before) + features + len(after), len(chosen))


def test_a_checkpoint_without_a_template_gets_the_releases_fixed_prompt(tiny: Tiny) -> None:
    adapter = load(tiny("2"))
    text = user_turn(QUESTION, OPTIONS)
    assert written(adapter, ask()) == f"<s>[INST] <<SYS>>\n{SYSTEM['base']}\n<</SYS>>\n\n<clip>\n{text} [/INST]"
    assert written(adapter, ask(count=0)) == f"<s>[INST] <<SYS>>\n{SYSTEM['base']}\n<</SYS>>\n\n{text} [/INST]"
    assert written(adapter, ask(), "letter").endswith(f"{text} [/INST] (")
    assert written(adapter, ask(), "text").endswith(f"<clip>\n{user_turn(QUESTION, ())} [/INST]")
    assert adapter.info.settings["system_as"] == "fixed"


def test_the_checkpoints_own_template_is_used(tiny: Tiny, tmp_path: Path) -> None:
    system, text = SYSTEM["base"], user_turn(QUESTION, OPTIONS)
    qwen = load(tiny("2.1"))
    assert written(qwen, ask()) == f"<s>system\n{system}</s>\n<s>user\n<clip>\n{text}</s>\n<s>assistant\n"
    llama = load(with_template(tiny, tmp_path / "llama", LLAMA))
    assert written(llama, ask()) == f"<s>[INST] <<SYS>>\n{system}\n<</SYS>>\n<clip>\n{text} [/INST]"
    dropping = load(with_template(tiny, tmp_path / "dropping", DROPPING))
    assert written(dropping, ask()) == f"<s>[INST] <clip>\n{system}\n{text} [/INST]"
    assert [each.info.settings["system_as"] for each in (qwen, llama, dropping)] == ["system", "system", "user"]
    assert len({each.info.settings["chat_template"] for each in (qwen, llama, dropping)}) == 3


def test_the_releases_own_prompt_is_put_word_for_word(tiny: Tiny, tmp_path: Path) -> None:
    # videollama2/eval/inference_video_mcqa_egoschema.py and videollama2/__init__.py of the official repository.
    options = "(A) an onion\n(B) the red mug\n(C) a slice of bread\n(D) nothing"
    first = "Select the best answer to the following multiple-choice question based on the video."
    last = (
        "Answer with the option's letter from the given choices directly and only give the best option. "
        "The best answer is: "
    )
    question = f"{first}\n{QUESTION}\nOptions:\n{options}\n{last}"
    mistral = written(load(tiny("2"), prompt="own"), ask())
    assert mistral.startswith("<s>[INST] <<SYS>>\nYou are a helpful, respectful and honest assistant.")
    assert mistral.endswith(f"don't share false information.\n<</SYS>>\n\n<clip>\n{question} [/INST]")
    assert written(load(tiny("2.1"), prompt="own"), ask()) == f"<s>user\n<clip>\n{question}</s>\n<s>assistant\n"
    dropping = load(with_template(tiny, tmp_path / "dropping", DROPPING), prompt="own")
    assert written(dropping, ask()) == f"<s>[INST] <clip>\n{question} [/INST]"
    assert written(dropping, ask(), "text") == f"<s>[INST] <clip>\n{QUESTION} [/INST]"


def test_a_template_that_cannot_put_a_question_is_a_clear_error(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="leaves the question out"):
        load(with_template(tiny, tmp_path / "empty", "{{ bos_token }}"))
    plain = Path(shutil.copytree(tiny("2.1"), tmp_path / "plain"))
    (plain / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="no chat template; expected one"):
        load(plain)


def test_as_many_frames_are_asked_for_as_the_checkpoint_was_trained_with(tiny: Tiny, tmp_path: Path) -> None:
    eight = Path(shutil.copytree(tiny("2"), tmp_path / "eight"))
    config = json.loads((eight / "config.json").read_text())
    (eight / "config.json").write_text(json.dumps(config | {"num_frames": 8}))
    assert load(tiny("2")).info.frames == FramePolicy(count=16, short_side=56)
    assert load(eight).info.frames.count == 8
    assert load(eight, frames=4).info.frames.count == 4


def test_a_single_frame_is_shown_as_often_as_there_would_be_frames(tiny: Tiny) -> None:
    adapter, prompt = load(tiny("2")), ask(count=1)
    repeated = replace(prompt, frames=prompt.frames.repeat(16, axis=0))
    assert torch.equal(adapter.frontend.encode_frames(prompt), adapter.frontend.encode_frames(repeated))


def test_all_of_a_wide_frame_is_shown_when_asked(tiny: Tiny) -> None:
    prompt = ask(size=(56, 112))
    frames = prompt.frames.copy()
    frames[:, :, :20] = 0
    changed = replace(prompt, frames=frames)
    for fit, same in (("crop", True), ("pad", False)):
        adapter = load(tiny("2"), fit=fit)
        assert torch.equal(adapter.frontend.encode_frames(prompt), adapter.frontend.encode_frames(changed)) is same
        assert adapter.info.settings["fit"] == fit


def test_a_base_checkpoint_answers_as_the_whole_one(tiny: Tiny, tmp_path: Path) -> None:
    from tests.reference_exo2ego.published_layout import tiny_checkpoint

    whole, base = load(tiny("2")), load(tiny_checkpoint(tmp_path / "videollama2", base=True))
    assert base.score_options([ask()], "text") == whole.score_options([ask()], "text")
    moved = tmp_path / "moved"
    (tmp_path / "videollama2" / "language").rename(moved)
    with pytest.raises(ModelError, match="no such folder"):
        load(tmp_path / "videollama2")
    assert load(tmp_path / "videollama2", language=str(moved)).info == base.info


def test_the_run_records_what_changes_answers(tiny: Tiny) -> None:
    info = load(tiny("2"), revision="first").info
    assert (info.name, info.revision, info.dtype) == ("videollama2", "first", "float32")
    assert info.weights.startswith("sha256:")
    assert info.settings["prompt"] == "harness"
    assert load(tiny("2"), dtype="bfloat16").info.dtype == "bfloat16"


def test_bfloat16_answers(tiny: Tiny) -> None:
    adapter = load(tiny("2"), dtype="bfloat16")
    exact = load(tiny("2")).score_options([ask()], "letter")[0].logprobs
    assert adapter.score_options([ask()], "letter")[0].logprobs == pytest.approx(exact, abs=1.0)
    assert {parameter.dtype for parameter in adapter.frontend.model.parameters()} == {torch.bfloat16}


def test_a_prompt_longer_than_the_model_reads_is_a_clear_error(tiny: Tiny) -> None:
    adapter = load(tiny("2"))
    long = ask(question="What does the wearer do? " * 2000)
    with pytest.raises(ModelError, match=r"reads 4096 tokens; prompt and answer need \d{5}"):
        adapter.generate([long])
    with pytest.raises(ModelError, match="reads 4096 tokens"):
        adapter.score_options([ask(options=("an onion " * 3000, "a mug"))], "text")


def test_a_run_from_video_files_answers_every_sample(tiny: Tiny, navigation: Navigation) -> None:
    settings = Settings(method="likelihood-letter", batch_size=5)
    result = evaluate(load(tiny("2")), [navigation.sample_set], navigation.videos, navigation.root / "runs", settings)
    rows = [json.loads(row) for path in result.path.glob("predictions/*") for row in path.read_text().splitlines()]
    assert [(row["outcome"], len(row["scores"]), len(row["receipt"]["times"])) for row in rows] == [
        ("answered", 4, 16)
    ] * 12


def test_what_cannot_be_loaded_is_a_clear_error(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        load(tmp_path / "nothing")
    with pytest.raises(ModelError, match=r"config\.json: cannot be read"):
        load(tmp_path)
    with pytest.raises(ModelError, match="device 'nonsense': "):
        load(tiny("2"), device="nonsense")
    with pytest.raises(ModelOptionError, match=r"option 'fit': .*'crop' or 'pad'"):
        load(tiny("2"), fit="stretch")
    wordless = Path(shutil.copytree(tiny("2"), tmp_path / "wordless"))
    for file in wordless.glob("token*"):
        file.unlink()
    with pytest.raises(ModelError, match="no tokenizer that transformers loads"):
        load(wordless)


@pytest.mark.parametrize("trapped", ["mm_projector.bin", "language/pytorch_model.bin", "tower-clip/pytorch_model.bin"])
def test_a_pickle_that_holds_code_is_refused_and_not_run(trapped: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from tests.reference_exo2ego.published_layout import tiny_checkpoint

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "made"),)

    folder = tiny_checkpoint(tmp_path / "videollama2", base=True)
    file = folder / trapped
    tensors = load_file(file.with_name("model.safetensors")) if file.name.startswith("pytorch") else torch.load(file)
    torch.save(tensors, file)
    if file.name.startswith("pytorch"):
        file.with_name("model.safetensors").unlink()
    assert len(load(folder).generate([ask()])) == 1
    torch.save(tensors | {"trap": Trap()}, file)
    with pytest.raises(
        ModelError, match=rf"{trapped}: refused, for it holds more than tensors, .*mkdir, and may run code"
    ):
        load(folder)
    assert not (tmp_path / "made").exists()


def test_another_form_of_the_release_is_told_from_a_broken_one(tiny: Tiny, tmp_path: Path) -> None:
    for name in ("adapter_config.json", "non_lora_trainables.bin"):
        folder = Path(shutil.copytree(tiny("2"), tmp_path / name))
        (folder / name).write_text("{}")
        with pytest.raises(
            ModelError, match=rf"low-rank changes of a checkpoint \({name}\), not all .*; supported are"
        ):
            load(folder)
    mixtral = Path(shutil.copytree(tiny("2"), tmp_path / "mixtral"))
    config = json.loads((mixtral / "config.json").read_text())
    (mixtral / "config.json").write_text(json.dumps(config | {"model_type": "videollama2_mixtral"}))
    with pytest.raises(ModelError, match="a VideoLLaMA2 of type 'videollama2_mixtral'; supported are VideoLLaMA2-7B, "):
        load(mixtral)


def test_transformers_has_nothing_to_warn_of(tiny: Tiny, caplog: pytest.LogCaptureFixture) -> None:
    from transformers.utils import logging

    logging.enable_propagation()
    try:
        load(tiny("2"))
        load(tiny("2.1"))
    finally:
        logging.disable_propagation()
    assert [record.message for record in caplog.records if record.name.startswith("transformers")] == []


def test_a_part_of_mvbench_is_asked_in_the_words_of_its_own_script(tiny: Tiny) -> None:
    # videollama2/eval/inference_video_mcqa_mvbench.py of the official repository.
    options = "(A) an onion\n(B) the red mug\n(C) a slice of bread\n(D) nothing"
    last = "Answer with the option's letter from the given choices directly and only give the best option."
    adapter = load(tiny("2.1"), prompt="own")
    read = written(adapter, replace(ask(), task="vln-qa"))
    assert read == f"<s>user\n<clip>\nQuestion: {QUESTION}\nOptions:\n{options}\n{last}</s>\n<s>assistant\n"
    assert "Select the best answer" in written(adapter, replace(ask(), task="egoschema"))
    assert str(adapter.info.settings["prompt"]).startswith("own ")
