"""Exo2Ego on tiny random checkpoints: what it reads, how it scores, and that its demonstrator stays on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import ModelError
from egobench.evaluate import evaluate
from egobench.model import FramePolicy, Prompt
from egobench.plugins import load_model
from egobench.prompts import LETTERS
from egobench.run.spec import Settings
from tests.conftest import Navigation
from tests.models.prompts import OPTIONS, ask

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "other": {"connector": "per_view", "delimiters": "on", "fuse": "channel", "mapping": {"residual": True}},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoints of stage 3 with LoRA that is not merged, by variant; one of the initialization."""
    from reference_exo2ego.model.checkpoint import save
    from reference_exo2ego.model.freezing import begin_stage
    from tests.models.tiny_parts import tokenizer
    from tests.reference_exo2ego.tiny_exo2ego import tiny_config, tiny_model

    root = tmp_path_factory.mktemp("exo2ego")
    words = tokenizer(["<unk>", "<s>", "</s>"], unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    for name, switches in (*VARIANTS.items(), ("init", {})):
        language = {"vocab_size": len(words), "initializer_range": 0.2}
        model = tiny_model(tiny_config(language=language, frames=16, **switches))
        if name != "init":
            begin_stage(model, "stage3")
        with torch.no_grad():
            for parameter, values in model.named_parameters():
                if "lora_B" in parameter or parameter.startswith("to_exo.last"):
                    values.normal_(std=0.1)
        save(model, root / name, "init" if name == "init" else "stage3", tokenizer=words)
    return {name: root / name for name in (*VARIANTS, "init")}


def load(folder: Path, **options: object) -> Any:
    """The adapter; tests look at its ``language`` and ``frontend`` too."""
    return load_model("exo2ego", checkpoint=str(folder), **options)


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


def test_options_are_scored_in_one_row(folders: dict[str, Path]) -> None:
    from egobench.models._local.option_scoring import supports_packed_options

    adapter = load(folders["plain"])
    with torch.inference_mode():
        prefix = adapter.embed(ask(), adapter.tokens("what"), adapter.tokens("is cut"))
        cache = adapter.language(inputs_embeds=prefix, use_cache=True).past_key_values
        words = adapter.tokens(" the red mug")
        assert supports_packed_options(adapter.language, frozenset({"inputs_embeds"}), cache, words)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("count", [16, 0])
def test_cached_scores_are_those_of_full_forwards(variant: str, count: int, folders: dict[str, Path]) -> None:
    options = (*OPTIONS, "the", "knife and fork and fridge", "tap", "C opens", "the red", "onion")
    adapter, prompt = load(folders[variant]), ask(options=options, count=count)
    for form, answers in (("letter", LETTERS[: len(options)]), ("text", [f" {option}" for option in options])):
        (scores,) = adapter.score_options([prompt], form)
        expected = full_forwards(adapter, prompt, form, answers)
        assert scores.tokens == tuple(tokens for _, tokens in expected)
        assert scores.logprobs == pytest.approx([total for total, _ in expected], abs=1e-5)


def test_questions_about_one_clip_have_it_encoded_once(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = load(folders["plain"])
    encode = adapter.frontend.model.read_learner
    calls: list[Any] = []

    def counted(*of: Any) -> Any:
        calls.append(of)
        return encode(*of)

    monkeypatch.setattr(adapter.frontend.model, "read_learner", counted)
    first, same, other = ask(), ask(), ask(count=8)
    scores = adapter.score_options([first, same, other, first], "text")
    assert len(calls) == 3
    assert scores[0].logprobs == scores[1].logprobs == scores[3].logprobs != scores[2].logprobs


def test_what_is_trained_is_what_is_scored(folders: dict[str, Path]) -> None:
    from reference_exo2ego.backbone.frames import clip_sight, pixels
    from reference_exo2ego.model.exo2ego import ClipInputs
    from reference_exo2ego.model.words import pack, tokenise

    adapter, prompt = load(folders["plain"]), ask(size=(64, 64))
    (scores,) = adapter.score_options([prompt], "text")
    parts, model = adapter.frontend.prompt_parts(prompt, "text"), adapter.frontend.model
    video = pixels(prompt.frames, clip_sight(64))[None]
    for option, logprob in zip(prompt.options, scores.logprobs, strict=True):
        question = tokenise(adapter.tokenizer, parts.after, option)
        assert question.answer[-1] == adapter.tokenizer.eos_token_id
        # The end of the text is trained and not scored.
        words = pack([(adapter.tokens(parts.before), [question._replace(answer=question.answer[:-1])])])
        with torch.inference_mode():
            losses = model("stage3", ClipInputs(words, ego=video))
        assert -float(losses.vtg) * losses.tokens == pytest.approx(logprob, abs=1e-4)


def test_each_of_sixteen_frames_changes_the_scores(folders: dict[str, Path]) -> None:
    adapter, prompt = load(folders["plain"]), ask(size=(64, 96))
    # By hand: (16 / 2 + 1) steps of 5 x 5 tokens, twice: the learner's and those of F(x).
    assert adapter.frontend.encode_frames(prompt).shape == (2 * 225, 32)
    black: list[Prompt] = []
    for frame in range(16):
        frames = prompt.frames.copy()
        frames[frame] = 0
        black.append(replace(prompt, frames=frames))
    plain, *changed = adapter.score_options([prompt, *black], "letter")
    assert all(scores.logprobs != plain.logprobs for scores in changed)


def test_a_checkpoint_of_the_initialization_reads_ego_tokens_alone(folders: dict[str, Path]) -> None:
    adapter = load(folders["init"])
    assert adapter.frontend.encode_frames(ask()).shape == (225, 32)
    assert not hasattr(adapter.frontend.model, "to_exo")
    assert adapter.info.settings["stage"] == "init"


def test_no_exocentric_encoder_is_loaded(folders: dict[str, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folders["plain"], tmp_path / "plain"))
    shutil.rmtree(copy / "exo_encoder")
    adapter, whole = load(copy), load(folders["plain"])
    assert adapter.score_options([ask()], "text") == whole.score_options([ask()], "text")
    names = [name for name, _ in adapter.frontend.model.named_children()]
    assert names == ["ego_encoder", "connector", "to_exo", "language"]
    assert adapter.info == whole.info


def test_a_batch_answers_as_singles_do(folders: dict[str, Path]) -> None:
    adapter = load(folders["plain"])
    prompts = [ask(seed=1), ask(seed=2, question="What?", options=OPTIONS[:2]), ask(count=0), ask(seed=3, count=1)]
    assert adapter.generate(prompts) == [adapter.generate([prompt])[0] for prompt in prompts]


def test_an_export_answers_as_its_checkpoint(folders: dict[str, Path], tmp_path: Path) -> None:
    from reference_exo2ego.model.export import export

    export(folders["other"], tmp_path / "exported")
    exported, source = load(tmp_path / "exported"), load(folders["other"])
    (scores,), (expected,) = (adapter.score_options([ask()], "text") for adapter in (exported, source))
    assert scores.logprobs == pytest.approx(expected.logprobs, abs=1e-3)
    assert exported.info.weights != source.info.weights


def test_the_run_records_what_changes_answers(folders: dict[str, Path]) -> None:
    info = load(folders["plain"], revision="first").info
    assert (info.name, info.revision, info.dtype) == ("plain", "first", "float32")
    assert info.frames == FramePolicy(count=16, short_side=64)
    assert load(folders["plain"], frames=4).info.frames.count == 4
    assert load(folders["plain"], dtype="bfloat16").info.dtype == "bfloat16"
    assert info.settings["stage"] == "stage3"
    other = load(folders["other"]).info
    assert other.weights != info.weights
    assert info.weights.startswith("sha256:")


def test_what_cannot_be_loaded_is_a_clear_error(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder; expected one that training or exo2ego export wrote"):
        load(tmp_path / "nothing")
    copy = Path(shutil.copytree(folders["plain"], tmp_path / "plain"))
    (copy / "config.json").write_text(json.dumps({"model_type": "videollama2_mistral"}))
    with pytest.raises(ModelError, match="model_type 'videollama2_mistral', expected 'exo2ego'"):
        load(copy)
    wordless = Path(shutil.copytree(folders["plain"], tmp_path / "wordless"))
    for file in (wordless / "language").glob("token*"):
        file.unlink()
    with pytest.raises(ModelError, match="no tokenizer that transformers loads"):
        load(wordless)


def test_a_run_from_video_files_answers_every_sample(folders: dict[str, Path], navigation: Navigation) -> None:
    settings = Settings(method="likelihood-letter", batch_size=5)
    model = load(folders["plain"])
    result = evaluate(model, [navigation.sample_set], navigation.videos, navigation.root / "runs", settings)
    rows = [json.loads(row) for path in result.path.glob("predictions/*") for row in path.read_text().splitlines()]
    assert [(row["outcome"], len(row["scores"]), len(row["receipt"]["times"])) for row in rows] == [
        ("answered", 4, 16)
    ] * 12
