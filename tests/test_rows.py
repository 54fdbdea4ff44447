"""The table of a gallery's scores in a run folder: what it holds of clips that were seen once and are no more."""

from __future__ import annotations

import numpy as np

from egobench.evaluate import Result, evaluate
from egobench.gallery import read_scores
from tests.coloured import Coloured, Planted, coloured

__all__ = ["coloured"]

TABLE = "epic-kitchens-mir.all.gallery.gallery.main.npy"


def run(world: Coloured) -> Result:
    return evaluate(Planted(), [world.sample_set], world.videos, world.root / "runs")


def table(world: Coloured, result: Result) -> np.ndarray:
    return read_scores(result.path / "predictions" / TABLE, world.sample_set)


def test_the_row_of_a_clip_that_can_no_longer_be_seen_is_gone(coloured: Coloured) -> None:
    assert table(coloured, run(coloured)).tolist() == np.eye(8).tolist()
    kept = coloured.video(2).read_bytes()
    coloured.video(2).write_bytes(b"no video")
    after = run(coloured)
    (entry,) = [entry for name, entry in after.scores.items() if "/mAP/" in name]
    assert (entry["outcomes"]["answered"], entry["outcomes"]["media_error"]) == (7, 1)
    rows = table(coloured, after)
    assert np.isnan(rows[2]).all()
    assert np.delete(rows, 2, axis=0).tolist() == np.delete(np.eye(8), 2, axis=0).tolist()
    coloured.video(2).write_bytes(kept)
    assert table(coloured, run(coloured)).tolist() == np.eye(8).tolist()
