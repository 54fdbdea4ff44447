"""Answers in words, compared with the reference answer without a judge.

A sample that was not answered, or whose reference is private, scores 0.
"""

# The text metrics have no types.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from egobench.metrics import MeanMetric, ScoredSample
from egobench.replies import normalised

if TYPE_CHECKING:
    from egobench.task import Embedder


def _words_metric(compare: Callable[[str, str], float], *, least: float = 0.0) -> MeanMetric:
    def value(scored: ScoredSample) -> float:
        reply, answer = scored.reply.strip(), scored.sample.answer.strip()
        return compare(reply, answer) if scored.outcome == "answered" and reply and answer else 0.0

    return MeanMetric("open", value, least)


def _exact(reply: str, answer: str) -> float:
    return float(reply == answer)


def _normalised(reply: str, answer: str) -> float:
    return float(normalised(reply) == normalised(answer))


def _rouge_l(reply: str, answer: str) -> float:
    from rouge_score.rouge_scorer import RougeScorer  # noqa: PLC0415 - imports nltk

    return float(RougeScorer(["rougeL"], use_stemmer=False).score(answer, reply)["rougeL"].fmeasure)


class NoSynonyms:
    """A WordNet in which no word has a synonym, so that METEOR needs no download."""

    def synsets(self, word: str) -> list[object]:
        """The meanings of a word: none."""
        del word
        return []


def _meteor(reply: str, answer: str) -> float:
    from nltk.translate.meteor_score import single_meteor_score  # noqa: PLC0415 - nltk takes a second

    wordnet: Any = NoSynonyms()
    return float(single_meteor_score(_words(answer), _words(reply), wordnet=wordnet))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


@cache
def _cosine(reply: str, answer: str) -> float:
    first, second = _embedder()([reply, answer])
    return float(first @ second)


@cache
def _embedder() -> Embedder:
    from egobench.embedding import SentenceEmbedder  # noqa: PLC0415 - torch

    return SentenceEmbedder()


exact_match = _words_metric(_exact)
"""Whether reply and answer are the same but for surrounding blanks."""

normalised_match = _words_metric(_normalised)
"""Whether they are the same after :func:`egobench.replies.normalised`."""

rouge_l = _words_metric(_rouge_l)
"""ROUGE-L: F-measure of the longest common subsequence of words (package rouge-score, no stemmer)."""

meteor = _words_metric(_meteor)
"""METEOR with its exact and stem stages alone: call it ``METEOR (exact, stem)``; others match synonyms too."""

sentence_similarity = _words_metric(_cosine, least=-1.0)
"""Cosine of the SentenceBERT vectors of reply and answer; in [-1, 1], for two texts may point apart."""
