"""Eq. 1 of arXiv 2503.09143 once more, as the paper writes it: the oracle of the tests."""

from __future__ import annotations


def naive_bounds(times: list[float], beta: float | None, alpha: float, duration: float) -> list[tuple[float, float]]:
    """Eq. 1 as the paper writes it, with the neighbours looked up one at a time."""
    half = 0.5 if beta is None else beta / alpha / 2
    bounds: list[tuple[float, float]] = []
    for i in range(len(times)):
        start, end = times[i] - half, times[i] + half
        before = times[i - 1] if i > 0 else 0.0
        after = times[i + 1] if i + 1 < len(times) else duration
        start = before if start < before else start
        end = after if end > after else end
        bounds.append((start, end))
    return bounds
