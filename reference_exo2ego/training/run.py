"""A training: a folder, a recipe, and its stages one after the other.

::

    run.json            recipe, data, versions, command: what a training is known by
    log.jsonl           everything it said of itself
    <stage>/checkpoints/step-000100/   to go on from
    <stage>/model/      what the stage hands over: exo2ego export and egobench run read it
"""

from __future__ import annotations

import fcntl
import json
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any, Literal

import torch

from egobench.errors import ResumeError, StageError
from egobench.observer import Observer, SilentObserver

from .batches import Source, TrainingStage
from .beginning import Beginning, begin, check_trained, hand_over, prepare
from .checkpoint import latest_checkpoint, write_whole
from .engine import Engine, Taught, TorchEngine
from .loop import LoopSettings, StageLoop
from .processes import Processes
from .recipe import Recipe, StageRecipe, open_source
from .schedule import build_optimizer
from .tracking import Tracker

FORMAT = 1
RUN = "run.json"

EngineName = Literal["torch", "deepspeed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training.

    Attributes:
        recipe: The recipe.
        folder: Its folder.
        data: Folder that paths of the recipe are below.
        store: A frame store that clips are read from; ``None`` to decode them.
        engine: Who takes the steps.
        zero: DeepSpeed's configuration, see :mod:`.zero`.
        before: A model to begin the first of the stages with; ``None`` for the stage before it, or the recipe's start.
        processes: The processes.
        settings: How its loops run.
        tracker: Where records go.
        observer: Receives progress.
        asked_to_stop: Says whether this process was asked to stop.
    """

    recipe: Recipe
    folder: Path
    data: Path
    store: Path | None = None
    engine: EngineName = "torch"
    zero: dict[str, Any] = field(default_factory=dict[str, Any])
    before: Path | None = None
    processes: Processes = field(default_factory=Processes)
    settings: LoopSettings = field(default_factory=LoopSettings)
    tracker: Tracker = field(default_factory=Tracker)
    observer: Observer = field(default_factory=SilentObserver)
    asked_to_stop: Callable[[], bool] = lambda: False

    def run(self, stages: Sequence[str] | None = None) -> bool:
        """Train the stages that are not done yet, in order.

        Args:
            stages: Which stages; ``None`` for all of them.

        Returns:
            Whether they are done; else training was asked to stop, and the same call goes on with it.

        Raises:
            ResumeError: If the folder holds another training.
            StageError: If the stage before one of them is missing.
        """
        chosen = [stage for stage in self.recipe.stages if stages is None or stage.name in stages]
        for name in stages or ():
            self.recipe.stage(name)
        for stage in chosen:
            if self.model_of(stage.name).is_dir():
                self.observer.note(f"{stage.name} is done: {self.model_of(stage.name)}")
            elif not self.train(stage):
                return False
        return True

    def train(self, stage: StageRecipe) -> bool:
        """Train a stage, from its newest checkpoint if there is one.

        Returns:
            Whether it is done.
        """
        checkpoint = latest_checkpoint(self.folder / stage.name / "checkpoints", self.observer)
        beginning = begin(self.recipe, self.data, self._before(stage), dtype=self._dtype)
        source = open_source(self.recipe, stage, self.data, self.store, beginning.tokenizer)
        steps = steps_of(stage, source)
        engine = self.build_engine(stage, beginning)
        loop = StageLoop(
            recipe=self.recipe,
            stage=stage,
            steps=steps,
            engine=engine,
            source=source,
            processes=self.processes,
            tracker=self.tracker,
            observer=self.observer,
            folder=self.folder / stage.name,
            settings=self.settings,
            asked_to_stop=self.asked_to_stop,
        )
        done = loop.run(checkpoint)
        if done:
            hand_over(self.recipe, stage.name, engine, self.processes, self.model_of(stage.name), beginning.tokenizer)
            self.tracker.record("end", stage.name, steps)
        return done

    def build_engine(self, stage: StageRecipe, beginning: Beginning) -> Engine:
        """The engine of a stage, checked before the first step."""
        recipe, model = self.recipe, beginning.model
        prepare(model, stage.name, checkpointing=recipe.checkpointing)
        optimizer = build_optimizer(model, recipe, stage)
        check_trained(model, stage.name, optimizer)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = recipe.tf32
        dtype: torch.dtype = getattr(torch, recipe.dtype)
        return TorchEngine(Taught(model), optimizer, self.processes, clip=recipe.clip, dtype=dtype)

    def model_of(self, stage: TrainingStage) -> Path:
        """What a stage hands over."""
        return self.folder / stage / "model"

    @property
    def _dtype(self) -> str:
        """Number format of the weights: the plain engine has them in float32."""
        return "float32" if self.engine == "torch" else self.recipe.dtype

    def _before(self, stage: StageRecipe) -> Path | None:
        """What a stage begins from; ``None`` for the recipe's start.

        Raises:
            StageError: If the stage before it is not done.
        """
        names = [other.name for other in self.recipe.stages]
        place = names.index(stage.name)
        if self.before is not None:
            return self.before
        if place == 0:
            return None
        before = self.model_of(names[place - 1])
        if not before.is_dir():
            raise StageError(
                f"{stage.name}: the stage before it, {names[place - 1]}, is not done in {self.folder}; train it first, "
                f"or begin from another model with --from"
            )
        return before


def steps_of(stage: StageRecipe, source: Source) -> int:
    """How many steps a stage has."""
    if stage.steps is not None:
        return stage.steps
    return ceil(round((stage.epochs or 0) * source.steps_per_epoch, 6))


@contextmanager
def own_folder(training: Training, digests: dict[str, str] | None = None) -> Generator[None]:
    """Have a training's folder alone; the first process of it calls it.

    Args:
        training: The training.
        digests: SHA-256 of each file of data.

    Raises:
        ResumeError: If another process trains in it, or it holds another training.
    """
    folder, recipe = training.folder, training.recipe
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ResumeError(f"{folder}: another process trains in it; wait for it, or name another folder") from error
        path = folder / RUN
        if path.is_file():
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.get("fingerprint") != recipe.fingerprint:
                raise ResumeError(f"{folder}: holds another training")
        else:
            values = {
                "format": FORMAT,
                "fingerprint": recipe.fingerprint,
                "recipe": recipe.model_dump(mode="json"),
                "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
                "command": sys.argv,
            }
            write_whole(path, json.dumps(values, indent=1) + "\n")
        yield
