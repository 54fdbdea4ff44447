"""Any model of lmms-eval, named after the colon: lmms-eval:qwen2_vl.

It runs in a process of its own, in whatever environment has lmms-eval; clips reach it as files without loss, and no
answer is kept without proof that its video arrived.
"""

from __future__ import annotations

from typing import Literal

from egobench.model import Model


def load(  # noqa: PLR0913 - each is an option of the command line
    model: str,
    /,
    *,
    checkpoint: str = "",
    args: str = "",
    python: str = "",
    device: str = "auto",
    frames: int | None = None,
    short_side: int | None = None,
    interface: Literal["auto", "simple"] = "auto",
) -> Model:
    """Load a model of lmms-eval.

    Args:
        model: Its name there, e.g. ``"qwen2_vl"``.
        checkpoint: What the model calls ``pretrained``, or its like: a folder or a name; ``""`` for the model's own.
        args: Its further arguments, ``"max_pixels=200704,min_pixels=3136"``.
        python: The Python of the environment that has lmms-eval; ``""`` for this one.
        device: Where it computes; ``auto`` is the first GPU, else the CPU.
        frames: Number of frames to ask for; ``None`` leaves it to the task.
        short_side: Pixels of a frame's shorter side; ``None`` leaves it to the task.
        interface: Which of its implementations is used where there are two; ``auto`` is the chat one, as lmms-eval's.

    Raises:
        ModelError: If lmms-eval or the model cannot be had, or a video does not reach the model.
        ModelOptionError: If ``args`` cannot be read or holds a key, or ``frames`` is below 0.
    """
    from .adapter import LmmsEvalOptions, open_model

    options = LmmsEvalOptions(
        model=model,
        checkpoint=checkpoint,
        args=args,
        python=python,
        device=device,
        frames=frames,
        short_side=short_side,
        interface=interface,
    )
    return open_model(options)
