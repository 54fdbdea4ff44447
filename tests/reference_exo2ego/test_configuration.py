"""The configuration: the paper's defaults, what trains when, and what cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from egobench.errors import ConfigurationError
from reference_exo2ego.model.configuration import Exo2EgoConfig, differences, read_configuration
from reference_exo2ego.model.stages import STAGES, stage_named


def test_defaults_are_the_papers() -> None:
    # arXiv 2503.09143, Table 14 and D.1: 16 frames of 336 x 336, LoRA of rank 128, alpha 256, dropout 0.1.
    config = Exo2EgoConfig()
    assert (config.frames, config.vision.image_size, config.vision.patch_size) == (16, 336, 14)
    assert (config.low_rank.rank, config.low_rank.alpha, config.low_rank.dropout) == (128, 256, 0.1)
    # 24 x 24 patches; behind the connector, by hand: (16 / 2 + 1) steps of (24 / 2 + 1) x (24 / 2 + 1) tokens.
    assert (config.feature_grid, config.feature_width, config.tokens) == (24, 1024, 9 * 13 * 13)


def test_what_trains_is_figure_4() -> None:
    # Init: both encoders; stage 1: exo encoder; stage 2: ego encoder, F, G; stage 3: LoRA, ego encoder, F. The
    # connector's row is ours: init and stage 1.
    config = Exo2EgoConfig()
    assert {stage: set(config.trained_in(stage)) for stage in STAGES} == {
        "init": {"ego_encoder", "exo_encoder", "connector"},
        "stage1": {"exo_encoder", "connector"},
        "stage2": {"ego_encoder", "to_exo", "to_ego"},
        "stage3": {"ego_encoder", "to_exo", "low_rank"},
    }


def test_the_initialization_reads_ego_tokens_alone() -> None:
    config = Exo2EgoConfig()
    assert "to_exo" not in config.read_in("init")
    assert config.learner_in("init") == config.learner_in("stage1") == ("ego_encoder", "connector", "language")
    assert config.learner_in("stage2") == ("ego_encoder", "connector", "to_exo", "language")
    assert config.learner_in("stage3") == ("ego_encoder", "connector", "to_exo", "language", "low_rank")


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("init", "init"),
        ("Initialization", "init"),
        ("Teacher Self-Preparation", "stage1"),
        ("demonstrator-learner guidance", "stage2"),
        ("Student Self-Practice", "stage3"),
        ("Learner Self-Practice", "stage3"),
    ],
)
def test_stages_go_by_the_names_of_both_versions(name: str, stage: str) -> None:
    assert stage_named(name) == stage


def test_an_unknown_stage_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="no stage 'stage4'; the stages are init, stage1, stage2, stage3, in"):
        stage_named("stage4")


def test_ablations_of_tables_7_and_8_are_switches() -> None:
    without_g = Exo2EgoConfig(ccl="none")
    assert "to_ego" not in without_g.parts
    without_kl = read_configuration({"kl": "off", "ccl": "forward"}, "here")
    assert "exo_encoder" not in without_kl.read_in("stage2")
    without_lora = read_configuration({"train": {"low_rank": []}}, "here")
    assert without_lora.trained_in("stage3") == ("ego_encoder", "to_exo")
    connected = read_configuration({"mapping": "fc"}, "here")
    assert connected.mapping.kind == "fc"
    both = read_configuration({"train": {"exo_encoder": ["init", "stage1", "Teacher-Student Guidance"]}}, "here")
    assert "exo_encoder" in both.trained_in("stage2")
    frozen = read_configuration({"train": {"ego_encoder": ["init", "stage2"]}}, "here")
    assert frozen.trained_in("stage3") == ("to_exo", "low_rank")


def test_a_view_has_a_connector_of_its_own() -> None:
    config = Exo2EgoConfig(connector="per_view")
    assert "exo_connector" in config.trained_in("stage1")
    assert "connector" not in config.read_in("stage1")
    # F(x) is read through the exocentric one.
    assert "exo_connector" in config.learner_in("stage3")
    assert "exo_connector" not in config.learner_in("init")


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"vision": {"image_size": 340}}, "images of 340 pixels cannot be cut into patches of 14"),
        # 322 / 14 = 23.
        ({"vision": {"image_size": 322}}, r"grid of 23 x 23 \(before_connector\) cannot be halved 2 times; expected a"),
        (
            {"place": "after_connector"},
            r"grid of 13 x 13 \(after_connector\) cannot be halved 2 times; expected a mult",
        ),
        ({"vision": {"image_size": 56}}, "grid of 4 x 4 .* is too small: 4 places a row are the least, and 2 after"),
        ({"vision": {"layer": 25}}, "vision.layer: 25, but there are 25 hidden states"),
        ({"vision": {"num_attention_heads": 15}}, "vision: 1024 channels cannot be shared by 15 heads"),
        ({"language": {"num_key_value_heads": 5}}, "language: 32 heads cannot share 5 keys and values"),
        ({"low_rank": {"targets": ["q_proj", "wq"]}}, "low_rank.targets: wq not in the language model; its linear"),
        ({"low_rank": {"targets": []}}, "low_rank.targets: empty"),
        # 2 x 17 x 13 x 13 = 5,746.
        (
            {"frames": 32, "language": {"max_position_embeddings": 4096}},
            "max_position_embeddings: 4096, but 32 frames are 5746 tokens; show fewer",
        ),
        ({"train": {"to_exo": ["init"]}}, "train.to_exo: nothing reads it in init; it can train in stage2, stage3"),
        (
            {"ccl": "none", "train": {"exo_encoder": ["stage2"]}},
            "train.exo_encoder: no gradient reaches it in stage2 with ccl=none, for the divergence does not move y",
        ),
        (
            {"train": {"language": ["stage3"]}},
            "all of the language model and LoRA in it cannot both train in stage3; choose one",
        ),
        ({"train": {"ego_encoder": ["init", "init"]}}, "train.ego_encoder: a stage is named twice in init, init"),
        ({"train": {"ego_encoder": ["stage9"]}}, "no stage 'stage9'"),
        ({"kl": "cosine"}, "kl: Input should be 'categorical', 'gaussian', 'output' or 'off', found 'cosine'"),
        ({"mapping": {"kinds": "fc"}}, "mapping.kinds: not known; mapping has kind, residual, width, downsamplings"),
        (
            {"fusion": "sum"},
            "fusion: not known; the configuration has vision, language, stc, low_rank, frames, fps, fit, place",
        ),
        ({"weights": {"kl": 0}}, "weights.kl: Input should be greater than 0, found 0"),
    ],
)
def test_a_contradiction_says_what_where_and_what_to_do(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^recipe.toml: .*{fault}"):
        read_configuration(values, "recipe.toml")


def test_a_configuration_goes_through_json_and_stays_the_same() -> None:
    config = read_configuration({"mapping": {"kind": "fc", "residual": True}, "train": {"connector": ["stage2"]}}, "x")
    again = read_configuration(json.loads(config.model_dump_json()), "x")
    assert again == config
    assert differences(config, Exo2EgoConfig()) == [
        "mapping.kind: 'fc' and 'resnet9'",
        "mapping.residual: True and False",
        "train.connector: ('stage2',) and ('init', 'stage1')",
    ]
