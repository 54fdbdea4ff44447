"""A whole probe: its network is trained on the facts of the training world, and answers the test questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from egobench.dataset.sampleset import SampleSet
from egobench.evaluate import Result, evaluate
from egobench.observer import Observer
from egobench.run.spec import Settings
from reference_exo2ego.training.recipe import Recipe

from .answering import ProbeModel
from .facts import read_facts
from .fitting import fit


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """A probe to be made.

    Attributes:
        recipe: The recipe whose data and frames are probed.
        data: Folder that its paths are below.
        store: Frame store of the training clips; ``None`` to decode them.
        sets: Sample sets that are asked.
        videos: Folder of their videos.
        asked_store: Frame store of the clips of the sample sets; ``None`` to decode them.
        out: Folder of runs.
        steps: Steps of training.
        limit: Samples of each subset; ``None`` for all.
        recorded: What the run records beside its spec.
    """

    recipe: Recipe
    data: Path
    store: Path | None
    sets: Sequence[SampleSet]
    videos: Path
    asked_store: Path | None
    out: Path
    steps: int
    limit: int | None
    recorded: Mapping[str, Any]


class ProbeResult(NamedTuple):
    """The result of a probe.

    Attributes:
        run: The run, with its scores.
        unread: Questions of a form that no rule reads; their options all score the same.
    """

    run: Result
    unread: Sequence[str]


def probe_recipe(request: ProbeRequest, observer: Observer) -> ProbeResult:
    """Train a probe and ask it the test questions.

    Raises:
        TrainingDataError: If the recipe has no rows of questions about MiniEgo.
        EgoBenchError: If data, sample sets, videos or the run folder cannot be used.
    """
    recipe = request.recipe
    observer.note("reading the facts of the training world")
    facts = read_facts(recipe, request.data)
    network = fit(recipe, facts, store=request.store, steps=request.steps, observer=observer)
    model = ProbeModel(network, recipe.model, {"recipe": recipe.name, "steps": request.steps, "seed": recipe.seed})
    settings = Settings(method="likelihood-sum", limit=request.limit, frame_store=request.asked_store)
    run = evaluate(
        model, request.sets, request.videos, request.out, settings, observer=observer, recorded=request.recorded
    )
    return ProbeResult(run, sorted(model.unread))
