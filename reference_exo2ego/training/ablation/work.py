"""All that an ablation trains and asks, each part once: planned first, done then, gone on with after any stop.

::

    ablation.json           what this folder is an ablation of
    costs.json              what steps cost
    data/                   samples as fixed cameras see them
    stages/<fingerprint>/   a training of one stage, see :mod:`reference_exo2ego.training.run`
    models/<fingerprint>/<name>/    what is asked
    asked/<variant>.<seed>.json     which run has a variant's answers
    runs/                   ordinary runs: egobench compare and the leaderboard read them
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from egobench.errors import JsonInputError
from egobench.json_input import JsonValue, read_json
from egobench.model import Method
from egobench.observer import Observer, SilentObserver
from egobench.request import RunRequest, evaluate_request
from egobench.run.checksums import CHECKSUMS
from egobench.run.spec import Settings
from egobench.video import FrameStore
from egobench.whole_file import replace_file
from reference_exo2ego.model.export import export
from reference_exo2ego.training.loop import LoopSettings, never
from reference_exo2ego.training.question_source import frame_requests
from reference_exo2ego.training.recipe import Recipe, override
from reference_exo2ego.training.run import Training, own_folder
from reference_exo2ego.training.tracking import LOG, JsonLines, Tracker

from .adopting import adopt, fits
from .chains import Counts, Step, chain_of
from .costs import Costs
from .folder import Stopped, alone, check_about
from .identity import Digests, fingerprint
from .outside import OutsideFiles
from .variants import Ablation, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where an ablation is done, and how models are asked.

    Attributes:
        folder: Its folder.
        recipe: The recipe that is varied.
        data: Folder that paths of the recipe are below.
        store: A frame store: what it lacks is decoded into it before a stage, and clips of questions are kept in it;
            ``None`` to decode.
        sets: Folder of sample sets.
        videos: Folder of their videos.
        method: How an answer becomes a number.
        limit: Most questions of each subset; ``None`` for all.
        loop: How stages run.
        observer: Receives progress.
        asked_to_stop: Says whether the work was asked to stop.
    """

    folder: Path
    recipe: Recipe
    data: Path
    store: Path | None = None
    sets: Path
    videos: Path
    method: Method = "likelihood-sum"
    limit: int | None = None
    loop: LoopSettings = field(default_factory=LoopSettings)
    observer: Observer = field(default_factory=SilentObserver)
    asked_to_stop: Callable[[], bool] = never

    def stage_folder(self, job: StageJob) -> Path:
        """Where a stage is trained."""
        return self.folder / "stages" / job.id

    def model_of(self, job: StageJob) -> Path:
        """What a stage hands over; there once it is done."""
        return self.stage_folder(job) / job.step.stage / "model"

    def run_of(self, asking: Asking) -> Path | None:
        """The finished run that has the answers of a variant; ``None`` where there is none yet."""
        values = self._note_of(asking)
        path = self.folder / str(values.get("run"))
        whole = (path / "scores.json").is_file() and (path / CHECKSUMS).is_file()
        return path if whole and values.get("asking") == self._known_by(asking) else None

    def seconds_of(self, asking: Asking) -> float | None:
        """How long a variant was asked; ``None`` where that is not known."""
        seconds = self._note_of(asking).get("seconds")
        return seconds if isinstance(seconds, int | float) else None

    def done(self, asking: Asking, run: Path, seconds: float | None) -> None:
        """Note which run has the answers of a variant.

        Args:
            asking: The variant.
            run: The run's folder.
            seconds: How long it took; ``None`` where a part of it was done before.
        """
        values = {"asking": self._known_by(asking), "run": str(run.relative_to(self.folder)), "seconds": seconds}
        self._pointer(asking).parent.mkdir(parents=True, exist_ok=True)
        replace_file(self._pointer(asking), json.dumps(values, indent=1) + "\n")

    def _note_of(self, asking: Asking) -> Mapping[str, JsonValue]:
        """What is noted about a variant; nothing where that is not there or damaged: it is found out again."""
        path = self._pointer(asking)
        try:
            values = read_json(path.read_bytes(), str(path))
        except (OSError, JsonInputError):
            return {}
        return values if isinstance(values, dict) else {}

    def _pointer(self, asking: Asking) -> Path:
        return self.folder / "asked" / f"{asking.variant.name}.{asking.seed}.json"

    def _known_by(self, asking: Asking) -> dict[str, Any]:
        return {"stage": asking.stage, "prompt": asking.variant.prompt, "method": self.method, "limit": self.limit}


class StageJob(NamedTuple):
    """A training of one stage.

    Attributes:
        id: Its fingerprint.
        step: The training.
        before: Fingerprint of the one that it begins from; ``None`` for the recipe's start.
    """

    id: str
    step: Step
    before: str | None


class Asking(NamedTuple):
    """A variant that is asked.

    Attributes:
        variant: The variant.
        seed: Of its trainings.
        stage: Fingerprint of the training that it answers with.
    """

    variant: Variant
    seed: int
    stage: str


@dataclass(frozen=True, slots=True)
class WorkPlan:
    """All that is trained and asked.

    Attributes:
        stages: Trainings by fingerprint, each behind the one that it begins from.
        askings: What is asked, seed by seed.
    """

    stages: Mapping[str, StageJob]
    askings: Sequence[Asking]

    def chain(self, asking: Asking) -> list[StageJob]:
        """The trainings of a variant, in order."""
        chain: list[StageJob] = []
        place: str | None = asking.stage
        while place is not None:
            chain.append(self.stages[place])
            place = self.stages[place].before
        return chain[::-1]


def plan_work(bench: Bench, ablation: Ablation, seeds: Sequence[int], costs: Costs, outside: OutsideFiles) -> WorkPlan:
    """Everything that is to be done, checked before any of it is.

    Args:
        bench: Where it is done.
        ablation: The variants.
        seeds: Of the trainings.
        costs: What steps cost, for variants of the same cost.
        outside: Files of exocentric samples.

    Raises:
        RecipeError: If a variant contradicts itself or lacks data.
        TrainingDataError: If a file of data cannot be read.
        AnnotationError: If a row of it cannot be.
    """
    digests, counts = Digests(bench.data), Counts(costs.steps, costs.operations)
    stages: dict[str, StageJob] = {}
    askings: list[Asking] = []
    for seed in seeds:
        base = override(bench.recipe, [f"seed={seed}"])
        for variant in ablation.variants.values():
            before: str | None = None
            for step in chain_of(variant, base, outside, counts):
                id_ = fingerprint(step, before, digests)
                stages.setdefault(id_, StageJob(id_, step, before))
                before = id_
            if before is not None:
                askings.append(Asking(variant, seed, before))
    return WorkPlan(stages, askings)


def do_work(bench: Bench, plan: WorkPlan, command: Sequence[str] = ()) -> bool:
    """Train and ask what is not done yet.

    Several processes may share a folder: each waits for what another one is at.

    Args:
        bench: Where it is done.
        plan: What.
        command: The command line, to be recorded.

    Returns:
        Whether all is done; else it was asked to stop, and the same call goes on with it.

    Raises:
        EgoBenchError: If a training or a run cannot be done.
    """
    for number, asking in enumerate(plan.askings, start=1):
        if bench.run_of(asking) is not None:
            continue
        name = f"{asking.variant.name}, seed {asking.seed}"
        bench.observer.note(f"{number} of {len(plan.askings)}: {name}")
        try:
            if not all(_train(bench, job) for job in plan.chain(asking)) or bench.asked_to_stop():
                return False
            lock = bench.folder / "asked" / f"{asking.variant.name}.{asking.seed}.lock"
            with alone(lock, bench.observer, bench.asked_to_stop):
                if bench.run_of(asking) is None:
                    _ask(bench, plan.stages[asking.stage], asking, command)
        except Stopped:
            return False
    return True


def check_folder(bench: Bench, *, begin: bool = True) -> None:
    """Make sure that a folder is of this very ablation.

    Args:
        bench: Has the folder.
        begin: Whether to begin it where there is none.

    Raises:
        ResumeError: If it holds another one.
    """
    about: dict[str, JsonValue] = {
        "recipe": override(bench.recipe, ["seed=0"]).fingerprint,
        "data": str(bench.data.resolve()),
        "sets": str(bench.sets.resolve()),
        "method": bench.method,
        "limit": bench.limit,
    }
    check_about(bench.folder, about, begin=begin)


def _train(bench: Bench, job: StageJob) -> bool:
    """Train a stage, unless it is done."""
    if bench.model_of(job).is_dir():
        return True
    folder = bench.stage_folder(job)
    with alone(folder.with_name(f"{folder.name}.lock"), bench.observer, bench.asked_to_stop):
        if bench.model_of(job).is_dir():
            return True
        before = None if job.before is None else _beginning(bench, job)
        if bench.store is not None:
            requests = frame_requests(job.step.recipe, bench.data, job.step.stage)
            FrameStore(bench.store).fill(requests, observer=bench.observer)
        log = JsonLines(folder / LOG)
        tracker = Tracker([log])
        training = Training(
            recipe=job.step.recipe,
            folder=folder,
            data=bench.data,
            store=bench.store,
            before=before,
            settings=replace(bench.loop, keep=1),
            tracker=tracker,
            observer=bench.observer,
            asked_to_stop=bench.asked_to_stop,
        )
        try:
            with own_folder(training):
                done = training.run([job.step.stage])
        finally:
            tracker.close()
        if done:
            # Nobody goes on from the middle of a stage that is done.
            shutil.rmtree(folder / job.step.stage / "checkpoints", ignore_errors=True)
            shutil.rmtree(folder / "before", ignore_errors=True)
        return done


def _beginning(bench: Bench, job: StageJob) -> Path:
    """What a stage begins from: what the one before it handed over, or that under the stage's configuration."""
    earlier = next(bench.folder.glob(f"stages/{job.before}/*/model"))
    if fits(earlier, job.step.recipe.model):
        return earlier
    adopted = bench.stage_folder(job) / "before"
    if not adopted.is_dir():
        adopt(earlier, job.step.recipe.model, job.step.recipe.seed, adopted)
    return adopted


def asking_request(bench: Bench, checkpoint: Path, settings: Settings, name: str) -> RunRequest:
    """How a checkpoint is asked.

    Args:
        bench: Where the ablation is done.
        checkpoint: A folder that answers.
        settings: How the run is done.
        name: What it is called.
    """
    return RunRequest(
        model="exo2ego",
        options={"checkpoint": str(checkpoint)},
        data=bench.sets,
        videos=bench.videos,
        out=bench.folder / "runs",
        settings=settings,
        name=name,
    )


def _ask(bench: Bench, job: StageJob, asking: Asking, command: Sequence[str]) -> None:
    name = f"{bench.recipe.name}-{asking.variant.name}-seed{asking.seed}".replace("@", "-")
    exported = bench.folder / "models" / job.id / name
    if not exported.is_dir():
        export(bench.model_of(job), exported)
    settings = Settings(method=bench.method, prompt=asking.variant.prompt, limit=bench.limit, frame_store=bench.store)
    request = asking_request(bench, exported, settings, f"{asking.variant.name}, seed {asking.seed}")
    watch = _Watch(bench.observer, bench.asked_to_stop)
    began = perf_counter()
    result = evaluate_request(request, watch, command=command)
    bench.done(asking, result.path, None if watch.resumed else perf_counter() - began)


@dataclass(slots=True)
class _Watch:
    """Passes progress on, and stops a run when the work was asked to stop."""

    observer: Observer
    asked_to_stop: Callable[[], bool]
    resumed: bool = False

    def begin(self, stage: str, total: int, done: int) -> None:
        """Begin a part."""
        self.resumed = self.resumed or done > 0
        self.observer.begin(stage, total, done)

    def advance(self, steps: int) -> None:
        """Count questions."""
        self.observer.advance(steps)
        if self.asked_to_stop():
            raise Stopped

    def note(self, message: str) -> None:
        """Pass a note on."""
        self.observer.note(message)

    def warn(self, message: str) -> None:
        """Pass a warning on."""
        self.observer.warn(message)
