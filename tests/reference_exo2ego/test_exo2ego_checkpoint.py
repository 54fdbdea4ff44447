"""Exo2Ego's folder: what is written comes back, parts stand alone in transformers, and another folder is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import ConfigurationError, ModelError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")


def trained(**switches: Any) -> Any:
    """A random model after stage 3: LoRA in it that says something."""
    from reference_exo2ego.model.freezing import begin_stage
    from tests.reference_exo2ego.tiny_exo2ego import tiny_config, tiny_model

    model = tiny_model(tiny_config(**switches))
    begin_stage(model, "stage3")
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def cost(model: Any) -> float:
    from tests.reference_exo2ego.tiny_exo2ego import batch_of

    with torch.inference_mode():
        return float(model("stage3", batch_of("ego")).vtg)


def same_weights(model: Any, other: Any) -> bool:
    weights, others = model.state_dict(), other.state_dict()
    return weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"language": {"tie_word_embeddings": True}, "mapping": {"residual": True}},
        {"connector": "per_view", "delimiters": "on", "fuse": "channel", "ccl": "none"},
    ],
)
def test_what_is_saved_comes_back(switches: dict[str, Any], tmp_path: Path) -> None:
    from reference_exo2ego.model.checkpoint import load, read_saved, save

    model = trained(**switches)
    save(model, tmp_path / "whole", "stage3")
    saved = read_saved(tmp_path / "whole")
    assert (saved.config, saved.stage, saved.parts) == (model.config, "stage3", model.config.parts)
    assert same_weights(load(tmp_path / "whole", expected=model.config), model)
    assert sorted(path.suffix for path in (tmp_path / "whole").rglob("*") if path.is_file()) == sorted(
        [".safetensors"] * len(saved.parts) + [".json"] * 5
    )


def test_what_answers_is_loaded_without_the_demonstrator(tmp_path: Path) -> None:
    from reference_exo2ego.model.checkpoint import load, save

    model = trained()
    save(model, tmp_path / "whole", "stage3")
    shutil.rmtree(tmp_path / "whole" / "exo_encoder")
    (tmp_path / "whole" / "to_ego.safetensors").unlink()
    learner = load(tmp_path / "whole", learner=True)
    assert [name for name, _ in learner.named_children()] == ["ego_encoder", "connector", "to_exo", "language"]
    assert cost(learner) == pytest.approx(cost(model), abs=1e-5)
    # By hand: a demonstrator of as many weights as the learner's encoder, and a G of as many as F.
    size = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    count = sum(parameter.numel() for parameter in learner.parameters())
    assert count == sum(size.values()) - size["ego_encoder"] - size["to_exo"]
    with pytest.raises(ModelError, match=r"exo_encoder: no weights"):
        load(tmp_path / "whole")


def test_an_export_without_the_demonstrator_says_what_it_is_for(tmp_path: Path) -> None:
    from reference_exo2ego.model.checkpoint import load, read_saved, save

    model = trained()
    save(model, tmp_path / "learner", "stage3", parts=model.config.learner_in("stage3"))
    assert cost(load(tmp_path / "learner", learner=True)) == pytest.approx(cost(model), abs=1e-5)
    assert read_saved(tmp_path / "learner").parts == ("ego_encoder", "connector", "to_exo", "language", "low_rank")
    with pytest.raises(ModelError, match="exported without exo_encoder, to_ego; it answers questions, and training"):
        load(tmp_path / "learner")


def test_merged_lora_says_the_same(tmp_path: Path) -> None:
    from reference_exo2ego.model.checkpoint import load, merge_low_rank, save
    from reference_exo2ego.model.freezing import has_low_rank

    model = trained()
    expected = cost(model)
    merge_low_rank(model)
    assert not has_low_rank(model)
    assert cost(model) == pytest.approx(expected, abs=1e-5)
    save(model, tmp_path / "merged", "stage3")
    assert not (tmp_path / "merged" / "low_rank").exists()
    assert cost(load(tmp_path / "merged", learner=True)) == pytest.approx(cost(model), abs=1e-5)
    assert same_weights(load(tmp_path / "merged"), model)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft asks transformers for it
def test_transformers_and_peft_read_the_parts(tmp_path: Path) -> None:
    from reference_exo2ego.model.checkpoint import save
    from tests.reference_exo2ego.tiny_exo2ego import clips

    model, whole = trained(), tmp_path / "whole"
    save(model, whole, "stage3")
    for part in ("ego_encoder", "exo_encoder"):
        tower, loading = transformers.CLIPVisionModel.from_pretrained(whole / part, output_loading_info=True)
        assert not any(loading[fault] for fault in ("missing_keys", "unexpected_keys", "mismatched_keys"))
        assert same_weights(tower, getattr(model, part))
    language, loading = transformers.MistralForCausalLM.from_pretrained(whole / "language", output_loading_info=True)
    assert not any(loading[fault] for fault in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    adapted = peft.PeftModel.from_pretrained(language, whole / "low_rank").eval()
    with torch.inference_mode():
        read = model.read_learner(clips(), "stage3")
        expected = model.language(inputs_embeds=read).logits
        assert torch.allclose(adapted(inputs_embeds=read).logits, expected, atol=1e-5)


def test_a_number_format_is_kept_or_chosen(tmp_path: Path) -> None:
    from reference_exo2ego.model.checkpoint import load, read_saved, save

    save(trained().bfloat16(), tmp_path / "half", "stage3")
    assert read_saved(tmp_path / "half").dtype == "bfloat16"
    assert {p.dtype for p in load(tmp_path / "half").parameters()} == {torch.bfloat16}
    assert {p.dtype for p in load(tmp_path / "half", dtype="float32").parameters()} == {torch.float32}


def test_a_checkpoint_of_another_configuration_is_refused_by_what_differs(tmp_path: Path) -> None:
    from reference_exo2ego.model.checkpoint import load, save
    from tests.reference_exo2ego.tiny_exo2ego import tiny_config

    save(trained(fuse="sum"), tmp_path / "summed", "stage3")
    other = tiny_config(mapping={"residual": True})
    with pytest.raises(ConfigurationError) as raised:
        load(tmp_path / "summed", expected=other)
    assert str(raised.value).endswith(
        "summed: a checkpoint of another configuration, there and here mapping.residual: False and True; "
        "fuse: 'sum' and 'token'; load it with its own or begin anew"
    )


def changed(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


def test_a_folder_that_is_no_exo2ego_is_a_clear_error(tmp_path: Path) -> None:
    from reference_exo2ego.model.checkpoint import load, save

    model = trained()
    save(model, tmp_path / "whole", "stage3")
    with pytest.raises(ModelError, match="whole: is there already; name a new folder, or move this one away"):
        save(model, tmp_path / "whole", "stage3")
    with pytest.raises(ModelError, match=r"config\.json: cannot be read"):
        load(tmp_path)
    values = model.config.model_dump(mode="json")
    for values_changed, fault, kind in (
        ({"model_type": "mistral"}, "model_type 'mistral', expected 'exo2ego'", ModelError),
        ({"format": 7}, "layout 7, this release reads 1; export the checkpoint anew", ModelError),
        ({"dtype": "float33"}, r"no configuration, or no dtype of torch for weights \(float33\)", ModelError),
        ({"dtype": "int64"}, r"no dtype of torch for weights \(int64\)", ModelError),
        ({"parts": 3}, "parts is 3, expected a list", ModelError),
        ({"stage": "stage5"}, r"config\.json: no stage 'stage5'", ConfigurationError),
        ({"configuration": values | {"fuse": "both"}}, r"config\.json: fuse: Input should be", ConfigurationError),
    ):
        copy = Path(shutil.copytree(tmp_path / "whole", tmp_path / "copy", dirs_exist_ok=True))
        other = changed(copy, **values_changed)
        with pytest.raises(kind, match=fault):
            load(other)


def test_weights_that_are_missing_extra_or_misshapen_are_named(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from reference_exo2ego.model.checkpoint import load, save

    save(trained(), tmp_path / "whole", "stage3")
    for number, (file, name, fault) in enumerate(
        (
            ("to_exo.safetensors", "last.bias", "to_exo: of 48 tensors expected, 1 missing: last.bias"),
            ("ego_encoder/model.safetensors", "pre_layrnorm.bias", "ego_encoder: of 55 tensors expected, 1 missing"),
            ("language/model.safetensors", "model.norm.weight", "language: of 21 tensors expected, 1 missing"),
            (
                "low_rank/adapter_model.safetensors",
                "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight",
                "adapter_model.safetensors: of 28 tensors expected, 1 missing",
            ),
        )
    ):
        broken = Path(shutil.copytree(tmp_path / "whole", tmp_path / str(number)))
        weights = load_file(broken / file)
        tensor = weights.pop(name)
        save_file(weights, broken / file)
        with pytest.raises(ModelError, match=fault):
            load(broken)
        save_file(weights | {name: tensor[:-1]}, broken / file)
        with pytest.raises(ModelError, match=rf"1 of another shape: \S+ of \({len(tensor) - 1}"):
            load(broken)
        save_file(weights | {name: tensor, "stranger": torch.zeros(1)}, broken / file)
        with pytest.raises(ModelError, match="1 not known: stranger"):
            load(broken)
        (broken / file).write_bytes((broken / file).read_bytes()[:100])
        with pytest.raises(ModelError, match="not a whole safetensors file"):
            load(broken)
    (tmp_path / "whole" / "connector.safetensors").unlink()
    with pytest.raises(ModelError, match=r"connector\.safetensors: not there; copy or export the whole checkpoint"):
        load(tmp_path / "whole")


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    from reference_exo2ego.model.checkpoint import save

    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"model: cannot be written .* is there room, and may it be written"):
        save(trained(), tmp_path / "file" / "model", "stage3")
    with pytest.raises(ModelError, match="built without exo_connector, so it cannot be saved"):
        save(trained(), tmp_path / "model", "stage3", parts=["exo_connector"])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
