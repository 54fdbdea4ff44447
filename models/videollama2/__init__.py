"""VideoLLaMA2 and 2.1 (arXiv 2406.07476), on transformers' own parts: no code comes with the checkpoint.

Weights are read by the map of names in :mod:`reference_exo2ego.backbone`; all of them, and no others. A checkpoint of
the ``-Base`` layout names its language model and its vision tower, which are looked for in the same way.
"""

from __future__ import annotations

from typing import Literal

from egobench.errors import ModelError, install_command
from egobench.model import Model


def load(  # noqa: PLR0913 - each is an option of the command line
    *,
    checkpoint: str,
    revision: str = "",
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    device: str = "auto",
    frames: int | None = None,
    fit: Literal["crop", "pad"] = "crop",
    prompt: Literal["harness", "own"] = "harness",
    language: str = "",
    vision: str = "",
) -> Model:
    """Load a published checkpoint: 7B with 8 or 16 frames, or 2.1.

    Args:
        checkpoint: A folder in the published layout, or a name on the Hugging Face hub.
        revision: Commit, branch or tag on the hub; of a folder, what to call its version.
        dtype: Number format to compute in; ``auto`` is the checkpoint's.
        device: What :class:`torch.device` takes; ``auto`` is the first GPU, else the CPU; ``balanced`` spreads the
            language model over all GPUs.
        frames: Number of frames to ask for; ``None`` for as many as the checkpoint was trained with.
        fit: ``crop`` shows the middle square of each frame, as the release does; ``pad`` shows all of it.
        prompt: ``own`` puts the release's own system prompt and question in place of the harness's.
        language: For a ``-Base`` checkpoint, the language model, if it is not where the checkpoint says.
        vision: For a ``-Base`` checkpoint, the vision tower, likewise.

    Raises:
        ModelError: If torch or transformers is missing, or the checkpoint is missing or cannot be used.
    """
    from egobench.torchvision_ops import ensure_torchvision

    try:
        ensure_torchvision()

        from .adapter import VideoLlama2Options, open_model
    except ImportError as error:
        raise ModelError(
            f"model 'videollama2' needs torch and transformers ({error}); install them: " + install_command("models")
        ) from error
    options = VideoLlama2Options(
        checkpoint=checkpoint,
        revision=revision,
        dtype=dtype,
        device=device,
        frames=frames,
        fit=fit,
        prompt=prompt,
        language=language,
        vision=vision,
    )
    return open_model(options)
