"""The start of a recipe with random weights, and with a tokenizer of the words in its training data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from egobench.errors import RecipeError
from egobench.prompts import SYSTEM, user_turn
from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.model.exo2ego import Exo2Ego

from .question_recipe import QuestionFile, QuestionRows, RowKind, Transcripts
from .question_rows import question_of, samples_of
from .recipe import Recipe
from .word_tokenizer import word_tokenizer

ALIKE = 0.7
"""Factor of random weights and of their copies at the start: about 1 / sqrt(2), so that sums are as long as either."""


def tokenizer_of(recipe: Recipe, data: Path) -> Any:
    """Make a tokenizer of the words of all rows that a recipe trains on, and of EgoBench's prompts.

    Raises:
        RecipeError: If no stage trains on rows, or there are more words than the language model has room for.
        AnnotationError: If a file cannot be read.
    """
    kinds = [
        kind
        for stage in recipe.stages
        if isinstance(stage.source, QuestionRows | Transcripts)
        for kind in stage.source.rows
    ]
    if not kinds:
        raise RecipeError(f"recipe {recipe.name} begins with words, and no stage of it trains on rows of questions")
    return word_tokenizer([*_prompts(kinds), *_words(kinds, data)], recipe.model.language.vocab_size)


def fresh_model(config: Exo2EgoConfig, *, alike: bool) -> Exo2Ego:
    """Make a model of random weights.

    Args:
        config: Its configuration.
        alike: Whether queries of the language model begin alike to keys, and attention's output alike to its values.
    """
    model = Exo2Ego(config)
    if alike:
        size = config.language
        for layer in model.language.model.layers:
            attention = layer.self_attn
            with torch.no_grad():
                keys = attention.k_proj.weight.unflatten(0, (size.num_key_value_heads, -1))
                repeated = keys.repeat_interleave(size.num_attention_heads // size.num_key_value_heads, 0).flatten(0, 1)
                attention.q_proj.weight.mul_(ALIKE).add_(ALIKE * repeated)
                values = attention.v_proj.weight.unflatten(0, (size.num_key_value_heads, -1))
                repeated = values.repeat_interleave(size.num_attention_heads // size.num_key_value_heads, 0).flatten(
                    0, 1
                )
                attention.o_proj.weight.mul_(ALIKE).add_(ALIKE * repeated.T)
    return model


def _prompts(kinds: list[RowKind]) -> Iterator[str]:
    yield from SYSTEM.values()
    yield user_turn("", ())
    for kind in kinds:
        yield kind.narrated
        for file in kind.files:
            yield file.question
            yield from (words for _, words in file.reword)


def _words(kinds: list[RowKind], data: Path) -> Iterator[str]:
    """Yield the texts of all files, and those of further fields that are answers."""
    for path in dict.fromkeys(file.path for kind in kinds for file in kind.files):
        file = QuestionFile(path=path)
        for sample in samples_of(data / path):
            yield from question_of(sample, file).texts
    answers = {(file.path, file.answer, file.sources): file for kind in kinds for file in kind.files if file.answer}
    for file in answers.values():
        for sample in samples_of(data / file.path):
            if not file.sources or sample.source in file.sources:
                yield question_of(sample, file).answer
