"""Opening checkpoints with the transformers adapter: what is broken, foreign or quantised."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from egobench.errors import ModelError, ModelOptionError
from egobench.plugins import load_model
from tests.models.hf_asking import Checkpoint, load

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
