"""Asking VideoChat2 in tests: loading it from its three parts, and the prompt as it reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from egobench.model import Prompt
from egobench.plugins import load_model


def load(file: Path, **options: object) -> Any:
    """The adapter; tests look at its ``language`` and ``reader`` too."""
    below = file if file.is_dir() else file.parent
    parts = {"language": str(below / "language"), "vocabulary": str(below / "vocabulary")}
    return load_model("videochat2", checkpoint=str(file), **parts | options)


def written(adapter: Any, prompt: Prompt, purpose: str = "reply") -> str:
    """The prompt as the model reads it, the clip marked."""
    turn = adapter.frontend.prompt_parts(prompt, purpose)
    return f"{turn.before}<clip>{turn.after}" if len(prompt.frames) else turn.after
