"""Picks by text alone: its score is what a sample set gives away without a video.

Wrong options made of the right one's nearest neighbours point at their centre. It takes the option that is most similar
to the others (the centroid attack of PROTOCOL section 4, on words and letters instead of embeddings), then the one that
shares most with the question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from egobench.model import FramePolicy, Model, ModelInfo, Prompt

from ._local.ranking_baseline import RankingModel

GRAM = 3
"""Characters of a letter n-gram."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_NOUN_PHRASE = re.compile(r"\b(?:the|a|an|my|your|his|her|their|this|that)\s+(?=((?:[^\W_]+\s*){1,3}))", re.IGNORECASE)
_NOT_NOUNS = frozenset(
    _WORD.findall(
        "after am and are at be been before by can did do does doing during for from had has have he i if in into is "
        "it my not of off on onto or out over she so that the then they this to under up was we were when where while "
        "who will with you your"
    )
)


def load() -> Model:
    """Load the baseline; it looks at no frames and has no options."""
    return RankingModel(
        ModelInfo("text-prior", revision="1", frames=FramePolicy(count=0)), order=_order, words=_noun_phrase
    )


def _order(prompt: Prompt) -> list[int]:
    features = [_features(option) for option in prompt.options]
    question = _features(prompt.question)
    lots = list(range(len(features)))
    Random(prompt.seed).shuffle(lots)  # noqa: S311 - reproducible, not secret

    def key(position: int) -> tuple[float, float, int]:
        others = features[:position] + features[position + 1 :]
        # Rounded, so that equal sums stay equal whatever the order of their terms.
        centre = round(sum(_overlap(features[position], other) for other in others), 9)
        return centre, _overlap(features[position], question), lots[position]

    return sorted(range(len(features)), key=key, reverse=True)


def _features(text: str) -> frozenset[str]:
    """Words and letter n-grams of a text, words with a mark so that they never meet an n-gram."""
    words: list[str] = _WORD.findall(text.lower())
    padded = f" {' '.join(words)} "
    grams = {padded[start : start + GRAM] for start in range(len(padded) - GRAM + 1)}
    return frozenset({f"={word}" for word in words} | grams)


def _overlap(first: frozenset[str], second: frozenset[str]) -> float:
    """Dice coefficient of two sets, in [0, 1]; two empty ones share nothing."""
    return 2 * len(first & second) / max(1, len(first) + len(second))


def _noun_phrase(prompt: Prompt) -> str:
    """The last noun phrase of the question, as far as articles and possessives show it."""
    for match in reversed(_NOUN_PHRASE.findall(prompt.question)):
        phrase = _until_no_noun(match.split())
        if phrase:
            return phrase
    return max(_WORD.findall(prompt.question), key=len, default="unknown")


def _until_no_noun(words: Sequence[str]) -> str:
    end = next((place for place, word in enumerate(words) if word.lower() in _NOT_NOUNS), len(words))
    return " ".join(words[:end])
