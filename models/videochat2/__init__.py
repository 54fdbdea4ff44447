"""VideoChat2 on Mistral (arXiv 2311.17005), on transformers' own parts: no code comes with the checkpoint.

A published ``.pth`` file holds what was trained: vision encoder, Q-Former, and low-rank changes of the language model.
The frozen language model and the Q-Former's vocabulary come from checkpoints of their own.
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
    frames: int = 16,
    tiles: Literal["auto", "yes", "no"] = "auto",
    prompt: Literal["harness", "own"] = "harness",
    language: str = "mistralai/Mistral-7B-Instruct-v0.2",
    vocabulary: str = "bert-base-uncased",
) -> Model:
    """Load the weights of stage 3 on Mistral, or of HD.

    Args:
        checkpoint: A ``.pth`` file, a folder with one, or a name on the Hugging Face hub.
        revision: Commit, branch or tag on the hub; of a file or folder, what to call its version.
        dtype: Number format to compute in; ``auto`` is the language model's.
        device: What :class:`torch.device` takes; ``auto`` is the first GPU, else the CPU; ``balanced`` spreads the
            language model over all GPUs.
        frames: Number of frames to ask for.
        tiles: Whether frames are seen in tiles and as a whole, as HD was trained; ``auto`` if the file's name says HD.
        prompt: ``own`` puts the release's own system prompt and question in place of the harness's.
        language: The frozen language model.
        vocabulary: Where the Q-Former's tokenizer is.

    Raises:
        ModelError: If torch or transformers is missing, or a checkpoint is missing or cannot be used.
    """
    from egobench.torchvision_ops import ensure_torchvision

    try:
        ensure_torchvision()

        from .adapter import VideoChat2Options, open_model
    except ImportError as error:
        raise ModelError(
            f"model 'videochat2' needs torch and transformers ({error}); install them: " + install_command("models")
        ) from error
    options = VideoChat2Options(
        checkpoint=checkpoint,
        revision=revision,
        dtype=dtype,
        device=device,
        frames=frames,
        tiles=tiles,
        prompt=prompt,
        language=language,
        vocabulary=vocabulary,
    )
    return open_model(options)
