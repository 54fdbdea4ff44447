"""Opening checkpoints with the transformers adapter: what is broken, foreign or quantised."""

from __future__ import annotations

import json
import os
import shutil
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import ModelError, ModelOptionError
from egobench.plugins import load_model
from tests.models.hf_asking import Checkpoint, load
from tests.models.prompts import ask

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


def test_one_changed_weight_in_the_middle_changes_the_fingerprint(checkpoint: Checkpoint, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "trained"))
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][24] += 1
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    before, after = load(checkpoint("qwen2-vl")).info, load(folder).info
    assert before.weights != after.weights
    assert before.settings == after.settings


def test_a_missing_checkpoint_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no such folder, and the Hugging Face hub does not give it .*; expected a f"):
        load(tmp_path / "nothing")
    with pytest.raises(ModelError, match="-o checkpoint=nobody/no-such-model: no such folder"):
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
    for device in ("nonsense", "meta", *([] if torch.backends.mps.is_available() else ["mps"])):
        with pytest.raises(ModelError, match=f"device '{device}': "):
            load(checkpoint("qwen2-vl"), device=device)
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match=r"device 'cuda:1': torch .* finds no CUDA GPU here; give -o device=cpu"):
            load(checkpoint("qwen2-vl"), device="cuda:1")


def altered(checkpoint: Checkpoint, folder: Path, weights: dict[str, Any]) -> Path:
    """A Qwen2-VL with other tensors; ``None`` takes one out."""
    from safetensors.torch import load_file, save_file

    copy = Path(shutil.copytree(checkpoint("qwen2-vl"), folder))
    found: dict[str, Any] = load_file(copy / "model.safetensors") | weights
    kept = {name: tensor for name, tensor in found.items() if tensor is not None}
    save_file(kept, copy / "model.safetensors", {"format": "pt"})
    return copy


def same(one: Any, other: Any) -> bool:
    """Whether two adapters answer alike: to rounding, for weights that lie elsewhere in memory."""
    (scores,), (wanted,) = (each.score_options([ask()], "text") for each in (one, other))
    near = scores.logprobs == pytest.approx(wanted.logprobs, abs=1e-5)
    return bool(near and one.generate([ask()]) == other.generate([ask()]))


def test_weights_that_are_missing_extra_or_misshapen_are_named(
    checkpoint: Checkpoint, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    name, ours = "model.layers.1.mlp.up_proj.weight", "model.language_model.layers.1.mlp.up_proj.weight"
    with pytest.raises(ModelError, match=f"weights of Qwen2VLForConditionalGeneration, 1 missing: {ours}. Is the"):
        load(altered(checkpoint, tmp_path / "missing", {name: None}))
    with pytest.raises(ModelError, match=rf"1 of another shape: {ours} of \(2, 3\), not \(48, 32\). Is"):
        load(altered(checkpoint, tmp_path / "misshapen", {name: torch.ones(2, 3)}))
    extra = {f"model.layers.{number}.mlp.up_proj.weight": torch.ones(2) for number in range(2, 6)}
    with pytest.raises(
        ModelError, match=r"4 not known: model\..*layers\.2\.mlp.*, .*4\.mlp\.up_proj\.weight and 1 more\. "
    ):
        load(altered(checkpoint, tmp_path / "extra", extra))
    # The line is all there is: transformers' own table of them is not printed.
    assert "LOAD REPORT" not in capfd.readouterr().err
    # Older releases of transformers saved what is computed; the class itself leaves it aside.
    derived = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
    loaded = load(altered(checkpoint, tmp_path / "derived", derived))
    assert loaded.generate([ask()]) == load(checkpoint("qwen2-vl")).generate([ask()])


def test_a_pickle_is_refused_and_nothing_in_it_runs(checkpoint: Checkpoint, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "made"),)

    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "pickle"))
    (folder / "model.safetensors").unlink()
    torch.save({"model.norm.weight": Trap()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"weights are in pytorch_model\.bin, refused, for a pickle may run code"):
        load(folder)
    assert not (tmp_path / "made").exists()


def test_an_unfinished_download_is_a_clear_error(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "shards"))
    whole = load(folder)
    (folder / "model.safetensors").unlink()
    whole.model.save_pretrained(folder, max_shard_size="50KB")
    assert same(load(folder), whole)
    lost = sorted(folder.glob("model-*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(ModelError, match=rf"index\.json: names 1 files that are not there, first {lost.name}; copy or"):
        load(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": 3, "b": "c"}}')
    with pytest.raises(ModelError, match=r"index\.json: names 2 files that are not there, first 3; copy or"):
        load(folder)
    (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(ModelError, match=r"index\.json: cannot be read"):
        load(folder)


def test_a_checkpoint_of_another_kind_is_a_clear_error(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "other"))
    for config, problem in (
        ({"model_type": "llama"}, r"a model of type 'llama', to which transformers shows no images or videos"),
        ({"model_type": "videollama2_qwen2"}, "use the model of that name: egobench run videollama2"),
        ({"model_type": "mine", "auto_map": {}}, "with code of its own, which is not run; take a release for"),
        ({"model_type": "nonsense"}, r"which transformers 5\S+ does not know; a newer release may"),
        ({}, "a model of type 'None'"),
        ([], r"config\.json: holds a list, expected a JSON object"),
        (
            {"model_type": "qwen2_vl", "text_config": {"hidden_size": "32"}},
            "cannot load it .Validation error for field",
        ),
        ({"model_type": "qwen2_vl", "text_config": {"num_attention_heads": 0}}, "cannot load it .* modulo by zero"),
        (
            {"model_type": "qwen2_vl", "text_config": {"hidden_act": "nonsense"}},
            r"cannot load it .KeyError\('nonsense'",
        ),
    ):
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(ModelError, match=problem) as caught:
            load(folder)
        assert len(str(caught.value)) < 900
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json: cannot be read \(Expecting property name"):
        load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"config\.json: cannot be read .*; copy or download the whole checkpoint"):
        load(folder)
    shutil.copy(checkpoint("qwen2-vl") / "config.json", folder)
    (folder / "processor_config.json").unlink()
    with pytest.raises(ModelError, match=r"transformers cannot load it .*Can't load image processor"):
        load(folder)


def test_low_rank_changes_of_a_checkpoint_are_told_from_a_whole_one(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "changes"))
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"a low-rank adapter of another checkpoint .*; give -o checkpoint= the one"):
        load(folder)


def test_layers_are_spread_over_what_there_is(checkpoint: Checkpoint) -> None:
    folder, prompts = checkpoint("qwen2-vl"), [ask(), ask(count=0)]
    spread, alone = load(folder, device="balanced"), load(folder, device="cpu")
    # Spread over several devices it would be accelerate's hooks that move what passes; on one there is nothing to move.
    if not torch.cuda.is_available():
        assert spread.model.device == alone.model.device == torch.device("cpu")
    assert spread.generate(prompts) == alone.generate(prompts)
    assert spread.score_options(prompts, "text") == alone.score_options(prompts, "text")
    assert spread.info == alone.info


def test_behind_the_hooks_that_spread_layers_answers_are_the_same(checkpoint: Checkpoint) -> None:
    accelerate: Any = import_module("accelerate")
    plain, hooked = load(checkpoint("qwen2-vl")), load(checkpoint("qwen2-vl"))
    places = {"model.visual": "cpu", "model.language_model": "cpu", "lm_head": "cpu"}
    accelerate.dispatch_model(hooked.model, places, main_device="cpu", force_hooks=True)
    read: list[int] = []
    hooked.model.lm_head.register_forward_hook(lambda _, __, out: read.append(out.shape[1]))
    prompts = [ask(), ask(count=0)]
    assert hooked.score_options(prompts, "text") == plain.score_options(prompts, "text")
    assert hooked.generate(prompts) == plain.generate(prompts)
    # Of the prompt there are logits of the last token alone, here too.
    assert read[0] == 1


def test_a_checkpoint_without_a_chat_template_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "plain"))
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="no chat template"):
        load(folder)


@pytest.mark.parametrize("family", ["video-llava", "qwen2-vl"])
def test_a_checkpoint_of_the_older_layout_answers_as_one_of_todays(
    family: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    # As on the hub before transformers 5: one file for images and videos, the template inside a JSON file.
    folder = Path(shutil.copytree(checkpoint(family), tmp_path / family))
    parts = json.loads((folder / "processor_config.json").read_text())
    del parts["video_processor"]
    (folder / "preprocessor_config.json").write_text(json.dumps(parts.pop("image_processor")))
    (folder / "processor_config.json").write_text(json.dumps(parts))
    template = {"chat_template": (folder / "chat_template.jinja").read_text()}
    (folder / "chat_template.json").write_text(json.dumps(template))
    (folder / "chat_template.jinja").unlink()
    found = load(folder)
    assert found.info.settings["frames_as"] == "video"
    assert same(found, load(checkpoint(family)))


def test_a_wrong_option_lists_the_right_ones(checkpoint: Checkpoint) -> None:
    with pytest.raises(ModelOptionError, match=r"no option 'devise'.*checkpoint: str, revision: str, dtype: .*device"):
        load(checkpoint("qwen2-vl"), devise="cpu")
    with pytest.raises(ModelOptionError, match=r"option 'dtype': .*'float32'"):
        load(checkpoint("qwen2-vl"), dtype="float8")
    with pytest.raises(ModelOptionError, match="needs -o checkpoint="):
        load_model("hf")


def test_a_checkpoint_in_eight_bits_answers_as_its_numbers_do(checkpoint: Checkpoint, tmp_path: Path) -> None:
    # As published: fp8 numbers with a scale for each block of 128 x 128. A CPU has transformers turn them back.
    from safetensors.torch import load_file

    plain = load_file(checkpoint("qwen2-vl") / "model.safetensors")
    linear = [name for name in plain if "layers." in name and name.endswith("_proj.weight")]
    saved: dict[str, Any] = {}
    for name in linear:
        scale = plain[name].abs().max() / 448
        saved[name] = (plain[name] / scale).to(torch.float8_e4m3fn)
        saved[f"{name}_scale_inv"] = scale.reshape(1, 1)
    folder = altered(checkpoint, tmp_path / "fp8", saved)
    config = json.loads((folder / "config.json").read_text())
    method = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}
    skipped = {"modules_to_not_convert": ["model.visual", "lm_head"]}
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": method | skipped}))
    rounded = {name: saved[name].float() * saved[f"{name}_scale_inv"] for name in linear}
    exact, found = load(altered(checkpoint, tmp_path / "rounded", rounded)), load(folder)
    assert len(linear) == 14
    assert same(found, exact)
    assert found.info.settings["quantised"] == ("fp8" if torch.cuda.is_available() else "fp8, dequantised")
    assert exact.info.settings["quantised"] == ""
    assert found.info.weights not in {exact.info.weights, load(checkpoint("qwen2-vl")).info.weights}


@pytest.mark.parametrize(
    ("method", "problem"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "gptqmodel"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ({"quant_method": "compressed-tensors", "config_groups": {}}, "compressed-tensors"),
        ({"quant_method": "torchao", "quant_type": "int8_weight_only"}, "torchao"),
        ({"quant_method": "nonsense"}, "quantised by 'nonsense', which transformers does not know"),
    ],
)
def test_a_package_that_a_quantised_checkpoint_needs_is_named(
    method: dict[str, Any], problem: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    package = problem.replace("-", "_")
    if package.isidentifier() and find_spec(package) is not None:
        pytest.skip(f"{package} is there")
    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "quantised"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": method}))
    with pytest.raises(ModelError, match=problem):
        load(folder)
