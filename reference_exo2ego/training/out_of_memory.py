"""Errors of memory that say what to lower."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from egobench.errors import TrainingError

from .recipe import SampleFiles, StageRecipe

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
        smaller = (
            f"lower {stage.name}.micro, now {stage.micro}"
            if isinstance(stage.source, SampleFiles)
            else f"lower the batches of its rows, {stage.name}.source.rows.N.batch, which begins another training"
        )
        raise TrainingError(
            f"{stage.name}: out of memory ({reason}); {smaller}, or --workers, or set checkpointing=true: the same "
            f"command goes on from the last checkpoint; or spread the model over more GPUs with --deepspeed 3, which "
            f"begins the stage anew if another engine began it"
        ) from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that there is no memory left, on a GPU or a CPU, to torch or to NumPy."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)
