"""What a step trains on, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import torch

from reference_exo2ego.backbone.grid import token_grid
from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.model.exo2ego import ClipInputs, Exo2Ego, Losses
from reference_exo2ego.model.stages import Stage
from reference_exo2ego.model.words import IGNORED

TrainingStage = Literal["language", "init", "stage1", "stage2", "stage3"]
"""The stages of training: those of the paper, and before them ``language``, which makes a stand-in for a published
language model."""

STAGE_VIEWS: Mapping[Stage, frozenset[str]] = {
    "init": frozenset({"ego", "exo"}),
    "stage1": frozenset({"exo"}),
    "stage2": frozenset({"pair"}),
    "stage3": frozenset({"ego"}),
}
"""Views of the clips that a stage of the paper trains on."""


class TrainingBatch(Protocol):
    """Clips or texts that a model computes losses of at once."""

    @property
    def clips(self) -> int:
        """Number of clips."""
        ...

    @property
    def predicted(self) -> int:
        """Number of words that are predicted."""
        ...

    def tokens(self, config: Exo2EgoConfig) -> int:
        """Count the tokens that the language model reads, those of videos and those that fill up rows included."""
        ...

    def to(self, device: torch.device | str) -> Self:
        """Copy the batch to a device."""
        ...

    def losses(self, model: Exo2Ego) -> Losses:
        """Compute the losses, as means over words or over clips, see :class:`.Losses`."""
        ...


@dataclass(frozen=True, slots=True)
class ClipBatch:
    """Clips that a stage of the paper trains on.

    Attributes:
        stage: The stage.
        inputs: Frames and words of the clips.
    """

    stage: Stage
    inputs: ClipInputs

    @property
    def clips(self) -> int:
        """Number of clips."""
        return len(self.inputs.words.ids)

    @property
    def predicted(self) -> int:
        """Number of words that are predicted."""
        return int((self.inputs.words.labels[:, 1:] != IGNORED).sum())

    def tokens(self, config: Exo2EgoConfig) -> int:
        """Count the tokens that the language model reads, those of videos and those that fill up rows included."""
        frames = self.inputs.exo if self.inputs.ego is None else self.inputs.ego
        count = 0 if frames is None else frames.shape[1]
        grid = token_grid(count, config.vision.grid, config.stc.kind)
        views = 2 if self.stage in {"stage2", "stage3"} and config.fuse == "token" else 1
        return self.inputs.words.ids.numel() + self.clips * (grid.tokens * views - 1)

    def to(self, device: torch.device | str) -> ClipBatch:
        """Copy the batch to a device."""
        return ClipBatch(self.stage, self.inputs.to(device))

    def losses(self, model: Exo2Ego) -> Losses:
        """Compute the losses of the stage."""
        losses: Losses = model(self.stage, self.inputs)
        return losses


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """What a process computes at once; a step is made of at least one.

    Attributes:
        batch: The clips or texts.
        group: Micro-batches of a step with the same name are one batch in pieces: their losses are averaged over all
            their words and clips, on all processes. Losses of several groups are added. Every process has the same
            groups in a step, in the same order.
        weight: Factor of the group's losses.
        unreadable: Messages about clips that could not be read and gave their places to others.
    """

    batch: TrainingBatch
    group: str = ""
    weight: float = 1.0
    unreadable: tuple[str, ...] = ()


class Source(Protocol):
    """The data of a stage: a pure function of the step, so that resuming needs nothing but its number."""

    @property
    def steps_per_epoch(self) -> float:
        """Number of steps that show everything once."""
        ...

    @property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 of the data by name: a resumed training goes on with the same."""
        ...

    def micro_batches(self, step: int, rank: int, processes: int) -> Sequence[MicroBatch]:
        """Return the part of a step that a process computes.

        All processes together compute the same step, however many there are.

        Args:
            step: From 0.
            rank: Of the process, from 0.
            processes: Number of processes.
        """
        ...

    def held_out(self) -> Sequence[MicroBatch]:
        """Return the batches that losses are validated on, the same on every process; they are never trained on."""
        ...
