"""DeepSpeed as an engine: ZeRO spreads optimizer, gradients and weights over the processes."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import nn

from egobench.errors import ResumeError, TrainingError, install_command
from reference_exo2ego.model.exo2ego import Losses

from .batches import TrainingBatch
from .checkpoint import read_position
from .engine import LossModule
from .processes import Processes
from .zero import name_of_zero, stage_of_zero

TAG, UNIVERSAL = "zero", "universal"
"""Folders of a checkpoint: as the processes wrote it, and for any number of them."""


def import_deepspeed(processes: Processes) -> Any:
    """Import DeepSpeed and initialise it; without a GPU none of its kernels is compiled.

    Raises:
        TrainingError: If it is not installed.
    """
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    try:
        library: Any = importlib.import_module("deepspeed")
        operations: Any = importlib.import_module("deepspeed.ops")
    except ImportError as error:
        raise TrainingError(
            f"DeepSpeed is not installed ({error}); {install_command('train')}, or train with --engine torch"
        ) from error
    library.utils.logger.setLevel(logging.ERROR)
    if not torch.cuda.is_available():
        # It would compile a shared-memory kernel for a minute; gloo does the same without a compiler.
        operations.__compatible_ops__["deepspeed_shm_comm"] = False
    # It asks the environment who is who even where torch knows.
    os.environ.setdefault("LOCAL_RANK", str(processes.local_rank))
    os.environ.setdefault("RANK", str(processes.rank))
    os.environ.setdefault("WORLD_SIZE", str(processes.count))
    library.init_distributed(auto_mpi_discovery=False, verbose=False)
    return library


class DeepSpeedEngine:
    """DeepSpeed.

    Args:
        loss_module: The model.
        optimizer: The optimizer.
        processes: The processes.
        config: A resolved configuration, see :func:`~.zero.resolve`.
        checkpoint: The checkpoint to resume from, since one of another number of processes is read in another way;
            ``None`` for none.

    Attributes:
        name: ``deepspeed`` and the stage of ZeRO.
        model: The model.
        device: The device that it computes on.
    """

    def __init__(
        self,
        loss_module: LossModule,
        optimizer: torch.optim.Optimizer,
        processes: Processes,
        *,
        config: Mapping[str, Any],
        checkpoint: Path | None,
    ) -> None:
        self._library, self._processes = import_deepspeed(processes), processes
        self._stage = stage_of_zero(config, "--deepspeed")
        self.name = name_of_zero(self._stage)
        # Without ZeRO every process has all of it, so any number of them can read it.
        spread = self._stage > 0
        self._universal = bool(spread and checkpoint and read_position(checkpoint).processes != processes.count)
        values = dict(config)
        if self._universal:
            values["checkpoint"] = {"load_universal": True}
        trained = [parameter for parameter in loss_module.parameters() if parameter.requires_grad]
        self._engine, self._optimizer, _, _ = self._library.initialize(
            model=loss_module, optimizer=optimizer, model_parameters=trained, config=values
        )
        self.model, self.device = loss_module.model, processes.device
        self._micro_batches = int(values["gradient_accumulation_steps"])

    def losses(self, batch: TrainingBatch) -> Losses:
        """Compute the losses of a micro-batch."""
        losses: Losses = self._engine(batch)
        return losses

    def backward(self, loss: torch.Tensor, *, last: bool) -> None:
        """Add a micro-batch's gradient."""
        self._engine.set_gradient_accumulation_boundary(last)
        # It divides by the number of micro-batches, and the loss is a part of the step's already.
        self._engine.backward(loss * self._micro_batches)
        if not last:
            self._engine.step()

    def step(self, share: float) -> float:
        """Move the weights."""
        for group in self._optimizer.param_groups:
            group["lr"] = group["rate"] * share
        # Without ZeRO it does not say the norm of a float32 gradient, which every process has whole.
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None] if self._stage == 0 else []
        norm = float(nn.utils.get_total_norm(gradients)) if gradients else None
        self._engine.step()
        return float(self._engine.get_global_grad_norm() if norm is None else norm)

    def save(self, folder: Path) -> None:
        """Write weights that train, and the optimizer's part of every process."""
        with quiet():
            self._engine.save_checkpoint(str(folder), tag=TAG, save_latest=False, exclude_frozen_parameters=True)

    def load(self, folder: Path) -> None:
        """Read what :meth:`save` wrote, by as many processes or another number of them."""
        written = read_position(folder)
        tag = TAG
        if self._universal:
            tag = UNIVERSAL
            if self._processes.first and not (folder / UNIVERSAL).is_dir():
                make_universal(folder, self._stage)
            self._processes.wait()
        with quiet():
            path, _ = self._engine.load_checkpoint(str(folder), tag=tag, load_module_strict=False)
        if path is None:
            raise ResumeError(
                f"{folder}: DeepSpeed finds nothing of {written.processes} processes there; copy all of it"
            )

    def weights(self) -> dict[str, torch.Tensor]:
        """Return all weights by name, whole, on the CPU."""
        first = self._processes.first
        if self._stage < 3:
            state = self.model.state_dict() if first else {}
            # Copies, for DeepSpeed lays parameters into one buffer.
            return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
        weights: dict[str, torch.Tensor] = {}
        for name, parameter in self.model.named_parameters(remove_duplicate=False):
            with self._library.zero.GatheredParameters([parameter]):
                if first:
                    weights[name] = parameter.detach().cpu().clone()
        return weights


def make_universal(folder: Path, stage: int) -> None:
    """Convert a checkpoint so that any number of processes can read it.

    Args:
        folder: The checkpoint.
        stage: Stage of ZeRO.

    Raises:
        ResumeError: If it cannot be converted.
    """
    from deepspeed.checkpoint import ds_to_universal

    convert: Any = ds_to_universal.main
    options = argparse.Namespace(
        input_folder=str(folder / TAG),
        output_folder=str(folder / UNIVERSAL),
        num_extract_workers=1,
        num_merge_workers=1,
        keep_temp_folder=False,
        strict=True,
        inject_missing_state=stage < 3,
    )
    try:
        with quiet():
            convert(options)
    except (OSError, RuntimeError, ValueError, KeyError, NotImplementedError) as error:
        raise ResumeError(
            f"{folder}: cannot be read by another number of processes ({error}); resume with as many as wrote it"
        ) from error


@contextmanager
def quiet() -> Generator[None]:
    """Keep DeepSpeed from printing."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield
