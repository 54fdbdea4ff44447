"""Which models there are: those of the entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any


def _manifests() -> dict[str, Any]:
    found = [manifest for entry in entry_points(group="lmms_eval.models") for manifest in entry.load()()]
    return {manifest["model_id"]: manifest for manifest in found}


def list_available_models(*, include_aliases: bool = False) -> list[str]:
    """Their names; none has another."""
    return sorted(_manifests()) if include_aliases else []


def get_model(model_name: str, force_simple: bool = False) -> Any:  # noqa: FBT002 - as lmms-eval's
    """The class of one."""
    if force_simple:
        raise NotImplementedError
    return _manifests()[model_name]["kind"]
