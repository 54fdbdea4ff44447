"""Where a local model computes, and what happens when there is no room."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch

from egobench.errors import ModelError, ModelMemoryError


def torch_device(device: str) -> str:
    """The device a model option names.

    Args:
        device: What :class:`torch.device` takes; ``auto`` is the first GPU, else the CPU; ``balanced`` all GPUs.

    Raises:
        ModelError: If it needs a GPU and there is none, or it names nothing.
    """
    found = torch.cuda.is_available()
    if device.startswith("cuda") and not found:
        raise ModelError(f"device {device!r}: torch {torch.__version__} finds no CUDA GPU here; give -o device=cpu")
    chosen = ("cuda:0" if found else "cpu") if device == "auto" else device
    if chosen != "balanced":
        try:
            torch.device(chosen)
        except RuntimeError as error:
            raise ModelError(f"device {device!r}: {str(error).splitlines()[0]}") from error
    return chosen


@contextmanager
def room(name: str) -> Generator[None]:
    """Run what may need more memory than there is.

    Args:
        name: The model's, for messages.

    Raises:
        ModelMemoryError: If memory runs out.
    """
    try:
        yield
    except RuntimeError as error:
        if not no_room(error):
            raise
        where = "GPU memory" if isinstance(error, torch.OutOfMemoryError) else "memory"
        raise ModelMemoryError(
            f"model {name!r}: out of {where}; lower --batch-size or -o frames, or set -o device=balanced"
        ) from error


def no_room(error: RuntimeError) -> bool:
    """Whether torch says that there is no memory left; on a CPU it has no exception of its own for that."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
