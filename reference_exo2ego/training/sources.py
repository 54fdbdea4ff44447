"""Opening the source of a stage: samples with their frames, rows of questions, or transcripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_never

from .batches import Source
from .question_recipe import QuestionRows, Transcripts
from .question_source import open_question_source
from .recipe import Recipe, SampleFiles, StageRecipe
from .sample_source import open_sample_source


def open_source(recipe: Recipe, stage: StageRecipe, data: Path, store: Path | None, tokenizer: Any) -> Source:
    """Open the source of a stage.

    Args:
        recipe: The recipe.
        stage: Its stage.
        data: Folder that paths of the recipe are below.
        store: A frame store that clips are read from; ``None`` to decode them.
        tokenizer: Tokenizer of the language model.

    Raises:
        TrainingDataError: If there is nothing to train on.
    """
    match stage.source:
        case SampleFiles():
            return open_sample_source(recipe, stage, data, store, tokenizer)
        case QuestionRows() | Transcripts():
            return open_question_source(
                stage.name, stage.source, recipe.model, data=data, store=store, tokenizer=tokenizer, seed=recipe.seed
            )
    assert_never(stage.source)
