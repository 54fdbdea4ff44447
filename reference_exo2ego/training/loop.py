"""The loop of a stage: it turns batches into steps, records and validates, and resumes where it stopped."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from egobench.errors import DivergenceError, TrainingDataError
from egobench.observer import Observer
from reference_exo2ego.model.exo2ego import Losses

from .batches import MicroBatch, Source
from .checkpoint import Position, read_position, write_checkpoint
from .engine import Engine
from .loading import LoadedStep, load_steps
from .processes import Processes
from .recipe import Recipe, StageRecipe
from .sampler import seed_of
from .schedule import rate_share
from .tracking import Kind, Tracker

FEW = 200
"""Clips that a share of unreadable ones is counted of at least: the first of all clips may be one."""

LOSS_PARTS: tuple[str, ...] = ("loss", "vtg", "kl", "ccl_ego", "ccl_exo")
"""The loss and its parts, by the names of the log."""


def never() -> bool:
    """Tell that nobody asks to stop: the default of ``asked_to_stop``."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How a loop runs; none of this changes what is learnt.

    Attributes:
        workers: Threads that load batches ahead.
        save_every: Steps between checkpoints; 0 for none but the last and those before scores.
        keep: Number of checkpoints that stay.
        log_every: Steps between records.
        validate_every: Steps between validations; 0 for the first and the last alone.
        unreadable: Largest share of clips that may be unreadable, in [0, 1].
        stop_after: Steps of this call after which it stops as if asked to; ``None`` for never.
    """

    workers: int = 2
    save_every: int = 500
    keep: int = 2
    log_every: int = 10
    validate_every: int = 0
    unreadable: float = 0.02
    stop_after: int | None = None


class Inspector(Protocol):
    """Looks at the model of a stage between its steps; every process calls it."""

    def __call__(self, step: int) -> None:
        """Do what is due after so many steps."""
        ...

    def make_up(self, step: int) -> None:
        """Do what was due after the steps of a checkpoint, and was not done before training ended there."""
        ...

    def is_long(self, step: int) -> bool:
        """Tell whether what is due after so many steps takes so long that a checkpoint is written before it."""
        ...


class NoInspection:
    """Looks at nothing."""

    def __call__(self, step: int) -> None:
        """Do nothing."""

    def make_up(self, step: int) -> None:
        """Do nothing."""

    def is_long(self, step: int) -> bool:  # noqa: ARG002
        """Tell that nothing takes long."""
        return False


class Diverged(NamedTuple):
    """A micro-batch whose loss is no number.

    Attributes:
        micro: The micro-batch.
        values: Its losses by name.
    """

    micro: MicroBatch
    values: dict[str, float]


class Speed(NamedTuple):
    """What a clip costs and what a device can do, for the share of its peak that training reaches.

    Attributes:
        flops: Floating-point operations of a clip, forward and backward, computed.
        peak: Most floating-point operations a second of a device.
    """

    flops: float
    peak: float

    def share(self, clips_per_second: float, devices: int) -> float:
        """Return the share of the devices' peak (MFU), in [0, 1]."""
        return self.flops * clips_per_second / (self.peak * devices)


class StepCounts(NamedTuple):
    """What the losses of a step are means over, counted over all processes.

    Attributes:
        words: Number of predicted words, by group.
        clips: Number of clips, by group.
        stop: Whether a process was asked to stop.
    """

    words: dict[str, float]
    clips: dict[str, float]
    stop: bool


class StepResult(NamedTuple):
    """The outcome of a step, over all processes.

    Attributes:
        losses: Losses by the names of :data:`LOSS_PARTS`.
        norm: Norm of the gradient, before it was clipped.
        clips: Number of clips.
        tokens: Number of tokens that the language model read.
        unreadable: Number of clips that could not be read.
        stop: Whether a process was asked to stop.
    """

    losses: dict[str, float]
    norm: float
    clips: int
    tokens: int
    unreadable: int
    stop: bool


@dataclass(slots=True, kw_only=True)
class StageLoop:
    """Trains a stage.

    Attributes:
        recipe: The recipe.
        stage: Its stage.
        steps: Number of its steps.
        engine: Takes the steps.
        source: Data of the stage.
        processes: The processes.
        tracker: Receives records.
        observer: Receives the progress, and warnings of clips that cannot be read.
        folder: Folder of the stage; ``None`` to write nothing.
        settings: How the loop runs.
        asked_to_stop: Tells whether this process was asked to stop.
        inspect: Validates and scores, before the first step and after each when it is time to. A checkpoint that is
            due is written before.
        speed: For the share of the device's peak in the log; ``None`` to leave it out.
    """

    recipe: Recipe
    stage: StageRecipe
    steps: int
    engine: Engine
    source: Source
    processes: Processes
    tracker: Tracker
    observer: Observer
    folder: Path | None
    settings: LoopSettings
    asked_to_stop: Callable[[], bool] = never
    inspect: Inspector
    speed: Speed | None = None

    def run(self, checkpoint: Path | None) -> bool:
        """Train, from a checkpoint or from the start.

        Args:
            checkpoint: The checkpoint; ``None`` for the start.

        Returns:
            Whether the stage is done; else it was asked to stop, and its checkpoint is written. What was due then is
            made up for when training goes on.

        Raises:
            DivergenceError: If a loss or a gradient is no number; the batch is saved.
            TrainingDataError: If too many clips cannot be read.
            CheckpointError: If a checkpoint cannot be written.
            TrainingError: If another process has such an error.
        """
        position = self._resume(checkpoint)
        if position.step == 0:
            self.inspect(0)
        else:
            self.inspect.make_up(position.step)
        first = position.step
        self.observer.begin(self.stage.name, self.steps, first)
        ended = perf_counter()
        for loaded in self._load(first):
            result = self._step(loaded)
            began, ended = ended, perf_counter()
            position = replace(
                position,
                step=loaded.step + 1,
                clips=position.clips + result.clips,
                unreadable=position.unreadable + result.unreadable,
            )
            self._record(position, loaded, result, ended - began)
            self.observer.advance(1)
            stop = result.stop or position.step - first == self.settings.stop_after
            if stop or self._is_saved_after(position.step):
                self._save(position)
            if stop:
                return False
            self.inspect(position.step)
            ended = perf_counter()
        return True

    def _load(self, first: int) -> Iterator[LoadedStep]:
        """Load the steps that are left; all processes stop where one of them cannot load its part."""
        steps = range(first, self.steps)
        loading = load_steps(self.source, steps, self.processes, workers=self.settings.workers)
        for step in steps:
            with self.processes.together(f"{self.stage.name}, step {step}: loading its clips"):
                loaded = next(loading)
            yield loaded

    def _is_saved_after(self, step: int) -> bool:
        every = self.settings.save_every
        return step == self.steps or bool(every and step % every == 0) or self.inspect.is_long(step)

    def _log(self, kind: Kind, step: int, **values: Any) -> None:
        """Record values; all processes stop where the first one cannot write them."""
        with self.processes.together(f"{self.stage.name}, step {step}: writing the log"):
            self.tracker.record(kind, self.stage.name, step, **values)

    def _resume(self, checkpoint: Path | None) -> Position:
        if checkpoint is None:
            return Position(0, self.steps, self.engine.name, self.processes.count)
        position = read_position(checkpoint)
        self.engine.load(checkpoint)
        self._log("note", position.step, note=f"resumed from {checkpoint.name}")
        return replace(position, engine=self.engine.name, processes=self.processes.count)

    def _save(self, position: Position) -> None:
        if self.folder is None:
            return
        began = perf_counter()
        checkpoint = write_checkpoint(
            self.folder / "checkpoints", position, self.engine.save, self.processes, keep=self.settings.keep
        )
        seconds = perf_counter() - began
        self._log("checkpoint", position.step, path=checkpoint.name, seconds=seconds)

    def _step(self, loaded: LoadedStep) -> StepResult:
        seed_everything(seed_of(self.recipe.seed, self.stage.name, loaded.step, self.processes.rank))
        micro_batches = loaded.micro_batches
        counts = self._count(micro_batches)
        sums, diverged = dict.fromkeys(LOSS_PARTS, 0.0), list[Diverged]()
        word_weights: dict[str, float] = {
            name: getattr(self.recipe.model.weights, name) for name in self.recipe.model.word_losses
        }
        for number, micro in enumerate(micro_batches, start=1):
            losses = self.engine.losses(micro.batch.to(self.engine.device))
            words = micro.batch.predicted / counts.words[micro.group]
            clips = micro.batch.clips / counts.clips[micro.group]
            # Means over words and over clips; with a single micro-batch on a single process this is the total.
            loss = losses.total * clips
            for name, weight in word_weights.items():
                loss = loss + (weight * (words - clips)) * getattr(losses, name)
            if not bool(torch.isfinite(losses.total)):
                diverged.append(Diverged(micro, {name: getattr(losses, name).item() for name in LOSS_PARTS[1:]}))
            _add(sums, losses, words * micro.weight, clips * micro.weight, word_weights)
            self.engine.backward(loss * (micro.weight * self.processes.count), last=number == len(micro_batches))
        with self.processes.together(f"{self.stage.name}, step {loaded.step}: a loss that is a number"):
            self._refuse_divergence(loaded.step, diverged)
        norm = self.engine.step(rate_share(loaded.step, self.steps, self.stage))
        if not math.isfinite(norm):
            self._save_batch(micro_batches)
            raise DivergenceError(
                f"{self.stage.name}, step {loaded.step}: the gradient's norm is {norm}; {self._advice()}"
            )
        own_counts = [
            float(sum(micro.batch.clips for micro in micro_batches)),
            float(sum(micro.batch.tokens(self.recipe.model) for micro in micro_batches)),
        ]
        unreadable = [message for micro in micro_batches for message in micro.unreadable]
        for message in unreadable:
            self.observer.warn(f"left out, another clip stands in its place: {message}")
        *parts, clips, tokens, missing = self.processes.sums([*sums.values(), *own_counts, float(len(unreadable))])
        losses_by_name = dict(zip(LOSS_PARTS, parts, strict=True))
        return StepResult(losses_by_name, norm, int(clips), int(tokens), int(missing), counts.stop)

    def _count(self, micro_batches: Sequence[MicroBatch]) -> StepCounts:
        groups = list(dict.fromkeys(micro.group for micro in micro_batches))
        counts = [
            float(sum(getattr(micro.batch, name) for micro in micro_batches if micro.group == group))
            for name in ("predicted", "clips")
            for group in groups
        ]
        *totals, stop = self.processes.sums([*counts, float(self.asked_to_stop())])
        words, clips = totals[: len(groups)], totals[len(groups) :]
        return StepCounts(dict(zip(groups, words, strict=True)), dict(zip(groups, clips, strict=True)), stop > 0)

    def _record(self, position: Position, loaded: LoadedStep, result: StepResult, seconds: float) -> None:
        if position.unreadable > self.settings.unreadable * max(FEW, position.clips):
            raise TrainingDataError(
                f"{self.stage.name}: {position.unreadable} of {position.clips} clips cannot be read, more than "
                f"{100 * self.settings.unreadable:g} %; mend the videos, or allow more with "
                f"{self.stage.name}.unreadable"
            )
        if position.step % self.settings.log_every and position.step not in {1, self.steps}:
            return
        self._log(
            "step",
            position.step,
            steps=self.steps,
            **result.losses,
            grad_norm=result.norm,
            rate=self.stage.rate * rate_share(loaded.step, self.steps, self.stage),
            seconds=seconds,
            samples_per_second=result.clips / seconds,
            tokens_per_second=result.tokens / seconds,
            data_wait=loaded.waited / seconds,
            unreadable=position.unreadable,
            clips=position.clips,
            **({} if self.speed is None else {"mfu": self.speed.share(result.clips / seconds, self.processes.count)}),
        )

    def _refuse_divergence(self, step: int, diverged: Sequence[Diverged]) -> None:
        """Raise where a loss of this process is no number, once the step's last gradient is exchanged."""
        for micro, values in diverged:
            self._save_batch([micro])
            raise DivergenceError(f"{self.stage.name}, step {step}: the loss is no number {values}; {self._advice()}")

    def _save_batch(self, micro_batches: Sequence[MicroBatch]) -> None:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            torch.save(list(micro_batches), self.folder / f"diverged-{self.processes.rank}.pt")

    def _advice(self) -> str:
        where = "" if self.folder is None else f"its batch is in {self.folder}/diverged-*.pt; "
        return f"{where}look at it, lower {self.stage.name}.rate, or raise {self.stage.name}.warmup"


def seed_everything(seed: int) -> None:
    """Seed all generators of random numbers that a step may use: Python's, numpy's and torch's."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _add(sums: dict[str, float], losses: Losses, words: float, clips: float, word_weights: Mapping[str, float]) -> None:
    values = {name: float(getattr(losses, name).detach()) for name in LOSS_PARTS[1:]}
    total = float(losses.total.detach()) * clips
    for name, weight in word_weights.items():
        total += weight * values[name] * (words - clips)
    sums["loss"] += total
    for name, value in values.items():
        sums[name] += value * (words if name in word_weights else clips)
