"""An ablation trains what variants share once, goes on after any stop, and compares what it asked."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from egobench.compare import compare  # noqa: E402
from egobench.errors import ResumeError, StoreError  # noqa: E402
from egobench.metrics import ScoredSample  # noqa: E402
from egobench.plugins import load_task  # noqa: E402
from egobench.sample import Sample  # noqa: E402
from egobench.statistics.average import average  # noqa: E402
from egobench.statistics.resampling import column  # noqa: E402
from reference_exo2ego.cli import main  # noqa: E402
from reference_exo2ego.model.checkpoint import load  # noqa: E402
from reference_exo2ego.model.freezing import part_digest  # noqa: E402
from reference_exo2ego.training.ablation.adopting import adopt  # noqa: E402
from reference_exo2ego.training.ablation.page import BEGIN, END, write_page  # noqa: E402
from reference_exo2ego.training.ablation.results import Answers, difference_of  # noqa: E402
from reference_exo2ego.training.ablation.study import Study, StudyRequest  # noqa: E402
from reference_exo2ego.training.loop import LoopSettings  # noqa: E402
from tests.reference_exo2ego.tiny_exo2ego import tiny_config  # noqa: E402
from tests.reference_exo2ego.training.door_questions import write_questions  # noqa: E402
from tests.reference_exo2ego.training.tiny_training import LIVELY, tiny_recipe, write_data  # noqa: E402

pytestmark = pytest.mark.slow

VARIANTS = ("without-kl", "after-stage1")
TRAININGS = ["init", "stage1", "stage2", "stage2", "stage3", "stage3"]
"""Of the recipe and these variants: all share the first two stages, and two go on from there."""


class Place:
    """Folders of training data and of questions."""

    def __init__(self, root: Path) -> None:
        self.data = write_data(root / "train")
        self.sets, self.videos = root / "data", root / "videos"
        write_questions(self.sets, self.videos)

    def request(self, folder: Path, **changes: Any) -> StudyRequest:
        request = StudyRequest(
            recipe=tiny_recipe(steps=2),
            folder=folder,
            data=self.data,
            sets=self.sets,
            videos=self.videos,
            only=VARIANTS,
            seeds=(0,),
            loop=LoopSettings(workers=0, save_every=1),
        )
        return replace(request, **changes)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def study(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """An ablation that is done."""
    study = place.request(tmp_path_factory.mktemp("study") / "out").open()
    assert study.work()
    return study


def trained(folder: Path) -> list[str]:
    """Stages that were trained."""
    return sorted(model.parent.name for model in folder.glob("stages/*/*/model"))


def steps_taken(folder: Path) -> int:
    """Steps of all trainings, those that were taken again counted again."""
    logs = [json.loads(line) for log in folder.glob("stages/*/log.jsonl") for line in log.read_text().splitlines()]
    return sum(row["kind"] == "step" for row in logs)


def changed(folder: Path) -> dict[str, int]:
    """When each file was last written."""
    return {
        str(file): file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file() and file.suffix != ".lock"
    }


def test_shared_stages_are_trained_once(study: Study) -> None:
    folder = study.workspace.folder
    assert trained(folder) == TRAININGS
    assert len(list(folder.glob("runs/*/*/scores.json"))) == 4, "after-init is what after-stage1 is compared with"
    forecast = study.forecast()
    assert (len(forecast.stages), forecast.unshared, forecast.runs, forecast.finished_runs) == (6, 11, 4, 4)
    assert forecast.seconds == 0


def test_what_is_done_is_never_done_again(study: Study, place: Place) -> None:
    before = changed(study.workspace.folder)
    assert place.request(study.workspace.folder).open().work()
    assert changed(study.workspace.folder) == before


def test_a_further_seed_trains_its_own_stages(study: Study, place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(study.workspace.folder, folder)
    assert place.request(folder, only=("after-stage1",), seeds=(0, 1)).open().work()
    assert len(trained(folder)) == len(TRAININGS) + 2


def test_stopped_anywhere_it_goes_on_with_the_same_command(study: Study, place: Place, tmp_path: Path) -> None:
    """A stop after every third question or step; the weights are those of an ablation that was never stopped."""
    folder, stops = tmp_path / "out", 0

    class Stops:
        left = 3

        def __call__(self) -> bool:
            self.left -= 1
            return self.left < 0

    while not place.request(folder, only=("after-stage1",)).open(asked_to_stop=Stops()).work():
        stops += 1
        assert stops < 40
    assert stops > 2
    assert trained(folder) == ["init", "stage1"]
    models = {path.name: path for path in study.workspace.folder.glob("models/*/*")}
    for path in folder.glob("models/*/*"):
        resumed, uninterrupted = (load(model, learner=True).state_dict() for model in (path, models[path.name]))
        assert all(torch.equal(weight, uninterrupted[name]) for name, weight in resumed.items())


def test_runs_are_ordinary_ones_and_differences_those_of_compare(study: Study) -> None:
    """One seed: the effect is that of egobench compare, which pairs the same samples; both intervals are by video."""
    results = study.write_results()
    runs = {name: study.workspace.folder / variant["runs"][0] for name, variant in results["variants"].items()}
    for name, against in (("without-kl", "full"), ("after-stage1", "after-init")):
        comparison = compare([runs[name], runs[against]], study.workspace.sets)
        (test,) = comparison.scores[0].tests
        (row,) = [row for table in results["tables"] for row in table["rows"] if row["variant"] == name]
        assert row["difference"]["effect"] == pytest.approx(test.effect)
        assert row["difference"]["n"] == test.n == 8
        assert comparison.runs[0].name == f"{name}, seed 0"
    assert results["score"]["name"] == "mean of 1 scores"


def answers(**right: Sequence[Sequence[int]]) -> Answers:
    """Answers to six questions about six videos: per variant and seed the numbers of those that are right."""
    samples = [
        Sample(
            id=str(number),
            task="vln-qa",
            subset="all",
            video=f"{number}.mp4",
            start=0.0,
            end=1.0,
            question="?",
            options=("a", "b"),
            target=0,
            answer="a",
            relevance=None,
            cluster=str(number),
            tags={},
        )
        for number in range(6)
    ]
    runs = [(name, seed) for name, seeds in right.items() for seed in range(len(seeds))]
    scored = [
        [
            ScoredSample(sample, "answered", (1.0, 0.0) if number in right[name][seed] else (0.0, 1.0))
            for number, sample in enumerate(samples)
        ]
        for name, seed in runs
    ]
    task = load_task("vln-qa")
    columns = {"acc": column(task.metrics["acc"], scored)}
    return Answers(runs, columns, average(list(columns.values())))


def test_seeds_are_averaged_before_questions_are_compared() -> None:
    """By hand: 5 + 3 of 6 against 2 + 2 of 6 right.

    Differences of the questions, averaged over two seeds: 1, 1, .5, .5, -.5, -.5, mean 1/3. A bootstrap of clusters has
    the error sqrt(sum of squares around it) / 6, which 1,000 draws meet within 10 %.
    """
    both = answers(one=[(0, 1, 2, 3, 4), (0, 1, 2)], other=[(4, 5), (2, 4)])
    difference = difference_of(both, "one", "other")
    assert difference is not None
    assert difference.test.effect == pytest.approx(2 / 6)
    assert difference.seeds.values == {0: pytest.approx(3 / 6), 1: pytest.approx(1 / 6)}
    assert difference.seeds.sd == pytest.approx((2 * (1 / 6) ** 2) ** 0.5)
    by_question = [1, 1, 0.5, 0.5, -0.5, -0.5]
    squares = sum((value - 1 / 3) ** 2 for value in by_question)
    assert difference.test.se == pytest.approx(squares**0.5 / 6, rel=0.1)


def test_a_seed_that_one_of_them_lacks_is_left_out() -> None:
    both = answers(one=[(0, 1), (0,)], other=[(0,)])
    difference = difference_of(both, "one", "other")
    assert difference is not None
    assert difference.seeds.values == {0: pytest.approx(1 / 6)}
    assert difference.test.effect == pytest.approx(1 / 6)
    assert difference.seeds.sd is None


def test_the_page_stands_beside_the_paper(study: Study, tmp_path: Path) -> None:
    results = study.write_results()
    text = (study.workspace.folder / "ablations.md").read_text(encoding="utf-8")
    assert "| `without-kl` | without KL | 51.4 | -4.2 |" in text
    assert "| `after-stage1` | the checkpoint of stage1 |  | init 2, stage1 2 |" in text
    assert {"table7.svg", "table15.svg"} <= {file.name for file in study.workspace.folder.glob("*.svg")}
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\nwords\n\n{BEGIN}\nold\n{END}\n\nmore\n", encoding="utf-8")
    write_page(results, page)
    written = page.read_text(encoding="utf-8")
    assert written.startswith("# Title\n\nwords\n") and written.endswith("\nmore\n")
    assert "old" not in written and "(pictures/ablation_table7.svg)" in written
    (tmp_path / "empty.md").write_text("nothing", encoding="utf-8")
    with pytest.raises(StoreError, match="no place for results"):
        write_page(results, tmp_path / "empty.md")


def test_the_same_answers_have_a_difference_of_0_and_no_interval(study: Study, tmp_path: Path) -> None:
    results: Any = json.loads(json.dumps(study.write_results()))
    (row,) = (row for table in results["tables"] for row in table["rows"] if row["variant"] == "without-kl")
    row["difference"] |= {"effect": 0.0, "se": 0.0, "low": -0.308, "high": 0.308}
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    write_page(results, page)
    text = page.read_text(encoding="utf-8")
    assert "| `full` | +0.0 |" in text
    assert "30.8" not in text


def test_another_ablation_in_the_folder_is_refused(study: Study, place: Place) -> None:
    with pytest.raises(ResumeError, match="holds another ablation"):
        place.request(study.workspace.folder, recipe=tiny_recipe(steps=3)).open()


def test_results_of_nothing_are_an_error(place: Place, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing was asked yet"):
        place.request(tmp_path / "out").open().write_results()


def test_a_checkpoint_is_adopted_with_its_trained_parts_and_the_same_f(study: Study, tmp_path: Path) -> None:
    (stage1,) = study.workspace.folder.glob("stages/*/stage1/model")
    own = load(stage1)
    for name, changes, kept in (
        ("fc", {"mapping": LIVELY["mapping"] | {"kind": "fc"}}, False),
        ("none", {"ccl": "none"}, True),
    ):
        adopt(stage1, tiny_config(**(LIVELY | changes)), 0, tmp_path / name)
        adopted = load(tmp_path / name)
        for part in ("ego_encoder", "exo_encoder", "connector", "language"):
            assert part_digest(adopted, part) == part_digest(own, part)
        assert (part_digest(adopted, "to_exo") == part_digest(own, "to_exo")) == kept


def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["exo2ego", "ablate", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


@pytest.fixture
def ablate(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """The command on the small data."""
    recipe = tmp_path / "recipe.py"
    values = repr(tiny_recipe(steps=2).model_dump(mode="json"))
    recipe.write_text(
        "from reference_exo2ego.training.recipe import Recipe\n" + f"RECIPE = Recipe.model_validate({values})\n"
    )
    folders = ["--data", place.data, "--sample-sets", place.sets, "--videos", place.videos, "--out", tmp_path / "out"]

    def run(*arguments: object) -> tuple[int, str, str]:
        return command(monkeypatch, capsys, recipe, *folders, *arguments)

    return run


def test_a_dry_run_says_what_it_takes_and_trains_nothing(ablate: Callable[..., Any], tmp_path: Path) -> None:
    code, out, _ = ablate("--only", "without-lora", "--seeds", "0,1", "--dry-run", "--json")
    content = json.loads(out)
    assert code == 0
    assert sorted(stage["stage"] for stage in content["stages"]) == sorted(
        [*["init", "stage1", "stage2"] * 2, *["stage3"] * 4]
    )
    assert content["stages_without_sharing"] == 16
    assert content["hours"] > 0 and all(stage["seconds"] > 0 for stage in content["stages"])
    assert content["questions"]["asked"] == 8
    assert not (tmp_path / "out" / "stages").exists()


def test_a_variant_of_ones_own_is_trained_beside_the_recipe(ablate: Callable[..., Any], tmp_path: Path) -> None:
    """It shares all but what it varies, whatever else is asked for."""
    own = ("--variant", "longer: stage3.steps=3", "--seeds", "0")
    _, out, _ = ablate(*own, "--only", "own", "--dry-run", "--json")
    stages = [(stage["stage"], stage["steps"]) for stage in json.loads(out)["stages"]]
    assert stages == [("init", 2), ("stage1", 2), ("stage2", 2), ("stage3", 2), ("stage3", 3)]
    _, out, _ = ablate(*own, "--only", "without-lora", "--dry-run", "--json")
    assert len(json.loads(out)["stages"]) == 6
    code, _, err = ablate(*own, "--only", "own", "--yes")
    assert code == 0, err
    (table,) = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["tables"]
    assert [row["label"] for row in table["rows"]] == ["the recipe", "stage3.steps=3"]
    assert (tmp_path / "out" / "own.svg").is_file()


def test_nothing_begins_without_a_yes(
    ablate: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, out, _ = ablate("--only", "without-lora", "--seeds", "0")
    assert code == 1
    assert "in all:" in out
    assert not (tmp_path / "out" / "stages").exists()


def test_wrong_names_and_numbers_are_wrong_use(ablate: Callable[..., Any]) -> None:
    for arguments, message in (
        (("--only", "table77"), "did you mean 'table7'?"),
        (("--seeds", "a"), "--seeds a: expected numbers"),
        (("--shares", "1,2"), "expected shares above 0 and up to 1"),
        (("--variant", "weak"), "variant 'weak': expected a name"),
        (("model.ccl=forward",), "variant exo-trained"),
    ):
        code, _, err = ablate(*arguments, "--dry-run")
        assert (code, message in err) == (2, True), err
