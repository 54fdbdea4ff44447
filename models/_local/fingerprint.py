"""Fingerprint of a checkpoint: every byte on disk that can change an answer."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from egobench.errors import ModelError

from .digest_cache import file_digests

DESCRIPTIONS = ("*.json", "*.jinja", "*.model", "*.txt", "additional_chat_templates/*.jinja")
"""Files beside the weights that loaders read: configs, tokenizer, processor, chat templates, adapter."""

NOT_READ = frozenset(
    {
        "all_results.json",
        "eval_results.json",
        "license.txt",
        "notice.txt",
        "readme.txt",
        "requirements.txt",
        "train_results.json",
        "trainer_state.json",
    }
)
"""Names of such files that no loader reads, in lower case."""

SHOWN_FROM = 1 << 30
"""Bytes to hash from which progress is shown."""


def checkpoint_fingerprint(folders: Sequence[Path], files: Iterable[Path]) -> str:
    """Fingerprint of checkpoints that make one model together.

    It covers all bytes of the weights and of the files beside them that loaders read, each with its name inside its
    folder; where the folders lie does not matter. Large files are hashed once on every core and remembered.

    Args:
        folders: Folders of configs, tokenizers and processors, each once.
        files: Files of weights, inside the folders or elsewhere.

    Returns:
        ``"sha256:"`` and 16 hex digits.

    Raises:
        ModelError: If a file cannot be read, or a safetensors file is damaged.
    """
    weight_files = list(files)
    for path in weight_files:
        if path.suffix == ".safetensors":
            check_safetensors(path)
    names: list[tuple[str, Path]] = []
    for number, folder in enumerate(folders):
        names += [(f"{number}/{path.relative_to(folder).as_posix()}", path) for path in _descriptions(folder)]
    for path in weight_files:
        inside = [number for number, folder in enumerate(folders) if path.parent == folder]
        # The name of a single file is its owner's choice.
        names.append((f"{inside[0]}/{path.name}" if inside else "", path))
    with _progress(weight_files) as progress:
        digests = file_digests([path for _, path in names], progress)
    lines = [f"{name}\0{digests[path]}\n" for name, path in names]
    return f"sha256:{sha256(''.join(lines).encode(errors='surrogateescape')).hexdigest()[:16]}"


def check_safetensors(path: Path) -> None:
    """Check that a file is as long as its header says.

    Raises:
        ModelError: If it is not, or has no header.
    """
    # Layout: length of the header in 8 bytes, little-endian; the header as JSON; the tensors (README of safetensors).
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            size = path.stat().st_size - 8 - length
            if size < 0:
                raise ValueError(f"{-size} bytes are missing from its header")
            for name, tensor in json.loads(file.read(length)).items():
                if name != "__metadata__" and tensor["data_offsets"][1] > size:
                    raise ValueError(f"bytes of tensor {name} are missing")
    except (ValueError, LookupError, TypeError, AttributeError, OSError, struct.error, RecursionError) as error:
        raise ModelError(f"{path}: not a whole safetensors file ({error}); copy or download it again") from error


def _descriptions(folder: Path) -> list[Path]:
    files = {path for pattern in DESCRIPTIONS for path in folder.glob(pattern)}
    return sorted(path for path in files if path.is_file() and path.name.lower() not in NOT_READ)


@contextmanager
def _progress(weights: Sequence[Path]) -> Generator[Callable[[int, int], None] | None]:
    """A bar on standard error while many bytes are hashed, one line where that is no terminal."""
    if sum(path.stat().st_size for path in weights) < SHOWN_FROM:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("reading weights"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        bar = bars.add_task("", visible=False)

        def advance(done: int, total: int) -> None:
            if not console.is_terminal and done == 0:
                console.print(f"reading {total / 1e9:.1f} GB of weights, to know them again", markup=False)
            bars.update(bar, completed=done, total=total, visible=True)

        yield advance
