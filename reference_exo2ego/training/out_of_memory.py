"""Errors of memory that say what to lower."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from egobench.errors import TrainingError

from .recipe import StageRecipe

SIGNS = ("out of memory", "DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED")
"""Texts in torch's errors where memory ran out: of a GPU, of a CPU, of a library. "memory" alone is in others too."""


@contextmanager
def out_of_memory_explained(stage: StageRecipe) -> Generator[None]:
    """Turn running out of memory into an error that names what to change.

    Args:
        stage: The stage that is trained.

    Raises:
        TrainingError: If memory runs out.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise TrainingError(
            f"{stage.name}: out of memory ({reason}); lower {stage.name}.micro, now {stage.micro}, or --workers, set "
            f"checkpointing=true, or spread the model with --deepspeed 3 on more GPUs; the same command goes on from "
            f"the last checkpoint"
        ) from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that there is no memory left, on a GPU or a CPU, to torch or to NumPy."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)
