"""What stages cost: seconds out of logs or of a few steps, operations counted while a few steps are taken."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Literal

import torch
from pydantic import TypeAdapter, ValidationError
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from egobench.errors import JsonInputError, MissingFramesError, RecipeError, ResumeError, TrainingDataError
from egobench.json_input import read_json
from egobench.observer import Observer
from egobench.validation import reason_of
from egobench.whole_file import replace_file
from reference_exo2ego.training.batches import Source
from reference_exo2ego.training.beginning import begin
from reference_exo2ego.training.engine import Engine
from reference_exo2ego.training.loop import never, seed_everything
from reference_exo2ego.training.recipe import SampleFiles, recipe_of
from reference_exo2ego.training.run import Training, steps_of
from reference_exo2ego.training.run_file import RUN, read_run
from reference_exo2ego.training.sources import open_source
from reference_exo2ego.training.tracking import LOG, read_log

from .chains import Step
from .identity import kind_of
from .locking import locked

TRIAL = 4
"""Steps that a cost is measured on, or as many as it takes until all kinds of rows had their turns."""


@dataclass(frozen=True, slots=True)
class StepCost:
    """What a step of a training costs.

    Attributes:
        seconds: Wall-clock seconds, reading included.
        operations: Floating-point operations forth and back, by torch's count.
        steps: Steps of an epoch, for stages whose length is given in epochs.
        source: Where the seconds are from.
    """

    seconds: float
    operations: float
    steps: float
    source: Literal["trial", "log"] = "trial"


@dataclass(slots=True)
class Costs:
    """Costs of steps, kept in a file that several processes share, by what they depend on.

    Attributes:
        path: The file.
        data: Folder that paths of recipes are below.
        store: A frame store; ``None`` to decode.
        observer: Receives notes on what is measured.
        logs: Folders of trainings whose logged seconds take precedence over those of a few steps.
    """

    path: Path
    data: Path
    store: Path | None
    observer: Observer
    logs: Iterable[Path] = ()
    _by_kind: dict[str, StepCost] = field(default_factory=dict[str, StepCost], init=False, repr=False)
    _logged: dict[str, float] | None = field(default=None, init=False, repr=False)

    def of(self, step: Step) -> StepCost:
        """What a step of a training costs.

        Raises:
            EgoBenchError: If a few steps of it cannot be taken.
        """
        kind = kind_of(step)
        if kind not in self._by_kind:
            # How long one encoder is trained depends on it, so all processes of an ablation go by the same measurement.
            with locked(self.path.with_suffix(".lock"), self.observer, never):
                self._by_kind = _read_costs(self.path) if self.path.is_file() else {}
                if kind not in self._by_kind:
                    self._by_kind[kind] = self._measured(step)
                    rows = {name: asdict(cost) for name, cost in self._by_kind.items()}
                    replace_file(self.path, json.dumps(rows, indent=1) + "\n")
        return self._by_kind[kind]

    def _measured(self, step: Step) -> StepCost:
        self.observer.note(f"taking a few steps of {step.stage}, for what it costs")
        # The recipe of any seed costs the same, and must be found to.
        seedless = step._replace(recipe=step.recipe.model_copy(update={"seed": 0}))
        try:
            return measure(seedless, self.data, self.store)
        except MissingFramesError:
            # What the store lacks is put into it before the stage is trained.
            return measure(seedless, self.data, None)

    def steps(self, step: Step) -> int:
        """How many steps a training has."""
        stage = step.trained
        return stage.steps if stage.steps is not None else max(1, stage.steps_at(self.of(step).steps))

    def operations(self, step: Step) -> float:
        """Operations of a step of a training."""
        return self.of(step).operations

    def seconds(self, step: Step) -> float:
        """Seconds of all steps of a training, out of a log where one has them."""
        if self._logged is None:
            self._logged = logged_seconds(self.logs)
        logged = self._logged.get(kind_of(step))
        return self.steps(step) * (self.of(step).seconds if logged is None else logged)


def measure(step: Step, data: Path, store: Path | None) -> StepCost:
    """Take a few steps of a training from random weights, and keep nothing of them.

    Attention is computed by plain products while operations are counted, for others are not counted everywhere.

    Raises:
        EgoBenchError: If it cannot begin.
    """
    recipe, stage = step.recipe, step.trained
    beginning = begin(recipe, data, None, dtype="float32")
    source = open_source(recipe, stage, data, store, beginning.tokenizer)
    training = Training(recipe=recipe, folder=Path(), data=data, store=store)
    engine = training.build_engine(stage, beginning)
    counter = FlopCounterMode(display=False)
    trial = TRIAL if isinstance(stage.source, SampleFiles) else max(TRIAL, len(stage.source.turns))
    with counter, sdpa_kernel(SDPBackend.MATH):
        for number in range(trial):
            _take(engine, source, number)
    began = perf_counter()
    for number in range(trial):
        _take(engine, source, number)
    seconds = (perf_counter() - began) / trial
    per_epoch = float(source.steps_per_epoch) if stage.steps is None else float(steps_of(stage, source))
    return StepCost(seconds, counter.get_total_flops() / trial, per_epoch)


def logged_seconds(folders: Iterable[Path]) -> dict[str, float]:
    """Mean seconds of a step, by the kind of the training, out of the logs of trainings.

    Args:
        folders: Folders of trainings.

    Raises:
        TrainingDataError: If a folder holds none.
    """
    seconds: dict[str, list[float]] = {}
    for folder in folders:
        try:
            recipe = recipe_of(read_run(folder)["recipe"], str(folder / RUN))
        except (ResumeError, RecipeError) as error:
            raise TrainingDataError(
                f"{folder}: holds no training ({error}); expected what exo2ego train wrote"
            ) from error
        kinds = {stage.name: kind_of(Step(recipe, stage.name)) for stage in recipe.stages}
        for row in read_log(folder / LOG):
            if row.get("kind") == "step" and row.get("stage") in kinds:
                seconds.setdefault(kinds[row["stage"]], []).append(float(row["seconds"]))
    return {kind: fmean(of_steps) for kind, of_steps in seconds.items()}


def _read_costs(path: Path) -> dict[str, StepCost]:
    """What was measured before.

    Raises:
        ResumeError: If the file cannot be read: what variants cost alike is decided by it.
    """
    try:
        rows = read_json(path.read_bytes(), str(path))
        return TypeAdapter(dict[str, StepCost]).validate_python(rows)
    except (OSError, JsonInputError, ValidationError) as error:
        raise ResumeError(f"{path}: damaged ({reason_of(error)}); put it back, or name another folder") from error


def _take(engine: Engine, source: Source, number: int) -> None:
    seed_everything(number)
    micro_batches = source.micro_batches(number, 0, 1)
    if not micro_batches:
        raise RecipeError("a step without clips; expected at least one")
    for place, micro in enumerate(micro_batches, start=1):
        losses = engine.losses(micro.batch.to(engine.device))
        engine.backward(losses.total * micro.weight, last=place == len(micro_batches))
    engine.step(1e-3)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
