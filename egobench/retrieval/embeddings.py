"""Clips and texts in the common space of a dual encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from egobench.errors import ModelError
from egobench.model import Encoder, Prompt

LENGTH_TOLERANCE = 1e-3
"""How far from 1 the length of an embedding may be."""


def embed_texts(model: Encoder, texts: Sequence[str]) -> np.ndarray:
    """Embed a gallery's texts: ``(n_texts, dim)``.

    Raises:
        ModelError: If the model breaks its contract.
    """
    embeddings = np.asarray(model.encode_texts(texts))
    _check_lengths(embeddings, len(texts), "texts")
    if not np.isfinite(embeddings).all():
        raise ModelError("an embedding of a text is not a number; compute in another format, e.g. -o dtype=float32")
    return embeddings


def score_texts(model: Encoder, prompts: Sequence[Prompt], texts: np.ndarray) -> list[tuple[float, ...]]:
    """Cosine of each prompt's clip with each text.

    Args:
        model: The encoder.
        prompts: At least one, with frames.
        texts: ``(n_texts, dim)``.

    Returns:
        One row per prompt, one number per text.

    Raises:
        ModelError: If the model breaks its contract.
    """
    clips = np.asarray(model.encode_clips(prompts))
    _check_lengths(clips, len(prompts), "clips")
    if clips.shape[1] != texts.shape[1]:
        raise ModelError(f"an encoder embeds clips in {clips.shape[1]} dimensions and texts in {texts.shape[1]}")
    # Clip by clip: the last digits must not depend on which clips came together.
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
    products: np.ndarray = np.einsum("td,d->t", texts, clip)
    return products


def _check_lengths(embeddings: np.ndarray, n: int, what: str) -> None:
    if embeddings.ndim != 2 or len(embeddings) != n or embeddings.dtype != np.float32:
        raise ModelError(
            f"an encoder gave {embeddings.dtype} {embeddings.shape} for {n} {what}; expected float32 ({n}, dim)"
        )
    lengths = np.linalg.norm(embeddings, axis=1)
    wrong = np.flatnonzero(np.abs(lengths - 1) > LENGTH_TOLERANCE)
    if len(wrong):
        raise ModelError(f"an encoder gave {what} of length {lengths[wrong[0]]:.4f}; expected rows of length 1")
