"""Positions of Qwen's models: by their definition, and a library that counts others is refused."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from egobench.errors import ModelError
from tests.models.hf_asking import Checkpoint, load

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

positions: Any = import_module("egobench.models.hf.positions")


def test_positions_are_those_of_the_papers_figure() -> None:
    # By hand: two words, a video of 3 steps of 1 x 2 tokens that last 2.52 positions each, two words.
    found = positions.defined_positions([0, 0, 2, 2, 2, 2, 2, 2, 0, 0], (3, 1, 2), time_step=2.52)
    assert found == [
        (0, 0, 0),
        (1, 1, 1),
        (2, 2, 2),
        (2, 2, 3),
        (4, 2, 2),
        (4, 2, 3),
        # 2 x 2.52 = 5.04; rounded down before, it would be 4.
        (7, 2, 2),
        (7, 2, 3),
        (8, 8, 8),
        (9, 9, 9),
    ]


def test_steps_between_words_each_begin_behind_them() -> None:
    found = positions.defined_positions([2, 2, 0, 2, 2], (2, 1, 2), time_step=1.0)
    assert found == [(0, 0, 0), (0, 0, 1), (2, 2, 2), (3, 3, 3), (3, 3, 4)]


@pytest.mark.parametrize("family", ["qwen2-vl", "qwen2.5-vl", "qwen3-vl", "qwen3.5"])
def test_the_installed_library_counts_as_defined(family: str, checkpoint: Checkpoint) -> None:
    adapter = load(checkpoint(family))
    positions.check_positions(adapter.model, adapter.chat, text=True)


def test_a_library_that_rounds_seconds_first_is_refused(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As transformers 5.0 to 5.17 do: of 16 frames in 4 s a step lasts half a second, which becomes 0.
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel

    right: Any = Qwen2_5_VLModel.get_rope_index

    def rounded(self: Any, *inputs: Any, second_per_grid_ts: Any = None, **named: Any) -> Any:
        whole = None if second_per_grid_ts is None else second_per_grid_ts.floor()
        return right(self, *inputs, second_per_grid_ts=whole, **named)

    monkeypatch.setattr(Qwen2_5_VLModel, "get_rope_index", rounded)
    for rope_fix in ("yes", "no"):
        with pytest.raises(
            ModelError,
            match=r"transformers 5\S+ counts other positions for 'qwen2_5_vl' .*steps at \[0\], "
            r"expected \[0, 1, 2, 3, 4, 5, 6, 7\]\); install transformers 5\.18 or later",
        ):
            load(checkpoint("qwen2.5-vl"), rope_fix=rope_fix)
    # Frames shown one by one have no time.
    assert load(checkpoint("qwen2.5-vl"), as_images="yes").info.settings["frames_as"] == "images"


def test_a_library_that_counts_text_otherwise_is_refused(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLModel

    right: Any = Qwen3VLModel.get_rope_index

    def late(self: Any, *inputs: Any, **named: Any) -> Any:
        counted, deltas = right(self, *inputs, **named)
        counted[..., -1] += 1
        return counted, deltas

    monkeypatch.setattr(Qwen3VLModel, "get_rope_index", late)
    with pytest.raises(ModelError, match=r"for 'qwen3_vl' than the model was trained with \(text after a video\)"):
        load(checkpoint("qwen3-vl"))
