"""Recipes: what there is, other values by dotted names, and what decides the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("ijson")

from egobench.errors import ConfigurationError, RecipeError
from reference_exo2ego.training.recipe import RECIPES, load_recipe, override
from reference_exo2ego.training.sampler import micro_size


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_the_one_of_its_name(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    # A recipe survives being written down, as it is in run.json.
    assert type(recipe).model_validate_json(recipe.model_dump_json()) == recipe


def test_the_paper_s_recipe_is_table_14() -> None:
    recipe = load_recipe("7b")
    table = [(stage.name, stage.batch, stage.rate, stage.warmup, stage.epochs) for stage in recipe.stages]
    # Table 14 of arXiv 2503.09143.
    assert table == [
        ("init", 512, 1e-3, 0.1, 5),
        ("stage1", 256, 1e-4, 0.03, 2),
        ("stage2", 256, 1e-4, 0.03, 2),
        ("stage3", 64, 2e-5, 0.03, 1),
    ]
    assert [micro_size(stage.batch, 16, stage.micro) for stage in recipe.stages] == [8, 8, 8, 4]
    assert [micro_size(stage.batch, 1, stage.micro) for stage in recipe.stages] == [8, 8, 8, 8]


def test_other_values_are_set_by_dotted_names() -> None:
    recipe = override(
        load_recipe("7b"),
        ["stage3.rate=1e-5", "model.kl=gaussian", "stages.stage2.source.files.0.weight=0.5", "seed=7"],
    )
    assert recipe.stage("stage3").rate == 1e-5
    assert recipe.model.kl == "gaussian" and recipe.seed == 7
    source = recipe.stage("stage2").source
    assert source.kind == "samples" and source.files[0].weight == 0.5


def test_a_rate_may_be_given_to_any_part() -> None:
    stage = override(load_recipe("tiny"), ["stage3.rates.connector=1e-4"]).stage("stage3")
    assert stage.rates == {"low_rank": 2e-3, "connector": 1e-4}


def test_rows_have_batches_of_their_own() -> None:
    """The longest rows of the stage ``init`` come by 16."""
    with pytest.raises(
        RecipeError, match=r"batch 8 and micro 16; its rows .* are expected to be 16; change init"
    ) as error:
        override(load_recipe("tiny"), ["init.batch=8"])
    assert len(str(error.value)) < 400, "the whole stage is not printed"
    smaller = [f"init.source.rows.{kind}.batch=4" for kind in range(3)]
    assert override(load_recipe("tiny"), [*smaller, "init.batch=4", "init.micro=4"]).stage("init").batch == 4


def test_published_weights_leave_the_initialization_out() -> None:
    recipe = override(load_recipe("7b"), ["init=published"])
    assert [stage.name for stage in recipe.trained] == ["stage1", "stage2", "stage3"]
    with pytest.raises(RecipeError, match="no stage 'init'; it has stage1, stage2, stage3"):
        recipe.stage("init")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("stage3.rat=1", r"stage3\.rat: no such option; stage3 has name, source, batch"),
        ("rate=1", "rate: no such option; the recipe has name, about, model.*and the stages init"),
        ("stage3.batch=-1", r"stages\.3\.batch: Input should be greater than 0, found -1"),
        ("stage3.steps=5", "stage stage3: expected either epochs or steps"),
        ("model.kl=none", r"model\.kl: Input should be 'categorical'"),
        ("stage2.source.files.7.weight=2", r"files\.7.*has 0"),
        ("stage2", "expected name=value"),
        ("stage3.rates.lora=1", r"stage3\.rates has ego_encoder, exo_encoder"),
        ("model.mapping.downsamplings=5", "cannot be halved 5 times"),
        ("seed=9223372036854775808", r"seed: Input should be less than 9223372036854775808"),
        ("seed=-1", r"seed: Input should be greater than or equal to 0"),
    ],
)
def test_a_wrong_option_says_what_there_is(change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        override(load_recipe("7b"), [change])


def test_a_recipe_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no recipe 'huge'; there are tiny, small, 7b"):
        load_recipe("huge")
    (tmp_path / "own.py").write_text("RECIPE = 3\n")
    with pytest.raises(RecipeError, match="defines no RECIPE"):
        load_recipe(str(tmp_path / "own.py"))


@pytest.mark.parametrize(
    ("content", "fault"),
    [("RECIPE = (", "SyntaxError"), ("import nothing_of_that_name", "ModuleNotFoundError"), ("1 / 0", "ZeroDivision")],
)
def test_a_recipe_that_cannot_be_run_is_refused_in_one_line(content: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(content)
    with pytest.raises(RecipeError, match=rf"own\.py: cannot be run \({fault}.*; expected Python that defines RECIPE"):
        load_recipe(str(tmp_path / "own.py"))


def test_a_recipe_of_ones_own_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("from reference_exo2ego.training.recipes.small import RECIPE\n")
    assert load_recipe(str(tmp_path / "own.py")) == load_recipe("small")


def test_how_a_batch_is_cut_is_no_part_of_what_is_learnt() -> None:
    recipe = load_recipe("small")
    assert override(recipe, ["stage1.micro=4", "checkpointing=false"]).fingerprint == recipe.fingerprint
    assert override(recipe, ["stage1.batch=64"]).fingerprint != recipe.fingerprint
    assert issubclass(RecipeError, ValueError) and not issubclass(ConfigurationError, RecipeError)
