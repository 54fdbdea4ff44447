"""Shared option sets: what holds in every group, and what blind guessing finds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from egobench.annotations import Annotations
from egobench.distractors import anywhere, shared_sets
from egobench.sample import Clip, Record, Tags
from egobench.task import Construction, Dropped, Options, Tools, Truth


class Words:
    """Embeds a text as the mean of a fixed vector a word, so that texts with a word in common are alike."""

    name = "words"

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        rows = [
            sum(np.random.default_rng([*word.encode()]).standard_normal(16) for word in text.split()) for text in texts
        ]
        vectors = np.stack([np.asarray(row) for row in rows])
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def kit(seed: int = 0) -> Tools:
    return Tools("toy", seed, Annotations(Path("nowhere")), Words())


def record(number: int, answer: str, *, video: str = "", start: float = 0.0, tags: Tags | None = None) -> Record:
    clip = Clip(video or f"{number}.mp4", start, start + 1)
    return Record(f"r{number:03}", clip, "?", answer, video or str(number), tags=tags or {})


def built(construct: Construction, records: Sequence[Record], tools: Tools | None = None) -> list[Options | Dropped]:
    return list(construct(records, tools or kit()))


def groups(records: Sequence[Record], options: Sequence[Options | Dropped]) -> list[list[tuple[Record, Options]]]:
    """Placed records by their set of options; in these tests no two groups have the same answers."""
    by_options: defaultdict[frozenset[str], list[tuple[Record, Options]]] = defaultdict(list)
    for placed, set_of_options in zip(records, options, strict=True):
        if isinstance(set_of_options, Options):
            by_options[frozenset(set_of_options.texts)].append((placed, set_of_options))
    return list(by_options.values())


THREES = shared_sets(3, true_of=Truth())
VERBS = ("take", "put", "wash", "open", "close", "cut")
NOUNS = ("cup", "pan", "knife", "plate", "tap", "door", "lid")
CAPTIONS = [f"{verb} the {noun}" for verb in VERBS for noun in NOUNS]

some_captions = some.lists(some.sampled_from(CAPTIONS), min_size=5, max_size=60)


@given(some_captions, some.integers(2, 6), some.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_every_option_is_right_exactly_once_in_its_group_and_every_place_is_the_targets_once(
    captions: list[str], size: int, seed: int
) -> None:
    records = [record(number, caption) for number, caption in enumerate(captions)]
    options = built(shared_sets(size, true_of=Truth()), records, kit(seed))
    by_set: defaultdict[frozenset[str], list[Options]] = defaultdict(list)
    for one, shown in zip(records, options, strict=True):
        if isinstance(shown, Options):
            assert shown.target is not None
            assert shown.texts[shown.target] == one.answer
            by_set[frozenset(shown.texts)].append(shown)
    for texts, shown_all in by_set.items():
        # Two groups may have the same answers, so everything comes equally often.
        right = Counter(shown.texts[shown.target or 0] for shown in shown_all)
        assert len(texts) == size
        assert set(right) == texts
        assert len(set(right.values())) == 1
        assert Counter(shown.target for shown in shown_all) == Counter(dict.fromkeys(range(size), right[min(texts)]))


@given(some_captions, some.integers())
@settings(deadline=None, max_examples=40)
def test_any_function_of_the_option_set_alone_scores_chance(captions: list[str], salt: int) -> None:
    records = [record(number, caption) for number, caption in enumerate(captions)]
    placed = [one for one in built(shared_sets(5, true_of=Truth()), records) if isinstance(one, Options)]
    right = 0
    for shown in placed:
        texts = tuple(sorted(shown.texts))
        right += texts[hash((salt, texts)) % 5] == shown.texts[shown.target or 0]
    assert right * 5 == len(placed)


def best_of_all(vectors: np.ndarray, members: tuple[int, ...]) -> float:
    """The largest sum of cosines within groups of three, by trying every partition."""
    if not members:
        return 0.0
    first, *rest = members
    return max(
        float(vectors[first] @ (vectors[one] + vectors[other]) + vectors[one] @ vectors[other])
        + best_of_all(vectors, tuple(number for number in rest if number not in {one, other}))
        for one, other in combinations(rest, 2)
    )


def test_the_search_comes_close_to_the_best_of_all_partitions() -> None:
    shares: list[float] = []
    for seed in range(20):
        answers = [str(answer) for answer in np.random.default_rng(seed).permutation(CAPTIONS)[:9]]
        records = [record(number, answer) for number, answer in enumerate(answers)]
        grouped = [[Words()([one.answer])[0] for one, _ in group] for group in groups(records, built(THREES, records))]
        reached = sum(float((np.sum(group, axis=0) ** 2).sum() - 3) / 2 for group in grouped)
        shares.append(reached / best_of_all(Words()(answers), tuple(range(9))))
    assert len(shares) == 20
    assert max(shares) <= 1 + 1e-5
    assert np.mean(shares) >= 0.97


def test_the_ratio_is_the_likeness_in_groups_over_that_of_the_nearest() -> None:
    tools = kit()
    records = [record(0, "a b"), record(1, "a c"), record(2, "d e"), record(3, "d f")]
    built(shared_sets(2, true_of=Truth()), records, tools)
    # Every answer stands beside its nearest one.
    assert tools.report["similarity_ratio"] == pytest.approx(1, abs=1e-6)


def never_together(records: Sequence[Record], construct: Construction, one: int, other: int) -> None:
    placed = groups(records, built(construct, records))
    assert any(first.id == records[one].id for group in placed for first, _ in group)
    for group in placed:
        assert not {records[one].id, records[other].id} <= {first.id for first, _ in group}


@pytest.mark.parametrize(
    ("first", "second", "truth"),
    [
        (record(0, "take the cup"), record(1, "Take the cup."), Truth()),
        (
            record(0, "take cup", tags={"verb": "0", "noun": ("1", "2")}),
            record(1, "grab mug", tags={"verb": "0", "noun": ("2", "1")}),
            Truth(same=("verb", "noun")),
        ),
        (
            record(0, "take cup", tags={"actions": ("take cup", "wash hands")}),
            record(1, "wash hands", tags={"actions": ("wash hands",)}),
            Truth(also="actions"),
        ),
        (record(0, "take cup", video="v", start=1.0), record(1, "open tap", video="v", start=1.5), Truth()),
        (record(0, "put cup on the big table"), record(1, "put cup on the the big table"), Truth()),
    ],
    ids=["equal texts", "equal tags", "true of the other's clip", "clips that overlap", "near-copies"],
)
def test_what_may_be_true_of_the_others_clip_never_shares_its_options(
    first: Record, second: Record, truth: Truth
) -> None:
    records = [first, second, record(2, "cut bread"), record(3, "close door")]
    never_together(records, shared_sets(2, true_of=truth), 0, 1)


def test_clips_that_touch_and_records_that_say_nothing_by_their_tags_may_share_options() -> None:
    touching = [record(0, "take cup", video="v", start=1.0), record(1, "open tap", video="v", start=2.0)]
    untagged = [record(0, "take cup", tags={"verb": ()}), record(1, "open tap", tags={"verb": ()})]
    for records in (touching, untagged):
        assert len(groups(records, built(shared_sets(2, true_of=Truth(same=("verb",))), records))) == 1


def test_a_frequent_answer_takes_as_many_groups_as_there_can_be() -> None:
    answers = ["open fridge"] * 30 + [f"{verb} the {noun}" for verb in VERBS[:3] for noun in NOUNS]
    records = [record(number, answer) for number, answer in enumerate(answers)]
    tools = kit()
    options = built(shared_sets(4, true_of=Truth()), records, tools)
    # Of 21 other answers three go to each group, one "open fridge" to each: 7 groups of 4.
    assert sum(isinstance(one, Options) for one in options) == 28
    assert tools.report["placed"] == pytest.approx(28 / 51)
    assert all("left over when groups of 4" in one.reason for one in options if isinstance(one, Dropped))


def test_yes_and_no_are_two_way_and_equally_many() -> None:
    records = [record(number, "Yes" if number < 12 else "no") for number in range(20)]
    records += [record(number, caption) for number, caption in enumerate(CAPTIONS[:10], 20)]
    options = built(shared_sets(5, true_of=Truth()), records)
    pairs = [one for one in options[:20] if isinstance(one, Options)]
    assert Counter(one.texts[one.target or 0] for one in pairs) == {"Yes": 8, "no": 8}
    assert Counter(one.target for one in pairs) == {0: 8, 1: 8}
    dropped = [one.reason for one in options[:20] if isinstance(one, Dropped)]
    assert dropped == ["not placed: more samples are answered 'Yes' than its opposite"] * 4
    assert all(isinstance(one, Options) and len(one.texts) == 5 for one in options[20:])
    again = built(shared_sets(5, true_of=Truth()), records, kit(seed=1))
    assert [isinstance(one, Dropped) for one in again[:20]] != [isinstance(one, Dropped) for one in options[:20]]


def video_of(one: Record) -> str:
    return one.clip.video


def test_groups_keep_within_the_first_key_and_the_rest_tries_the_next() -> None:
    records = [
        record(number, caption, video=f"v{number % 2}", start=2.0 * number)
        for number, caption in enumerate(CAPTIONS[:14])
    ]
    inside = built(shared_sets(3, true_of=Truth(), within=(video_of,)), records)
    assert [isinstance(one, Options) for one in inside].count(True) == 12
    assert all(len({one.clip.video for one, _ in group}) == 1 for group in groups(records, inside))
    tools = kit()
    both = built(shared_sets(2, true_of=Truth(), within=(video_of, anywhere)), records, tools)
    assert all(isinstance(one, Options) for one in both)
    assert sorted(len({one.clip.video for one, _ in group}) for group in groups(records, both)) == [1] * 6 + [2]
    assert tools.annotations.facts == {"placed_in_wider_groups": 2}


def test_a_second_key_of_the_same_value_makes_no_group_wider() -> None:
    """Records that stay out of the first round are placed by the second, whose key is the one that they had before."""
    records = [record(number, caption, start=2.0 * number) for number, caption in enumerate(CAPTIONS[:8])]
    tools = kit()
    construct = shared_sets(2, true_of=Truth(), within=(anywhere, anywhere), left_out=0.5)
    once = built(shared_sets(2, true_of=Truth(), left_out=0.5), records)
    twice = built(construct, records, tools)
    assert sum(isinstance(one, Options) for one in once) < sum(isinstance(one, Options) for one in twice)
    assert tools.annotations.facts == {"placed_in_wider_groups": 0}


def test_the_result_is_in_the_order_of_the_records_and_does_not_depend_on_it() -> None:
    records = [record(number, caption) for number, caption in enumerate(CAPTIONS)]
    construct = shared_sets(5, true_of=Truth())
    forward = built(construct, records)
    assert built(construct, records[::-1]) == forward[::-1]
    assert built(construct, records) == forward
    assert built(construct, records, kit(seed=1)) != forward


def test_leaving_some_out_makes_the_others_more_alike() -> None:
    records = [record(number, caption) for number, caption in enumerate(CAPTIONS * 4)]
    everything, most = kit(), kit()
    built(shared_sets(5, true_of=Truth()), records, everything)
    built(shared_sets(5, true_of=Truth(), left_out=0.2), records, most)
    assert everything.report["placed"] == 165 / 168
    assert most.report["placed"] == 130 / 168
    assert most.report["similarity_ratio"] > everything.report["similarity_ratio"]


def test_a_private_answer_is_dropped() -> None:
    (dropped,) = built(shared_sets(5, true_of=Truth()), [record(0, "")])
    assert dropped == Dropped("not placed: its answer is private")


@pytest.mark.parametrize(("size", "paraphrase", "left_out"), [(1, 0.95, 0.0), (5, 2.0, 0.0), (5, 0.95, 1.0)])
def test_what_no_group_can_be_is_refused(size: int, paraphrase: float, left_out: float) -> None:
    with pytest.raises(ValueError, match="expected at least 2"):
        shared_sets(size, true_of=Truth(), paraphrase=paraphrase, left_out=left_out)
