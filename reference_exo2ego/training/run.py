"""A training: the stages of a recipe, one after the other, in a folder.

::

    run.json            recipe, data, versions and command
    log.jsonl           records of steps, validations, scores
    <stage>/checkpoints/step-000100/   to go on from
    <stage>/model/      the model at the end of the stage: exo2ego export and egobench run read it
"""

from __future__ import annotations

import fcntl
import gc
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple

import torch

from egobench.errors import AnnotationFileError, RecipeError, ResumeError, StageError, bare_reason
from egobench.observer import Observer, SilentObserver

from .batches import Source, TrainingStage
from .beginning import Beginning, begin, check_trained, hand_over, prepare
from .checkpoint import check_fit, latest_checkpoint
from .engine import Engine, LossModule, TorchEngine
from .inspection import Inspection
from .loop import LoopSettings, StageLoop, never
from .out_of_memory import out_of_memory_explained
from .processes import Processes
from .recipe import Recipe, StageRecipe
from .run_file import check_beginning, check_data, check_recipe
from .schedule import build_optimizer
from .sources import open_source
from .speed import device_speed
from .tracking import LOG, Tracker
from .validation import Validation
from .zero import name_of_zero, read_zero, resolve, sizes_of, stage_of_zero

if TYPE_CHECKING:
    from .estimate import StageEstimate
    from .evaluating import Evaluation, TaskScores

EngineName = Literal["torch", "deepspeed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training: a recipe, its data and its folder.

    Attributes:
        recipe: The recipe.
        folder: Folder of the training.
        data: Folder that paths of the recipe are below.
        store: A frame store that clips are read from; ``None`` to decode them.
        engine: What takes the steps: torch alone, or DeepSpeed.
        zero: DeepSpeed's configuration, see :mod:`.zero`; empty for ZeRO-2.
        before: A model to begin the first of the stages with; ``None`` for the stage before it, or the recipe's start.
        processes: The processes.
        settings: How the loops run.
        scores: Tasks to score while training; ``None`` for none.
        tracker: Receives records.
        observer: Receives the progress.
        asked_to_stop: Tells whether this process was asked to stop.
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
    scores: TaskScores | None = None
    tracker: Tracker = field(default_factory=Tracker)
    observer: Observer = field(default_factory=SilentObserver)
    asked_to_stop: Callable[[], bool] = never

    def run(self, stages: Sequence[str] | None = None) -> bool:
        """Train the stages that are not done yet, in order.

        Args:
            stages: Names of stages; ``None`` for all of them.

        Returns:
            Whether they are done; else training was asked to stop, and the same call goes on with it.

        Raises:
            ResumeError: If the folder holds another training, or a stage was begun from another model.
            StageError: If the stage before one of them is missing.
            RecipeError: If the recipe trains none of them.
        """
        for training, stage in self.of_stages(stages):
            if self.model_of(stage.name).is_dir():
                self.observer.note(f"{stage.name} is done: {self.model_of(stage.name)}")
            elif not training.train(stage):
                return False
        return True

    def of_stages(self, names: Sequence[str] | None) -> list[StageTraining]:
        """Choose stages in the recipe's order; the model that is named to begin with begins the first alone.

        Args:
            names: Their names; ``None`` for all of them.

        Raises:
            RecipeError: If the recipe does not train a stage of such a name, or none at all.
        """
        chosen = self.recipe.trained
        if names is not None:
            named = {self.recipe.stage(name).name for name in names}
            chosen = tuple(stage for stage in chosen if stage.name in named)
        if not chosen:
            raise RecipeError(
                f"recipe {self.recipe.name}: nothing to train; it has {', '.join(s.name for s in self.recipe.stages)} "
                f"alone, which a published model leaves out; begin with another init, or add a stage"
            )
        return [
            StageTraining(self if place == 0 else replace(self, before=None), stage)
            for place, stage in enumerate(chosen)
        ]

    def estimates(self, processes: int, stages: Sequence[str] | None = None) -> list[StageEstimate]:
        """Estimate what each stage would take; steps are known of stages whose data are there.

        Args:
            processes: Number of processes to compute for.
            stages: Names of stages; ``None`` for all of them.

        Raises:
            TrainingDataError: If data are there and cannot be used.
            RecipeError: If the recipe trains none of them.
        """
        from .estimate import device_peak, estimate

        peak = device_peak()
        return [
            estimate(self.recipe, stage, processes=processes, steps=self._steps_ahead(stage), peak=peak)
            for _, stage in self.of_stages(stages)
        ]

    def _steps_ahead(self, stage: StageRecipe) -> int | None:
        """Return the steps of a stage that has not begun; ``None`` where files that it needs are not there."""
        if stage.steps is not None:
            return stage.steps
        try:
            return steps_of(stage, open_source(self.recipe, stage, self.data, self.store, None))
        except AnnotationFileError as error:
            self.observer.note(f"{stage.name}: steps and hours are not known without its data ({error})")
            return None

    def train(self, stage: StageRecipe) -> bool:
        """Train a stage, from its newest checkpoint if there is one.

        Returns:
            Whether it is done.

        Raises:
            TrainingError: If memory runs out, or another problem that says what to do.
        """
        with out_of_memory_explained(stage):
            return self._train(stage)

    def _train(self, stage: StageRecipe) -> bool:
        with self.processes.together(f"{stage.name}: beginning it"):
            checkpoint = latest_checkpoint(self.folder / stage.name / "checkpoints", self.observer)
            with _garbage_collection_paused():
                beginning = begin(self.recipe, self.data, self._before(stage), dtype=self.dtype)
                source = open_source(self.recipe, stage, self.data, self.store, beginning.tokenizer)
            if self.processes.first:
                check_data(self.folder, stage.name, source.digests)
                check_beginning(self.folder, stage.name, self.before)
            steps = steps_of(stage, source)
            if checkpoint is not None:
                check_fit(checkpoint, steps=steps, engine=self.engine_name, processes=self.processes.count)
        engine = self.build_engine(stage, beginning, checkpoint)
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
            settings=replace(self.settings, unreadable=stage.unreadable),
            asked_to_stop=self.asked_to_stop,
            inspect=self._inspection(stage, engine, source, tokenizer=beginning.tokenizer, steps=steps),
            speed=device_speed(self.recipe, stage.name, engine.device),
        )
        done = loop.run(checkpoint)
        if done:
            hand_over(self.recipe, stage.name, engine, self.processes, self.model_of(stage.name), beginning.tokenizer)
            self.tracker.record("end", stage.name, steps)
        return done

    def _inspection(
        self, stage: StageRecipe, engine: Engine, source: Source, *, tokenizer: Any, steps: int
    ) -> Inspection:
        """Return what validates and scores the model of a stage between its steps."""
        with self.processes.together(f"{stage.name}: loading what is held out"):
            held_out = source.held_out()
        validation = Validation(engine, held_out, self.processes, self.tracker, tokenizer, stage.name)
        evaluation: Evaluation | None = None
        if self.scores is not None:
            from .evaluating import Evaluation

            evaluation = Evaluation(
                scores=self.scores,
                recipe=self.recipe,
                stage=stage,
                engine=engine,
                processes=self.processes,
                tokenizer=tokenizer,
                folder=self.folder,
                tracker=self.tracker,
                observer=self.observer,
            )
        return Inspection(
            stage=stage.name,
            steps=steps,
            every=self.settings.validate_every,
            validation=validation,
            evaluation=evaluation,
            processes=self.processes,
            log=self.folder / LOG,
        )

    def build_engine(self, stage: StageRecipe, beginning: Beginning, checkpoint: Path | None = None) -> Engine:
        """Build the engine of a stage, and check what it trains.

        Args:
            stage: The stage.
            beginning: The model that the stage begins from.
            checkpoint: The checkpoint that it will go on from; ``None`` for none.

        Raises:
            StageError: If what would train is not what the stage says.
        """
        recipe, model = self.recipe, beginning.model
        if stage.one_encoder:
            model.exo_encoder = model.ego_encoder
        prepare(model, stage.name, checkpointing=recipe.checkpointing)
        optimizer = build_optimizer(model, recipe, stage)
        check_trained(model, stage.name, optimizer)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = recipe.tf32
        if self.engine == "torch":
            dtype: torch.dtype = getattr(torch, recipe.dtype)
            return TorchEngine(LossModule(model), optimizer, self.processes, clip=recipe.clip, dtype=dtype)
        from .deepspeed_engine import DeepSpeedEngine

        sizes = sizes_of(recipe, stage, self.processes.count, gpu=torch.cuda.is_available())
        config = resolve(self.zero_config, recipe, sizes, "--deepspeed")
        return DeepSpeedEngine(LossModule(model), optimizer, self.processes, config=config, checkpoint=checkpoint)

    def model_of(self, stage: TrainingStage) -> Path:
        """Return the folder of the model that a stage hands over."""
        return self.folder / stage / "model"

    @property
    def zero_config(self) -> dict[str, Any]:
        """DeepSpeed's configuration, ZeRO-2 by default."""
        return self.zero or read_zero("2")

    @property
    def engine_name(self) -> str:
        """Name of the engine in checkpoints."""
        return "torch" if self.engine == "torch" else name_of_zero(stage_of_zero(self.zero_config, "--deepspeed"))

    @property
    def dtype(self) -> str:
        """Number format of the weights: float32 with torch alone, the recipe's with DeepSpeed."""
        return "float32" if self.engine == "torch" else self.recipe.dtype

    def before_if_there(self, stage: StageRecipe) -> Path | None:
        """Return the model that a stage begins from; ``None``, for the recipe's start, without a stage before it."""
        try:
            return self._before(stage)
        except StageError:
            return None

    def _before(self, stage: StageRecipe) -> Path | None:
        """Return the model that a stage begins from; ``None`` for the recipe's start.

        Raises:
            StageError: If the stage before it is not done.
        """
        names: list[TrainingStage] = [other.name for other in self.recipe.trained]
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


class StageTraining(NamedTuple):
    """A stage, and the training as it begins there."""

    training: Training
    stage: StageRecipe


@contextmanager
def _garbage_collection_paused() -> Generator[None]:
    """Pause garbage collection, which would search millions of rows over and over while they are read, for nothing."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def steps_of(stage: StageRecipe, source: Source) -> int:
    """Return the number of steps of a stage."""
    return stage.steps_at(source.steps_per_epoch)


@contextmanager
def own_folder(training: Training) -> Generator[None]:
    """Keep other trainings out of a training's folder; every process calls it.

    Args:
        training: The training.

    Raises:
        ResumeError: If another process trains in it, or it holds another training.
        TrainingError: The same, on the processes that do not write.
    """
    lock: IO[str] | None = None
    with training.processes.together(f"{training.folder}: beginning a training in it"):
        if training.processes.first:
            lock = _claim(training)
    try:
        yield
    finally:
        if lock is not None:
            lock.close()


def _claim(training: Training) -> IO[str]:
    """Lock the folder, and write down the recipe in it or compare it with the one that is there."""
    folder = training.folder
    with ExitStack() as opened:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = opened.enter_context((folder / ".lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            check_recipe(folder, training.recipe)
        except BlockingIOError as error:
            raise ResumeError(f"{folder}: another process trains in it; wait for it, or name another folder") from error
        except OSError as error:
            raise ResumeError(
                f"{folder}: cannot be written ({bare_reason(error)}); make room, or name another with --out"
            ) from error
        opened.pop_all()
    return lock
