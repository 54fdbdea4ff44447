"""Any option, drawn from the prompt's seed and its own: its score is chance, as a model reaches it."""

from __future__ import annotations

from random import Random

from egobench.errors import ModelOptionError
from egobench.model import FramePolicy, Model, ModelInfo, Prompt

from ._local.ranking_baseline import RankingModel


def load(*, seed: int = 0, frames: int = 0) -> Model:
    """Load the baseline.

    Args:
        seed: Another seed draws other options.
        frames: Frames it is shown, and ignores; more than 0 tries the way from video files to a model.

    Raises:
        ModelOptionError: If ``frames`` is negative.
    """
    if frames < 0:
        raise ModelOptionError(f"model 'random', option 'frames': {frames}; expected at least 0")

    def order(prompt: Prompt) -> list[int]:
        positions = list(range(len(prompt.options)))
        Random(f"{seed}/{prompt.seed}").shuffle(positions)  # noqa: S311 - reproducible, not secret
        return positions

    info = ModelInfo("random", revision="1", frames=FramePolicy(count=frames), settings={"seed": seed})
    return RankingModel(info, order, words=lambda _: "unknown")
