"""Baselines that look at nothing: they put the options in an order and answer with the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

from egobench.model import ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.prompts import LETTERS


@dataclass(frozen=True, slots=True)
class RankingModel:
    """A model that is an order of the options.

    Attributes:
        info: What identifies it.
        order: Positions of a prompt's options, the likeliest first.
        words: Its answer to an open question.
    """

    info: ModelInfo
    order: Callable[[Prompt], Sequence[int]]
    words: Callable[[Prompt], str]

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Answer with the letter of the first option, or in words where there are none."""
        return [Reply(LETTERS[self.order(each)[0]] if each.options else self.words(each)) for each in prompts]

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> list[OptionScores]:  # noqa: ARG002
        """Share the probability out by rank: of n options, the one at rank r in [0, n) gets (n - r) shares."""
        return [_by_rank(self.order(each)) for each in prompts]


def _by_rank(order: Sequence[int]) -> OptionScores:
    shares = len(order) * (len(order) + 1) / 2
    logprobs = [0.0] * len(order)
    for rank, position in enumerate(order):
        logprobs[position] = log((len(order) - rank) / shares)
    return OptionScores(tuple(logprobs), (1,) * len(order))
