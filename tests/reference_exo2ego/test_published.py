"""Published checkpoints of VideoLLaMA2: every name at full size, on the meta device; strict loading of tiny ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import ModelError

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

RELEASES = ("2", "2.1")


def described(folder: Path, release: str, **changed: object) -> Any:
    from reference_exo2ego.backbone.architecture import architecture
    from tests.reference_exo2ego.published_layout import PUBLISHED

    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(PUBLISHED[release] | changed))
    return architecture(folder)


def on_meta(folder: Path, release: str) -> Any:
    from reference_exo2ego.backbone.architecture import random_model

    with torch.device("meta"):
        return random_model(described(folder, release)).eval()


def test_videollama2_7b_at_full_size_has_every_published_tensor(tmp_path: Path) -> None:
    # By hand: 32 x 9 + 3 = 291 tensors of Mistral, 24 x 16 + 7 = 391 of CLIP, 8 x 13 + 3 + 6 = 113 of the connector.
    from reference_exo2ego.backbone.published import own_name, published_weights
    from tests.reference_exo2ego.published_layout import PROJECTOR, TOWER, connector_shapes

    model = on_meta(tmp_path, "2")
    weights = published_weights(model)
    assert len(weights) == 291 + 391 + 113 == 795
    assert sum(tensor.numel() for tensor in model.language.parameters()) == 7_241_732_096
    assert round(sum(tensor.numel() for tensor in weights.values()) / 1e9, 3) == 8.034
    connector = {PROJECTOR + name: shape for name, shape in connector_shapes(1024, 4096).items()}
    assert len(connector) == 113
    assert {name: tuple(tensor.shape) for name, tensor in weights.items() if name.startswith(PROJECTOR)} == connector
    # A name from each part that reports of users show (issues 118 and 132 of the official repository).
    assert TOWER + "embeddings.class_embedding" in weights
    assert TOWER + "encoder.layers.23.self_attn.k_proj.weight" in weights
    assert "model.layers.31.mlp.down_proj.weight" in weights
    assert weights["lm_head.weight"].shape == (32000, 4096)
    assert {own_name(name) for name in weights} == set(model.state_dict())


def test_videollama2_7b_makes_1521_tokens_of_16_frames(tmp_path: Path) -> None:
    model = on_meta(tmp_path, "2")
    for frames, tokens in ((8, 845), (16, 1521)):
        assert model.see(torch.empty(1, frames, 3, 336, 336, device="meta")).shape == (1, tokens, 4096)


def test_videollama2_1_at_full_size_has_every_published_tensor(tmp_path: Path) -> None:
    # By hand: 28 x 12 + 3 = 339 tensors of Qwen2, 27 x 16 + 16 = 448 of SigLIP with its head, 113 of the connector.
    from reference_exo2ego.backbone.published import published_weights

    model = on_meta(tmp_path, "2.1")
    assert len(published_weights(model)) == 339 + 448 + 113
    assert sum(tensor.numel() for tensor in model.language.parameters()) == 7_615_616_512
    assert model.see(torch.empty(1, 16, 3, 384, 384, device="meta")).shape == (1, 8 * 13 * 13, 3584)


def test_rotary_base_and_window_are_those_of_the_config(tmp_path: Path) -> None:
    language = described(tmp_path, "2").language
    assert language.rope_parameters["rope_theta"] == 1000000.0
    assert language.sliding_window is None


def test_a_config_of_another_family_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model_type 'videollama2_mixtral' is no VideoLLaMA2 known here"):
        described(tmp_path, "2", model_type="videollama2_mixtral")
    with pytest.raises(ModelError, match="mm_projector_type 'mlp2x_gelu'; expected stc_connector or stc_connector_v35"):
        described(tmp_path, "2", mm_projector_type="mlp2x_gelu")
    with pytest.raises(ModelError, match="vision tower 'openai/other' is not known; expected a folder, or openai/clip"):
        described(tmp_path, "2", mm_vision_tower="openai/other")
    with pytest.raises(
        ModelError, match=r"its config\.json describes no MistralConfig \(Validation error for field 'hid"
    ):
        described(tmp_path, "2", hidden_size="wide")
    with pytest.raises(ModelError, match=r"describes no MistralConfig \(integer division or modulo by zero"):
        described(tmp_path, "2", num_attention_heads=0)
    with pytest.raises(ModelError, match="mm_vision_select_layer 25; expected one of 25 states of its tower"):
        described(tmp_path, "2", mm_vision_select_layer=25)
    assert described(tmp_path, "2", mm_vision_select_layer=-25).layer == -25
    with pytest.raises(ModelError, match="num_frames 'many'; expected a number of frames"):
        described(tmp_path, "2", num_frames="many")
    (tmp_path / "tower").mkdir()
    (tmp_path / "tower" / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="its vision tower is of type 'None'; expected CLIP or SigLIP"):
        described(tmp_path, "2", mm_vision_tower="tower")


@pytest.mark.parametrize("release", RELEASES)
def test_what_is_loaded_is_what_was_written(release: Any, tmp_path: Path) -> None:
    from reference_exo2ego.backbone.published import Parts, load_published, published_weights
    from tests.reference_exo2ego.published_layout import save_parts, tiny_checkpoint

    parts = Parts(tiny_checkpoint(tmp_path / "first", release))
    written, model = parts.read(), load_published(parts)
    found = published_weights(model)
    assert found.keys() == written.keys()
    assert all(torch.equal(found[name], written[name]) for name in written)
    second = Path(shutil.copytree(tmp_path / "first", tmp_path / "second"))
    save_parts(second, found)
    pixels = torch.randn(1, 4, 3, 56, 56)
    with torch.inference_mode():
        seen, again = (each.see(pixels) for each in (model, load_published(Parts(second))))
    assert torch.equal(seen, again)


def test_the_last_layer_but_one_is_seen_without_clips_own_token(tmp_path: Path) -> None:
    from reference_exo2ego.backbone.published import Parts, load_published
    from tests.reference_exo2ego.published_layout import tiny_checkpoint

    model: Any = load_published(Parts(tiny_checkpoint(tmp_path / "tiny")))
    pixels = torch.randn(1, 2, 3, 56, 56)
    with torch.inference_mode():
        states = model.vision(pixels[0], output_hidden_states=True).hidden_states
        assert len(states) == 4
        assert torch.equal(model.see(pixels), model.connector(states[2][None, :, 1:]))


def test_a_base_checkpoint_is_its_three_parts(tmp_path: Path) -> None:
    from reference_exo2ego.backbone.published import Parts, load_published, published_weights
    from tests.reference_exo2ego.published_layout import tiny_checkpoint

    whole = published_weights(load_published(Parts(tiny_checkpoint(tmp_path / "whole"))))
    base = tiny_checkpoint(tmp_path / "base", base=True)
    found = published_weights(load_published(Parts(base, base / "language", base / "tower-clip")))
    assert found.keys() == whole.keys()
    assert all(torch.equal(found[name], whole[name]) for name in whole)


def test_missing_extra_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    from reference_exo2ego.backbone.published import Parts, load_published
    from tests.reference_exo2ego.published_layout import save_parts, tiny_checkpoint

    folder = tiny_checkpoint(tmp_path / "tiny")
    weights = Parts(folder).read()
    lost, turned = "model.mm_projector.s2.b3.se.fc1.bias", "model.layers.1.mlp.up_proj.weight"
    for name, changed, fault in (
        ("missing", {key: value for key, value in weights.items() if key != lost}, f"1 missing: {lost}"),
        ("extra", weights | {"model.mm_projector.s2.b5.x": torch.ones(1)}, r"1 not known: model.mm_projector.s2.b5.x"),
        (
            "turned",
            weights | {turned: weights[turned].T},
            rf"1 of another shape: {turned} of \(32, 48\), not \(48, 32\)",
        ),
    ):
        broken = Path(shutil.copytree(folder, tmp_path / name))
        save_parts(broken, changed)
        with pytest.raises(ModelError, match=rf"{name}: of \d+ tensors expected, {fault}\. "):
            load_published(Parts(broken))
    config = json.loads((folder / "config.json").read_text())
    broken = Path(shutil.copytree(folder, tmp_path / "activation"))
    (broken / "config.json").write_text(json.dumps(config | {"hidden_act": "zzz"}))
    with pytest.raises(ModelError, match=r"cannot build what its config\.json describes .KeyError.'zzz'"):
        load_published(Parts(broken))
    (broken / "config.json").write_text(json.dumps(config | {"vocab_size": -1}))
    with pytest.raises(ModelError, match=r"cannot build what its config\.json describes .RuntimeError"):
        load_published(Parts(broken))
    # What older releases of transformers saved and can be computed is no fault.
    save_parts(folder, weights | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)})
    load_published(Parts(folder))
