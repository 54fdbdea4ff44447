"""Weights on disk: read without running anything that they hold, and compared name by name with what is wanted."""

from __future__ import annotations

import json
import pickle
import re
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import torch

from egobench.errors import ModelError, bare_reason

NAMED = 3
"""Most tensors that a message names of each fault."""

DAMAGED_PICKLE: Final = (
    OSError, EOFError, RuntimeError, LookupError, TypeError, ValueError, AttributeError, AssertionError,
    ArithmeticError, struct.error, pickle.UnpicklingError,
)  # fmt: skip
"""What :func:`torch.load` raises of damaged files: it reads pickles by itself, and nearly anything can come of that."""


def weight_files(folder: Path) -> list[Path]:
    """The weights of a folder made by ``save_pretrained``: one file or several, safetensors before pickles.

    Raises:
        ModelError: If there are none, or one that the index names is missing.
    """
    for stem, suffix in (("model", "safetensors"), ("pytorch_model", "bin")):
        index = folder / f"{stem}.{suffix}.index.json"
        if index.is_file():
            names, present = _names(index), {path.name for path in folder.iterdir() if path.is_file()}
            if absent := [name for name in names if name not in present]:
                raise ModelError(
                    f"{index}: names {', '.join(absent):.400}, not there; copy or download the whole checkpoint"
                )
            return [folder / name for name in names]
        if (folder / f"{stem}.{suffix}").is_file():
            return [folder / f"{stem}.{suffix}"]
    raise ModelError(
        f"{folder}: no weights; expected model.safetensors, its parts and their index, or pytorch_model.bin"
    )


def _names(index: Path) -> list[str]:
    """The files that an index names.

    Raises:
        ModelError: If it cannot be read, or names something else than files beside it.
    """
    content = _json(index)
    places: Any = content.get("weight_map") if isinstance(content, dict) else None
    names: list[Any] = list(places.values()) if isinstance(places, dict) else [None]
    if not all(isinstance(name, str) and name and Path(name).name == name for name in names):
        raise ModelError(
            f"{index}: expected a weight_map from tensors to the names of files beside it; copy or download it again"
        )
    return sorted(set(names))


def read_weights(files: Iterable[Path]) -> dict[str, torch.Tensor]:
    """Tensors by name, mapped into memory where the format allows.

    Raises:
        ModelError: If a file is damaged, is a pickle that holds more than tensors, or two files hold one name.
    """
    weights: dict[str, torch.Tensor] = {}
    for path in files:
        tensors = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
        twice = sorted(weights.keys() & tensors.keys())
        if twice:
            raise ModelError(f"{path}: {_some(twice)} in another file too; are these parts of one checkpoint?")
        weights |= tensors
    return weights


def check_weights(where: object, weights: Mapping[str, torch.Tensor], shapes: Mapping[str, torch.Size]) -> None:
    """Compare names and shapes.

    Args:
        where: What holds them, for messages.
        weights: The tensors.
        shapes: The shape of every tensor there has to be.

    Raises:
        ModelError: If a tensor is missing, is not wanted, or has another shape; it names them.
    """
    faults: list[str] = []
    missing, extra = sorted(shapes.keys() - weights.keys()), sorted(weights.keys() - shapes.keys())
    actual = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    other = [
        f"{name} of {actual[name]}, not {tuple(shapes[name])}"
        for name in sorted(shapes.keys() & weights.keys())
        if actual[name] != tuple(shapes[name])
    ]
    for names, fault in ((missing, "missing"), (extra, "not known"), (other, "of another shape")):
        if names:
            faults.append(f"{len(names)} {fault}: {_some(names)}")
    if faults:
        raise ModelError(
            f"{where}: of {len(shapes)} tensors expected, {'; '.join(faults)}. Is the checkpoint complete, and of this "
            f"class?"
        )


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path}: not a whole safetensors file ({bare_reason(error)}); copy or download it again"
        ) from error


def _read_pickle(path: Path) -> dict[str, torch.Tensor]:
    try:
        weights: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        # What torch says goes on with how to read the file all the same.
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        holds = f"holds more than tensors, {code[1]}," if code else "is no file of tensors"
        raise ModelError(
            f"{path}: refused, for it {holds} and may run code when it is read; expected tensors by name"
        ) from error
    except DAMAGED_PICKLE as error:
        reason = str(error).partition(". ")[0] or type(error).__name__
        raise ModelError(f"{path}: cannot be read ({reason}); copy or download it again") from error
    if isinstance(weights, dict) and isinstance(weights.get("model"), dict):
        weights = weights["model"]
    if not isinstance(weights, dict) or not all(torch.is_tensor(value) for value in weights.values()):
        raise ModelError(f"{path}: holds no tensors by name; expected a state dict")
    return {str(name): tensor for name, tensor in weights.items()}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({bare_reason(error)}); copy or download it again") from error


def _some(names: list[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
