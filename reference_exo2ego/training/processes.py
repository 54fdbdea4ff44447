"""The processes that train together: started by torchrun, by ``deepspeed``, or a single one by itself."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from egobench.errors import TrainingError

PATIENCE = timedelta(days=1)
"""How long processes wait for one another, torch's being half an hour: the first scores the model on whole tasks, and
the others wait. Gradients have torch's limit, which finds a process that hangs sooner."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of a training, as seen by one of them.

    Attributes:
        rank: Number of this process, from 0.
        count: Number of processes.
        local_rank: Number of this process on its machine.
        group: What torch connects them by to wait for one another; ``None`` for a single process.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    group: Any = field(default=None, repr=False, compare=False)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes what is written once."""
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        """The device that this process computes on: a GPU of its own, or the CPU."""
        return torch.device("cuda", self.local_rank) if torch.cuda.is_available() else torch.device("cpu")

    def sums(self, values: Sequence[float]) -> list[float]:
        """Sum values over all processes, in float64; every process calls it."""
        if self.count == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(total, group=self.group)
        return [float(value) for value in total]

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            self.sums([0.0])

    @contextmanager
    def together(self, work: str) -> Generator[None]:
        """Fail on all processes where the work of one of them does; every process enters the context.

        The work itself must not wait for other processes.

        Args:
            work: What is done, for the message of the processes whose own part is done.

        Raises:
            TrainingError: If another process failed, which raises its own error.
        """
        failed = True
        try:
            yield
            failed = False
        finally:
            failures = int(self.sums([float(failed)])[0])
        if failures:
            raise TrainingError(f"{work}: failed on another process, whose message says why")


def begin_processes(local_rank: int = 0) -> Processes:
    """Connect to the other processes that the environment variables name.

    Args:
        local_rank: Number of this process on its machine.

    Raises:
        TrainingError: If the variables are set in part, or are no numbers.
    """
    values = {name: os.environ.get(name) or None for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")}
    count, rank = _number("WORLD_SIZE", values["WORLD_SIZE"]), _number("RANK", values["RANK"])
    missing = [name for name, value in values.items() if value is None]
    if missing and ((count or 1) > 1 or (count is None and rank)):
        named = ", ".join(f"{name} is {value}" for name, value in values.items() if value is not None)
        raise TrainingError(f"{named}, but {', '.join(missing)} not set; start it with torchrun or deepspeed")
    rank, count = (rank or 0, count) if count is not None and count > 1 else (0, 1)
    if rank >= count:
        raise TrainingError(f"RANK is {rank} and WORLD_SIZE {count}; expected a rank below their number")
    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank)
    if not distributed.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        if count > 1:
            distributed.init_process_group(backend)
        else:
            library: Any = distributed
            distributed.init_process_group(backend, store=library.HashStore(), rank=0, world_size=1)
    group = distributed.new_group(backend="gloo", timeout=PATIENCE) if count > 1 else None
    return Processes(rank, count, local_rank, group)


def _number(name: str, text: str | None) -> int | None:
    """The number that a variable of the environment has; ``None`` where it is not set."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise TrainingError(f"{name} is {text!r:.40}; expected a number, as torchrun and deepspeed set it")
    return int(text)


def end_processes() -> None:
    """Disconnect from the other processes."""
    if distributed.is_initialized():
        distributed.destroy_process_group()
