"""The table of a gallery's scores in a run folder: what it holds of clips that were seen once and are no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from shutil import copytree

import numpy as np
import pytest

from egobench.errors import ModelMemoryError, PromptError
from egobench.evaluate import Result, evaluate, rescore
from egobench.model import Prompt
from egobench.retrieval.embeddings import cosines
from egobench.retrieval.gallery import read_scores
from egobench.run.spec import Settings
from tests.coloured import Coloured, Planted, seen

TABLE = "epic-kitchens-mir.all.gallery.gallery.main.npy"


def run(world: Coloured, model: Planted | None = None, batch_size: int = 1) -> Result:
    settings = Settings(batch_size=batch_size)
    return evaluate(model or Planted(), [world.sample_set], world.videos, world.root / "runs", settings)


def table(world: Coloured, result: Result) -> np.ndarray:
    return read_scores(result.path / "predictions" / TABLE, world.sample_set)


def test_the_row_of_a_clip_that_can_no_longer_be_seen_is_gone(coloured: Coloured) -> None:
    assert table(coloured, run(coloured)).tolist() == np.eye(8).tolist()
    kept = coloured.video(2).read_bytes()
    coloured.video(2).write_bytes(b"no video")
    after = run(coloured)
    (entry,) = [entry for name, entry in after.scores.items() if "/mAP/" in name]
    assert (entry.outcomes["answered"], entry.outcomes["media_error"]) == (7, 1)
    rows = table(coloured, after)
    assert np.isnan(rows[2]).all()
    assert np.delete(rows, 2, axis=0).tolist() == np.delete(np.eye(8), 2, axis=0).tolist()
    coloured.video(2).write_bytes(kept)
    assert table(coloured, run(coloured)).tolist() == np.eye(8).tolist()


def test_a_run_that_was_moved_is_scored_where_it_is(coloured: Coloured) -> None:
    first = run(coloured)
    moved = copytree(first.path, coloured.root / "kept" / "mine")
    (moved / "scores.json").unlink()
    assert rescore(moved, coloured.data).scores == first.scores
    assert (moved / "scores.json").read_bytes() == (first.path / "scores.json").read_bytes()
    # And no other run has come to be beside it.
    assert len(list(coloured.root.rglob("run.json"))) == 2


@pytest.mark.parametrize("n_texts", [5, 157, 3842])
@pytest.mark.parametrize("dim", [24, 512, 768])
def test_equal_texts_tie_wherever_they_stand(n_texts: int, dim: int) -> None:
    rng = np.random.default_rng(0)
    text, clip = (found / np.linalg.norm(found) for found in rng.standard_normal((2, dim)).astype(np.float32))
    rows = cosines(np.tile(text, (n_texts, 1)), clip)
    assert (rows.dtype, rows.shape, len(np.unique(rows))) == (np.dtype(np.float32), (n_texts,), 1)
    # By hand, in double precision.
    assert float(rows[0]) == pytest.approx(float(text.astype(np.float64) @ clip.astype(np.float64)), abs=1e-6)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_clips_that_do_not_fit_or_cannot_be_taken_cost_no_other_its_row(coloured: Coloured, batch_size: int) -> None:
    class Narrow(Planted):
        """Has room for three clips a call, and cannot take the sixth clip at all."""

        def encode_clips(self, prompts: Sequence[Prompt]) -> np.ndarray:
            if len(prompts) > 3:
                raise ModelMemoryError("model 'planted': out of memory")
            if 5 in map(seen, prompts):
                raise PromptError("model 'planted' cannot take it")
            return super().encode_clips(prompts)

    model = Narrow()
    result = run(coloured, model, batch_size)
    (entry,) = [entry for name, entry in result.scores.items() if "/mAP/" in name]
    assert (entry.outcomes["answered"], entry.outcomes["request_error"]) == (7, 1)
    assert sorted(model.asked) == [0, 1, 2, 3, 4, 6, 7]
    rows = table(coloured, result)
    assert np.isnan(rows[5]).all()
    assert np.delete(rows, 5, axis=0).tolist() == np.delete(np.eye(8), 5, axis=0).tolist()
    events = [json.loads(line)["what"] for line in (result.path / "events.jsonl").read_text().splitlines()]
    halved = [
        f"model 'planted': out of memory; a batch of {most} was halved, and {most // 2} are asked at a time now"
        for most in (8, 4)
    ]
    assert events == [*(halved if batch_size > 1 else []), "model 'planted' cannot take it"]
    # Asked again, the others stay as they are.
    again = Planted()
    assert np.isfinite(table(coloured, run(coloured, again))).all()
    assert again.asked == [5]
