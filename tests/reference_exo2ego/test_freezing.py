"""What trains in each stage: counted at full size, shown by gradients and steps at tiny size, asserted before any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from egobench.errors import ModelError, StageError
from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.model.stages import STAGES

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

# By hand, from the papers' sizes.
CLIP_LAYER = 4 * (1024 * 1024 + 1024) + 2 * 2 * 1024 + 1024 * 4096 + 4096 + 4096 * 1024 + 1024
CLIP_EMBEDDINGS = 1024 + 1024 * 3 * 14 * 14 + (24 * 24 + 1) * 1024 + 2 * 1024
CLIP = CLIP_EMBEDDINGS + 24 * CLIP_LAYER + 2 * 1024
CLIP_READ = CLIP_EMBEDDINGS + 23 * CLIP_LAYER
"""The last layer and the norm behind it have no say in the hidden state that is read."""

MISTRAL_LAYER = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 2 * 4096
MISTRAL = 2 * 32000 * 4096 + 32 * MISTRAL_LAYER + 4096

BLOCK = 2 * (256 * 256 * 9 + 256)
DOWN = 1024 * 64 * 49 + 64 + 64 * 128 * 9 + 128 + 128 * 256 * 9 + 256
UP = 256 * 128 * 9 + 128 + 128 * 64 * 9 + 64 + 64 * 1024 * 49 + 1024
MAPPING = DOWN + 9 * BLOCK + UP

LORA = 32 * 128 * (2 * (4096 + 4096) + 2 * (4096 + 1024) + 3 * (4096 + 14336))
"""Rank 128 on q, o; k, v; gate, up, down of 32 layers."""

VARIANTS: list[dict[str, Any]] = [
    {},
    {"connector": "per_view", "delimiters": "on"},
    {"fuse": "channel", "kl": "gaussian"},
    {"fuse": "sum", "kl": "output", "ccl": "forward", "delimiters": "on"},
    {"fuse": "sum", "delimiters": "on"},
    {"ccl": "none", "mapping": {"kind": "fc"}},
    {"kl": "off", "ccl": "none"},
    {"place": "after_connector", "stc": {"kind": "stc_connector_v35"}, "mapping": {"downsamplings": 1}},
    {
        "place": "after_connector",
        "connector": "per_view",
        "ccl": "forward",
        "stc": {"kind": "stc_connector_v35"},
        "mapping": {"downsamplings": 1},
        "train": {"connector": ["init", "stage1", "stage2", "stage3"]},
    },
    {"train": {"exo_encoder": ["init", "stage1", "stage2"], "low_rank": []}},
    {"train": {"language": ["init"], "ego_encoder": ["init", "stage2"]}},
    {"vision": {"layer": -1}, "train": {"low_rank": ["init", "stage3"]}},
]


def connector_parameters() -> int:
    from tests.reference_exo2ego.published_layout import connector_shapes

    return sum(torch.Size(shape).numel() for shape in connector_shapes(1024, 4096).values())


def test_the_table_of_parameters_at_full_size_is_that_by_hand() -> None:
    from reference_exo2ego.model.freezing import part_counts

    connector = connector_parameters()
    assert (CLIP, MISTRAL, LORA) == (303_507_456, 7_241_732_096, 335_544_320)
    assert [
        (row.part, row.parameters, [row.trained[stage] for stage in STAGES]) for row in part_counts(Exo2EgoConfig())
    ] == [
        ("ego_encoder", CLIP, [CLIP_READ, 0, CLIP_READ, CLIP_READ]),
        ("exo_encoder", CLIP, [CLIP_READ, CLIP_READ, 0, 0]),
        ("connector", connector, [connector, connector, 0, 0]),
        ("to_exo", MAPPING, [0, 0, MAPPING, MAPPING]),
        ("to_ego", MAPPING, [0, 0, MAPPING, 0]),
        ("language", MISTRAL, [0, 0, 0, 0]),
        ("low_rank", LORA, [0, 0, 0, LORA]),
    ]


def test_the_page_of_choices_has_the_counts_at_full_size() -> None:
    page = " ".join((Path(__file__).parents[2] / "docs" / "exo2ego_choices.md").read_text().split())
    for count in (CLIP, connector_parameters(), MAPPING, MISTRAL, LORA):
        assert f" {count:,} " in page


def test_nine_blocks_a_mapping_at_full_size() -> None:
    from reference_exo2ego.model.freezing import blank

    model = blank(Exo2EgoConfig(), "stage2")
    for mapping in (model.to_exo, model.to_ego):
        assert [sum(p.numel() for p in block.parameters()) for block in mapping.blocks] == [BLOCK] * 9


def test_at_full_size_16_frames_are_3042_tokens() -> None:
    # By hand: 9 x 13 x 13 = 1,521 of the learner and as many of F(x).
    from reference_exo2ego.model.freezing import blank

    model = blank(Exo2EgoConfig(), "stage2").eval()
    pixels = torch.empty(1, 16, 3, 336, 336, device="meta")
    assert model.features("ego", pixels).shape == (1, 16, 24 * 24, 1024)
    assert model.read_learner(pixels, "stage3").shape == (1, 3042, 4096)
    assert model.read_learner(pixels, "init").shape == (1, 1521, 4096)


def test_what_answers_takes_a_demonstrator_less() -> None:
    # In half precision: 2 bytes a parameter.
    from reference_exo2ego.model.exo2ego import Exo2Ego

    config = Exo2EgoConfig()
    with torch.device("meta"):
        whole, learner = Exo2Ego(config), Exo2Ego(config, config.learner_in("stage3"))
    sizes = [2 * sum(parameter.numel() for parameter in model.parameters()) for model in (whole, learner)]
    assert sizes[0] - sizes[1] == 2 * (CLIP + MAPPING) == 642_580_736
    assert not hasattr(learner, "exo_encoder") and not hasattr(learner, "to_ego")


@pytest.mark.parametrize("variant", range(len(VARIANTS)))
def test_only_what_trains_gets_gradients(variant: int) -> None:
    from reference_exo2ego.model.freezing import begin_stage, check_stage, part_of
    from tests.reference_exo2ego.tiny_exo2ego import BATCHES, batch_of, tiny_config, tiny_model

    config = tiny_config(**VARIANTS[variant])
    model = tiny_model(config)
    for stage in STAGES:
        optimizer = torch.optim.AdamW(begin_stage(model, stage), lr=1e-4)
        check_stage(model, stage, optimizer)
        model.train()
        for views in [("ego",), ("exo",)] if stage == "init" else [BATCHES[stage]]:
            model(stage, batch_of(*views)).total.backward()
        parameters = dict(model.named_parameters())
        assert {part_of(name) for name, parameter in parameters.items() if parameter.grad is not None} == set(
            config.trained_in(stage)
        )
        without = [name for name, p in parameters.items() if (p.grad is None) == p.requires_grad]
        assert without == []
        moved = {part_of(name) for name, p in parameters.items() if p.grad is not None and bool(p.grad.any())}
        assert moved == set(config.trained_in(stage))
        optimizer.step()
        model.zero_grad(set_to_none=True)


def test_a_step_of_stage_2_leaves_demonstrator_and_language_model_bit_identical() -> None:
    from reference_exo2ego.model.freezing import begin_stage, part_digest
    from tests.reference_exo2ego.tiny_exo2ego import batch_of, tiny_model

    model = tiny_model()
    parts = model.config.read_in("stage2")
    before = {part: part_digest(model, part) for part in parts}
    optimizer = torch.optim.AdamW(begin_stage(model, "stage2"), lr=1e-3, weight_decay=0.02)
    model.train()("stage2", batch_of("ego", "exo")).total.backward()
    optimizer.step()
    changed = {part for part in parts if part_digest(model, part) != before[part]}
    assert changed == {"ego_encoder", "to_exo", "to_ego"}
    begin_stage(model, "stage3")
    # LoRA renames layers and leaves their weights.
    assert part_digest(model, "language") == before["language"]
    with torch.no_grad():
        model.exo_encoder.embeddings.class_embedding[3] += 1e-6
    assert part_digest(model, "exo_encoder") != before["exo_encoder"]


@pytest.mark.parametrize("connector", ["shared", "per_view"])
def test_stage_1_moves_what_the_learner_says_by_a_shared_connector_alone(connector: str) -> None:
    from reference_exo2ego.model.freezing import begin_stage, part_digest
    from tests.reference_exo2ego.tiny_exo2ego import batch_of, clips, tiny_config, tiny_model

    model = tiny_model(tiny_config(connector=connector))
    with torch.inference_mode():
        before = model.read_learner(clips(), "init")
    encoder = part_digest(model, "ego_encoder")
    optimizer = torch.optim.AdamW(begin_stage(model, "stage1"), lr=1e-3)
    model("stage1", batch_of("exo")).total.backward()
    optimizer.step()
    assert part_digest(model, "ego_encoder") == encoder
    with torch.inference_mode():
        assert torch.equal(model.read_learner(clips(), "stage1"), before) is (connector == "per_view")


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_learns_a_batch_by_heart(stage: Any) -> None:
    from reference_exo2ego.model.freezing import begin_stage
    from tests.reference_exo2ego.tiny_exo2ego import BATCHES, batch_of, tiny_model

    model, batch = tiny_model(), batch_of(*BATCHES[stage])
    optimizer = torch.optim.AdamW(begin_stage(model, stage), lr=3e-3)
    costs: list[float] = []
    for _ in range(12):
        losses = model.train()(stage, batch)
        losses.total.backward()
        optimizer.step()
        optimizer.zero_grad()
        costs.append(float(losses.total.detach()))
    assert min(costs[-3:]) < 0.8 * costs[0]


def test_lora_changes_nothing_until_it_is_trained() -> None:
    from reference_exo2ego.model.freezing import add_low_rank, begin_stage, has_low_rank
    from tests.reference_exo2ego.tiny_exo2ego import batch_of, tiny_model

    model = tiny_model()
    with torch.inference_mode():
        plain = model("stage3", batch_of("ego")).vtg
    begin_stage(model, "stage2")
    assert not has_low_rank(model)
    begin_stage(model, "stage3")
    with torch.inference_mode():
        assert torch.equal(model.eval()("stage3", batch_of("ego")).vtg, plain)
    with pytest.raises(ModelError, match="has LoRA already"):
        add_low_rank(model)


def test_what_lora_may_change_is_every_linear_layer_of_a_block() -> None:
    from reference_exo2ego.model.sizes import LINEAR
    from tests.reference_exo2ego.tiny_exo2ego import tiny_model

    layers = dict(tiny_model().language.model.layers.named_modules())
    linear = {name.rpartition(".")[2] for name, layer in layers.items() if isinstance(layer, torch.nn.Linear)}
    assert linear == set(LINEAR)


def refusal(model: Any, stage: Any, optimizer: Any) -> str:
    from reference_exo2ego.model.freezing import check_stage

    with pytest.raises(StageError) as raised:
        check_stage(model, stage, optimizer)
    return str(raised.value)


def test_a_wrong_freeze_is_refused_before_the_first_step() -> None:
    from reference_exo2ego.model.freezing import begin_stage, check_stage
    from tests.reference_exo2ego.tiny_exo2ego import tiny_model

    model = tiny_model()
    trained = begin_stage(model, "stage2")
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    check_stage(model, "stage2", optimizer)
    model.exo_encoder.requires_grad_(True)  # noqa: FBT003 - torch names it in two ways
    message = refusal(model, "stage2", optimizer)
    # By hand: CLIP of 3 layers has 3 x 16 + 7 tensors.
    assert message.startswith(
        "stage2: 55 parameters taking gradients and should be frozen (55 of exo_encoder): exo_encoder."
    )
    assert message.endswith("and 52 more; call begin_stage last, and give the optimizer exactly what it returns")
    begin_stage(model, "stage2")
    model.to_exo.last.bias.requires_grad = False
    assert "1 parameters frozen and should train (1 of to_exo): to_exo.last.bias;" in refusal(
        model, "stage2", optimizer
    )


def test_an_optimizer_that_moves_too_much_or_too_little_is_refused() -> None:
    from reference_exo2ego.model.freezing import begin_stage
    from tests.reference_exo2ego.tiny_exo2ego import tiny_model

    model = tiny_model()
    trained = begin_stage(model, "stage2")
    all_of_it = torch.optim.AdamW(model.parameters(), lr=1e-3)
    assert "in the optimizer and should not be (" in refusal(model, "stage2", all_of_it)
    assert "1 parameters not in the optimizer (" in refusal(model, "stage2", torch.optim.AdamW(trained[1:], lr=1e-3))
    stranger = torch.nn.Parameter(torch.zeros(3))
    message = refusal(model, "stage2", torch.optim.AdamW([*trained, stranger], lr=1e-3))
    assert "1 parameters in the optimizer and should not be (1 of no part): of shape (3,), not in the model;" in message
    stage3 = tiny_model()
    begin_stage(stage3, "stage2")
    assert "missing from the model (28 of low_rank)" in refusal(stage3, "stage3", all_of_it)


def test_a_model_of_another_configuration_is_refused() -> None:
    from reference_exo2ego.model.freezing import begin_stage
    from tests.reference_exo2ego.tiny_exo2ego import tiny_config, tiny_model

    model = tiny_model(tiny_config(ccl="none"))
    optimizer = torch.optim.AdamW(begin_stage(model, "stage2"), lr=1e-3)
    model.config = tiny_config()
    assert "missing from the model (48 of to_ego)" in refusal(model, "stage2", optimizer)
    model = tiny_model(tiny_config(mapping={"width": 8}))
    optimizer = torch.optim.AdamW(begin_stage(model, "stage2"), lr=1e-3)
    model.config = tiny_config()
    assert "of another size than configured (" in refusal(model, "stage2", optimizer)
    model = tiny_model()
    model.adapter = torch.nn.Linear(2, 2)
    message = refusal(model, "stage2", torch.optim.AdamW(model.parameters(), lr=1e-3))
    assert (
        "2 parameters in the model and not in its configuration (2 of no part): adapter.bias, adapter.weight" in message
    )


def test_a_stage_in_which_nothing_trains_is_refused() -> None:
    from reference_exo2ego.model.freezing import begin_stage
    from tests.reference_exo2ego.tiny_exo2ego import tiny_config, tiny_model

    model = tiny_model(tiny_config(train={"exo_encoder": ["init"], "connector": ["init"]}))
    with pytest.raises(StageError, match="stage1: nothing trains in it; leave the stage out, or name it in a row"):
        begin_stage(model, "stage1")
