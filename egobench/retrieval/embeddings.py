"""Clips and texts in the one space of a dual encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from egobench.errors import ModelError
from egobench.model import Encoder, Prompt

LENGTH = 1e-3
"""How far from 1 the length of an embedding may be."""


def embedded(model: Encoder, texts: Sequence[str]) -> np.ndarray:
    """A gallery's texts, embedded: ``(n_texts, dim)``.

    Raises:
        ModelError: If the model breaks its contract.
    """
    found = np.asarray(model.encode_texts(texts))
    _check_lengths(found, len(texts), "texts")
    if not np.isfinite(found).all():
        raise ModelError("an embedding of a text is not a number; compute in another format, e.g. -o dtype=float32")
    return found


def rows_of(model: Encoder, prompts: Sequence[Prompt], texts: np.ndarray) -> list[tuple[float, ...]]:
    """Cosine of each prompt's clip with each text.

    Args:
        model: The encoder.
        prompts: At least one, with frames.
        texts: ``(n_texts, dim)``.

    Raises:
        ModelError: If the model breaks its contract.
    """
    clips = np.asarray(model.encode_clips(prompts))
    _check_lengths(clips, len(prompts), "clips")
    if clips.shape[1] != texts.shape[1]:
        raise ModelError(f"an encoder embeds clips in {clips.shape[1]} dimensions and texts in {texts.shape[1]}")
    # One clip at a time: the last digits must not depend on which clips came together.
    return [tuple(cosines(texts, clip).tolist()) for clip in clips]


def cosines(texts: np.ndarray, clip: np.ndarray) -> np.ndarray:
    """Cosine of each text with one clip; equal texts get equal numbers, so that they tie.

    Args:
        texts: ``(n_texts, dim)``, rows of length 1.
        clip: ``(dim,)``, of length 1.

    Returns:
        ``(n_texts,)``.
    """
    # The product of a matrix and a vector rounds the last rows otherwise than those before them.
    found: np.ndarray = np.einsum("td,d->t", texts, clip)
    return found


def _check_lengths(found: np.ndarray, n: int, what: str) -> None:
    if found.ndim != 2 or len(found) != n or found.dtype != np.float32:
        raise ModelError(f"an encoder gave {found.dtype} {found.shape} for {n} {what}; expected float32 ({n}, dim)")
    lengths = np.linalg.norm(found, axis=1)
    wrong = np.flatnonzero(np.abs(lengths - 1) > LENGTH)
    if len(wrong):
        raise ModelError(f"an encoder gave {what} of length {lengths[wrong[0]]:.4f}; expected rows of length 1")
