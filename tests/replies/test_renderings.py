"""Answers in the 31 styles of ``benchmarks/replies.py`` over option sets like those of the tasks."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final

import pytest

BENCHMARK: Final = Path(__file__).parents[2] / "benchmarks" / "replies.py"
VERBS: Final = ("picks up", "puts down", "washes", "opens", "closes", "cuts", "moves", "holds", "wipes", "looks at")
NOUNS: Final = ("cup", "bottle", "knife", "drawer", "cloth", "lid", "bowl", "phone", "book", "box of screws")
PLACES: Final = ("", " in the sink", " with the left hand", " on the table", " next to a woman")
OTHERS: Final = (
    ("Turn left and move forward", "Move forward", "Stop", "Turn right and move forward"),
    ("yes", "no"),
    ("1", "2", "3", "4"),
    ("knife", "cup", "bottle", "fridge", "chair"),
    ("take knife", "put down knife", "take plate", "wash plate", "open drawer"),
    ("on the table", "in the drawer", "in the drawer of the table", "on the counter"),
    ("Holding some clothes", "Putting clothes somewhere", "Opening a door", "Closing a door", "Sitting in a chair"),
)


def benchmark() -> Any:
    specification = spec_from_file_location("benchmarks_replies", BENCHMARK)
    assert specification is not None
    assert specification.loader is not None
    module = module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def option_sets(count: int) -> list[tuple[str, ...]]:
    """Five options each that begin with "C " and share a verb, a noun or all words but the last ones."""
    made: list[tuple[str, ...]] = []
    for number in range(count):
        verb, noun, place = number % 10, number // 10 % 10, number // 100
        made.append(
            (
                f"C {VERBS[verb]} a {NOUNS[noun]}{PLACES[place]}",
                f"C {VERBS[verb]} a {NOUNS[noun]}{PLACES[(place + 1) % 5]}",
                f"C {VERBS[verb]} a {NOUNS[(noun + 3) % 10]}{PLACES[place]}",
                f"C {VERBS[(verb + 1) % 10]} a {NOUNS[noun]}{PLACES[(place + 2) % 5]}",
                f"C {VERBS[(verb + 7) % 10]} a {NOUNS[(noun + 1) % 10]}",
            )
        )
    return made


@pytest.mark.parametrize("style", benchmark().STYLES)
def test_an_answer_in_any_style_is_read_right_over_any_option_set(style: str) -> None:
    module = benchmark()
    shown = [
        module.OptionSet(options, target) for options in (*OTHERS, *option_sets(60)) for target in range(len(options))
    ]
    assert len(shown) == 60 * 5 + 4 + 2 + 4 + 5 + 5 + 4 + 5
    assert list(module.misreadings(style, shown)) == []


def test_words_that_two_options_have_are_no_answer() -> None:
    module = benchmark()
    twice = [module.OptionSet(("wash knife.", "wash knife", "take knife"), 0)]
    assert [list(module.misreadings(style, twice)) for style in ("{text}", "({letter}) {text}")] == [[], []]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_benchmark_reads_every_rendering_right_over_the_official_option_sets_of_miniego(tmp_path: Path) -> None:
    tasks = ("egoschema", "qaego4d", "egoplan", "vln-qa", "egomcq")
    commands = [["miniego", "--out", str(tmp_path / "miniego"), "--tasks", "vln-qa"]]
    commands += [
        ["build", task, "--annotations", str(tmp_path / "miniego/annotations" / task), "--out", str(tmp_path / "data")]
        for task in tasks
    ]
    for command in commands:
        subprocess.run([sys.executable, "-m", "egobench", *command], check=True, capture_output=True, cwd=tmp_path)
    count = 12_400
    benchmark_command = [sys.executable, str(BENCHMARK), str(tmp_path / "data"), "--renderings", str(count), "--json"]
    done = subprocess.run(benchmark_command, check=True, capture_output=True, text=True, cwd=tmp_path)
    report = json.loads(done.stdout)
    assert report["renderings"] == count
    assert len(report["styles"]) == 31
    assert {style: numbers["wrong"] for style, numbers in report["styles"].items() if numbers["wrong"]} == {}
