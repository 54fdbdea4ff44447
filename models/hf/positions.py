"""Positions of video and text in Qwen's models, and those of text after a video in Qwen2-VL and Qwen2.5-VL set right.

Both count positions in three dimensions, and each modality begins at the largest position of the one before plus one
(arXiv 2409.12191, section 2.1). transformers 5.3 to 5.23 begins text after a video at ``start + max(height, width)`` of
the video's grid instead. That is less wherever the video is longer than it is wide: the question then lies among the
video's frames, while generated text, which is counted from the maximum, does not. The rule below changes nothing where
positions are right already.

Positions in time are compared with their definition when a model is opened: transformers 5.0 to 5.17 rounds the seconds
of a step of Qwen2.5-VL down before it multiplies them, so that all steps of a short clip stand at one time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from math import floor
from typing import Any

import numpy as np
import torch

from egobench.errors import ModelError
from egobench.model import Prompt

from .chat import Chat

FIXED_TYPES = frozenset({"qwen2_vl", "qwen2_5_vl"})
"""``config.model_type`` of the models whose text positions are set right."""

RIGHT_SINCE = "5.18"
"""The first release of transformers whose positions in time are right."""

CLIPS = (0.25, 0.63)
"""Seconds between the 16 frames of the clips that positions are tried with: of 4 s, and of steps of 1.26 s."""


def consecutive(
    positions: torch.Tensor, kinds: torch.Tensor, mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Move every stretch of one kind to start at the largest position before it plus one.

    Args:
        positions: Time, height and width position of each token, ``(3, batch, tokens)``.
        kinds: 0 for text, 1 for an image, 2 for a video, ``(batch, tokens)``.
        mask: 0 for padding, ``(batch, tokens)``; ``None`` without padding.

    Returns:
        The positions, and what to add to a token's number to get the position of generated text, ``(batch, 1)``.
    """
    moved = positions.clone()
    deltas: list[int] = []
    for row in range(positions.shape[1]):
        is_token = torch.ones_like(kinds[row], dtype=torch.bool) if mask is None else mask[row].bool()
        places = is_token.nonzero()[:, 0]
        start = done = 0
        for _, run in groupby(kinds[row, places].tolist()):
            stretch = places[done : done + len(list(run))]
            done += len(stretch)
            now = moved[:, row, stretch]
            now = now + start - now.min()
            moved[:, row, stretch] = now
            start = int(now.max()) + 1
        deltas.append(start - len(places))
    return moved, torch.tensor(deltas, device=positions.device)[:, None]


def fix_text_positions(model: Any) -> bool:
    """Make a Qwen2-VL or Qwen2.5-VL count text positions by :func:`consecutive`, in ``forward`` and ``generate`` alike.

    Returns:
        Whether the model is one of those.
    """
    if model.config.model_type not in FIXED_TYPES:
        return False
    counted: Callable[..., tuple[torch.Tensor, torch.Tensor]] = model.model.get_rope_index

    def get_rope_index(
        input_ids: torch.Tensor,
        mm_token_type_ids: torch.Tensor,
        *,
        attention_mask: torch.Tensor | None = None,
        **grids: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        positions, _ = counted(input_ids, mm_token_type_ids, attention_mask=attention_mask, **grids)
        return consecutive(positions, mm_token_type_ids, attention_mask)

    model.model.get_rope_index = get_rope_index
    return True


def defined_positions(
    kinds: Sequence[int], grid: tuple[int, int, int], *, time_step: float
) -> list[tuple[int, int, int]]:
    """Positions of every token by their definition (arXiv 2409.12191, section 2.1; arXiv 2502.13923, section 2.1.2).

    Text counts on, the same in all three dimensions, and so does whatever comes after a video from the largest position
    in it. Within a video the step, row and column of a patch are added to where it starts.

    Args:
        kinds: 0 for text, 2 for a video, one per token; one video, whole or one step at a time between words.
        grid: Steps in time, rows and columns of the video, in tokens.
        time_step: Positions that a step takes, as a product of seconds and positions per second; rounded down only
            after it is multiplied by the step's number.

    Returns:
        Time, row and column of each token.
    """
    positions: list[tuple[int, int, int]] = []
    _, rows, columns = grid
    start = 0
    for kind, run in groupby(kinds):
        length = len(list(run))
        if kind != 2:
            positions += [(place, place, place) for place in range(start, start + length)]
        else:
            positions += [
                (
                    start + floor(number // (rows * columns) * time_step),
                    start + number // columns % rows,
                    start + number % columns,
                )
                for number in range(length)
            ]
        start = max(map(max, positions)) + 1
    return positions


def check_positions(model: Any, chat: Chat, *, text: bool) -> None:
    """Compare the positions of two short clips with their definition, in a model of Qwen's that is shown videos.

    Args:
        model: A model of transformers.
        chat: Its processor.
        text: Whether those of text after a video are compared too.

    Raises:
        ModelError: If they differ.
    """
    family = str(model.config.model_type)
    if chat.frames != "video" or not family.startswith("qwen") or not hasattr(model.model, "get_rope_index"):
        return
    for spacing in CLIPS:
        prompt = _clip(spacing)
        inputs = chat.encode([prompt], [chat.render(prompt, prompt.text)]).to(model.device)
        kinds: list[int] = inputs["mm_token_type_ids"][0].tolist()
        steps, height, width = inputs["video_grid_thw"][0].tolist()
        vision = model.config.vision_config
        merged = int(vision.spatial_merge_size)
        per_second = getattr(vision, "tokens_per_second", None) if family.startswith("qwen2_5") else None
        seconds = spacing * len(prompt.frames) / steps
        defined = defined_positions(
            kinds,
            (steps, height // merged, width // merged),
            time_step=1.0 if per_second is None else seconds * per_second,
        )
        grids = {name: inputs[name] for name in ("video_grid_thw", "second_per_grid_ts") if name in inputs}
        counted, _ = model.model.get_rope_index(
            inputs["input_ids"], mm_token_type_ids=inputs["mm_token_type_ids"], **grids
        )
        _compare(chat.name, family, kinds, (counted[:, 0].T.tolist(), defined), text=text)


def _compare(
    name: str,
    family: str,
    kinds: Sequence[int],
    positions: tuple[Sequence[Sequence[int]], Sequence[Sequence[int]]],
    *,
    text: bool,
) -> None:
    import transformers

    counted, defined = (_steps(kinds, rows) for rows in positions)
    whole = not text or [tuple(row) for row in positions[0]] == [tuple(row) for row in positions[1]]
    if counted == defined and whole:
        return
    times = [sorted({row[0] for row in steps}) for steps in (counted, defined)]
    problem = f"a video's steps at {times[0]}, expected {times[1]}" if times[0] != times[1] else "text after a video"
    raise ModelError(
        f"model {name!r}: transformers {transformers.__version__} counts other positions for {family!r} than the model "
        f"was trained with ({problem}); install transformers {RIGHT_SINCE} or later, below 6"
    )


def _steps(kinds: Sequence[int], rows: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """Positions of the video's tokens, each stretch of them counted from its least."""
    stretches = groupby(zip(kinds, rows, strict=True), key=lambda pair: pair[0])
    parts = [[row for _, row in stretch] for kind, stretch in stretches if kind == 2]
    return [tuple(place - min(map(min, part)) for place in row) for part in parts for row in part]


def _clip(spacing: float) -> Prompt:
    return Prompt(
        frames=np.zeros((16, 56, 84, 3), np.uint8),
        times=spacing * np.arange(16, dtype=np.float64),
        system="",
        question="",
        options=(),
        text="What is this?",
        max_new_tokens=1,
        seed=0,
    )
