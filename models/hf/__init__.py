"""Any transformers model behind AutoModelForImageTextToText and AutoProcessor.

Frames reach the checkpoint's own processor as arrays, all of them and with their times; nothing samples them again.
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
    short_side: int | None = None,
    as_images: Literal["auto", "yes", "no"] = "auto",
    rope_fix: bool = True,
    thinking: int = 0,
    attn: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto",
    adapter: str = "",
    merge: bool = True,
) -> Model:
    """Load a checkpoint.

    Args:
        checkpoint: A folder made by ``save_pretrained``, or a name on the Hugging Face hub (its cache is asked first;
            ``HF_HUB_OFFLINE=1`` asks nothing else).
        revision: Commit, branch or tag on the hub; of a folder, what to call its version.
        dtype: Number format to compute in; ``auto`` is the checkpoint's.
        device: What :class:`torch.device` takes; ``auto`` is the first GPU, else the CPU; ``balanced`` spreads the
            layers over all GPUs.
        frames: Number of frames to ask for; ``None`` leaves it to the task.
        short_side: Pixels of a frame's shorter side; ``None`` leaves it to the task.
        as_images: Whether frames are shown as single images; ``auto`` where the checkpoint has no place for a video.
        rope_fix: Whether Qwen2-VL and Qwen2.5-VL count text positions after a video as they were trained to; see
            :mod:`egobench.models.hf.positions`.
        thinking: Most tokens of thoughts before a reply, on top of the reply's own. 0 has the model answer at once:
            its template is told so, and a template that opens thoughts all the same has them closed. Options are
            always scored behind closed thoughts.
        attn: Implementation of attention; ``auto`` is transformers' choice. Under ``flash_attention_2``, which takes no
            mask of its own for every token, options are scored behind copies of the prompt.
        adapter: A low-rank adapter of peft to put into the checkpoint: a folder, or a name on the Hugging Face hub.
        merge: Whether the adapter's changes are added to the weights, which computes faster; ``no`` computes them
            beside the weights, as in training.

    Raises:
        ModelError: If torch or transformers is missing, or the checkpoint is missing or cannot be used.
    """
    from egobench.torchvision_ops import ensure_torchvision

    try:
        ensure_torchvision()

        from .opening import ChatModelOptions, open_model
    except ImportError as error:
        raise ModelError(
            f"model 'hf' needs torch and transformers ({error}); install them: " + install_command("models")
        ) from error
    options = ChatModelOptions(
        checkpoint=checkpoint,
        revision=revision,
        dtype=dtype,
        device=device,
        frames=frames,
        short_side=short_side,
        as_images=as_images,
        rope_fix=rope_fix,
        thinking=thinking,
        attn=attn,
        adapter=adapter,
        merge=merge,
    )
    return open_model(options)
