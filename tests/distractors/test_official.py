"""Published options."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from egobench.annotations import Annotations
from egobench.distractors import official
from egobench.sample import Clip, Record
from egobench.task import Options, Tools


def no_embedder(texts: object) -> np.ndarray:
    raise AssertionError(texts)


class NoEmbedder:
    """Published options need none."""

    name = "none"
    __call__ = staticmethod(no_embedder)


def tools(seed: int = 0) -> Tools:
    return Tools("toy", seed, Annotations(Path("nowhere")), NoEmbedder())


def record(number: int, target: int | None = 2, *, ordered: bool = False) -> Record:
    options = ("a", "b", "c", "d")
    answer = "" if target is None else options[target]
    return Record(f"q{number}", Clip("v.mp4"), "?", answer, "v", options=options, target=target, ordered=ordered)


def test_options_stay_in_the_published_order() -> None:
    assert list(official()([record(1, ordered=True)], tools())) == [Options(("a", "b", "c", "d"), 2)]


def test_a_record_without_options_becomes_an_open_question_ordered_or_not() -> None:
    question = Record("q1", Clip("v.mp4"), "?", "a cup", "v")
    assert list(official()([question], tools())) == [Options()]
    assert list(official()([replace(question, ordered=False)], tools())) == [Options()]


def test_options_without_an_order_are_drawn_and_the_target_moves_along() -> None:
    records = [record(number) for number in range(200)]
    shown = list(official()(records, tools()))
    assert all(isinstance(one, Options) and sorted(one.texts) == ["a", "b", "c", "d"] for one in shown)
    places = [one.target for one in shown if isinstance(one, Options) and one.texts[one.target or 0] == "c"]
    assert len(places) == len(records)
    assert {place: places.count(place) > 30 for place in range(4)} == dict.fromkeys(range(4), True)


def test_the_order_depends_on_the_record_and_the_seed_and_not_on_the_place_in_the_file() -> None:
    records = [record(number) for number in range(20)]
    forward, backward = (list(official()(part, tools())) for part in (records, records[::-1]))
    assert forward == backward[::-1]
    assert forward != list(official()(records, tools(seed=1)))


def test_a_private_answer_stays_private_when_options_are_drawn() -> None:
    (shown,) = official()([record(1, target=None)], tools())
    assert isinstance(shown, Options)
    assert (sorted(shown.texts), shown.target) == (["a", "b", "c", "d"], None)
