"""Beginning from published weights: the strict key map, every part where it belongs, another checkpoint refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import ConfigurationError, ModelError

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

SMALL_GRID = {"mapping": {"width": 4, "downsamplings": 1}}
"""Tiny published checkpoints see 4 x 4 patches, which can be halved once."""


def published(folder: Path, **more: Any) -> Any:
    from reference_exo2ego.backbone.published import Parts
    from tests.reference_exo2ego.published_layout import tiny_checkpoint

    made = tiny_checkpoint(folder, **more)
    return Parts(made, made / "language", made / "tower-clip") if more.get("base") else Parts(made)


@pytest.mark.parametrize("base", [False, True])
def test_both_views_begin_as_videollama2(base: bool, tmp_path: Path) -> None:
    from reference_exo2ego.backbone.published import load_published
    from reference_exo2ego.model.initial import from_videollama2, published_configuration

    parts = published(tmp_path / "videollama2", base=base)
    config = published_configuration(parts, SMALL_GRID | {"connector": "per_view"})
    assert (config.frames, config.vision.grid, config.language.hidden_size) == (16, 4, 32)
    model, source = from_videollama2(parts, config), load_published(parts)
    pixels = torch.randn(1, 4, 3, 56, 56)
    with torch.inference_mode():
        for view in ("ego", "exo"):
            assert torch.equal(model.read_view(view, pixels), source.see(pixels))
    for name, tensor in source.language.state_dict().items():
        assert torch.equal(model.language.state_dict()[name], tensor)
    # Each view has weights of its own.
    with torch.no_grad():
        model.exo_encoder.pre_layrnorm.weight.add_(1)
        model.exo_connector.readout[0].bias.add_(1)
    with torch.inference_mode():
        assert torch.equal(model.read_view("ego", pixels), source.see(pixels))
        assert not torch.equal(model.read_view("exo", pixels), source.see(pixels))


def test_clip_and_mistral_begin_with_a_fresh_connector(tmp_path: Path) -> None:
    from reference_exo2ego.backbone.published import load_published
    from reference_exo2ego.model.initial import from_clip_and_mistral, published_configuration

    parts = published(tmp_path / "videollama2", base=True)
    config, source = published_configuration(parts, SMALL_GRID), load_published(parts)
    model = from_clip_and_mistral(config, clip=parts.vision, mistral=parts.language)
    for part, expected in (
        ("ego_encoder", source.vision),
        ("exo_encoder", source.vision),
        ("language", source.language),
    ):
        weights = getattr(model, part).state_dict()
        assert weights.keys() == expected.state_dict().keys()
        assert all(torch.equal(weights[name], tensor) for name, tensor in expected.state_dict().items())
    assert not torch.equal(model.connector.readout[0].weight, source.connector.readout[0].weight)
    with pytest.raises(ModelError, match="language: no weights"):
        (parts.language / "model.safetensors").unlink()
        from_clip_and_mistral(config, clip=parts.vision, mistral=parts.language)


def test_a_model_from_published_weights_trains_in_every_stage(tmp_path: Path) -> None:
    from reference_exo2ego.model.exo2ego import ClipInputs
    from reference_exo2ego.model.freezing import begin_stage, check_stage
    from reference_exo2ego.model.initial import from_videollama2, published_configuration
    from reference_exo2ego.model.stages import STAGES
    from reference_exo2ego.model.words import Question, pack
    from tests.reference_exo2ego.tiny_exo2ego import BATCHES

    parts = published(tmp_path / "videollama2")
    model = from_videollama2(parts, published_configuration(parts, SMALL_GRID))
    words = pack([([1], [Question([7], [8, 2])])])
    for stage in STAGES:
        optimizer = torch.optim.AdamW(begin_stage(model, stage), lr=1e-3)
        check_stage(model, stage, optimizer)
        losses = model(stage, ClipInputs(words, **{view: torch.randn(1, 4, 3, 56, 56) for view in BATCHES[stage]}))
        losses.total.backward()
        optimizer.step()
        assert bool(losses.total.isfinite())


def test_a_checkpoint_of_other_sizes_is_refused_by_what_differs(tmp_path: Path) -> None:
    from reference_exo2ego.model.configuration import Exo2EgoConfig
    from reference_exo2ego.model.initial import from_videollama2, published_configuration

    parts = published(tmp_path / "videollama2")
    with pytest.raises(
        ConfigurationError, match=r"vision.hidden_size is 16, configured 1024; .*configure the checkpoint"
    ):
        from_videollama2(parts, Exo2EgoConfig())
    # 4 x 4 patches cannot be halved twice and leave 2 x 2.
    with pytest.raises(ConfigurationError, match=r"videollama2: mapping: the grid of 4 x 4 .* is too small"):
        published_configuration(parts)
    config = published_configuration(parts, SMALL_GRID)
    path = parts.folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hidden_act": "gelu"}))
    with pytest.raises(ConfigurationError, match="hidden_act of its language model is 'gelu', here 'silu'"):
        from_videollama2(parts, config)


def test_a_checkpoint_on_other_models_is_refused(tmp_path: Path) -> None:
    from reference_exo2ego.model.initial import published_configuration

    with pytest.raises(
        ConfigurationError, match="stands on siglip_vision_model and qwen2; Exo2Ego stands on CLIP and Mistral"
    ):
        published_configuration(published(tmp_path / "videollama2", release="2.1"))


def test_videollama2_7b_has_the_sizes_that_are_the_default(tmp_path: Path) -> None:
    from reference_exo2ego.backbone.published import Parts
    from reference_exo2ego.model.configuration import Exo2EgoConfig, differences
    from reference_exo2ego.model.initial import published_configuration
    from tests.reference_exo2ego.published_layout import PUBLISHED

    values = PUBLISHED["2"] | {"rms_norm_eps": 1e-5}
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert differences(published_configuration(Parts(tmp_path)), Exo2EgoConfig()) == []
