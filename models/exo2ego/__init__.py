"""Exo2Ego (arXiv 2503.09143), the reference model: a folder that training or ``exo2ego export`` wrote, or the tiny one.

Only what answers is loaded: the egocentric encoder, the connector, F and the language model; no exocentric encoder.
``exo2ego-tiny`` comes with the package: the recipe ``tiny``, trained on MiniEgo from nothing.
"""

from __future__ import annotations

from typing import Literal

from egobench.errors import ModelError, install_command
from egobench.model import Model


def load(
    *,
    checkpoint: str = "exo2ego-tiny",
    revision: str = "",
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    device: str = "auto",
    frames: int | None = None,
    fit: Literal["crop", "pad", "squeeze"] | None = None,
) -> Model:
    """Load a checkpoint.

    Args:
        checkpoint: Its folder; ``exo2ego-tiny`` for the one that comes with the package, ``./exo2ego-tiny`` for a
            folder of yours of that name.
        revision: What to call its version.
        dtype: Number format to compute in; ``auto`` is the checkpoint's.
        device: What :class:`torch.device` takes; ``auto`` is the first GPU, else the CPU; ``balanced`` spreads the
            language model over all GPUs.
        frames: Number of frames to ask for; ``None`` for as many as the checkpoint was trained with.
        fit: ``crop`` shows the middle square of each frame, ``pad`` all of it with borders, ``squeeze`` all of it with
            other proportions; ``None`` for what the checkpoint was trained with.

    Raises:
        ModelError: If torch or transformers is missing, or the checkpoint is missing or cannot be used.
    """
    from egobench.torchvision_ops import ensure_torchvision

    try:
        ensure_torchvision()

        from .adapter import Exo2EgoOptions, open_model
    except ImportError as error:
        raise ModelError(
            f"model 'exo2ego' needs torch and transformers ({error}); install them: " + install_command("models")
        ) from error
    return open_model(
        Exo2EgoOptions(checkpoint=checkpoint, revision=revision, dtype=dtype, device=device, frames=frames, fit=fit)
    )
