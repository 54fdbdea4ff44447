"""The source of a stage: samples with their frames, rows of questions, or transcripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_never

from egobench.errors import TrainingDataError
from egobench.video import ClipRequest

from .batches import Source
from .question_recipe import QuestionRows, Transcripts
from .question_rows import read_rows
from .question_source import open_question_source
from .recipe import Recipe, SampleFiles, StageRecipe
from .row_frames import RowFrames
from .sample_source import open_sample_source, sample_requests


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


def frame_requests(recipe: Recipe, data: Path, stage: str | None = None) -> list[ClipRequest]:
    """List every clip that a recipe shows, to fill a frame store with.

    Args:
        recipe: The recipe.
        data: Folder that its paths are below.
        stage: The stage that is meant; ``None`` for all that are trained.

    Raises:
        TrainingDataError: If no stage shows videos, and none was named.
        AnnotationError: If a file cannot be read.
    """
    stages = [planned for planned in recipe.trained if stage in {None, planned.name}]
    requests = {request.key: request for planned in stages for request in _requests(recipe, planned, data)}
    if stage is None and all(isinstance(planned.source, Transcripts) for planned in stages):
        raise TrainingDataError(f"recipe {recipe.name}: no stage of it shows videos")
    return list(requests.values())


def _requests(recipe: Recipe, stage: StageRecipe, data: Path) -> Iterator[ClipRequest]:
    match stage.source:
        case SampleFiles():
            yield from sample_requests(recipe, stage.source, data)
        case QuestionRows(rows=rows):
            frames = RowFrames(recipe.model, None)
            for kind in rows:
                yield from frames.requests(kind, read_rows(kind, data, recipe.seed))
        case Transcripts():
            return
