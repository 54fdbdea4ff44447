"""Scored samples in one line."""

from __future__ import annotations

from collections.abc import Sequence

from egobench.metrics import Outcome, ScoredSample
from egobench.sample import Sample


def choice(
    scores: Sequence[float] | None,
    target: int | None,
    options: str = "abcde",
    *,
    outcome: Outcome | None = None,
    cluster: str = "v",
    name: str = "q",
) -> ScoredSample:
    """A sample whose options are the letters of ``options``; answered unless it has no scores."""
    answer = "" if target is None else options[target]
    sample = Sample(name, "toy", "all", "v", 0.0, None, "?", tuple(options), target, answer, None, cluster, {})
    return ScoredSample(
        sample, outcome or ("unparsed" if scores is None else "answered"), None if scores is None else tuple(scores)
    )


def open_answer(reply: str, answer: str, *, outcome: Outcome = "answered", cluster: str = "v") -> ScoredSample:
    """An open question and a reply to it."""
    sample = Sample("q", "toy", "open", "v", 0.0, None, "?", (), None, answer, None, cluster, {})
    return ScoredSample(sample, outcome, None, reply)
