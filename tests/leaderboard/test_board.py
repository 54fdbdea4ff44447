"""From runs to a board: what is compared, believed and ranked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from egobench.compare import compare
from egobench.controls import Control
from egobench.evaluate import evaluate, rescore
from egobench.leaderboard.board import Board, Number, make_board, pairs
from egobench.leaderboard.measures import SampleSets
from egobench.leaderboard.runs import open_runs
from egobench.leaderboard.sizes import Size, measure_size, sizes_table
from egobench.model import FramePolicy, ModelInfo, Prompt, Reply
from egobench.observer import SilentObserver
from egobench.run.checksums import sign
from egobench.run.spec import Settings
from egobench.statistics import paired
from tests.conftest import Navigation

ACC = "vln-qa/all/mcq/official/acc"


class Says:
    """Says the same letter of every question; is shown no frames."""

    def __init__(self, letter: str) -> None:
        self.letter = letter
        self.info = ModelInfo(f"says-{letter}", "1", frames=FramePolicy(count=0))

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        return [Reply(self.letter) for _ in prompts]


@pytest.fixture
def run(navigation: Navigation) -> Callable[..., Path]:
    """Runs over the twelve questions. By hand: any letter is right on three of them."""

    def make(letter: str, *, control: Control | None = None, limit: int | None = None, name: str = "") -> Path:
        recorded = {"data": str(navigation.data), **({"name": name} if name else {})}
        settings, sets = Settings(control=control, limit=limit), [navigation.sample_set]
        out = navigation.root / "runs"
        return evaluate(Says(letter), sets, navigation.videos, out, settings, recorded=recorded).path

    return make


def board_of(*paths: Path, data: Path | None = None) -> Board:
    with open_runs(paths, SilentObserver()) as runs:
        return make_board(runs, SampleSets(data))


def number_of(board: Board, name: str = ACC) -> Number:
    return next(number for number in board.numbers if number.id == name)


def test_runs_of_ones_own_are_scored_again_and_ranked(run: Callable[..., Path]) -> None:
    board = board_of(run("A"), run("B"), run("C"))
    assert [entry.level for entry in board.runs] == ["re-scored"] * 3
    assert [number_of(board).estimates[entry.key].value for entry in board.runs] == [0.25, 0.25, 0.25]
    # Three of twelve each: nobody can be told from the others.
    (section,) = board.sections
    assert {str(rank) for rank in section.ranks.values()} == {"1-3"}


def test_scores_that_the_rows_do_not_give_are_shown_and_not_ranked(run: Callable[..., Path]) -> None:
    honest, other = run("A"), run("B")
    scores = json.loads((other / "scores.json").read_bytes())
    (entry,) = (scores[key] for key in scores if key.startswith(ACC))
    entry["value"] = 0.75
    (other / "scores.json").write_text(json.dumps(scores))
    sign(other, [other / "scores.json"])
    board = board_of(honest, other)
    levels = {entry.model: entry.level for entry in board.runs}
    assert levels == {"says-A": "re-scored", "says-B": "self-reported"}
    assert number_of(board).keys == (honest.name,)
    rescore(other)
    assert len(number_of(board_of(honest, other)).keys) == 2


def test_a_part_of_the_samples_is_shown_and_not_ranked(run: Callable[..., Path]) -> None:
    board = board_of(run("A"), run("B"), run("C", limit=6))
    assert len(number_of(board).estimates) == 3
    assert len(number_of(board).keys) == 2


def test_controls_and_methods_have_sections_of_their_own(run: Callable[..., Path]) -> None:
    board = board_of(run("A"), run("B"), run("A", control="shuffled"))
    assert [(section.method, section.control, len(section.runs)) for section in board.sections] == [
        ("generate", None, 2),
        ("generate", "shuffled", 1),
    ]
    # They are of one measure all the same: the gain is a paired difference.
    assert len(number_of(board).keys) == 3


def test_a_run_without_its_sample_set_is_shown_as_it_says(run: Callable[..., Path], navigation: Navigation) -> None:
    path = run("A")
    for file in (navigation.data / "vln-qa" / "official").iterdir():
        file.unlink()
    board = board_of(path)
    assert board.runs[0].level == "self-reported"
    number = number_of(board)
    assert (number.influence, number.estimates[path.name].value) == (None, 0.25)
    assert number.measure is not None
    assert number.measure.problem == "the sample set is not at hand"
    assert pairs(number) is None


def test_pairs_are_those_of_the_paired_test(run: Callable[..., Path]) -> None:
    """The error and p of every two runs: those that ``egobench compare`` prints."""
    paths = [run("A"), run("B"), run("D")]
    board = board_of(*paths)
    table = pairs(number_of(board))
    assert table is not None
    tests = compare(paths).scores[0].tests
    for place, test in enumerate(tests, 1):
        first, other = table.keys.index(paths[0].name), table.keys.index(paths[place].name)
        expected = (test.effect, test.se, test.p)
        cells = (table.effects[first, other], table.errors[first, other], table.p[first, other])
        assert cells == pytest.approx(expected)


def test_equal_runs_have_no_error_and_no_difference(run: Callable[..., Path], navigation: Navigation) -> None:
    """The sign test of twelve clusters that do not differ: p is 1."""
    board = board_of(run("A"), run("A", control="shuffled"))
    table = pairs(number_of(board))
    assert table is not None
    assert (table.errors == 0).all()
    assert (table.p == 1).all()
    alike = [1.0 if sample.target == 0 else 0.0 for sample in navigation.sample_set.samples]
    assert paired(alike, alike, range(12)).p == 1.0
    assert not np.isnan(table.effects).any()


def test_a_run_that_comes_twice_counts_once(run: Callable[..., Path]) -> None:
    path = run("A")
    assert len(board_of(path, path.parent, path.parent.parent).runs) == 1


def test_sizes_are_counted_and_stand_beside_the_printed_ones(navigation: Navigation) -> None:
    """By hand: twelve videos, each one clip to its end; the paper prints 200 of 7.5 seconds."""
    assert measure_size(navigation.sample_set) == Size(12, 12, None, 12)
    (row,) = sizes_table([navigation.sample_set])
    assert row.printed is not None
    assert (row.printed.videos, row.printed.seconds, row.printed.questions) == (200, 7.5, 200)
