"""A retriever's best texts scored again, with numbers by hand: a caption's average precision is one over its rank."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from egobench.compare import compare
from egobench.errors import ModelError, ScoreFileError, StoreError
from egobench.evaluate import Result, evaluate, rescore
from egobench.model import ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.request import RunRequest
from egobench.retrieval.gallery import score_gallery
from egobench.retrieval.rerank import LIFT, Candidates, read_retriever
from egobench.run.spec import Settings
from tests.cli import egobench
from tests.coloured import CAPTIONS, Coloured, Planted, Teller

NAME = "epic-kitchens-mir/all/rerank/gallery"
TABLE = "epic-kitchens-mir.all.rerank.gallery.main.npy"

RANKS = (1, 2, 3, 4, 5, 8, 2, 3)
"""Where the retriever puts the right caption of each clip."""


@pytest.fixture
def retriever(coloured: Coloured) -> Path:
    """A file of scores that has the right captions at :data:`RANKS`, and no two scores of a clip equal."""
    scores = np.empty((8, 8), np.float32)
    for clip, rank in enumerate(RANKS):
        others = [caption for caption in range(8) if caption != clip]
        order = [*others[: rank - 1], clip, *others[rank - 1 :]]
        scores[clip, order] = np.linspace(0.4, -0.3, 8)
    np.save(coloured.root / "retriever.npy", scores)
    return coloured.root / "retriever.npy"


def rerank(
    world: Coloured, retriever: Path, model: Teller, *, top: int = 3, method: str = "likelihood-sum", **settings: object
) -> Result:
    candidates = read_retriever(retriever, [world.sample_set], top)
    reranking = Settings(method, rerank=candidates, **settings)  # type: ignore[arg-type]
    return evaluate(model, [world.sample_set], world.videos, world.root / "runs", reranking)


def value(result: Result) -> float:
    (entry,) = [entry for name, entry in result.scores.items() if "/mAP/" in name]
    assert entry.value is not None
    return entry.value


def test_the_right_caption_is_lifted_to_the_top_where_it_was_among_the_best(
    coloured: Coloured, retriever: Path
) -> None:
    """By hand: ranks up to 3 become 1, the others stay. Before: 1, 1/2, 1/3, 1/4, 1/5, 1/8, 1/2, 1/3."""
    before = score_gallery(np.load(retriever), coloured.sample_set)
    (plain,) = [entry.value for name, entry in before.items() if "/mAP/" in name]
    assert plain == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5 + 1 / 8 + 1 / 2 + 1 / 3) / 8)
    model = Teller()
    result = rerank(coloured, retriever, model)
    assert value(result) == pytest.approx((1 + 1 + 1 + 1 / 4 + 1 / 5 + 1 / 8 + 1 + 1) / 8)
    assert [len(prompt.options) for prompt in model.asked] == [3] * 8
    digest = read_retriever(retriever, [coloured.sample_set], 3).sha256[coloured.sample_set.name][:12]
    assert list(result.scores) == [f"{NAME}/{metric}/likelihood-sum@top3@{digest}" for metric in ("mAP", "nDCG")]
    entry = result.scores[f"{NAME}/mAP/likelihood-sum@top3@{digest}"]
    assert (entry.n, entry.outcomes["answered"], entry.headline) == (8, 8, True)
    # Chance is that of the whole gallery.
    assert entry.chance == pytest.approx(sum(1 / rank for rank in range(1, 9)) / 8)


def test_a_retriever_is_compared_with_what_another_model_makes_of_its_best(coloured: Coloured, retriever: Path) -> None:
    """By hand: the retriever is always right; the other model lifts what is among the best of its own."""
    first = evaluate(Planted(), [coloured.sample_set], coloured.videos, coloured.root / "runs")
    second = rerank(coloured, retriever, Teller())
    (score,) = compare([first.path, second.path], coloured.data).scores
    assert score.values == pytest.approx((1.0, (5 + 1 / 4 + 1 / 5 + 1 / 8) / 8))
    assert score.tests[0].effect == pytest.approx((3 - 1 / 4 - 1 / 5 - 1 / 8) / 8)


def test_below_the_best_the_retrievers_scores_are_untouched(coloured: Coloured, retriever: Path) -> None:
    result, given = rerank(coloured, retriever, Teller()), np.load(retriever)
    scores = np.load(result.path / "predictions" / TABLE)
    top = np.argsort(-given, axis=1)[:, :3]
    for clip in range(8):
        rest = [caption for caption in range(8) if caption not in top[clip]]
        assert scores[clip, rest].tolist() == given[clip, rest].astype(np.float64).tolist()
        # The new scores lie above the best of all, the same distance for every clip.
        again = scores[clip, top[clip]] - LIFT - float(given.max())
        expected = [-1.0 if caption == clip else -7.5 for caption in top[clip]]
        assert again == pytest.approx(np.array(expected), abs=1e-6)


def test_scores_are_computed_again_without_the_retriever(coloured: Coloured, retriever: Path) -> None:
    result = rerank(coloured, retriever, Teller())
    before = (result.path / "scores.json").read_bytes()
    retriever.unlink()
    assert rescore(result.path, coloured.data).scores == result.scores
    assert (result.path / "scores.json").read_bytes() == before


def test_number_of_texts_and_every_score_of_the_retriever_make_another_run(coloured: Coloured, retriever: Path) -> None:
    first = rerank(coloured, retriever, Teller())
    assert json.loads((first.path / "run.json").read_text())["spec"]["rerank"]["top"] == 3
    other = rerank(coloured, retriever, Teller(), top=5)
    # By hand: ranks up to 5 become 1.
    assert value(other) == pytest.approx((7 + 1 / 8) / 8)
    scores = np.load(retriever)
    scores[7, 0] += 1e-4
    np.save(retriever, scores)
    third = rerank(coloured, retriever, Teller())
    assert len({first.path, other.path, third.path}) == 3
    assert len({*first.scores, *other.scores, *third.scores}) == 6


def test_more_texts_than_the_gallery_holds_are_all_of_them(coloured: Coloured, retriever: Path) -> None:
    assert value(rerank(coloured, retriever, Teller(), top=50)) == 1.0


def test_texts_are_asked_without_letters_and_letters_with_them(coloured: Coloured, retriever: Path) -> None:
    model = Teller()
    rerank(coloured, retriever, model)
    assert {prompt.text for prompt in model.asked} == {
        "Question: Which caption best describes the action in the video?\nAnswer briefly."
    }
    model = Teller()
    rerank(coloured, retriever, model, method="likelihood-letter")
    for prompt in model.asked:
        listed = "\n".join(f"({letter}) {text}" for letter, text in zip("ABC", prompt.options, strict=True))
        assert listed in prompt.text


def test_texts_are_listed_in_a_drawn_order_that_tells_nothing_of_the_retrievers(
    coloured: Coloured, retriever: Path
) -> None:
    scores = np.load(retriever)
    places = [0, 0, 0]
    for seed in range(40):
        drawn = Candidates(coloured.sample_set, 3, scores, seed)
        for row, sample in enumerate(coloured.sample_set.samples):
            columns = drawn.columns(sample)
            assert set(columns) == set(np.argsort(-scores[row])[:3].tolist())
            places[columns.index(int(scores[row].argmax()))] += 1
    # 320 draws: 107 a place, standard deviation 8.4.
    assert all(70 < count < 145 for count in places)


def test_equal_scores_at_the_border_are_drawn_by_lot(coloured: Coloured) -> None:
    scores = np.zeros((8, 8), np.float32)
    scores[:, 7] = 1
    drawn = [Candidates(coloured.sample_set, 3, scores, 0).columns(sample) for sample in coloured.sample_set.samples]
    assert all(7 in columns and len(set(columns)) == 3 for columns in drawn)
    assert len({frozenset(columns) for columns in drawn}) > 3
    again = [Candidates(coloured.sample_set, 3, scores, 0).columns(sample) for sample in coloured.sample_set.samples]
    assert again == drawn


def test_a_reply_and_too_many_letters_are_refused_before_anything_is_written(
    coloured: Coloured, retriever: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="a reply ranks no texts: with --rerank, give --method likelihood-sum"):
        rerank(coloured, retriever, Teller(), method="generate")
    items = tuple(replace(coloured.sample_set.gallery[0], id=f"P{number}") for number in range(30))
    wide = replace(coloured.sample_set, gallery=items)
    np.save(tmp_path / "wide.npy", np.zeros((8, 30), np.float32))
    settings = Settings("likelihood-letter", rerank=read_retriever(tmp_path / "wide.npy", [wide], 27))
    with pytest.raises(
        ValueError, match=r"27 texts are more than there are letters \(26\); give --method likelihood-s"
    ):
        evaluate(Teller(), [wide], coloured.videos, coloured.root / "runs", settings)
    assert not (coloured.root / "runs").exists()


def test_the_run_of_a_dual_encoder_is_a_retriever(coloured: Coloured) -> None:
    first = evaluate(Planted(), [coloured.sample_set], coloured.videos, coloured.root / "runs")
    model = Teller()
    result = rerank(coloured, first.path, model)
    assert value(result) == 1.0
    assert all(CAPTIONS[number] in prompt.options for number, prompt in enumerate(model.asked))
    file = first.path / "predictions" / "epic-kitchens-mir.all.gallery.gallery.main.npy"
    assert rerank(coloured, file, Teller()).path == result.path


def test_a_retriever_that_is_not_finished_is_refused(coloured: Coloured) -> None:
    first = evaluate(Planted(), [coloured.sample_set], coloured.videos, coloured.root / "runs")
    file = first.path / "predictions" / "epic-kitchens-mir.all.gallery.gallery.main.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:5]))
    with pytest.raises(StoreError, match="is not finished: 3 clips of epic-kitchens-mir/gallery wait"):
        read_retriever(first.path, [coloured.sample_set], 3)


def test_a_retriever_that_has_lost_a_row_is_refused(coloured: Coloured) -> None:
    first = evaluate(Planted(), [coloured.sample_set], coloured.videos, coloured.root / "runs")
    scores = np.load(first.path / "predictions" / "epic-kitchens-mir.all.gallery.gallery.main.npy", mmap_mode="r+")
    scores[4, 2] = np.nan
    scores.flush()
    with pytest.raises(StoreError, match=r"the scores of sample 'P01_04_0' are gone; run its command again"):
        read_retriever(first.path, [coloured.sample_set], 3)


def test_what_the_retriever_could_not_see_is_not_scored_again(coloured: Coloured) -> None:
    kept = coloured.video(5).read_bytes()
    coloured.video(5).unlink()
    first = evaluate(Planted(), [coloured.sample_set], coloured.videos, coloured.root / "runs")
    coloured.video(5).write_bytes(kept)
    model = Teller()
    result = rerank(coloured, first.path, model)
    assert len(model.asked) == 7
    assert value(result) == pytest.approx(7 / 8)
    lines = (result.path / "predictions" / TABLE).with_suffix(".jsonl").read_text().splitlines()
    (lost,) = [line for line in map(json.loads, lines) if line["outcome"] != "answered"]
    assert (lost["outcome"], lost["error"]) == ("request_error", "the retriever has no scores of it")


def test_clips_that_the_retriever_has_no_scores_of_are_told_on_the_command_line(coloured: Coloured) -> None:
    settings = Settings(limit=5)
    first = evaluate(Planted(), [coloured.sample_set], coloured.videos, coloured.root / "runs", settings)
    arguments = ("--data", coloured.data, "--videos", coloured.videos, "--out", coloured.root / "runs")
    done = egobench("run", "random", *arguments, "--rerank", first.path, "--top", "3", "--method", "auto")
    assert done.returncode == 1
    assert "3 samples cannot be asked" in done.stderr
    assert "the retriever has no scores of it" in done.stderr
    assert "fewer than 99% of the samples got a reply; the warnings above say why" in done.stderr


def test_a_run_that_stopped_goes_on_and_ends_with_the_same_bytes(coloured: Coloured, retriever: Path) -> None:
    class Stops(Teller):
        def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> list[OptionScores]:
            if len(self.asked) == 3:
                raise KeyboardInterrupt
            return super().score_options(prompts, form)

    whole = rerank(coloured, retriever, Teller())
    before = [(whole.path / name).read_bytes() for name in ("scores.json", f"predictions/{TABLE}")]
    for name in ("scores.json", f"predictions/{TABLE}", f"predictions/{TABLE.replace('npy', 'jsonl')}"):
        (whole.path / name).unlink()
    with pytest.raises(KeyboardInterrupt):
        rerank(coloured, retriever, Stops())
    model = Teller()
    assert rerank(coloured, retriever, model).path == whole.path
    assert len(model.asked) == 5
    assert [(whole.path / name).read_bytes() for name in ("scores.json", f"predictions/{TABLE}")] == before


def test_a_text_prior_is_taken_off_and_named_in_the_id(coloured: Coloured, retriever: Path) -> None:
    class Fond(Teller):
        """Likes the first caption best whatever it sees, and would answer with it without the prior."""

        def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> list[OptionScores]:
            seen = [prompt for prompt in prompts if len(prompt.frames)]
            scored = iter(super().score_options(seen, form))
            liked = [[50.0 * (option == CAPTIONS[0]) for option in prompt.options] for prompt in prompts]
            plain = [
                next(scored).logprobs if len(prompt.frames) else (-3.0,) * len(prompt.options) for prompt in prompts
            ]
            return [
                OptionScores(tuple(map(float, np.add(own, extra))), (2,) * len(extra))
                for own, extra in zip(plain, liked, strict=True)
            ]

    fooled = rerank(coloured, retriever, Fond())
    # The first caption is among the best of every clip; it leads all, and the right one comes second where it is there.
    assert value(fooled) == pytest.approx((1 + 4 * 1 / 2 + 1 / 4 + 1 / 5 + 1 / 8) / 8)
    righted = rerank(coloured, retriever, Fond(), text_prior=1.0)
    assert value(righted) == pytest.approx((5 + 1 / 4 + 1 / 5 + 1 / 8) / 8)
    assert all("likelihood-sum-prior1@top3@" in name for name in righted.scores)


def test_retrievers_that_do_not_fit_are_named(coloured: Coloured, retriever: Path) -> None:
    sets = [coloured.sample_set]
    np.save(coloured.root / "a.npy", np.zeros((8, 7), np.float32))
    with pytest.raises(ScoreFileError, match=r"float32 \(8, 7\); epic-kitchens-mir/gallery takes floats .* = \(8, 8\)"):
        read_retriever(coloured.root / "a.npy", sets, 3)
    np.save(coloured.root / "b.npy", np.full((8, 8), -np.inf))
    with pytest.raises(ScoreFileError, match="a retriever ranks every text of every sample"):
        read_retriever(coloured.root / "b.npy", sets, 3)
    # Scores as large would leave no digits for those of the model that are put on top.
    np.save(coloured.root / "c.npy", np.full((8, 8), 3e12))
    with pytest.raises(ScoreFileError, match="a score is beyond 1,000,000; divide all of them by the same number"):
        read_retriever(coloured.root / "c.npy", sets, 3)
    with pytest.raises(ScoreFileError, match=r"holds the scores of one set, and there are .*; choose with --tasks"):
        read_retriever(retriever, [*sets, *sets], 3)
    with pytest.raises(StoreError, match="is no run folder"):
        read_retriever(coloured.videos, sets, 3)
    with pytest.raises(ScoreFileError, match="nowhere: neither a run folder nor a file of scores is there"):
        read_retriever(Path("nowhere"), sets, 3)
    reranked = rerank(coloured, retriever, Teller())
    with pytest.raises(
        StoreError, match="holds no gallery scores of epic-kitchens-mir/gallery; expected a finished run"
    ):
        read_retriever(reranked.path, sets, 3)


def test_texts_are_scored_again_from_the_command_line(coloured: Coloured, retriever: Path) -> None:
    """The built-in model that knows nothing scores in a drawn order; what is below the best three stays."""
    arguments = ("--data", coloured.data, "--videos", coloured.videos, "--out", coloured.root / "runs")
    command = ("run", "random", *arguments, "--rerank", retriever, "--top", "3")
    refused = egobench(*command)
    assert (refused.returncode, "a reply ranks no texts" in refused.stderr) == (2, True)
    done = egobench(*command, "--method", "likelihood-sum", "--json")
    assert done.returncode == 0, done.stderr
    (entry,) = [each for name, each in json.loads(done.stdout)["scores"].items() if "/mAP/" in name]
    # By hand: the ranks beyond 3 stay; five captions are somewhere on ranks 1 to 3.
    fixed = 1 / 4 + 1 / 5 + 1 / 8
    assert (5 / 3 + fixed) / 8 <= entry["value"] <= (5 + fixed) / 8
    forecast = egobench(*command, "--method", "likelihood-sum", "--dry-run", "--json")
    assert json.loads(forecast.stdout)[0]["samples"] == 8


def test_wrong_use_is_found_before_a_model_is_loaded(coloured: Coloured, retriever: Path) -> None:
    def load(method: str, *, best: bool = False, model: str = "no-such-model") -> Settings:
        request = RunRequest(
            model=model,
            data=coloured.data,
            videos=coloured.videos,
            out=coloured.root / "runs",
            settings=Settings(method),  # type: ignore[arg-type]
            rerank=retriever,
            top=3,
            choose_method=best,
        )
        return request.load().settings

    with pytest.raises(ValueError, match="a reply ranks no texts"):
        load("generate")
    # The best method here is one that ranks any number of texts.
    assert load("generate", best=True, model="random").method == "likelihood-sum"


def test_who_scores_no_options_is_not_sent_to_replies(coloured: Coloured, retriever: Path) -> None:
    class Words:
        info = ModelInfo("words", "1")

        def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
            return [Reply("A")] * len(prompts)

    settings = Settings("likelihood-sum", rerank=read_retriever(retriever, [coloured.sample_set], 3))
    with pytest.raises(ModelError, match="'words' cannot score options; choose another model"):
        evaluate(Words(), [coloured.sample_set], coloured.videos, coloured.root / "runs", settings)
