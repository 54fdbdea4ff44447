"""Scores on EgoBench's tasks while a model is trained."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from egobench.dataset.sampleset import SampleSet
from egobench.errors import MissingVideoError
from egobench.evaluate import evaluate
from egobench.model import Method
from egobench.observer import Observer
from egobench.plugins import load_model, load_task
from egobench.run.media import locate_video
from egobench.run.spec import Settings

from .beginning import hand_over
from .engine import Engine
from .processes import Processes
from .recipe import Recipe, StageRecipe
from .tracking import Tracker


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScores:
    """Tasks to score while training, and when.

    Attributes:
        sets: Sample sets.
        videos: Folder of their videos.
        every: Steps between scores; 0 for the end of each stage alone.
        limit: Samples of each set; ``None`` for all.
        method: How an answer becomes a number.
    """

    sets: Sequence[SampleSet]
    videos: Path
    every: int = 0
    limit: int | None = None
    method: Method = "likelihood-sum"


def check_videos(sets: Sequence[SampleSet], videos: Path) -> None:
    """Refuse a folder that has none of the videos of a sample set, before the model that is to see them is trained.

    Args:
        sets: Sample sets.
        videos: Folder of their videos, or of one folder of videos per task.

    Raises:
        MissingVideoError: If there is no such folder, or no video of a set is in it.
    """
    if not videos.is_dir():
        raise MissingVideoError(f"{videos}: no such folder of videos; expected --evaluate-videos DIR")
    for sample_set in sets:
        task = load_task(sample_set.manifest.task)
        names = dict.fromkeys(sample.video for sample in sample_set.samples)
        if names and not any(locate_video(videos, task, name).exists() for name in names):
            raise MissingVideoError(
                f"{videos}: has no video of {sample_set.name}, such as {next(iter(names))}; expected the folder of its "
                f"videos after --evaluate-videos"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Scores the model of a stage.

    Attributes:
        scores: What to score.
        recipe: The recipe.
        stage: Its stage.
        engine: Has the model.
        processes: The processes; the first evaluates, the others wait.
        tokenizer: Tokenizer of the language model.
        folder: Folder of the training.
        tracker: Receives the scores.
        observer: Receives the progress.
    """

    scores: TaskScores
    recipe: Recipe
    stage: StageRecipe
    engine: Engine
    processes: Processes
    tokenizer: Any
    folder: Path
    tracker: Tracker
    observer: Observer

    def is_due(self, step: int, *, last: bool) -> bool:
        """Tell whether it is time to score the model.

        Args:
            step: Number of steps that were taken.
            last: Whether the stage ends with this step.
        """
        every = self.scores.every
        return self.stage.name != "language" and (last or bool(every and step and step % every == 0))

    def __call__(self, step: int) -> None:
        """Score the model; every process calls it.

        Args:
            step: Number of steps that were taken.

        Raises:
            TrainingError: If the first process, which scores, fails; it raises its own error.
        """
        model = self.folder / "evaluations" / "models" / f"{self.recipe.name}-{self.stage.name}-{step:06d}"
        if self.processes.first:
            shutil.rmtree(model, ignore_errors=True)  # left by a process that was killed
        hand_over(self.recipe, self.stage.name, self.engine, self.processes, model, self.tokenizer)
        with self.processes.together(f"{self.stage.name}, step {step}: scoring the model"):
            if self.processes.first:
                self._score(step, model)

    def _score(self, step: int, model: Path) -> None:
        """Score a copy of the model, record its scores, and delete it."""
        result = evaluate(
            load_model("exo2ego", checkpoint=str(model)),
            self.scores.sets,
            self.scores.videos,
            self.folder / "evaluations",
            Settings(method=self.scores.method, limit=self.scores.limit),
            observer=self.observer,
        )
        rows = {
            name: {"value": entry.value, "chance": entry.chance, "n": entry.n} for name, entry in result.scores.items()
        }
        self.tracker.record("scores", self.stage.name, step, scores=rows)
        shutil.rmtree(model)
