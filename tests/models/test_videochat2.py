"""VideoChat2 on tiny random checkpoints in the published layout, and its names at full size on the meta device."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from egobench.errors import ModelError
from egobench.evaluate import evaluate
from egobench.model import FramePolicy, Prompt
from egobench.prompts import LETTERS, SYSTEM, user_turn
from egobench.run.spec import Settings
from tests.conftest import Navigation
from tests.models.prompts import OPTIONS, QUESTION, ask
from tests.models.videochat2_asking import load, written

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

FORMS = ("no", "yes")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.models.tiny_videochat2 import tiny_videochat2

    return tiny_videochat2(tmp_path_factory.mktemp("tiny") / "videochat2")


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


def test_the_published_file_and_the_frozen_mistral_are_all_there_is() -> None:
    # By hand: encoder 2 + 23 x 13 = 301; Q-Former 4 + 12 x 22 + 6 x 10 = 328; changes (32 x 7 + 1) x 2 = 450; norm,
    # projection and two kinds of queries 6. Mistral 32 x 9 + 3 = 291.
    import transformers

    from tests.models.tiny_videochat2 import Measures, trained_shapes

    weights: Any = import_module("egobench.models.videochat2.weights")
    visual: Any = import_module("egobench.models.videochat2.vision")
    plan = weights.Plan(
        visual.Sizes(),
        transformers.InstructBlipQFormerConfig(vocab_size=30523, encoder_hidden_size=1024),
        transformers.MistralConfig(vocab_size=32000, sliding_window=None),
    )
    trained = {name: tuple(shape) for name, shape in weights.trained_shapes(plan).items()}
    assert trained == trained_shapes(Measures())
    assert len(trained) == 301 + 328 + 450 + 6
    assert len(weights.frozen_shapes(plan)) == 291
    assert sum(math.prod(shape) for shape in weights.frozen_shapes(plan).values()) == 7_241_732_096


def test_a_clip_makes_96_tokens_at_full_size() -> None:
    import transformers

    visual: Any = import_module("egobench.models.videochat2.vision")
    with torch.device("meta"):
        config = transformers.InstructBlipQFormerConfig(vocab_size=30523, encoder_hidden_size=1024)
        seeing = visual.VisualEncoder(visual.Sizes(), transformers.InstructBlipQFormerModel(config), 4096)
        words = torch.zeros((1, 20), dtype=torch.long)
        for clips in (1, 3):
            assert seeing(torch.empty(clips, 16, 3, 224, 224), words).shape == (clips, 96, 4096)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_what_a_file_lacks_is_what_peft_does_not_train(tiny: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import MistralForCausalLM

    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"]
    base = MistralForCausalLM.from_pretrained(tiny.parent / "language")
    alone = set(base.state_dict())
    wrapped: Any = get_peft_model(base, LoraConfig(r=16, lora_alpha=32, target_modules=targets))
    trained = torch.load(tiny)["model"]
    every = {f"mistral_model.{name}".replace(".base_layer.", ".") for name in wrapped.state_dict()}
    assert every - set(trained) == {f"mistral_model.base_model.model.{name}" for name in alone}
    changes = {name.removeprefix("mistral_model."): tensor for name, tensor in trained.items() if ".lora_" in name}
    assert wrapped.load_state_dict(changes, strict=False).unexpected_keys == []
    ids = torch.arange(3, 40)[None]
    with torch.inference_mode():
        wanted, found = wrapped.eval()(input_ids=ids).logits, load(tiny).language(input_ids=ids).logits
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)


def test_the_encoder_computes_its_formulas(tiny: Path) -> None:
    # UMT (arXiv 2303.16058) in NumPy: sines stretched over time, attention of all patches, two heads of 16.
    weights = {name: tensor.double().numpy() for name, tensor in torch.load(tiny)["model"].items()}
    inside, frames, width = "vision_encoder.encoder.", 6, 32
    pixels = np.random.default_rng(0).normal(size=(frames, 3, 32, 32))
    kernel, bias = (weights[f"{inside}patch_embed.proj.{part}"] for part in ("weight", "bias"))
    cut = pixels.reshape(frames, 3, 4, 8, 4, 8)
    patches = np.einsum("fcrhqw,ochw->frqo", cut, kernel[:, :, 0]) + bias
    number, channel = np.arange(4 * 16)[:, None], np.arange(width)
    angles = number / 10000 ** (2 * (channel // 2) / width)
    table = np.where(channel % 2 == 0, np.sin(angles), np.cos(angles)).reshape(4, 16, width)
    # Linear interpolation between the middles of the old steps, ends held.
    at = np.clip((np.arange(frames) + 0.5) * 4 / frames - 0.5, 0, 3)
    low = np.minimum(at.astype(int), 2)
    part = (at - low)[:, None, None]
    values = patches.reshape(-1, width) + (table[low] * (1 - part) + table[low + 1] * part).reshape(-1, width)

    def norm(block: str, values: np.ndarray) -> np.ndarray:
        scaled = (values - values.mean(-1, keepdims=True)) / np.sqrt(values.var(-1, keepdims=True) + 1e-6)
        return np.asarray(scaled * weights[f"{block}.weight"] + weights[f"{block}.bias"])

    for depth in range(3):
        block = f"{inside}blocks.{depth}."
        mixed = norm(f"{block}norm1", values) @ weights[f"{block}attn.qkv.weight"].T
        query, key, value = np.split(mixed, 3, axis=1)
        query, value = query + weights[f"{block}attn.q_bias"], value + weights[f"{block}attn.v_bias"]
        heads: list[np.ndarray] = []
        for head in (slice(0, 16), slice(16, 32)):
            scores = np.exp(query[:, head] @ key[:, head].T / 4)
            heads.append(scores / scores.sum(1, keepdims=True) @ value[:, head])
        seen = np.concatenate(heads, axis=1)
        values = values + seen @ weights[f"{block}attn.proj.weight"].T + weights[f"{block}attn.proj.bias"]
        hidden = norm(f"{block}norm2", values) @ weights[f"{block}mlp.fc1.weight"].T + weights[f"{block}mlp.fc1.bias"]
        hidden = hidden / 2 * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2)))
        values = values + hidden @ weights[f"{block}mlp.fc2.weight"].T + weights[f"{block}mlp.fc2.bias"]
    with torch.inference_mode():
        found = load(tiny).frontend.visual.vision_encoder["encoder"](torch.tensor(pixels[None]).float())[0].numpy()
    np.testing.assert_allclose(found, values, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("tiles", FORMS)
def test_each_of_sixteen_frames_changes_the_scores(tiles: str, tiny: Path) -> None:
    adapter, prompt = load(tiny, tiles=tiles), ask(count=16)
    # 8 queries a clip; 84 x 56 pixels are nearest to 3 x 2 tiles, and the whole beside them.
    assert adapter.frontend.encode_frames(prompt).shape == ({"no": 8, "yes": 56}[tiles], 32)
    black: list[Prompt] = []
    for frame in range(16):
        frames = prompt.frames.copy()
        frames[frame] = 0
        black.append(replace(prompt, frames=frames))
    plain, *changed = adapter.score_options([prompt, *black], "letter")
    assert all(scores.logprobs != plain.logprobs for scores in changed)


def test_a_batch_answers_as_singles_do(tiny: Path) -> None:
    adapter = load(tiny)
    prompts = [
        ask(seed=1),
        ask(seed=2, question="What?", options=OPTIONS[:2]),
        ask(count=0),
        ask(seed=3, size=(84, 56), count=7),
        replace(ask(seed=4, options=()), max_new_tokens=3),
    ]
    assert adapter.generate(prompts) == [adapter.generate([prompt])[0] for prompt in prompts]


@pytest.mark.parametrize("own", ["harness", "own"])
@pytest.mark.parametrize("count", [16, 0])
def test_cached_scores_are_those_of_full_forwards(own: str, count: int, tiny: Path) -> None:
    options = (*OPTIONS, "the", "knife and fork and fridge", "tap", "C opens", "the red", "onion")
    adapter, prompt = load(tiny, prompt=own), ask(options=options, count=count)
    for form, answers in (("letter", LETTERS[: len(options)]), ("text", [f" {option}" for option in options])):
        (scores,) = adapter.score_options([prompt], form)
        wanted = full_forwards(adapter, prompt, form, answers)
        assert scores.tokens == tuple(tokens for _, tokens in wanted)
        assert scores.logprobs == pytest.approx([total for total, _ in wanted], abs=1e-5)


def test_the_harness_prompt_stands_in_the_models_form(tiny: Path) -> None:
    adapter, text = load(tiny), user_turn(QUESTION, OPTIONS)
    start = f"<s>{SYSTEM['base']}\n"
    assert written(adapter, ask()) == f"{start}[INST] <Video><clip></Video> [/INST] [INST] {text} [/INST]"
    assert written(adapter, ask(count=0)) == f"{start}[INST] {text} [/INST]"
    assert written(adapter, ask(), "letter").endswith(f"{text} [/INST] (")
    assert written(adapter, ask(), "text").endswith(f"[INST] {user_turn(QUESTION, ())} [/INST]")


def test_the_releases_own_prompt_is_put_word_for_word(tiny: Path) -> None:
    # video_chat2/mvbench.ipynb of OpenGVLab/Ask-Anything, in the turns of demo_mistral_hd.ipynb.
    system = (
        "Carefully watch the video and pay attention to the cause and sequence of events, the detail and movement of "
        "objects, and the action and pose of persons. Based on your observations, select the best option that "
        "accurately addresses the question.\n"
    )
    question = f"Question: {QUESTION}\nOptions:\n(A) an onion\n(B) the red mug\n(C) a slice of bread\n(D) nothing"
    adapter, prompt = load(tiny, prompt="own"), ask()
    turns = f"[INST] <Video><clip></Video> [/INST] [INST] {system}{question}\nOnly give the best option. [/INST]"
    wanted = f"<s>{system}{turns} Best option:("
    assert written(adapter, prompt) == written(adapter, prompt, "letter") == wanted
    assert written(adapter, prompt, "text").endswith(f"</Video> [/INST] [INST] {QUESTION} [/INST]")
    assert adapter.generate([prompt])[0].text.startswith("(")


def test_the_q_former_reads_the_system_prompt(tiny: Path) -> None:
    adapter, prompt = load(tiny), ask()
    other = replace(prompt, system="Look at the hands.")
    assert not torch.equal(adapter.frontend.encode_frames(prompt), adapter.frontend.encode_frames(other))
    # It has 40 places here; of a longer text it reads the end.
    end = " and watch the hands" * 20
    first, second = (
        adapter.frontend.encode_frames(replace(prompt, system=start + end)) for start in ("Wait", "Look, please, now")
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("height", "width", "wanted"),
    [
        (336, 597, (1, 2)),
        (336, 448, (2, 3)),
        (336, 336, (2, 2)),
        (224, 224, (1, 1)),
        (597, 336, (2, 1)),
        (224, 1344, (1, 6)),
    ],
)
def test_the_grid_is_the_nearest_in_shape(height: int, width: int, wanted: tuple[int, int]) -> None:
    # By hand: 16:9 is nearer to 2:1 (0.22) than to 3:2 (0.28), 4:3 nearer to 3:2 (0.17) than to 1:1 (0.33); a square is
    # one tile or 2 x 2, the finer grid where it has more than half of its pixels.
    adapter: Any = import_module("egobench.models.videochat2.adapter")
    assert adapter.grid(height, width, 224) == wanted


def test_tiles_are_the_parts_of_a_frame_row_by_row_and_the_whole_last() -> None:
    adapter: Any = import_module("egobench.models.videochat2.adapter")
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), dtype=np.uint8)
    found = adapter.tiles(frames, 32).numpy()
    assert found.shape == (7, 2, 3, 32, 32)
    normal = (frames / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    for number in range(6):
        row, column = divmod(number, 3)
        part = normal[:, 32 * row : 32 * row + 32, 32 * column : 32 * column + 32].transpose(0, 3, 1, 2)
        np.testing.assert_allclose(found[number], part, atol=1e-5)
    assert np.corrcoef(found[6].mean((2, 3)).ravel(), normal.mean((1, 2)).ravel())[0, 1] > 0.9


def test_the_run_records_what_changes_answers(tiny: Path, tmp_path: Path) -> None:
    info = load(tiny, revision="first").info
    assert (info.name, info.revision, info.dtype) == ("videochat2_mistral_7b_stage3", "first", "float32")
    assert info.frames == FramePolicy(count=16)
    assert info.settings["tiles"] is False
    folder = Path(shutil.copytree(tiny.parent, tmp_path / "hd"))
    (folder / tiny.name).rename(folder / "videochat2_hd_mistral_7b_stage4.pth")
    second = load(folder).info
    assert second.settings["tiles"] is True
    assert second.weights == info.weights
    assert load(tiny, dtype="bfloat16").info.dtype == "bfloat16"


def test_what_is_missing_extra_misshapen_or_code_is_refused(tiny: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "made"),)

    folder = Path(shutil.copytree(tiny.parent, tmp_path / "broken"))
    whole = torch.load(tiny)["model"]
    change = "mistral_model.base_model.model.lm_head.lora_A.default.weight"
    for changed, fault in (
        ({name: tensor for name, tensor in whole.items() if name != change}, f"1 missing: {change}"),
        (whole | {"mistral_model.base_model.model.lm_head.weight": torch.ones(1)}, "1 not known: mistral_model"),
        (
            whole | {"query_tokens": torch.ones(1, 4, 16)},
            r"of another shape: query_tokens of \(1, 4, 16\), not \(1, 3, 16\)",
        ),
        (whole | {"trap": Trap()}, "refused, for it holds more than tensors"),
    ):
        torch.save({"model": changed}, folder / tiny.name)
        with pytest.raises(ModelError, match=fault):
            load(folder / tiny.name)
    assert not (tmp_path / "made").exists()
    shutil.copy(tiny, folder / tiny.name)
    shutil.copy(tiny, folder / "second.pth")
    with pytest.raises(ModelError, match=r"expected one \.pth file, found second\.pth, videochat2_mistral"):
        load(folder)
    with pytest.raises(ModelError, match="no such folder"):
        load(folder / tiny.name, language=str(tmp_path / "nothing"))
    (folder / "config.json").write_text('{"model": {"num_query_token": "3"}}')
    with pytest.raises(ModelError, match=r"config\.json: num_query_token '3'; expected a number from 1 up"):
        load(folder / tiny.name)
    # A config without sizes leaves the published ones.
    (folder / "config.json").write_text('{"model": null}')
    with pytest.raises(ModelError, match=r"of another shape: .* of \(1, 5, 16\), not \(1, 64, 16\)"):
        load(folder / tiny.name)


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("language/config.json", "no config that transformers reads"),
        ("language/tokenizer.json", "no tokenizer that transformers loads; expected tokenizer.json or tokenizer.model"),
        ("vocabulary/tokenizer.json", "no tokenizer that transformers loads; expected tokenizer.json or vocab.txt"),
    ],
)
def test_a_damaged_part_is_named(broken: str, problem: str, tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny.parent, tmp_path / "damaged"))
    (folder / broken).write_text("{")
    with pytest.raises(ModelError, match=rf"damaged/{Path(broken).parent}: {problem} \("):
        load(folder / tiny.name)


def test_a_language_model_in_a_pickle_answers_as_in_safetensors(tiny: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = Path(shutil.copytree(tiny.parent, tmp_path / "pickled"))
    safe = folder / "language" / "model.safetensors"
    torch.save(load_file(safe), safe.with_name("pytorch_model.bin"))
    safe.unlink()
    first, second = load(tiny), load(folder / tiny.name)
    assert second.generate([ask()]) == first.generate([ask()])
    assert second.info.weights != first.info.weights


def test_a_file_that_carries_derived_numbers_loads(tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny.parent, tmp_path / "older"))
    saved = torch.load(tiny)["model"] | {"qformer.bert.embeddings.position_ids": torch.arange(40)[None]}
    torch.save(saved, folder / tiny.name)
    prompts = [ask()]
    assert load(folder / tiny.name).score_options(prompts, "text") == load(tiny).score_options(prompts, "text")


def test_a_saved_model_answers_as_before(tiny: Path, tmp_path: Path) -> None:
    # Saved with its changes put into the language model, there are none left to put in.
    first, folder = load(tiny), Path(shutil.copytree(tiny.parent, tmp_path / "saved"))
    weights: Any = import_module("egobench.models.videochat2.weights")
    visual = {weights.published_name(name): tensor for name, tensor in first.frontend.visual.state_dict().items()}
    changes = {name: torch.zeros_like(tensor) for name, tensor in torch.load(tiny)["model"].items() if ".lora_" in name}
    torch.save({"model": visual | changes}, folder / tiny.name)
    first.language.save_pretrained(folder / "language")
    second, prompts = load(folder / tiny.name), [ask(), ask(count=0)]
    assert second.info.weights != first.info.weights
    assert second.score_options(prompts, "text") == first.score_options(prompts, "text")
    assert second.generate(prompts) == first.generate(prompts)


@pytest.mark.parametrize("tiles", FORMS)
def test_a_run_from_video_files_answers_every_sample(tiles: str, tiny: Path, navigation: Navigation) -> None:
    adapter = load(tiny, tiles=tiles)
    answers: list[list[tuple[str, str]]] = []
    for size in (1, 5):
        settings = Settings(batch_size=size, limit=5)
        result = evaluate(adapter, [navigation.sample_set], navigation.videos, navigation.root / f"{size}", settings)
        rows = [json.loads(row) for path in result.path.glob("predictions/*") for row in path.read_text().splitlines()]
        assert {row["outcome"] for row in rows} <= {"answered", "unparsed"}
        assert [len(row["receipt"]["times"]) for row in rows] == [16] * 5
        answers.append(sorted((row["id"], row["reply"]) for row in rows))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (lambda name: name.replace("mistral_", "llama_"), "a VideoChat2 on Vicuna; supported are stage 3 on Mistral"),
        (lambda name: name.replace("mistral_", "phi_"), "a VideoChat2 on Phi-3; supported"),
        (lambda name: "" if ".lora_" in name else name, "no changes of the language model, as of stage 2; supported"),
        (lambda name: "" if name.startswith("mistral_") else name, "no way into a language model, as of stage 1"),
    ],
)
def test_another_release_is_told_from_a_broken_file(
    other: Callable[[str], str], problem: str, tiny: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny.parent, tmp_path / "other"))
    renamed = {other(name): tensor for name, tensor in torch.load(tiny)["model"].items()}
    torch.save({name: tensor for name, tensor in renamed.items() if name}, folder / tiny.name)
    with pytest.raises(ModelError, match=problem):
        load(folder / tiny.name)
