"""Checkpoints on disk: where they are, and which weights they hold."""

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any, cast

from egobench.errors import ModelError, bare_reason

READ = ["*.json", "*.jinja", "*.model", "*.safetensors", "*.txt"]
"""Files of a hub repository that are fetched: never pickles, never code."""

NAMED = 3
"""Most weights that a message names of each fault."""


def find_checkpoint(
    checkpoint: str, revision: str, read: Sequence[str] = READ, option: str = "checkpoint"
) -> tuple[Path, str]:
    """The folder of a checkpoint, and its revision.

    Args:
        checkpoint: A folder, or a name on the Hugging Face hub.
        revision: Commit, branch or tag; ``""`` for the newest.
        read: Files of a hub repository that are fetched, as patterns.
        option: The model option that names it, for messages.

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
        snapshot = Path(snapshot_download(checkpoint, revision=revision or None, allow_patterns=list(read)))
    except (OSError, ValueError, HFValidationError) as error:
        raise ModelError(
            f"-o {option}={checkpoint}: no such folder, and the Hugging Face hub does not give it "
            f"({' '.join(str(error).split())}); expected a folder made by save_pretrained, or the name of a repository "
            f"that is in the hub's cache or can be downloaded"
        ) from error
    return snapshot, snapshot.name


@contextmanager
def explained(problem: str) -> Generator[None]:
    """Turn whatever transformers raises about files into one error.

    Args:
        problem: Which files these are and what cannot be done with them, for messages.

    Raises:
        ModelError: If it cannot; what it says is cut to a few lines.
    """
    from huggingface_hub.errors import StrictDataclassError

    files = (OSError, ValueError, LookupError, StrictDataclassError)
    contents = (TypeError, AttributeError, ArithmeticError, ImportError, RuntimeError)
    try:
        yield
    except files + contents as error:
        # A key alone says nothing.
        message = repr(error) if isinstance(error, LookupError) else str(error)
        reason = shorten(" ".join(message.split()), 600, placeholder=" ...")
        raise ModelError(f"{problem} ({reason})") from error


def check_whole(folder: Path) -> None:
    """Refuse a folder that holds an adapter of a model.

    Raises:
        ModelError: If it holds an adapter alone.
    """
    if (folder / "adapter_config.json").is_file():
        raise ModelError(
            f"checkpoint {folder}: a low-rank adapter of another checkpoint (adapter_config.json), not all weights; "
            f"give -o checkpoint= the one it was trained on, and -o adapter={folder}"
        )


def check_kind(folder: Path) -> None:
    """Refuse a folder whose model transformers cannot show images or videos to.

    Raises:
        ModelError: If it holds a model of text alone, one with code of its own, one that this release of transformers
            does not know, or no config.
    """
    import transformers

    library: Any = transformers
    config = read_json_object(folder / "config.json")
    family = str(config.get("model_type"))
    known = family in library.CONFIG_MAPPING
    if known and library.CONFIG_MAPPING[family] in library.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return
    if family.startswith("videollama2"):
        problem = "use the model of that name: egobench run videollama2"
    elif known:
        problem = "to which transformers shows no images or videos in a chat (no AutoModelForImageTextToText)"
    elif "auto_map" in config:
        problem = "with code of its own, which is not run; take a release for transformers itself, often named -hf"
    else:
        problem = f"which transformers {library.__version__} does not know; a newer release may"
    raise ModelError(f"checkpoint {folder}: a model of type {family!r}, {problem}")


def check_loaded(folder: Path, kind: str, loading_info: Mapping[str, Collection[Any]]) -> None:
    """Whether every weight of a checkpoint went where it belongs.

    Args:
        folder: The checkpoint.
        kind: The model's class, for messages.
        loading_info: What ``from_pretrained`` returns with ``output_loading_info``; what a class is known to leave
            aside is not in it.

    Raises:
        ModelError: If a weight is missing, is not known to the class, or has another shape; it names them.
    """
    missing, extra = (sorted(map(str, loading_info[f"{fault}_keys"])) for fault in ("missing", "unexpected"))
    other = [
        f"{name} of {tuple(has)}, not {tuple(expected)}"
        for name, has, expected in sorted(loading_info["mismatched_keys"])
    ]
    faults = [
        f"{len(names)} {fault}: {', '.join(names[:NAMED])}" + f" and {len(names) - NAMED} more" * (len(names) > NAMED)
        for names, fault in ((missing, "missing"), (extra, "not known"), (other, "of another shape"))
        if names
    ]
    if faults:
        raise ModelError(
            f"checkpoint {folder}: of the weights of {kind}, {'; '.join(faults)}. Is the checkpoint complete, and of "
            f"this class?"
        )


def quantised(folder: Path, model: Any) -> str:
    """How a checkpoint's weights are quantised: transformers' name of the method, ``""`` for weights as they are.

    A method that cannot compute on this machine may have turned them back into plain numbers, which is said behind it.

    Args:
        folder: The checkpoint.
        model: What transformers made of it.

    Raises:
        ModelError: If transformers does not know the method, so that it took the weights as they are.
    """
    saved = read_json_object(folder / "config.json")
    method_config = saved.get("quantization_config") or saved.get("text_config", {}).get("quantization_config")
    if not method_config:
        return ""
    method = str(method_config.get("quant_method") or "bitsandbytes")
    if getattr(model, "hf_quantizer", None) is not None:
        return method
    if getattr(model.config, "quantization_config", None) is not None:
        raise ModelError(f"checkpoint {folder}: quantised by {method!r}, which transformers does not know")
    return f"{method}, dequantised"


def safetensors_files(folder: Path) -> list[Path]:
    """The weights of a folder, in safetensors files alone.

    Raises:
        ModelError: If there are none, or one that the index names is missing.
    """
    files = sorted(folder.glob("*.safetensors"))
    pickles = sorted(path.name for end in ("bin", "pt", "pth", "ckpt") for path in folder.glob(f"*.{end}"))
    if not files and pickles:
        raise ModelError(
            f"{folder}: its weights are in {pickles[0]}, refused, for a pickle may run code when it is read; expected "
            f"*.safetensors, as save_pretrained writes them"
        )
    if not files:
        raise ModelError(f"{folder}: no *.safetensors file; expected a checkpoint made by save_pretrained")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            named = {str(name) for name in read_json_object(index)["weight_map"].values()}
        except (KeyError, AttributeError, TypeError) as error:
            raise ModelError(f"{index}: cannot be read ({error}); copy or download it again") from error
        absent = sorted(named - {path.name for path in files})
        if absent:
            raise ModelError(
                f"{index}: names {len(absent)} files that are not there, first {absent[0]:.200}; copy or download the "
                f"whole checkpoint"
            )
    return files


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a checkpoint.

    Raises:
        ModelError: If there is no such file, or it holds something else.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{path}: cannot be read ({bare_reason(error)}); copy or download the whole checkpoint"
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: holds a {type(content).__name__}, expected a JSON object; copy or download it again")
    return cast("dict[str, Any]", content)
