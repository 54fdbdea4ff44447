"""Always the first option: its score is the share of samples whose first option is right."""

from __future__ import annotations

from egobench.model import FramePolicy, Model, ModelInfo

from ._local.ranking_baseline import RankingModel


def load() -> Model:
    """Load the baseline; it looks at no frames and has no options."""
    return RankingModel(
        ModelInfo("first-choice", revision="1", frames=FramePolicy(count=0)),
        order=lambda prompt: range(len(prompt.options)),
        words=lambda _: "unknown",
    )
