"""Prompts for models under test."""

from __future__ import annotations

import numpy as np

from egobench.model import Prompt
from egobench.prompts import SYSTEM, user_turn

QUESTION = "What does the camera wearer cut before opening the fridge?"
OPTIONS = ("an onion", "the red mug", "a slice of bread", "nothing")


def ask(
    *,
    seed: int = 0,
    count: int = 16,
    size: tuple[int, int] = (56, 84),
    question: str = QUESTION,
    options: tuple[str, ...] = OPTIONS,
    spacing: float = 0.5,
    start: float = 0.0,
) -> Prompt:
    """A prompt with frames of noise.

    Args:
        seed: The prompt's, and the noise's.
        count: Number of frames; 0 for a blind prompt.
        size: Height and width of a frame in pixels.
        question: The question.
        options: The options.
        spacing: Seconds between frames.
        start: Seconds of the first frame.
    """
    frames = np.random.default_rng(seed).integers(0, 256, (count, *size, 3), dtype=np.uint8)
    times = start + spacing * np.arange(count, dtype=np.float64)
    text = user_turn(question, options)
    return Prompt(frames, times, SYSTEM["base"], question, options, text, max_new_tokens=6, seed=seed)
