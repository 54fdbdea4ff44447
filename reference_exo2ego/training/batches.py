"""What a step trains on, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import torch

from reference_exo2ego.backbone.grid import token_grid
from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.model.exo2ego import Batch, Exo2Ego, Losses
from reference_exo2ego.model.stages import Stage
from reference_exo2ego.model.words import IGNORED

TrainingStage = Literal["language", "init", "stage1", "stage2", "stage3"]
"""The stages of training: those of the paper, and before them ``language``, which makes a stand-in for a published
language model."""


class Teaching(Protocol):
    """Some clips, or texts, and the losses that they have in a model."""

    @property
    def clips(self) -> int:
        """How many clips there are."""
        ...

    @property
    def predicted(self) -> int:
        """How many words are predicted."""
        ...

    def tokens(self, config: Exo2EgoConfig) -> int:
        """How many tokens the language model reads, those of videos and those that fill up rows included."""
        ...

    def to(self, device: torch.device | str) -> Self:
        """The same on another device."""
        ...

    def losses(self, model: Exo2Ego) -> Losses:
        """The losses; each the mean over what it is counted in: ``vtg`` over words, the others over clips."""
        ...


@dataclass(frozen=True, slots=True)
class ClipBatch:
    """Clips that a stage of the paper trains on.

    Attributes:
        stage: The stage.
        batch: The clips and what is said of them.
    """

    stage: Stage
    batch: Batch

    @property
    def clips(self) -> int:
        """How many clips there are."""
        return len(self.batch.words.ids)

    @property
    def predicted(self) -> int:
        """How many words are predicted."""
        return int((self.batch.words.labels[:, 1:] != IGNORED).sum())

    def tokens(self, config: Exo2EgoConfig) -> int:
        """How many tokens the language model reads, those of videos and those that fill up rows included."""
        frames = self.batch.exo if self.batch.ego is None else self.batch.ego
        count = 0 if frames is None else frames.shape[1]
        steps, side = token_grid(count, config.vision.grid, config.stc.kind)
        views = 2 if self.stage in {"stage2", "stage3"} and config.fuse == "token" else 1
        return self.batch.words.ids.numel() + self.clips * (steps * side**2 * views - 1)

    def to(self, device: torch.device | str) -> ClipBatch:
        """The same on another device."""
        return ClipBatch(self.stage, self.batch.to(device))

    def losses(self, model: Exo2Ego) -> Losses:
        """The losses of the stage."""
        losses: Losses = model(self.stage, self.batch)
        return losses


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """What one process computes at once; a step is made of at least one.

    Attributes:
        teaching: The clips or texts.
        group: Micro-batches of a step with the same name are one batch in pieces: their losses are averaged over all
            their words and clips, on all processes. Losses of several groups are added. Every process has the same
            groups in a step, in the same order.
        weight: What the group's losses count.
        unreadable: Messages about clips that could not be read and gave their places to others.
    """

    teaching: Teaching
    group: str = ""
    weight: float = 1.0
    unreadable: tuple[str, ...] = ()


class Source(Protocol):
    """What a stage trains on: a pure function of the step, so resuming needs nothing but its number."""

    @property
    def steps_per_epoch(self) -> float:
        """How many steps show everything once."""
        ...

    @property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 of the data by name: a resumed training goes on with the same."""
        ...

    def micro_batches(self, step: int, rank: int, processes: int) -> Sequence[MicroBatch]:
        """The part of a step that a process computes.

        Together the processes compute the same, however many there are.

        Args:
            step: From 0.
            rank: Of the process, from 0.
            processes: How many there are.
        """
        ...

    def held_out(self) -> Sequence[MicroBatch]:
        """What losses are validated on, never trained on; the same on every process, and empty where there is none."""
        ...
