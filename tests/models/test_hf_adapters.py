"""Low-rank adapters, ways to compute attention, and what libraries print, with the transformers adapter."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import ModelError, ModelOptionError
from egobench.prompts import user_turn
from tests.models.hf_asking import Checkpoint, encoded, full_forward, load
from tests.models.prompts import OPTIONS, QUESTION, ask

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
peft = pytest.importorskip("peft")
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")


@pytest.fixture(scope="module")
def adapter(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random low-rank adapter of the tiny Qwen2-VL, as peft saves it."""
    return trained(checkpoint, tmp_path_factory.mktemp("adapters") / "step-500", seed=0)


def trained(checkpoint: Checkpoint, folder: Path, seed: int) -> Path:
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(seed)
    base: Any = AutoModelForImageTextToText.from_pretrained(checkpoint("qwen2-vl"))
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "up_proj"])
    wrapped: Any = peft.get_peft_model(base, config)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.3)
    wrapped.save_pretrained(folder)
    return folder


def by_peft(checkpoint: Checkpoint, folder: Path) -> list[float]:
    """Scores of the options' texts in full forwards of the model as peft itself puts it together."""
    plain = load(checkpoint("qwen2-vl"))
    wrapped: Any = peft.PeftModel.from_pretrained(plain.model, folder).eval()
    turn, prompt = user_turn(QUESTION, ()), ask()
    scores: list[float] = []
    for option in OPTIONS:
        inputs = encoded(plain, prompt, option, text=turn)
        words = plain.chat.processor.tokenizer(option, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            logprobs = torch.log_softmax(wrapped(**inputs).logits[0].float(), -1)
        ids = inputs["input_ids"][0]
        scores.append(sum(float(logprobs[place - 1, ids[place]]) for place in range(len(ids) - len(words), len(ids))))
    return scores


@pytest.mark.parametrize("merge", ["yes", "no"])
def test_an_adapter_is_computed_as_peft_computes_it(merge: str, checkpoint: Checkpoint, adapter: Path) -> None:
    model = load(checkpoint("qwen2-vl"), adapter=str(adapter), merge=merge)
    (scores,) = model.score_options([ask()], "text")
    assert scores.logprobs == pytest.approx(by_peft(checkpoint, adapter), abs=1e-4)
    (plain,) = load(checkpoint("qwen2-vl")).score_options([ask()], "text")
    assert scores.logprobs != pytest.approx(plain.logprobs, abs=1e-2)


def test_an_adapter_is_part_of_what_identifies_a_model(checkpoint: Checkpoint, adapter: Path, tmp_path: Path) -> None:
    plain, merged = load(checkpoint("qwen2-vl")).info, load(checkpoint("qwen2-vl"), adapter=str(adapter)).info
    beside = load(checkpoint("qwen2-vl"), adapter=str(adapter), merge="no").info
    other = load(checkpoint("qwen2-vl"), adapter=str(trained(checkpoint, tmp_path / "step-500", seed=1))).info
    assert (plain.name, merged.name) == ("qwen2-vl", "qwen2-vl-step-500")
    assert plain.weights == merged.weights == other.weights
    assert merged.settings["adapter"] != other.settings["adapter"]
    assert (merged.settings["adapter_merged"], beside.settings["adapter_merged"]) == (True, False)
    # A scale that the config alone tells.
    config = json.loads((adapter / "adapter_config.json").read_text())
    scaled = Path(shutil.copytree(adapter, tmp_path / "scaled" / "step-500"))
    (scaled / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": 16}))
    assert load(checkpoint("qwen2-vl"), adapter=str(scaled)).info.settings["adapter"] != merged.settings["adapter"]


def test_an_adapter_that_does_not_fit_is_a_clear_error(checkpoint: Checkpoint, adapter: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    with pytest.raises(ModelError, match=r"-o adapter=.*: no adapter_config\.json; expected a folder that save_pretr"):
        load(checkpoint("qwen2-vl"), adapter=str(tmp_path))
    with pytest.raises(ModelError, match=r"-o adapter=.*nothing: no such folder"):
        load(checkpoint("qwen2-vl"), adapter=str(tmp_path / "nothing"))
    whole = load_file(adapter / "adapter_model.safetensors")
    last = max(whole)
    for tensors, fault in (
        ({name: tensor for name, tensor in whole.items() if name != last}, "1 missing"),
        (whole | {last.replace("layers.1", "layers.7"): whole[last].clone()}, "1 not known"),
        (whole | {last: torch.ones(2, 3)}, "of another shape|size mismatch"),
    ):
        broken = Path(shutil.copytree(adapter, tmp_path / "broken", dirs_exist_ok=True))
        save_file(tensors, broken / "adapter_model.safetensors", {"format": "pt"})
        with pytest.raises(ModelError, match=fault):
            load(checkpoint("qwen2-vl"), adapter=str(broken))
    prompts = Path(shutil.copytree(adapter, tmp_path / "prompts"))
    config = json.loads((adapter / "adapter_config.json").read_text())
    (prompts / "adapter_config.json").write_text(json.dumps(config | {"peft_type": "PROMPT_TUNING"}))
    with pytest.raises(ModelError, match="an adapter of type PROMPT_TUNING; expected LORA"):
        load(checkpoint("qwen2-vl"), adapter=str(prompts))


# --- Attention -------------------------------------------------------------------------------------------------------


def test_attention_is_computed_as_it_was_chosen_and_gives_the_same_numbers(checkpoint: Checkpoint) -> None:
    models = {attn: load(checkpoint("qwen2-vl"), attn=attn) for attn in ("eager", "sdpa", "auto")}
    assert {attn: model.info.settings["attn"] for attn, model in models.items()} == {
        "eager": "eager",
        "sdpa": "sdpa",
        "auto": "sdpa",
    }
    assert models["eager"].model.config.get_text_config()._attn_implementation == "eager"
    scores = [model.score_options([ask()], "text")[0].logprobs for model in models.values()]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)
    with pytest.raises(ModelOptionError, match=r"option 'attn': .*'flash_attention_2'"):
        load(checkpoint("qwen2-vl"), attn="paged")


@pytest.mark.skipif(find_spec("flash_attn") is not None, reason="flash_attn is there")
def test_flash_attention_that_is_not_there_is_named(checkpoint: Checkpoint) -> None:
    with pytest.raises(ModelError, match=r"transformers cannot load it .*[Ff]lash"):
        load(checkpoint("qwen2-vl"), attn="flash_attention_2")


# --- Output ----------------------------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]
LOADS = f"""
import sys
sys.path.append({str(ROOT)!r})
from egobench.plugins import load_model
model = load_model(sys.argv[1], **dict(option.split("=", 1) for option in sys.argv[2:]))
from tests.models.prompts import ask
model.generate([ask(count=4)])
"""


def printed(*arguments: str) -> str:
    """All that a process prints, on either stream, that loads a model and asks it."""
    command = [sys.executable, "-c", LOADS, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout + done.stderr


@pytest.mark.slow
def test_loading_and_asking_prints_nothing(checkpoint: Checkpoint, tmp_path: Path) -> None:
    from tests.models.tiny_dual_encoders import clip
    from tests.models.tiny_videochat2 import tiny_videochat2
    from tests.reference_exo2ego.published_layout import tiny_checkpoint

    file = tiny_videochat2(tmp_path / "videochat2")
    parts = [f"{part}={file.parent / part}" for part in ("language", "vocabulary")]
    assert printed("hf", f"checkpoint={checkpoint('qwen2-vl')}") == ""
    assert printed("dual-encoder", f"checkpoint={clip(tmp_path / 'clip')}") == ""
    assert printed("videollama2", f"checkpoint={tiny_checkpoint(tmp_path / 'videollama2')}") == ""
    assert printed("videochat2", f"checkpoint={file}", *parts) == ""


def test_who_sets_up_logging_gets_the_libraries_records(
    checkpoint: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    load(checkpoint("qwen2-vl"))
    logging.getLogger("transformers.generation").warning("a warning of theirs")
    assert "a warning of theirs" in caplog.text


def test_bars_come_back_where_they_were_shown(checkpoint: Checkpoint) -> None:
    from transformers.utils import logging as theirs

    theirs.enable_progress_bar()
    load(checkpoint("qwen2-vl"))
    assert theirs.is_progress_bar_enabled()
    theirs.disable_progress_bar()
    load(checkpoint("qwen2-vl"))
    assert not theirs.is_progress_bar_enabled()
    theirs.enable_progress_bar()


def test_scores_with_an_adapter_are_those_of_full_forwards(checkpoint: Checkpoint, adapter: Path) -> None:
    model, prompt = load(checkpoint("qwen2-vl"), adapter=str(adapter), merge="no"), ask()
    (scores,) = model.score_options([prompt], "letter")
    inputs = encoded(model, prompt, "(C")
    assert scores.logprobs[2] == pytest.approx(full_forward(model, inputs, scores.tokens[2]), abs=1e-4)
