"""A training: a folder, a recipe, and its stages one after the other.

::

    run.json            recipe, data, versions, command: what a training is known by
    log.jsonl           everything it said of itself
    <stage>/checkpoints/step-000100/   to go on from
    <stage>/model/      what the stage hands over: exo2ego export and egobench run read it
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import torch

from egobench.errors import AnnotationFileError, ResumeError, StageError
from egobench.observer import Observer, SilentObserver

from .batches import Source, TrainingStage
from .beginning import Beginning, begin, check_trained, hand_over, prepare
from .checkpoint import check_fit, latest_checkpoint
from .engine import Engine, LossModule, TorchEngine
from .loop import LoopSettings, StageLoop, never
from .out_of_memory import out_of_memory_explained
from .processes import Processes
from .recipe import Recipe, StageRecipe
from .run_file import check_beginning, check_data, check_recipe
from .schedule import build_optimizer
from .sources import open_source
from .speed import device_speed
from .tracking import Tracker
from .validation import Validation
from .zero import name_of_zero, read_zero, resolve, sizes_of, stage_of_zero

if TYPE_CHECKING:
    from .estimate import StageEstimate
    from .evaluating import Evaluation, TaskScores

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
        scores: Tasks to score while training; ``None`` for none.
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
    scores: TaskScores | None = None
    tracker: Tracker = field(default_factory=Tracker)
    observer: Observer = field(default_factory=SilentObserver)
    asked_to_stop: Callable[[], bool] = never

    def run(self, stages: Sequence[str] | None = None) -> bool:
        """Train the stages that are not done yet, in order.

        Args:
            stages: Which stages; ``None`` for all of them.

        Returns:
            Whether they are done; else training was asked to stop, and the same call goes on with it.

        Raises:
            ResumeError: If the folder holds another training, or a stage was begun from another model.
            StageError: If the stage before one of them is missing.
        """
        chosen = [stage for stage in self.recipe.trained if stages is None or stage.name in stages]
        for name in stages or ():
            self.recipe.stage(name)
        for place, stage in enumerate(chosen):
            training = self if place == 0 else replace(self, before=None)
            if self.model_of(stage.name).is_dir():
                self.observer.note(f"{stage.name} is done: {self.model_of(stage.name)}")
            elif not training.train(stage):
                return False
        return True

    def estimates(self, processes: int) -> list[StageEstimate]:
        """What each stage would take; steps of stages whose data are there.

        Args:
            processes: How many there would be.

        Raises:
            TrainingDataError: If data are there and cannot be used.
        """
        from .estimate import device_peak, estimate

        peak = device_peak()
        return [
            estimate(self.recipe, stage, processes=processes, steps=self._steps_ahead(stage), peak=peak)
            for stage in self.recipe.trained
        ]

    def _steps_ahead(self, stage: StageRecipe) -> int | None:
        """Steps of a stage that has not begun; ``None`` where files that it needs are not there."""
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
        checkpoint = latest_checkpoint(self.folder / stage.name / "checkpoints", self.observer)
        beginning = begin(self.recipe, self.data, self._before(stage), dtype=self.dtype)
        source = open_source(self.recipe, stage, self.data, self.store, beginning.tokenizer)
        if self.processes.first:
            check_data(self.folder, stage.name, source.digests)
            check_beginning(self.folder, stage.name, self.before)
        steps = steps_of(stage, source)
        if checkpoint is not None:
            check_fit(checkpoint, steps=steps, engine=self.engine_name, processes=self.processes.count)
        engine = self.build_engine(stage, beginning, checkpoint)
        look = self._look(stage, engine, source, beginning, steps)
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
            look=look,
            speed=device_speed(self.recipe, stage.name, engine.device),
        )
        done = loop.run(checkpoint)
        if done:
            hand_over(self.recipe, stage.name, engine, self.processes, self.model_of(stage.name), beginning.tokenizer)
            self.tracker.record("end", stage.name, steps)
        return done

    def _look(
        self, stage: StageRecipe, engine: Engine, source: Source, beginning: Beginning, steps: int
    ) -> Callable[[int], None]:
        """What looks at the model of a stage between its steps."""
        validation = Validation(
            engine, source.held_out(), self.processes, self.tracker, beginning.tokenizer, stage.name
        )
        evaluation: Evaluation | None = None
        if self.scores is not None:
            from .evaluating import Evaluation

            evaluation = Evaluation(
                scores=self.scores,
                recipe=self.recipe,
                stage=stage,
                engine=engine,
                processes=self.processes,
                tokenizer=beginning.tokenizer,
                folder=self.folder,
                tracker=self.tracker,
                observer=self.observer,
            )

        def look(step: int) -> None:
            every = self.settings.look_every
            if step in {0, steps} or (every and step % every == 0):
                validation(step)
            if evaluation is not None:
                evaluation(step, last=step == steps)

        return look

    def build_engine(self, stage: StageRecipe, beginning: Beginning, checkpoint: Path | None = None) -> Engine:
        """The engine of a stage, checked before the first step.

        Args:
            stage: The stage.
            beginning: What it begins from.
            checkpoint: What it will go on from; ``None`` for nothing.

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
        """What a stage hands over."""
        return self.folder / stage / "model"

    @property
    def zero_config(self) -> dict[str, Any]:
        """DeepSpeed's configuration, ZeRO-2 where nothing is said."""
        return self.zero or read_zero("2")

    @property
    def engine_name(self) -> str:
        """What checkpoints of its engine are known by."""
        return "torch" if self.engine == "torch" else name_of_zero(stage_of_zero(self.zero_config, "--deepspeed"))

    @property
    def dtype(self) -> str:
        """Number format of the weights: the plain engine has them in float32."""
        return "float32" if self.engine == "torch" else self.recipe.dtype

    def before_if_there(self, stage: StageRecipe) -> Path | None:
        """What a stage begins from; the recipe's start where the stage before it is not done."""
        try:
            return self._before(stage)
        except StageError:
            return None

    def _before(self, stage: StageRecipe) -> Path | None:
        """What a stage begins from; ``None`` for the recipe's start.

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


def steps_of(stage: StageRecipe, source: Source) -> int:
    """How many steps a stage has."""
    if stage.steps is not None:
        return stage.steps
    return ceil(round((stage.epochs or 0) * source.steps_per_epoch, 6))


@contextmanager
def own_folder(training: Training) -> Generator[None]:
    """Have a training's folder alone; every process calls it.

    Args:
        training: The training.

    Raises:
        ResumeError: If another process trains in it, or it holds another training.
    """
    lock: IO[str] | None = None
    problem: ResumeError | None = None
    if training.processes.first:
        try:
            lock = _claim(training)
        except ResumeError as error:
            problem = error
    failed = training.processes.sums([float(problem is not None)])[0]
    if failed:
        raise problem or ResumeError(f"{training.folder}: the first process cannot train in it")
    try:
        yield
    finally:
        if lock is not None:
            lock.close()


def _claim(training: Training) -> IO[str]:
    """Lock the folder, and write down or compare what is trained in it."""
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
                f"{folder}: cannot be written ({error}); make room, or name another with --out"
            ) from error
        opened.pop_all()
    return lock
