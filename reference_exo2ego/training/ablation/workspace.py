"""The folder of an ablation, and how its variants are trained and asked.

::

    ablation.json           what this folder is an ablation of
    costs.json              what steps cost
    data/                   samples as fixed cameras see them
    stages/<fingerprint>/   a training of one stage, see :mod:`reference_exo2ego.training.run`
    models/<fingerprint>/<name>/    exported models
    asked/<variant>.<seed>.json     which run has the answers of a variant
    runs/                   ordinary runs: egobench compare and the leaderboard read them
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from egobench.errors import JsonInputError, ResumeError
from egobench.json_input import JsonValue, read_json
from egobench.model import Method
from egobench.observer import Observer, SilentObserver
from egobench.request import RunRequest
from egobench.run.checksums import CHECKSUMS
from egobench.run.spec import Settings
from egobench.whole_file import replace_file
from reference_exo2ego.training.loop import LoopSettings, never
from reference_exo2ego.training.recipe import Recipe, override

from .work_plan import StageJob, VariantRun

ABOUT = "ablation.json"
"""File that says which ablation a folder is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The folder of an ablation, with what all its trainings and runs share.

    Attributes:
        folder: The folder.
        recipe: The recipe that is varied.
        data: Folder that paths of the recipe are below.
        store: A frame store: what it lacks is decoded into it before a stage, and clips of questions are kept in it;
            ``None`` to decode.
        sets: Folder of sample sets.
        videos: Folder of their videos.
        method: How an answer becomes a number.
        limit: Most questions of each subset; ``None`` for all.
        loop: How stages run.
        observer: Receives the progress.
        asked_to_stop: Tells whether the work was asked to stop.
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
        """Return the folder of a training."""
        return self.folder / "stages" / job.id

    def model_of(self, job: StageJob) -> Path:
        """Return the folder of the model that a training hands over; it is there once the training is done."""
        return self.stage_folder(job) / job.step.stage / "model"

    def run_of(self, variant_run: VariantRun) -> Path | None:
        """Return the finished run with the answers of a variant; ``None`` where there is none yet."""
        values = self._read_pointer(variant_run)
        if values.get("asking") != self._identity_of(variant_run):
            return None
        path = self.folder / str(values.get("run"))
        return path if (path / "scores.json").is_file() and (path / CHECKSUMS).is_file() else None

    def seconds_of(self, variant_run: VariantRun) -> float | None:
        """Return how long a run took in seconds; ``None`` where that is not known."""
        seconds = self._read_pointer(variant_run).get("seconds")
        return seconds if isinstance(seconds, int | float) else None

    def mark_done(self, variant_run: VariantRun, run: Path, seconds: float | None) -> None:
        """Write down which run has the answers of a variant.

        Args:
            variant_run: The variant and its seed.
            run: The run's folder.
            seconds: How long it took; ``None`` where it was interrupted.
        """
        values = {
            "asking": self._identity_of(variant_run),
            "run": str(run.relative_to(self.folder)),
            "seconds": seconds,
        }
        pointer = self._pointer(variant_run)
        pointer.parent.mkdir(parents=True, exist_ok=True)
        replace_file(pointer, json.dumps(values, indent=1) + "\n")

    def lock_of(self, variant_run: VariantRun) -> Path:
        """Return the file whose lock a process holds while it asks a variant."""
        return self._pointer(variant_run).with_suffix(".lock")

    def run_request(self, checkpoint: Path, settings: Settings, name: str) -> RunRequest:
        """Return the run that asks a checkpoint the test questions.

        Args:
            checkpoint: Folder of a model.
            settings: How the run is done.
            name: Name of the run, in lists.
        """
        return RunRequest(
            model="exo2ego",
            options={"checkpoint": str(checkpoint)},
            data=self.sets,
            videos=self.videos,
            out=self.folder / "runs",
            settings=settings,
            name=name,
        )

    def check(self, *, begin: bool = True) -> None:
        """Make sure that the folder is of this very ablation.

        Args:
            begin: Whether to begin it where there is none.

        Raises:
            ResumeError: If it holds another one, is damaged, or cannot be written.
        """
        about: dict[str, JsonValue] = {
            "recipe": override(self.recipe, ["seed=0"]).fingerprint,
            "data": str(self.data.resolve()),
            "sets": str(self.sets.resolve()),
            "method": self.method,
            "limit": self.limit,
        }
        check_about(self.folder, about, begin=begin)

    def _read_pointer(self, variant_run: VariantRun) -> Mapping[str, JsonValue]:
        """Read what :meth:`mark_done` wrote; empty where it is not there or damaged, so that the variant runs again."""
        path = self._pointer(variant_run)
        try:
            values = read_json(path.read_bytes(), str(path))
        except (OSError, JsonInputError):
            return {}
        return values if isinstance(values, dict) else {}

    def _pointer(self, variant_run: VariantRun) -> Path:
        return self.folder / "asked" / f"{variant_run.variant.name}.{variant_run.seed}.json"

    def _identity_of(self, variant_run: VariantRun) -> dict[str, Any]:
        """Return all that decides the answers of a run."""
        prompt = variant_run.variant.prompt
        return {"stage": variant_run.stage, "prompt": prompt, "method": self.method, "limit": self.limit}


def check_about(folder: Path, about: Mapping[str, JsonValue], *, begin: bool) -> None:
    """Make sure that a folder is of one ablation, by what is written in it.

    Args:
        folder: The folder.
        about: What decides the ablation, by name.
        begin: Whether to begin it where there is none.

    Raises:
        ResumeError: If it holds another one, is damaged, or cannot be written.
    """
    path = folder / ABOUT
    if path.is_file():
        known = _read_about(path)
        differences = [
            f"{name} {known.get(name)} there, {value} here" for name, value in about.items() if known.get(name) != value
        ]
        if differences:
            raise ResumeError(f"{folder}: holds another ablation ({'; '.join(differences)}); name another folder")
    elif begin:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(path, json.dumps(about, indent=1) + "\n")
        except OSError as error:
            raise ResumeError(f"{folder}: cannot be written ({error.strerror}); name another with --out") from error


def _read_about(path: Path) -> dict[str, JsonValue]:
    try:
        known = read_json(path.read_bytes(), str(path))
        if isinstance(known, dict):
            return known
        problem = "no JSON object"
    except (OSError, JsonInputError) as error:
        problem = str(error)
    raise ResumeError(f"{path}: damaged ({problem}); put it back, or name another folder with --out")
