"""Engines, which compute gradients and take the steps: torch alone; DeepSpeed is in :mod:`.deepspeed_engine`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import distributed, nn

from egobench.errors import ResumeError
from reference_exo2ego.backbone.weights import DAMAGED_PICKLE
from reference_exo2ego.model.exo2ego import Exo2Ego, Losses

from .batches import TrainingBatch
from .processes import Processes

STATE = "state.pt"

MESSAGE = 2**24
"""Numbers of a message between processes, at least: 64 MiB in float32."""


class LossModule(nn.Module):
    """A model as a module whose output is its losses.

    Attributes:
        model: The model.
    """

    def __init__(self, model: Exo2Ego) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: TrainingBatch) -> Losses:
        """Compute the losses of a batch."""
        return batch.losses(self.model)


class Engine(Protocol):
    """Takes the steps of a stage.

    Attributes:
        name: Name of the engine in checkpoints: another engine cannot go on from them.
        model: The model that it trains.
        device: The device that it computes on.
    """

    name: str
    model: Exo2Ego
    device: torch.device

    def losses(self, batch: TrainingBatch) -> Losses:
        """Compute the losses of a micro-batch."""
        ...

    def backward(self, loss: torch.Tensor, *, last: bool) -> None:
        """Add a micro-batch's gradient; processes are averaged.

        Args:
            loss: A scalar.
            last: Whether it is the step's last micro-batch.
        """
        ...

    def step(self, share: float) -> float:
        """Move the weights.

        Args:
            share: Share of each group's highest learning rate.

        Returns:
            The norm of the gradient before it was clipped; where it is not finite, training stops.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write everything that resuming needs; every process calls it."""
        ...

    def load(self, folder: Path) -> None:
        """Read what :meth:`save` wrote; every process calls it.

        Raises:
            ResumeError: If it is of another engine, or of another number of processes and cannot be changed.
        """
        ...

    def weights(self) -> dict[str, torch.Tensor]:
        """Return all weights by name, whole, on the CPU; every process calls it, and only the first gets them."""
        ...


class TorchEngine:
    """Torch alone: every process has all weights, and gradients are averaged over processes.

    A parameter that no micro-batch of a step reaches has a gradient of zero.

    Args:
        loss_module: The model.
        optimizer: The optimizer.
        processes: The processes.
        clip: Largest norm of a gradient; 0 for no clipping.
        dtype: Number format of the computation; weights stay in theirs.

    Attributes:
        name: ``torch``.
        model: The model.
        device: Where it computes.
    """

    def __init__(
        self,
        loss_module: LossModule,
        optimizer: torch.optim.Optimizer,
        processes: Processes,
        *,
        clip: float,
        dtype: torch.dtype,
    ) -> None:
        self.name, self.model, self.device = "torch", loss_module.model, processes.device
        self._loss_module, self._optimizer, self._processes = loss_module.to(self.device), optimizer, processes
        self._clip, self._dtype = clip, dtype
        self._trained = {name: value for name, value in loss_module.model.named_parameters() if value.requires_grad}

    def losses(self, batch: TrainingBatch) -> Losses:
        """Compute the losses of a micro-batch."""
        mixed: Any = contextlib.nullcontext()
        if self._dtype != torch.float32:
            mixed = torch.autocast(self.device.type, self._dtype)
        with mixed:
            losses: Losses = self._loss_module(batch)
        return losses

    def backward(self, loss: torch.Tensor, *, last: bool) -> None:  # noqa: ARG002 - gradients are summed in any case
        """Add a micro-batch's gradient."""
        loss.backward()

    def step(self, share: float) -> float:
        """Move the weights."""
        gradients = [self._gradient(parameter) for parameter in self._trained.values()]
        if self._processes.count > 1:
            _average(gradients, self._processes.count)
        for group in self._optimizer.param_groups:
            group["lr"] = group["rate"] * share
        limit = self._clip or float("inf")
        norm = float(nn.utils.clip_grad_norm_(self._trained.values(), limit))
        if math.isfinite(norm):
            self._optimizer.step()
        self._optimizer.zero_grad()
        return norm

    @staticmethod
    def _gradient(parameter: nn.Parameter) -> torch.Tensor:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        return parameter.grad

    def save(self, folder: Path) -> None:
        """Write weights that train, and the optimizer."""
        if self._processes.first:
            state = {"weights": self._trained, "optimizer": self._optimizer.state_dict()}
            torch.save(state, folder / STATE)

    def load(self, folder: Path) -> None:
        """Read what :meth:`save` wrote."""
        path = folder / STATE
        try:
            state: Any = torch.load(path, map_location=self.device, weights_only=True)
            shapes = {name: tensor.shape for name, tensor in state["weights"].items()}
            if shapes != {name: parameter.shape for name, parameter in self._trained.items()}:
                raise ResumeError(f"{folder}: other parameters train in it; begin the stage anew in another folder")
            with torch.no_grad():
                for name, parameter in self._trained.items():
                    parameter.copy_(state["weights"][name])
            self._optimizer.load_state_dict(state["optimizer"])
        except DAMAGED_PICKLE as error:
            reason = str(error).partition(". ")[0] or type(error).__name__
            raise ResumeError(
                f"{path}: nothing can go on from it ({reason}); move {folder.name} away to go on from the checkpoint "
                f"before it"
            ) from error

    def weights(self) -> dict[str, torch.Tensor]:
        """Return all weights by name, on the CPU."""
        if not self._processes.first:
            return {}
        return {name: tensor.detach().cpu() for name, tensor in self.model.state_dict().items()}


def _average(gradients: Sequence[torch.Tensor], processes: int) -> None:
    """Average gradients over processes, many in one message: a message costs more than what is in it."""
    batch: list[torch.Tensor] = []
    for number, gradient in enumerate(gradients):
        batch.append(gradient)
        if number + 1 == len(gradients) or sum(part.numel() for part in batch) >= MESSAGE:
            joined = torch.cat([part.flatten() for part in batch])
            distributed.all_reduce(joined)
            joined /= processes
            for part, average in zip(batch, joined.split([part.numel() for part in batch]), strict=True):
                part.copy_(average.view_as(part))
            batch = []
