"""Rows of questions as batches: rows that leave the encoder alone, and transcripts in the place of frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.model.exo2ego import Exo2Ego, Losses
from reference_exo2ego.model.words import IGNORED, Words

from .batches import ClipBatch

NOISE = 0.3
"""Standard deviation of the noise on tokens, as a share of their own."""


@dataclass(frozen=True, slots=True)
class StillBatch(ClipBatch):
    """Rows whose losses have no gradient in encoder and F; the language model alone learns from them."""

    def losses(self, model: Exo2Ego) -> Losses:
        """Compute the losses of the stage, without a gradient in encoder and F."""
        ego = self.inputs.ego
        if ego is None or self.stage not in {"init", "stage3"}:
            raise ValueError(f"rows of {self.stage} that leave the encoder alone; expected ego rows of init or stage3")
        with torch.no_grad():
            x = model.features("ego", ego)
        if self.stage == "init":
            return model.answer(self.inputs.words, model.delimited("ego", model.tokens("ego", x)))
        with torch.no_grad():
            fx = model.to_exo(x)
        return model.answer(self.inputs.words, model.fused(model.tokens("ego", x), model.tokens("exo", fx)))


@dataclass(frozen=True, slots=True)
class TranscriptBatch:
    """Transcripts in the place of videos, and questions about them.

    Attributes:
        words: The questions, a row per transcript.
        ids: Words of each token of a transcript, ``(rows, tokens, words)``.
        shares: Weights of these words in the token, 0 where there is none, ``(rows, tokens, words)``.
    """

    words: Words
    ids: torch.Tensor
    shares: torch.Tensor

    @property
    def clips(self) -> int:
        """Number of transcripts."""
        return len(self.words.ids)

    @property
    def predicted(self) -> int:
        """Number of words that are predicted."""
        return int((self.words.labels[:, 1:] != IGNORED).sum())

    def tokens(self, config: Exo2EgoConfig) -> int:  # noqa: ARG002 - a transcript has tokens of its own
        """Count the tokens that the language model reads, those that fill up rows included."""
        return self.words.ids.numel() + self.ids.shape[0] * (self.ids.shape[1] - 1)

    def to(self, device: torch.device | str) -> TranscriptBatch:
        """Copy the batch to a device."""
        return TranscriptBatch(self.words.to(device), self.ids.to(device), self.shares.to(device))

    def losses(self, model: Exo2Ego) -> Losses:
        """Compute the losses of the language model; noise on the tokens is drawn from torch's own generator."""
        table = model.language.get_input_embeddings().weight
        spread = torch.zeros((*self.ids.shape[:2], len(table)), device=self.ids.device)
        tokens = spread.scatter_add_(2, self.ids, self.shares) @ table
        return model.answer(self.words, tokens + torch.randn_like(tokens) * NOISE * tokens.detach().std())
