"""The options that every local checkpoint is loaded with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """Options of a local model's ``load``; each family adds its own.

    Attributes:
        checkpoint: A folder, a file, or a name on the Hugging Face hub.
        revision: Commit, branch or tag on the hub; of a folder, what to call its version.
        dtype: Number format to compute in; ``auto`` is the checkpoint's.
        device: What :class:`torch.device` takes, ``auto`` or ``balanced``.
    """

    checkpoint: str
    revision: str
    dtype: str
    device: str
