"""Devices that local models compute on, and running out of their memory."""

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
    has_gpu = torch.cuda.is_available()
    if device.startswith("cuda") and not has_gpu:
        raise ModelError(f"device {device!r}: torch {torch.__version__} finds no CUDA GPU here; give -o device=cpu")
    name = ("cuda:0" if has_gpu else "cpu") if device == "auto" else device
    if name != "balanced":
        try:
            # Something is put there and read back: torch takes the names of devices that are not there.
            torch.zeros(1, device=name).item()
        except (RuntimeError, AssertionError) as error:
            raise ModelError(f"device {device!r}: {str(error).splitlines()[0]}") from error
    return name


OUT_OF_MEMORY = ("out of memory", "DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED")
"""What torch says in a plain ``RuntimeError`` where memory ran out: of other devices, of a CPU, of a library."""


@contextmanager
def memory_guard(name: str) -> Generator[None]:
    """Turn running out of memory into an error that names the remedy.

    Args:
        name: The model's, for messages.

    Raises:
        ModelMemoryError: If memory runs out.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        where = "GPU memory" if isinstance(error, torch.OutOfMemoryError) else "memory"
        raise ModelMemoryError(
            f"model {name!r}: out of {where}; lower --batch-size or -o frames, or set -o device=balanced"
        ) from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch, or NumPy before it, says that there is no memory left."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(sign in str(error) for sign in OUT_OF_MEMORY)
