"""``exo2ego train``: what it begins from, and what it says before it begins."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("ijson")

from reference_exo2ego.cli import main  # noqa: E402
from reference_exo2ego.training.estimate import estimate  # noqa: E402
from reference_exo2ego.training.recipe import load_recipe  # noqa: E402
from reference_exo2ego.training.report import as_typed  # noqa: E402
from reference_exo2ego.training.speed import stage_cost  # noqa: E402
from tests.reference_exo2ego.published_layout import tiny_checkpoint  # noqa: E402
from tests.reference_exo2ego.training.door_questions import write_questions  # noqa: E402
from tests.reference_exo2ego.training.tiny_training import recipe_file, recipe_values, write_data  # noqa: E402

Train = Callable[..., tuple[int, str, str]]


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Train:
    """Runs the command; gives its exit code and what it printed."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["exo2ego", "train", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return int(end.value.code or 0), printed.out, printed.err

    return run


@pytest.mark.slow
def test_a_published_model_is_trained_without_the_initialization(train: Train, tmp_path: Path) -> None:
    from reference_exo2ego.backbone.published import Parts, load_published
    from reference_exo2ego.model.checkpoint import load
    from reference_exo2ego.model.initial import published_configuration

    data = write_data(tmp_path / "data")
    published = Parts(tiny_checkpoint(data / "VideoLLaMA2-7B"))
    switches = {"mapping": {"width": 4, "downsamplings": 1}, "frames": 4, "low_rank": {"rank": 2, "alpha": 4}}
    config = published_configuration(published, switches).model_dump(mode="json")
    recipe = recipe_file(tmp_path, recipe_values(model=config, steps=1))
    code, out, err = train(recipe, "init=published", "--data", data, "--out", tmp_path / "run", "--workers", 0)
    assert code == 0, err
    assert "init: " not in out
    assert not (tmp_path / "run" / "init").exists()
    source = load_published(published)
    trained = {stage: load(tmp_path / "run" / stage / "model") for stage in ("stage1", "stage3")}
    for name, tensor in source.language.state_dict().items():
        assert torch.equal(trained["stage1"].language.state_dict()[name], tensor)
    before, after = source.vision.state_dict(), trained["stage1"].exo_encoder.state_dict()
    assert any(not torch.equal(before[name], tensor) for name, tensor in after.items())
    ego = trained["stage1"].ego_encoder.state_dict()
    assert all(torch.equal(before[name], tensor) for name, tensor in ego.items())


def test_a_dry_run_without_data_computes_what_can_be(train: Train, tmp_path: Path) -> None:
    values = recipe_values(("stage1", "stage2"), steps=None, epochs=2)
    arguments = (recipe_file(tmp_path, values), "--data", tmp_path / "nothing", "--out", tmp_path / "run", "--dry-run")
    code, out, err = train(*arguments)
    assert code == 0, err
    assert "stage1: steps and hours are not known without its data" in " ".join(err.split())
    assert "clips.jsonl" in err
    assert out.count("not known") == 4
    assert "ZeRO-3" in out and "exo_encoder" in out
    assert not (tmp_path / "run").exists()
    _, out, _ = train(*arguments, "--json")
    rows = json.loads(out)["stages"]
    assert [(row["steps"], row["hours"]) for row in rows] == [(None, None), (None, None)]
    assert all(row["tera"] > 0 and row["memory"]["zero2"]["total"] > 0 for row in rows)


def test_a_dry_run_with_data_knows_steps_and_hours(train: Train, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    recipe = recipe_file(tmp_path, recipe_values(("stage1",), steps=None, epochs=2))
    code, out, err = train(recipe, "--data", data, "--out", tmp_path / "run", "--dry-run", "--json")
    assert code == 0, err
    (row,) = json.loads(out)["stages"]
    # Of 12 clips 2 are held out; twice the other 10 are 5 batches of 4.
    assert row["steps"] == 5
    assert row["hours"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--dry-run", "--overfit-one-batch"), "leave one of them out"),
        (("--tasks", "vln-qa"), "go with --evaluate"),
        (("--evaluate-every", "5"), "go with --evaluate"),
        (("--evaluate-videos", "."), "go with --evaluate"),
        (("--evaluate", "."), "goes with --evaluate-videos"),
        (("--evaluate-limit", "0"), "--evaluate-limit"),
        (("--dry-run", "--processes", "0"), "--processes"),
        (("--stages", ","), "names nothing"),
    ],
)
def test_options_that_contradict_one_another_are_wrong_use(
    words: tuple[str, ...], message: str, train: Train, tmp_path: Path
) -> None:
    code, out, err = train("tiny", "--data", tmp_path, "--out", tmp_path / "run", *words)
    assert (code, out, message in " ".join(err.replace("│", "").split())) == (2, "", True), err
    assert not (tmp_path / "run").exists()


def test_videos_of_questions_are_looked_for_before_anything_is_trained(train: Train, tmp_path: Path) -> None:
    write_questions(tmp_path / "sets", tmp_path / "videos")
    (tmp_path / "empty").mkdir()
    for folder, message in (("nowhere", "no such folder of videos"), ("empty", "has no video of vln-qa")):
        code, _, err = train(
            "tiny",
            "--data",
            tmp_path,
            "--evaluate",
            tmp_path / "sets",
            "--evaluate-videos",
            tmp_path / folder,
            "--dry-run",
        )
        assert (code, message in " ".join(err.split())) == (1, True), err


@pytest.mark.parametrize("mode", [(), ("--dry-run",), ("--overfit-one-batch",)])
def test_stages_that_are_not_trained_are_named_before_anything_begins(
    mode: tuple[str, ...], train: Train, tmp_path: Path
) -> None:
    data, run = write_data(tmp_path / "data"), tmp_path / "run"
    arguments = (recipe_file(tmp_path, recipe_values(("init",), steps=1)), "--data", data, "--out", run, *mode)
    code, out, err = train(*arguments, "--stages", "init,stage7")
    assert (code, out, "no stage 'stage7'; it has init" in " ".join(err.split())) == (2, "", True), err
    code, out, err = train(*arguments, "init=published")
    assert (code, out, "nothing to train; it has init alone" in " ".join(err.split())) == (2, "", True), err
    assert not run.exists()


def test_a_dry_run_computes_the_stages_that_are_named(train: Train, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path, recipe_values(("stage1", "stage2", "stage3")))
    code, out, err = train(recipe, "--data", tmp_path, "--dry-run", "--json", "--stages", "stage3,stage1")
    assert code == 0, err
    assert [row["stage"] for row in json.loads(out)["stages"]] == ["stage1", "stage3"]


def test_a_named_model_begins_the_first_stage_that_is_overfitted_alone(train: Train, tmp_path: Path) -> None:
    """Stage 1 trains the exocentric encoder: a stage 2 that begins from it again has a loss of its own."""
    data = write_data(tmp_path / "data")
    recipe = recipe_file(tmp_path, recipe_values(("stage1", "stage2"), steps=1))
    other = recipe_file(tmp_path, recipe_values(("stage1", "stage2"), steps=1, seed=7))
    code, _, err = train(other, "--data", data, "--out", tmp_path / "other", "--stages", "stage1", "--workers", 0)
    assert code == 0, err
    recipe = recipe_file(tmp_path, recipe_values(("stage1", "stage2"), steps=1))
    overfit = (recipe, "--data", data, "--out", tmp_path / "run", "--overfit-one-batch", "--overfit-steps", 1, "--json")
    losses: dict[str, list[float]] = {}
    for words in ((), ("--from", tmp_path / "other" / "stage1" / "model")):
        _, out, err = train(*overfit, *words)
        for row in json.loads(out):
            losses.setdefault(row["stage"], []).append(row["losses"]["vtg"][0])
    assert losses["stage1"][0] != losses["stage1"][1]
    assert losses["stage2"][0] == losses["stage2"][1]


def test_a_training_says_in_json_what_it_hands_over(train: Train, tmp_path: Path) -> None:
    data, run = write_data(tmp_path / "data"), tmp_path / "run"
    recipe = recipe_file(tmp_path, recipe_values(("stage1", "stage2"), steps=1))
    arguments = (recipe, "--data", data, "--out", run, "--workers", 0, "--json")
    for stages, names in (("stage1", ["stage1"]), ("stage2,stage1", ["stage1", "stage2"])):
        code, out, err = train(*arguments, "--stages", stages)
        assert code == 0, err
        assert json.loads(out)["models"] == {name: str(run / name / "model") for name in names}


def test_rows_cost_by_their_own_frames_and_batches() -> None:
    """Every turn of stage 2 of ``tiny`` is 16 pairs of 4 frames, though the model reads up to 32."""
    recipe = load_recipe("tiny")
    assert (recipe.model.frames, recipe.checkpointing) == (32, False)
    cost = stage_cost(recipe, "stage2", frames=4)
    result = estimate(recipe, recipe.stage("stage2"), processes=1, steps=10, peak=1e12)
    assert result.tera == pytest.approx((cost.forward + cost.backward) / 1e12)
    assert result.hours == pytest.approx(10 * 16 * (cost.forward + cost.backward) / 1e12 / 0.4 / 3600)
    assert result.memory[0].activations == 16 * cost.saved


def test_still_rows_cost_less() -> None:
    recipe = load_recipe("tiny")
    still, moving = (stage_cost(recipe, "stage3", frames=8, still=still) for still in (True, False))
    assert still.forward == moving.forward
    assert still.backward < 0.6 * moving.backward


def test_a_report_shows_the_command_as_it_can_be_typed() -> None:
    assert as_typed(["/opt/bin/exo2ego", "train", "tiny", "model.train.low_rank=[]"]) == (
        "exo2ego train tiny 'model.train.low_rank=[]'"
    )
    assert as_typed(["/src/reference_exo2ego/__main__.py", "train"]) == "python -m reference_exo2ego train"
