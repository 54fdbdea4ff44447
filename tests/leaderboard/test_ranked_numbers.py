"""Rank sets and paired tests of galleries, of several orders of the options, and of a judge's grades."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from egobench.evaluate import evaluate, rescore
from egobench.leaderboard.board import Board, Number, make_board, pairs
from egobench.leaderboard.measure_values import MeasureValues
from egobench.leaderboard.measures import SampleSets
from egobench.leaderboard.runs import open_runs
from egobench.llm_judge.rubric import key_of
from egobench.llm_judge.score import judge_chats
from egobench.metrics.gallery import class_ap, weighted_class_ap
from egobench.metrics.graded import graded_aps
from egobench.model import FramePolicy, ModelInfo, Prompt, Reply
from egobench.observer import SilentObserver
from egobench.plugins import load_task
from egobench.run.plan import PartId, find_run_sets, plan
from egobench.run.records import JudgeReply
from egobench.run.spec import Settings
from egobench.run.store import read_run, reopen_run
from egobench.statistics import paired
from tests.conftest import ANSWERS, Navigation
from tests.leaderboard.submissions import Encoder, Talker, World


@dataclass(frozen=True)
class Sees:
    """Knows what some colours mean, and says the letter A where it sees another."""

    known: tuple[str, ...]

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(f"sees-{'-'.join(self.known)}", "1", frames=FramePolicy(count=1, short_side=32))

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        return [Reply(self._letter(prompt)) for prompt in prompts]

    def _letter(self, prompt: Prompt) -> str:
        seen = prompt.frames.mean(axis=(0, 1, 2))
        texts = {name: text for name, (text, _) in ANSWERS.items()}
        name = min(ANSWERS, key=lambda name: float(np.abs(seen - np.array(ANSWERS[name][1])).sum()))
        return "ABCD"[prompt.options.index(texts[name])] if name in self.known else "A"


class Reversed(Encoder):
    """Embeds a clip by its mean colour, its channels the other way round."""

    info = ModelInfo("reversed", "1", frames=FramePolicy(count=2, short_side=32))

    def encode_clips(self, prompts: Sequence[Prompt]) -> np.ndarray:
        return super().encode_clips(prompts)[:, ::-1]


class OtherTalker(Talker):
    """Talks under another name, about another thing."""

    info = replace(Talker.info, name="other-talker")

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        return [
            Reply(f"{reply.text} {prompt.seed % 3}")
            for reply, prompt in zip(super().generate(prompts), prompts, strict=True)
        ]


def board_of(*paths: Path, data: Path | None = None) -> Board:
    with open_runs(paths, SilentObserver()) as runs:
        return make_board(runs, SampleSets(data))


def number_of(board: Board, beginning: str) -> Number:
    return next(number for number in board.numbers if number.id.startswith(beginning))


def errors(number: Number) -> tuple[float, float]:
    """Difference of the first two runs, and its error."""
    table = pairs(number)
    assert table is not None
    return float(table.effects[0, 1]), float(table.errors[0, 1])


def test_questions_that_are_right_in_every_order_are_paired(navigation: Navigation) -> None:
    """By hand: of twelve questions three are of each colour; always A is right in one order of three."""
    runs = [
        evaluate(
            Sees(known),
            [navigation.sample_set],
            navigation.videos,
            navigation.root / "runs",
            Settings(orders=3),
            recorded={"data": str(navigation.data)},
        ).path
        for known in (("left", "stop"), ("left",), ("left", "forward", "stop", "right"))
    ]
    board = board_of(*runs)
    number = number_of(board, "vln-qa/all/mcq/official/circular3")
    assert [number.estimates[path.name].value for path in runs] == [0.5, 0.25, 1.0]
    assert set(number.keys) == {path.name for path in runs}
    colours = [sample.video.partition("/")[0] for sample in navigation.sample_set.samples]
    first_right = [float(colour in {"left", "stop"}) for colour in colours]
    second_right = [float(colour == "left") for colour in colours]
    test = paired(first_right, second_right, range(12))
    table = pairs(number)
    assert table is not None
    first, second = (table.keys.index(path.name) for path in runs[:2])
    assert (table.effects[first, second], table.errors[first, second]) == pytest.approx((test.effect, test.se))
    ranks = {path.name: board.sections[0].ranks[number.key, path.name] for path in runs}
    # Three of twelve against twelve: 5.7 standard errors.
    assert ranks[runs[1].name].worst == 3
    assert ranks[runs[2].name].best == 1


def test_where_a_model_puts_its_answers_is_ranked_with_nobody(turned: Path, world: World) -> None:
    board = board_of(turned, data=world.data)
    bias = number_of(board, "vln-qa/all/mcq/official/position_bias3").measure
    assert bias is not None
    assert bias.influence is None
    assert bias.problem.startswith("it says where a model puts its answers, not how good they are")
    assert number_of(board, "vln-qa/all/mcq/official/circular3").influence is not None


def test_queries_of_a_gallery_are_paired(embedded: Path, world: World) -> None:
    runs = [world.run(Encoder(), "epic-kitchens-mir"), world.run(Reversed(), "epic-kitchens-mir")]
    board = board_of(*runs, data=world.data)
    assert {run.level for run in board.runs} == {"re-scored"}
    number = number_of(board, "epic-kitchens-mir/all/gallery/gallery/mAP")
    sample_set = world.sets["epic-kitchens-mir"]
    gallery = load_task("epic-kitchens-mir").galleries["gallery"]
    relevance = gallery.relevance(sample_set.samples, sample_set.gallery)
    by_run = [
        graded_aps(np.load(next(path.glob("predictions/*.npy"))), relevance).tolist()
        for path in sorted(runs, key=lambda path: number.keys.index(path.name))
    ]
    first, second = by_run
    test = paired(first, second, [sample.cluster for sample in sample_set.samples])
    assert errors(number) == pytest.approx((test.effect, test.se))
    # What comes in a bundle has the same values.
    packed = number_of(board_of(embedded, data=world.data), "epic-kitchens-mir/all/gallery/gallery/mAP")
    assert packed.influence is not None
    place = number.keys.index(runs[0].name)
    assert number.influence is not None
    assert packed.influence.by_cluster[:, 0] == pytest.approx(number.influence.by_cluster[:, place])


def test_a_class_wise_gallery_without_videos_is_that_of_the_videos_left() -> None:
    """The closed form against computing the metric again without each group of samples."""
    rng = np.random.default_rng(0)
    scores, relevance = rng.integers(6, size=(30, 7)) / 5, (rng.random((30, 7)) < 0.3).astype(float)
    scores[4] = -np.inf
    relevance[relevance.sum(axis=1) == 0, 0] = 1.0
    sizes = [5, 1, 9, 15]
    ends = [0, 5, 6, 15, 30]
    for metric in (class_ap, weighted_class_ap):
        again = [
            metric.value(np.delete(scores, range(start, end), axis=0), np.delete(relevance, range(start, end), axis=0))
            for start, end in pairwise(ends)
        ]
        assert metric.without(scores, relevance, sizes) == pytest.approx(np.array(again), abs=1e-12)


def judge(run: Path, data: Path, correct: int) -> None:
    """Have a judge say yes to the answers whose key is divisible by a number."""
    with reopen_run(run) as opened:
        (part,) = [
            part
            for part in plan(find_run_sets(run, data), read_run(run).spec.settings())
            if part.subset.protocol == "open"
        ]
        for chat in judge_chats(part, opened.predictions(part.name)).values():
            verdict = "no" if int(key_of(chat), 16) % correct else "yes"
            opened.append_judge_reply("toy", JudgeReply(key_of(chat), json.dumps({"correct": verdict, "score": 3})))
    rescore(run, data)


def test_grades_of_a_judge_are_paired_in_folders_and_in_bundles(world: World) -> None:
    runs = [world.run(Talker(), "qaego4d", out="judged"), world.run(OtherTalker(), "qaego4d", out="judged")]
    for place, run in enumerate(runs):
        judge(run, world.data, 2 + place)
    board = board_of(*runs, data=world.data)
    number = number_of(board, "qaego4d/open/open/official/judge_acc@toy@")
    assert set(number.keys) == {run.name for run in runs}
    effect, error = errors(number)
    first, second = (number.estimates[key].value for key in number.keys)
    assert effect == pytest.approx(first - second)
    assert error > 0
    packed = number_of(board_of(*map(world.bundle, runs), data=world.data), "qaego4d/open/open/official/judge_acc@toy@")
    assert errors(packed) == (effect, error)


def test_a_judge_that_was_asked_otherwise_is_shown_and_not_paired(world: World) -> None:
    run = world.run(Talker(), "qaego4d", out="other-rubric")
    judge(run, world.data, 2)
    scores = rescore(run, world.data).scores
    (entry,) = (entry for entry in scores.values() if entry.id.metric == "judge_acc")
    entry = replace(entry, id=replace(entry.id, rubric="0" * 12))
    values = MeasureValues(world.sets["qaego4d"], PartId("qaego4d", "open", "open", "official"))
    assert values.why_unpaired(entry).startswith("its judge was asked otherwise than judges are now")
