"""Checkpoints on disk: where they are, and which weights they hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from egobench.errors import ModelError

READ = ["*.json", "*.jinja", "*.model", "*.safetensors", "*.txt"]
"""Files of a hub repository that are fetched: never pickles, never code."""

SAMPLED = 4096
"""Bytes read of each tensor for the fingerprint."""


def find_checkpoint(checkpoint: str, revision: str, read: Sequence[str] = READ) -> tuple[Path, str]:
    """The folder of a checkpoint, and its revision.

    Args:
        checkpoint: A folder, or a name on the Hugging Face hub.
        revision: Commit, branch or tag; ``""`` for the newest.
        read: Files of a hub repository that are fetched, as patterns.

    Returns:
        The folder; for a hub checkpoint the commit, else ``revision`` as it was given.

    Raises:
        ModelError: If there is no such folder and no such hub repository, or the hub cannot be asked.
    """
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return folder, revision
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        found = Path(snapshot_download(checkpoint, revision=revision or None, allow_patterns=list(read)))
    except (OSError, ValueError, HFValidationError) as error:
        raise ModelError(
            f"checkpoint {checkpoint!r}: no such folder, and the Hugging Face hub does not give it "
            f"({' '.join(str(error).split())}); expected a folder made by save_pretrained, or the name of a repository "
            f"that is in the hub's cache or can be downloaded"
        ) from error
    return found, found.name


def weights_fingerprint(folder: Path) -> str:
    """Fingerprint of the safetensors files of a folder, cheap for any size.

    It covers each file's name, size and header (names, shapes and formats of all tensors) and up to :data:`SAMPLED`
    bytes from the middle of every tensor, so weights that were trained on differ even where only some layers were.

    Returns:
        ``"sampled-sha256:"`` and 16 hex digits.

    Raises:
        ModelError: If there are no such files, or one is damaged.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"{folder}: no *.safetensors file; expected a checkpoint made by save_pretrained")
    digest = sha256()
    for path in files:
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        try:
            for part in _sampled(path):
                digest.update(part)
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise ModelError(f"{path}: not a whole safetensors file ({error}); copy or download it again") from error
    return f"sampled-sha256:{digest.hexdigest()[:16]}"


def _sampled(path: Path) -> list[bytes]:
    # Layout: length of the header in 8 bytes, little-endian; the header as JSON; the tensors (README of safetensors).
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        size = path.stat().st_size - 8 - length
        if size < 0:
            raise ValueError(f"{-size} bytes are missing from its header")
        header = file.read(length)
        parts = [header]
        for name, tensor in sorted(json.loads(header).items()):
            if name == "__metadata__":
                continue
            start, end = tensor["data_offsets"]
            if end > size:
                raise ValueError(f"bytes of tensor {name} are missing")
            file.seek(8 + length + max(start, (start + end - SAMPLED) // 2))
            parts.append(file.read(min(SAMPLED, end - start)))
    return parts
