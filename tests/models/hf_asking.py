"""Asking the transformers adapter in tests: loading, what the model takes, and passes without a cache as the oracle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from egobench.model import Prompt
from egobench.plugins import load_model

Checkpoint = Callable[[str], Path]
QWEN = ("qwen2-vl", "qwen2.5-vl", "qwen3-vl", "qwen3.5")
VIDEO = (
    *QWEN,
    "videollama3",
    "llava-onevision",
    "internvl",
    "smolvlm",
    "video-llava",
    "llava-next-video",
    "gemma4",
)
"""Families whose frames are shown as one video."""

FAMILIES = (*VIDEO, "gemma3")


def load(folder: Path, **options: object) -> Any:
    """The adapter; tests look at its ``model`` and ``chat`` too."""
    return load_model("hf", checkpoint=str(folder), **options)


def encoded(adapter: Any, prompt: Prompt, answer: str = "", *, text: str | None = None) -> Any:
    """What the model takes for a prompt, or for another turn of the user, whose answer has begun."""
    rendered = adapter.chat.render(prompt, prompt.text if text is None else text)
    return adapter.chat.encode([prompt], [adapter.chat.begin(rendered, answer)])


def words(adapter: Any, prompt: Prompt, answer: str = "") -> str:
    """The prompt as the model reads it, with the answer begun: all tokens spelled out."""
    return str(adapter.chat.processor.tokenizer.decode(encoded(adapter, prompt, answer)["input_ids"][0]))


def full_forward(adapter: Any, inputs: Any, tokens: int) -> float:
    """Log-probability of the last tokens of a text, in one pass without a cache."""
    import torch

    with torch.inference_mode():
        logprobs = torch.log_softmax(adapter.model(**inputs).logits[0].float(), -1)
    ids = inputs["input_ids"][0]
    return sum(float(logprobs[place - 1, ids[place]]) for place in range(len(ids) - tokens, len(ids)))


def blackened(frames: np.ndarray, black: int) -> np.ndarray:
    """The frames with one of them black."""
    changed = frames.copy()
    changed[black] = 0
    return changed
