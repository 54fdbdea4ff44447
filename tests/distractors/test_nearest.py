"""Nearest texts, with vectors whose neighbours are known."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from egobench.annotations import Annotations
from egobench.distractors import nearest
from egobench.distractors.nearest import BLOCK_ROWS, largest, nearest_rows, top_values
from egobench.sample import Clip, Record
from egobench.task import Dropped, Options, Tools


class Clock:
    """Embeds a text that ends in a number as a hand of a clock: ``"cup 30"`` points at 30 degrees."""

    name = "clock"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        angles = np.radians([float(text.split()[-1]) for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def tools(seed: int = 0) -> Tools:
    return Tools("toy", seed, Annotations(Path("nowhere")), Clock())


def record(name: str, answer: str, subset: str = "all", options: tuple[str, ...] = ()) -> Record:
    target = options.index(answer) if options else None
    return Record(name, Clip("v.mp4"), "?", answer, "v", subset=subset, options=options, target=target)


def texts(options: Options | Dropped) -> set[str]:
    assert isinstance(options, Options)
    assert options.target is not None
    assert len(set(options.texts)) == len(options.texts)
    return set(options.texts)


def test_the_nearest_answers_of_the_other_records_are_added() -> None:
    records = [record(f"q{angle}", f"cup {angle}") for angle in (0, 10, 25, 100, 180)]
    built = list(nearest(3)(records, tools()))
    assert texts(built[0]) == {"cup 0", "cup 10", "cup 25"}
    assert texts(built[3]) == {"cup 100", "cup 25", "cup 180"}
    assert [one.texts[one.target or 0] for one in built if isinstance(one, Options)] == [one.answer for one in records]


def test_repeated_answers_are_one_text_and_every_text_is_embedded_once() -> None:
    records = [record(f"q{number}", f"cup {number % 4 * 10}") for number in range(40)]
    kit = tools()
    built = list(nearest(3)(records, kit))
    assert all(len(texts(one)) == 3 for one in built)
    assert isinstance(kit.embedder, Clock)
    assert sorted(kit.embedder.asked) == ["cup 0", "cup 10", "cup 20", "cup 30"]


def test_published_options_stay_and_are_widened_by_neighbours_of_the_answer_alone() -> None:
    widened = record("q1", "cup 0", options=("cup 90", "cup 0", "cup 5"))
    others = [record(f"q{angle}", f"cup {angle}") for angle in (7, 12, 80, 91)]
    assert texts(next(iter(nearest(5)([widened, *others], tools())))) == {"cup 90", "cup 0", "cup 5", "cup 7", "cup 12"}


def test_texts_come_from_the_records_own_subset_unless_a_pool_is_given() -> None:
    records = [record("a", "cup 0", "one"), record("b", "cup 1", "two"), record("c", "cup 50", "one")]
    assert texts(next(iter(nearest(2)(records, tools())))) == {"cup 0", "cup 50"}

    def pool(records: Sequence[Record], kit: Tools) -> list[str]:
        return [f"pan {len(records)}", f"pan {len(kit.task)}", "cup 0"]

    assert texts(next(iter(nearest(2, pool=pool)(records, tools())))) == {"cup 0", "pan 3"}


def test_only_an_equal_text_is_excluded_as_the_sets_in_print_were_made() -> None:
    records = [record("a", "cup 0"), record("b", "Cup 0"), record("c", "cup 90")]
    assert texts(next(iter(nearest(2)(records, tools())))) == {"cup 0", "Cup 0"}


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (record("q", ""), "private"),
        (record("q", "cup 0"), "the pool holds 1 texts other than its options; 2 were needed"),
        (record("q", "cup 0", options=tuple(f"cup {angle}" for angle in range(4))), "4 options already, more than 3"),
    ],
)
def test_a_record_that_cannot_be_widened_is_dropped_with_the_reason(one: Record, reason: str) -> None:
    (dropped,) = nearest(3, pool=lambda *_: ["cup 0", "cup 1"])([one], tools())
    assert isinstance(dropped, Dropped)
    assert reason in dropped.reason


def test_fewer_than_two_options_are_no_choice() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        nearest(1)


def test_neither_the_order_of_the_records_nor_repetition_changes_the_options() -> None:
    records = [record(f"q{angle}", f"cup {angle}") for angle in range(0, 180, 7)]
    forward, backward = (list(nearest(4)(part, tools())) for part in (records, records[::-1]))
    assert forward == backward[::-1] == list(nearest(4)(records, tools()))[::1]
    assert forward != list(nearest(4)(records, tools(seed=1)))


def test_equal_scores_are_taken_in_the_order_of_the_texts() -> None:
    vectors = np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (50, 1))
    vectors[7:] += np.linspace(0, 4e-7, 43, dtype=np.float32)[:, None]
    assert nearest_rows(vectors[:1], vectors, 5).tolist() == [[0, 1, 2, 3, 4]]


@given(some.integers(1, 40), some.integers(0, 1000), some.sampled_from([1, 3, 2 * BLOCK_ROWS + 1]))
def test_blocks_find_what_a_full_sort_finds(count: int, seed: int, n_queries: int) -> None:
    rng = np.random.default_rng(seed)
    # Whole numbers, so that products are exact and ties are many.
    vectors = rng.integers(-3, 4, (40, 3)).astype(np.float32)
    queries = rng.integers(-3, 4, (n_queries, 3)).astype(np.float32)
    expected = np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :count]
    assert np.array_equal(nearest_rows(queries, vectors, count), expected)


FORTY_THOUSAND = r"""
import re, numpy as np
from pathlib import Path
from egobench.distractors.nearest import nearest_rows
rng = np.random.default_rng(0)
vectors = rng.standard_normal((40_000, 384), dtype=np.float32)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
found = nearest_rows(vectors[::10], vectors, 10)
peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]
print(bool((found[:, 0] == np.arange(0, 40_000, 10)).all()), int(peak) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process of its own is read from /proc")
def test_forty_thousand_texts_are_searched_in_half_a_gigabyte() -> None:
    """Memory depends on the rows of a block and the texts, so every tenth text is looked up."""
    done = subprocess.run([sys.executable, "-c", FORTY_THOUSAND], capture_output=True, text=True, check=True)
    itself_first, mebibytes = done.stdout.split()
    assert itself_first == "True"
    whole_matrix = math.ceil(40_000**2 * 4 / 2**20)
    assert int(mebibytes) < 512 < whole_matrix


@given(some.integers(0, 2**32 - 1), some.integers(1, 12), some.integers(12, 900))
def test_the_largest_scores_are_those_that_sorting_finds(seed: int, count: int, columns: int) -> None:
    # Whole numbers: many ties.
    scores = np.random.default_rng(seed).integers(0, 40, (5, columns)).astype(np.float32)
    expected = -np.sort(-scores, axis=1)[:, :count]
    assert np.array_equal(top_values(scores, count), expected)
    rows, places = largest(scores, count)
    for row in range(5):
        assert set(np.flatnonzero(scores[row] >= expected[row, -1])) <= set(places[rows == row])


def test_of_many_scores_few_are_sorted() -> None:
    scores = np.random.default_rng(0).random((10, 100_000), np.float32)
    # 3,125 strides have ten maxima above the bound, and hardly anything else is.
    assert len(largest(scores, 10).rows) < 10 * 40
