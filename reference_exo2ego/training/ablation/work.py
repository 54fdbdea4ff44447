"""Doing the work of an ablation: stages are trained and variants asked, and any stop is gone on from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from egobench.observer import Observer
from egobench.request import evaluate_request
from egobench.run.spec import Settings
from reference_exo2ego.model.export import export
from reference_exo2ego.training.reading import open_store
from reference_exo2ego.training.run import Training, own_folder
from reference_exo2ego.training.sources import frame_requests
from reference_exo2ego.training.tracking import LOG, JsonLines, Tracker

from .adopting import adopt, fits
from .locking import Stopped, locked
from .work_plan import StageJob, VariantRun, WorkPlan
from .workspace import Workspace


def do_work(workspace: Workspace, plan: WorkPlan, command: Sequence[str] = ()) -> bool:
    """Train and ask what is not done yet.

    Several processes may share a folder: each waits for what another one is at.

    Args:
        workspace: The folder, and how stages and runs are done.
        plan: The trainings and runs.
        command: The command line, to be recorded.

    Returns:
        Whether all is done; else it was asked to stop, and the same call goes on with it.

    Raises:
        EgoBenchError: If a training or a run cannot be done.
    """
    for number, variant_run in enumerate(plan.runs, start=1):
        if workspace.run_of(variant_run) is not None:
            continue
        name = f"{variant_run.variant.name}, seed {variant_run.seed}"
        workspace.observer.note(f"{number} of {len(plan.runs)}: {name}")
        try:
            if not all(_train(workspace, job) for job in plan.chain(variant_run)) or workspace.asked_to_stop():
                return False
            with locked(workspace.lock_of(variant_run), workspace.observer, workspace.asked_to_stop):
                if workspace.run_of(variant_run) is None:
                    _ask(workspace, plan.stages[variant_run.stage], variant_run, command)
        except Stopped:
            return False
    return True


def _train(workspace: Workspace, job: StageJob) -> bool:
    """Train a stage unless it is done; return whether it is done then."""
    if workspace.model_of(job).is_dir():
        return True
    folder = workspace.stage_folder(job)
    with locked(folder.with_name(f"{folder.name}.lock"), workspace.observer, workspace.asked_to_stop):
        if workspace.model_of(job).is_dir():
            return True
        before = None if job.before is None else _beginning(workspace, job)
        if workspace.store is not None:
            requests = frame_requests(job.step.recipe, workspace.data, job.step.stage)
            open_store(workspace.store).fill(requests, observer=workspace.observer)
        log = JsonLines(folder / LOG)
        tracker = Tracker([log])
        training = Training(
            recipe=job.step.recipe,
            folder=folder,
            data=workspace.data,
            store=workspace.store,
            before=before,
            settings=replace(workspace.loop, keep=1),
            tracker=tracker,
            observer=workspace.observer,
            asked_to_stop=workspace.asked_to_stop,
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


def _beginning(workspace: Workspace, job: StageJob) -> Path:
    """Return what a stage begins from: the model of the stage before it, under the stage's own configuration."""
    earlier = next(workspace.folder.glob(f"stages/{job.before}/*/model"))
    if fits(earlier, job.step.recipe.model):
        return earlier
    adopted = workspace.stage_folder(job) / "before"
    if not adopted.is_dir():
        adopt(earlier, job.step.recipe.model, job.step.recipe.seed, adopted)
    return adopted


def _ask(workspace: Workspace, job: StageJob, variant_run: VariantRun, command: Sequence[str]) -> None:
    """Ask a variant the test questions, and write down which run has its answers."""
    variant = variant_run.variant
    name = f"{workspace.recipe.name}-{variant.name}-seed{variant_run.seed}".replace("@", "-")
    exported = workspace.folder / "models" / job.id / name
    if not exported.is_dir():
        export(workspace.model_of(job), exported)
    settings = Settings(
        method=workspace.method, prompt=variant.prompt, limit=workspace.limit, frame_store=workspace.store
    )
    request = workspace.run_request(exported, settings, f"{variant.name}, seed {variant_run.seed}")
    observer = _StoppingObserver(workspace.observer, workspace.asked_to_stop)
    began = perf_counter()
    result = evaluate_request(request, observer, command=command)
    workspace.mark_done(variant_run, result.path, None if observer.resumed else perf_counter() - began)


@dataclass(slots=True)
class _StoppingObserver:
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
