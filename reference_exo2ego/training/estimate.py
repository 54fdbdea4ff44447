"""Estimates of what a training takes: parameters, memory, operations, hours. All of it is computed, not measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil
from time import perf_counter
from typing import Any, NamedTuple

import torch

from reference_exo2ego.model.freezing import part_counts
from reference_exo2ego.model.stages import Stage

from .batches import TrainingStage
from .recipe import Recipe, SampleFiles, StageRecipe
from .sampler import micro_size
from .speed import StageCost, gpu_peak, stage_cost

UTILISATION = 0.4
"""Share of a device's peak that hours are computed for."""

MASTER = 12
"""Bytes of a trained weight in the optimizer: a copy and two moments, in float32."""


class Memory(NamedTuple):
    """Bytes that a process needs on its device, at least.

    Attributes:
        weights: Weights of the model.
        gradients: Gradients of what trains.
        optimizer: Weights in float32, and moments.
        activations: Activations of a micro-batch; with checkpointing those of one block at a time.
        gathered: With ZeRO-3, the largest weights that are gathered at a time.
    """

    weights: float
    gradients: float
    optimizer: float
    activations: float
    gathered: float

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self)


@dataclass(frozen=True, slots=True)
class StageEstimate:
    """Estimate of a stage.

    Attributes:
        stage: The stage.
        trained: Number of parameters that train, by part.
        parameters: Number of all parameters.
        batch: Clips of a step.
        micro: Clips that a process computes at once.
        accumulated: Micro-batches of a step on each process.
        steps: Number of steps; ``None`` where there are no data to count.
        tera: Floating-point operations of a clip, forward and backward, in 10^12; ``None`` for the stage ``language``.
        memory: Bytes of a process by stage of ZeRO.
        hours: Hours at :data:`UTILISATION` of the devices' peak; ``None`` where steps or peak are not known.
    """

    stage: TrainingStage
    trained: dict[str, int]
    parameters: int
    batch: int
    micro: int
    accumulated: int
    steps: int | None
    tera: float | None
    memory: dict[int, Memory]
    hours: float | None

    def to_json(self) -> dict[str, Any]:
        """The estimate as a JSON object."""
        memory = {
            f"zero{stage}": dict(parts._asdict()) | {"total": parts.total} for stage, parts in self.memory.items()
        }
        return asdict(self) | {"memory": memory}


def estimate(
    recipe: Recipe, stage: StageRecipe, *, processes: int, steps: int | None, peak: float | None
) -> StageEstimate:
    """Estimate what a stage takes.

    Args:
        recipe: The recipe.
        stage: Its stage.
        processes: Number of processes.
        steps: Number of steps; ``None`` where that is not known.
        peak: Most floating-point operations a second of a process's device; ``None`` where that is not known.
    """
    micro = micro_size(stage.batch, processes, stage.micro)
    counts = part_counts(recipe.model)
    paper: Stage = "init" if stage.name == "language" else stage.name
    trained = {row.part: row.trained[paper] for row in counts if row.trained[paper]}
    present = [row for row in counts if row.part != "low_rank" or row.trained[paper]]
    if stage.name == "language":
        trained = {row.part: row.parameters for row in counts if row.part == "language"}
    work = None if stage.name == "language" else _step_work(recipe, stage, stage.name, processes)
    hours = None
    if work is not None and steps is not None and peak is not None:
        hours = steps * work.operations / (peak * UTILISATION * processes) / 3600
    parameters = sum(row.parameters for row in present)
    return StageEstimate(
        stage=stage.name,
        trained={str(part): count for part, count in trained.items()},
        parameters=parameters,
        batch=stage.batch,
        micro=micro,
        accumulated=stage.batch // processes // micro,
        steps=steps,
        tera=None if work is None else work.tera,
        memory={
            zero: _memory(
                recipe,
                zero,
                sizes=(parameters, sum(trained.values())),
                activations=0.0 if work is None else work.activations,
                processes=processes,
            )
            for zero in range(4)
        },
        hours=hours,
    )


class _StepWork(NamedTuple):
    """The work of a step.

    Attributes:
        operations: Floating-point operations of a mean step, those that are computed again included.
        tera: Those of a mean clip, forward and backward, in 10^12.
        activations: Bytes of activations that a process keeps at once.
    """

    operations: float
    tera: float
    activations: float


class _ClipKind(NamedTuple):
    """Clips that cost the same.

    Attributes:
        frames: Frames of a clip.
        still: Whether encoder and F have no gradient.
        per_step: How many of them a step has, on average.
        at_once: How many a process computes at once.
    """

    frames: int
    still: bool
    per_step: float
    at_once: int


def _step_work(recipe: Recipe, stage: StageRecipe, name: Stage, processes: int) -> _StepWork:
    kinds = _clip_kinds(recipe, stage, processes)
    costs = [stage_cost(recipe, name, frames=kind.frames, still=kind.still) for kind in kinds]
    clips = sum(kind.per_step for kind in kinds)
    plain = sum(kind.per_step * (cost.forward + cost.backward) for kind, cost in zip(kinds, costs, strict=True))
    again = sum(kind.per_step * cost.forward for kind, cost in zip(kinds, costs, strict=True))
    return _StepWork(
        operations=plain + again * recipe.checkpointing,
        tera=plain / clips / 1e12,
        activations=max(kind.at_once * _activations(recipe, cost) for kind, cost in zip(kinds, costs, strict=True)),
    )


def _clip_kinds(recipe: Recipe, stage: StageRecipe, processes: int) -> list[_ClipKind]:
    if isinstance(stage.source, SampleFiles):
        micro = micro_size(stage.batch, processes, stage.micro)
        return [_ClipKind(recipe.model.frames, still=False, per_step=stage.batch, at_once=micro)]
    turns = stage.source.turns
    return [
        _ClipKind(
            kind.frames,
            still=kind.still,
            per_step=kind.batch * sum(turn.count(kind.name) for turn in turns) / len(turns),
            at_once=ceil(kind.batch / processes),
        )
        for kind in stage.source.rows
    ]


def _activations(recipe: Recipe, cost: StageCost) -> float:
    """Return the bytes of a clip; with checkpointing those of one block of the language model at a time."""
    if not recipe.checkpointing:
        return cost.saved
    return cost.saved_again + (cost.saved - cost.saved_again) / recipe.model.language.num_hidden_layers


def device_peak() -> float | None:
    """Return the most floating-point operations a second of this process's device.

    Returns:
        That of the data sheet for a GPU, ``None`` for one that is not known; measured for a processor.
    """
    if torch.cuda.is_available():
        return gpu_peak(torch.cuda.get_device_name())
    matrix = torch.randn(512, 512)
    rounds, began = 8, perf_counter()
    for _ in range(rounds):
        torch.matmul(matrix, matrix)
    return rounds * 2 * 512**3 / (perf_counter() - began)


def _memory(recipe: Recipe, zero: int, *, sizes: tuple[int, int], activations: float, processes: int) -> Memory:
    parameters, trained = sizes
    largest = recipe.model.language.vocab_size * recipe.model.language.hidden_size
    number = 2 if recipe.dtype == "bfloat16" else 4
    whole_weights, whole_gradients, whole_states = zero < 3, zero < 2, zero < 1
    # In float32 the model's weights are the optimizer's own.
    states = MASTER if number == 2 else MASTER - 4
    return Memory(
        weights=parameters * number / (1 if whole_weights else processes),
        gradients=trained * number / (1 if whole_gradients else processes),
        optimizer=trained * states / (1 if whole_states else processes),
        activations=activations,
        gathered=0.0 if whole_weights else 2.0 * largest * number,
    )
