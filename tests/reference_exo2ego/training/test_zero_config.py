"""DeepSpeed's configuration: VideoLLaMA2's files as they are, and nothing that contradicts the recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("ijson")

from egobench.errors import RecipeError
from reference_exo2ego.training.recipe import load_recipe, override
from reference_exo2ego.training.zero import read_zero, resolve, sizes_of, stage_of_zero

AUTO_BATCHES = dict.fromkeys(
    ("train_micro_batch_size_per_gpu", "train_batch_size", "gradient_accumulation_steps"), "auto"
)
ZERO2 = {
    "fp16": {"enabled": "auto", "loss_scale": 0, "initial_scale_power": 16, "hysteresis": 2, "min_loss_scale": 1},
    "bf16": {"enabled": "auto"},
    **AUTO_BATCHES,
    "zero_optimization": {
        "stage": 2,
        "overlap_comm": True,
        "contiguous_gradients": True,
        "sub_group_size": 1e9,
        "reduce_bucket_size": "auto",
    },
}
ZERO3 = {
    **ZERO2,
    "zero_optimization": {
        "stage": 3,
        "overlap_comm": True,
        "contiguous_gradients": True,
        "sub_group_size": 1e9,
        "reduce_bucket_size": "auto",
        "stage3_prefetch_bucket_size": "auto",
        "stage3_param_persistence_threshold": "auto",
        "stage3_max_live_parameters": 1e9,
        "stage3_max_reuse_distance": 1e9,
        "stage3_gather_16bit_weights_on_model_save": True,
    },
}
"""The options of ``scripts/zero2.json`` and ``zero3.json`` of VideoLLaMA2."""


def resolved(config: dict[str, Any], *, gpus: bool = True, changes: tuple[str, ...] = ()) -> dict[str, Any]:
    recipe = override(load_recipe("7b"), changes)
    sizes = sizes_of(recipe, recipe.stage("stage1"), 16, gpu=gpus)
    return resolve(config, recipe, sizes, "zero.json")


@pytest.mark.parametrize("config", [ZERO2, ZERO3])
def test_the_files_of_videollama2_are_taken_as_they_are(config: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "zero.json"
    path.write_text(json.dumps(config))
    values = resolved(read_zero(str(path)))
    assert '"auto"' not in json.dumps(values)
    # 256 clips on 16 GPUs are 8 at once, twice.
    batches = (
        values["train_batch_size"],
        values["train_micro_batch_size_per_gpu"],
        values["gradient_accumulation_steps"],
    )
    assert batches == (256, 8, 2)
    assert values["bf16"]["enabled"] is True and values["fp16"]["enabled"] is False
    # As transformers resolves them, from the language model's width.
    assert values["zero_optimization"]["reduce_bucket_size"] == 4096 * 4096
    assert values["zero_optimization"]["stage"] == config["zero_optimization"]["stage"]


def test_gradients_are_clipped_as_the_recipe_says() -> None:
    # DeepSpeed's own default is 1.0, and it does not say so.
    assert resolved(ZERO2, changes=("clip=0",))["gradient_clipping"] == 0
    assert resolved(read_zero("3"), changes=("clip=0.5",))["gradient_clipping"] == 0.5


def test_the_cpu_overlaps_nothing() -> None:
    assert resolved(ZERO2, gpus=False)["zero_optimization"]["overlap_comm"] is False


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"train_batch_size": 128}, "train_batch_size is 128, and the recipe makes it 256"),
        ({"gradient_clipping": [1.0]}, r"gradient_clipping is \[1.0\], and the recipe makes it 1.0"),
        ({"gradient_clipping": 0.3}, "gradient_clipping is 0.3, and the recipe makes it 1.0"),
        ({"optimizer": {"type": "AdamW"}}, "optimizer is the recipe's"),
        (
            {"activation_checkpointing": {"number_checkpoints": "auto"}},
            'number_checkpoints "auto", and nothing decides',
        ),
    ],
)
def test_what_contradicts_the_recipe_is_refused(section: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        resolved(ZERO2 | section)


def test_the_stage_of_zero_is_what_the_file_says() -> None:
    assert [stage_of_zero(config, "zero.json") for config in (ZERO2, ZERO3, {})] == [2, 3, 0]
    for stage in (4, "2", True, None, [2]):
        with pytest.raises(RecipeError, match=r"zero.json: zero_optimization.stage is .*; expected 0, 1, 2 or 3"):
            stage_of_zero({"zero_optimization": {"stage": stage}}, "zero.json")


@pytest.mark.parametrize("section", ["zero_optimization", "bf16", "fp16"])
def test_a_section_that_is_no_object_is_refused_by_name(section: str) -> None:
    for value in (2, "auto", None, [1]):
        with pytest.raises(RecipeError, match=rf"zero\.json: {section} is .*; expected an object"):
            resolved(ZERO2 | {section: value})
    with pytest.raises(RecipeError, match=r"zero\.json: zero_optimization is 2; expected an object"):
        stage_of_zero({"zero_optimization": 2}, "zero.json")


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    for choice in ("4", str(tmp_path / "missing.json"), str(tmp_path / "list.json")):
        with pytest.raises(RecipeError, match=r"--deepspeed"):
            read_zero(choice)
