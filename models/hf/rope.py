"""Positions of text after a video in Qwen2-VL and Qwen2.5-VL.

Both count positions in three dimensions, and each modality begins at the largest position of the one before plus one
(arXiv 2409.12191, section 2.1). transformers 5.3 to 5.23 begins text after a video at ``start + max(height, width)`` of
the video's grid instead. That is less wherever the video is longer than it is wide: the question then lies among the
video's frames, while generated text, which is counted from the maximum, does not. The rule below changes nothing where
positions are right already.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import torch

FIXED_TYPES = frozenset({"qwen2_vl", "qwen2_5_vl"})
"""``config.model_type`` of the models concerned."""


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
