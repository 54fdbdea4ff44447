"""Low-rank adapters of peft (arXiv 2106.09685) put into a model of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from egobench.errors import ModelError

from .checkpoint import check_loaded, explained, read_json_object, safetensors_files
from .fingerprint import checkpoint_fingerprint

CONFIG = "adapter_config.json"
"""The file that makes a folder one of an adapter."""


def adapter_fingerprint(folder: Path) -> str:
    """Fingerprint of an adapter: its weights and its config.

    Raises:
        ModelError: If the folder holds no adapter of peft, or one that is no LoRA.
    """
    if not (folder / CONFIG).is_file():
        raise ModelError(f"-o adapter={folder}: no {CONFIG}; expected a folder that save_pretrained of peft wrote")
    kind = str(read_json_object(folder / CONFIG).get("peft_type"))
    if kind.upper() != "LORA":
        raise ModelError(f"-o adapter={folder}: an adapter of type {kind}; expected LORA")
    return checkpoint_fingerprint([folder], safetensors_files(folder))


def add_adapter(model: Any, folder: Path, *, merge: bool) -> None:
    """Add an adapter to a model, every weight of it.

    Args:
        model: A model of transformers; changed in place.
        folder: The adapter.
        merge: Whether its changes are added to the weights, which computes faster; else they are computed beside them.

    Raises:
        ModelError: If peft is missing, or a weight of the adapter has no place in the model or is not there.
    """
    try:
        from peft.tuners.tuners_utils import BaseTunerLayer
    except ImportError as error:
        raise ModelError(f"-o adapter={folder} needs peft ({error}); pip install peft") from error
    with explained(f"adapter {folder}: peft cannot add it to a {type(model).__name__}"):
        # Weights of another shape are named below.
        loading_info = model.load_adapter(str(folder), ignore_mismatched_sizes=True)
        names = ("missing_keys", "unexpected_keys", "mismatched_keys")
        check_loaded(folder, type(model).__name__, {name: getattr(loading_info, name) for name in names})
        layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
        for layer in layers if merge else ():
            layer.merge(safe_merge=True)
