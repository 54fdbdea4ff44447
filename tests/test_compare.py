"""Runs against one another, from run folders to tables, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from egobench.cli import app
from egobench.commands.compare import comparison_notes, comparison_tables
from egobench.commands.console import console
from egobench.compare import compare
from egobench.controls import Control
from egobench.dataset.sampleset import Manifest, SampleSet, encode
from egobench.errors import SampleSetError, StoreError
from egobench.evaluate import evaluate
from egobench.model import ModelInfo, Prompt, Reply
from egobench.plugins import load_model, load_task
from egobench.run.spec import Settings
from egobench.sample import Sample
from egobench.scoring.overview import headline_ids, list_runs
from egobench.statistics import estimate, holm, paired
from tests.conftest import ANSWERS, Navigation

ID = "vln-qa/all/mcq/official/acc"


class Sees:
    """Names the option whose colour the frames have; the first option when it is shown nothing."""

    info = ModelInfo("sees", "1")

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        return [Reply(self._letter(prompt)) for prompt in prompts]

    def _letter(self, prompt: Prompt) -> str:
        if not len(prompt.frames):
            return "A"
        seen, colours = prompt.frames[0].mean(axis=(0, 1)), dict(ANSWERS.values())
        return "ABCD"[int(np.argmin([np.abs(seen - colours[option]).sum() for option in prompt.options]))]


@pytest.fixture
def sees(navigation: Navigation) -> Callable[..., Path]:
    def run(control: Control | None = None, limit: int | None = None, seed: int = 0) -> Path:
        settings = Settings(control=control, limit=limit, seed=seed)
        out, recorded = navigation.root / "runs", {"data": str(navigation.data)}
        return evaluate(
            Sees(), [navigation.sample_set], navigation.videos, out, settings, recorded=recorded
        ).path  # fmt: skip

    return run


def made_set(task: str, construction: str, clusters: int, n: int, *, first: int = 0, shift: int = 0) -> SampleSet:
    """A set of five-option questions in the subsets of a task; its videos are numbered from ``first``."""
    options = ("cup", "pan", "knife", "bowl", "plate")
    samples = tuple(
        Sample(f"q{number}", task, subset.name, f"{number}.mp4", 0.0, None, f"Which one, {number}?", options, target,
               options[target], None, f"video{first + number % clusters}", {})
        for subset in load_task(task).subsets if subset.protocol == "mcq"
        for number in range(n) for target in [(number * number + shift) % 5]
    )  # fmt: skip
    digest = sha256(encode(samples)).hexdigest()
    by_subset = {subset.name: n for subset in load_task(task).subsets}
    manifest = Manifest(task, 1, {}, construction, len(samples), by_subset, clusters, 0, 0, {}, None, (), {}, digest,
                        None, 0, {})  # fmt: skip
    return SampleSet(manifest, samples)


HEADLINE = (
    ("egoschema", "official"), ("qaego4d", "official"), ("egotaskqa", "paper"), ("charades-ego", "paper"),
    ("epic-kitchens-mir", "paper"), ("egoplan", "official"), ("vln-qa", "official"), ("egomcq", "paper"),
)  # fmt: skip
"""The eight tasks under the construction of PROTOCOL section 2."""


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """Makes a run of a built-in model, which needs no video, on made sets."""

    def run(sets: Sequence[SampleSet], model: str = "random", seed: int = 0, data: str = "made") -> Path:
        for each in sets:
            each.write(tmp_path / data)
        loaded = load_model(model, **({"seed": seed} if model == "random" else {}))
        recorded = {"data": str(tmp_path / data)}
        return evaluate(loaded, sets, tmp_path / "none", tmp_path / "runs", recorded=recorded).path

    return run


def values(path: Path) -> dict[str, float]:
    scores = json.loads((path / "scores.json").read_bytes())
    return {"/".join(key.split("/")[:5]): entry["value"] for key, entry in scores.items()}


def test_copies_of_a_run_are_told_apart_by_their_paths(sees: Callable[..., Path], tmp_path: Path) -> None:
    run = sees()
    copy = Path(shutil.copytree(run, tmp_path / "elsewhere"))
    compared = compare([run, copy])
    assert [part.name for part in compared.runs] == [f"sees/{run.name} ({path})" for path in (run, copy)]
    assert len(compared.to_json()["numbers"][0]["values"]) == 2


def test_a_damaged_run_is_listed_as_one(sees: Callable[..., Path]) -> None:
    run, other = sees(), sees("blind")
    (run / "scores.json").write_text("[]")
    states = {overview.run: (overview.state, overview.model) for overview in list_runs(run.parent)}
    assert states == {str(run): ("damaged", "sees"), str(other): ("finished", "sees")}


def test_a_model_and_its_blind_control_give_the_visual_gain(sees: Callable[..., Path]) -> None:
    """By hand: right on all 12 with video; the first option is right on 3 (see test_evaluate), so 9 are gained."""
    blind, plain = sees("blind"), sees()
    found = compare([blind, plain])
    assert [run.spec.control for run in found.runs] == [None, "blind"]
    assert found.runs[1].gain == "visual gain"
    (number,) = found.scores
    (test,) = number.tests
    expected = paired([1.0] * 12, [1.0, 1.0, 1.0] + [0.0] * 9, range(12))
    assert (number.id, test.effect, test.discordant, test.n, test.clusters) == (ID, 0.75, 9, 12, 12)
    assert (test.se, test.p, test.detectable) == pytest.approx((expected.se, expected.p, expected.detectable))
    assert test.low is not None
    assert test.low > 0


def test_other_controls_have_gains_of_their_own(sees: Callable[..., Path]) -> None:
    found = compare([sees(), sees("shuffled"), sees("reversed"), sees("blind")])
    assert [run.gain for run in found.runs[1:]] == ["temporal gain", "gain over reversed", "visual gain"]
    effects = [test.effect for test in found.scores[0].tests]
    # One colour a video: the order of the frames tells nothing.
    assert effects == [0, 0, 0.75]
    assert found.scores[0].ranks == ()


def test_runs_of_one_subset_of_the_samples_are_compared_and_marked(sees: Callable[..., Path]) -> None:
    found = compare([sees(limit=6), sees("blind", limit=6)])
    assert found.scores[0].partial
    assert found.scores[0].tests[0].n == 6


@pytest.mark.parametrize(("limit", "seed"), [(None, 0), (5, 0), (6, 3)])
def test_runs_over_other_samples_of_a_set_are_refused(sees: Callable[..., Path], limit: int | None, seed: int) -> None:
    with pytest.raises(
        SampleSetError, match=r"6 were asked in .* \(limit 6, seed 0\) and .*give both the same --limit"
    ):
        compare([sees(limit=6), sees(limit=limit, seed=seed)])


def test_runs_over_other_sets_are_refused_and_the_sets_are_named(made: Callable[..., Path]) -> None:
    shared = made_set("egoplan", "official", 10, 40)
    one = made([shared, made_set("vln-qa", "official", 20, 40), made_set("egomcq", "paper", 5, 40)])
    other = made([shared, made_set("vln-qa", "official", 20, 40, shift=1), made_set("egoschema", "official", 9, 40)],
                 seed=1, data="other")  # fmt: skip
    with pytest.raises(SampleSetError) as caught:
        compare([one, other])
    message = str(caught.value)
    assert f"vln-qa/official has other samples in {one} than in {other}" in message
    assert f"egomcq/paper is only in {one}; egoschema/official is only in {other}" in message
    assert message.endswith("both have the same of egoplan, see --tasks")
    found = compare([one, other], tasks=["egoplan"])
    assert [number.id for number in found.scores] == ["egoplan/all/mcq/official/acc"]
    with pytest.raises(SampleSetError, match="has no sample set of egotaskqa"):
        compare([one, other], tasks=["egotaskqa"])


def test_a_run_that_is_not_finished_is_refused(sees: Callable[..., Path]) -> None:
    plain, blind = sees(), sees("blind")
    (file,) = (blind / "predictions").iterdir()
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:7]))
    with pytest.raises(StoreError, match="is not finished: 7 of 12 samples"):
        compare([plain, blind])


def test_only_run_folders_are_compared(sees: Callable[..., Path], tmp_path: Path) -> None:
    """A published number has no samples, so there is nothing to pair."""
    plain = sees()
    with pytest.raises(ValueError, match="1 different run was given"):
        compare([plain, plain.parent / ".." / "sees" / plain.name])
    with pytest.raises(StoreError, match="is no run folder"):
        compare([plain, tmp_path])


def test_sets_that_have_moved_are_found_again(sees: Callable[..., Path], navigation: Navigation) -> None:
    plain, blind = sees(), sees("blind")
    navigation.data.rename(navigation.root / "moved")
    with pytest.raises(SampleSetError):
        compare([plain, blind])
    assert compare([plain, blind], navigation.root / "moved").scores


def test_all_headline_ids_are_one_family(made: Callable[..., Path]) -> None:
    sets = [made_set("egoplan", "official", 30, 200), made_set("egomcq", "paper", 30, 200)]
    found = compare([made(sets), made(sets, seed=1), made(sets, "first-choice")], everything=True)
    tests = [test.p for number in found.scores for test in number.tests]
    assert found.family == len(tests) == 2 * 3
    assert [p for number in found.scores for p in number.adjusted] == holm(tests)
    assert found.runs[2].gain == "difference"
    assert found.runs[1].differs == ("model",)


def test_other_metrics_are_shown_on_demand_and_stay_out_of_the_family(made: Callable[..., Path]) -> None:
    sets = [made_set("epic-kitchens-mir", "paper", 30, 100)]
    runs = [made(sets), made(sets, seed=1)]
    assert [number.id.split("/")[4] for number in compare(runs).scores] == ["mAP"]
    found = compare(runs, everything=True)
    assert [number.id.split("/")[4] for number in found.scores] == ["mAP", "nDCG", "acc"]
    assert found.family == 1
    assert found.scores[1].adjusted == (None,)


def test_three_runs_get_rank_sets(made: Callable[..., Path]) -> None:
    """Squares are 0, 1, 4, 4, 1 (mod 5): the first option is right on a fifth, as a random one is."""
    sets = [made_set("egoplan", "official", 30, 200)]
    found = compare([made(sets), made(sets, seed=1), made(sets, "first-choice")])
    assert [str(held) for held in found.scores[0].ranks] == ["1-3"] * 3
    assert compare([made(sets), made(sets, seed=1)]).scores[0].ranks == ()


def test_private_answers_cannot_be_compared(made: Callable[..., Path]) -> None:
    private = made_set("egoschema", "official", 10, 20)
    samples = tuple(replace(sample, target=None, answer="") for sample in private.samples)
    manifest = replace(private.manifest, samples_sha256=sha256(encode(samples)).hexdigest())
    sets = [SampleSet(manifest, samples), made_set("egoplan", "official", 10, 20)]
    found = compare([made(sets), made(sets, seed=1)])
    assert found.problems == {"egoschema/all/mcq/official/acc": "the answers of 20 of 20 samples are private"}
    assert [number.id for number in found.scores] == ["egoplan/all/mcq/official/acc"]


def test_the_average_is_of_the_ten_numbers_of_the_protocol() -> None:
    assert sorted(headline_ids()) == [
        "charades-ego/all/mcq/paper/mAP",
        "egomcq/inter/mcq/paper/acc",
        "egomcq/intra/mcq/paper/acc",
        "egoplan/all/mcq/official/acc",
        "egoschema/all/mcq/official/acc",
        "egotaskqa/direct/mcq/paper/acc",
        "egotaskqa/indirect/mcq/paper/acc",
        "epic-kitchens-mir/all/mcq/paper/mAP",
        "qaego4d/closed/mcq/official/acc",
        "vln-qa/all/mcq/official/acc",
    ]


def test_the_average_is_there_only_with_all_ten_numbers(made: Callable[..., Path]) -> None:
    sets = [made_set(task, construction, 12 + 2 * place, 60, first=6 * place)
            for place, (task, construction) in enumerate(HEADLINE)]  # fmt: skip
    paths = [made(sets), made(sets, seed=1), made(sets, seed=2)]
    found = compare(paths)
    average = next(number for number in found.averages if number.id == "Avg")
    for run, value in zip(found.runs, average.values, strict=True):
        assert value == pytest.approx(np.mean([values(run.path)[key] for key in headline_ids()]), abs=1e-12)
    assert average.tests[0].effect == pytest.approx(average.values[0] - average.values[1], abs=1e-12)
    assert average.tests[0].n == 600
    # The number with the fewest videos has 12.
    assert average.tests[0].clusters == average.intervals[0].clusters == 12
    assert average.adjusted == (None, None)
    assert len(average.ranks) == 3
    assert found.family == 20
    shown = console()
    with shown.capture() as said:
        shown.print(*comparison_tables(found), *comparison_notes(found), sep="\n")
    assert f"Avg: {found.runs[0].name} {100 * average.values[0]:.1f} [" in " ".join(said.get().split())
    without = compare(paths, tasks=[task for task, _ in HEADLINE if task != "vln-qa"])
    assert "Avg" not in [number.id for number in without.averages]
    assert without.absent["Avg"] == ("vln-qa/all/mcq/official/acc",)


def test_class_wise_map_is_compared_by_resampling(made: Callable[..., Path]) -> None:
    sets = [made_set("charades-ego", "paper", 50, 50)]
    runs = [made(sets), made(sets, seed=1)]
    first, again = compare(runs).scores[0], compare(runs).scores[0]
    assert first.id == "charades-ego/all/mcq/paper/mAP"
    assert first.column is not None
    scores = [estimate(first.column.metric, run).value for run in first.column.runs]
    assert first.tests[0].effect == pytest.approx(scores[0] - scores[1], abs=1e-12)
    assert first.tests[0].discordant is None
    assert first.tests == again.tests
    assert compare(runs, seed=1).scores[0].tests[0].se != first.tests[0].se


def test_the_command_prints_tables_or_json(made: Callable[..., Path]) -> None:
    sets = [made_set("egoplan", "official", 30, 200)]
    paths = [str(made(sets)), str(made(sets, seed=1)), str(made(sets, "first-choice"))]
    shown = CliRunner().invoke(app, ["compare", *paths])
    assert shown.exit_code == 0
    said = " ".join(shown.output.split())
    assert "differ in model" in said
    assert "rank sets" in said
    assert "* fewer than 40 videos" in said
    assert "it needs ten numbers, and 9 are not there" in said
    told = json.loads(CliRunner().invoke(app, ["compare", *paths, "--json"]).output)
    (number,) = told["numbers"]
    assert number["values"] == {run["name"]: values(Path(run["path"]))[number["id"]] for run in told["runs"]}
    assert [test["what"] for test in number["tests"]] == ["difference", "difference"]
    assert number["tests"][0].keys() >= {"effect", "se", "low", "high", "p", "p_holm", "detectable", "n", "clusters"}
    assert number["ranks"] == {run["name"]: [1, 3] for run in told["runs"]}
    assert told["family"] == {"correction": "Holm", "tests": 2}
