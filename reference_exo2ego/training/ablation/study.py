"""A whole ablation: planned from names and folders, forecast, done, and written up; what a notebook calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from egobench.dataset.sampleset import SampleSet, find_sets
from egobench.model import Method
from egobench.observer import Observer, SilentObserver
from egobench.run.media import check_videos
from reference_exo2ego.training.loop import LoopSettings, never
from reference_exo2ego.training.recipe import Recipe

from .chains import lacking
from .costs import Costs
from .forecast import WorkForecast, forecast_work
from .outside import OutsideFiles
from .page import write_page, write_report
from .questions import MeanScore, Questions, choose_questions, mean_score
from .results import collect, write_results
from .selection import Ablation, ablation_of, choose, leave_out
from .variants import OWN, SHARES, own_variant
from .work import do_work
from .work_plan import WorkPlan, plan_work
from .workspace import Workspace


@dataclass(frozen=True, slots=True)
class Study:
    """An ablation that is planned.

    Attributes:
        workspace: The folder, and how its trainings and runs are done.
        ablation: Its variants.
        plan: The trainings and runs.
        sets: The sample sets.
        score: What variants are compared by.
        questions: How many questions are asked.
        costs: What steps cost.
    """

    workspace: Workspace
    ablation: Ablation
    plan: WorkPlan
    sets: Sequence[SampleSet]
    score: MeanScore
    questions: Questions
    costs: Costs

    def forecast(self) -> WorkForecast:
        """What is left to do, and how long it takes.

        Raises:
            EgoBenchError: If a model cannot be made or asked.
        """
        return forecast_work(self.workspace, self.plan, self.sets, self.costs)

    def work(self, command: Sequence[str] = ()) -> bool:
        """Train and ask what is not done yet.

        Args:
            command: The command line, to be recorded.

        Returns:
            Whether all is done; else it was asked to stop, and the same call goes on with it.

        Raises:
            EgoBenchError: If a training or a run cannot be done.
        """
        self.workspace.check()
        return do_work(self.workspace, self.plan, command)

    def write_results(self, page: Path | None = None) -> dict[str, Any]:
        """Compare what is finished; write ``results.json``, a page and its pictures.

        Args:
            page: A page with a place for results that they are written into as well.

        Returns:
            The content of ``results.json``.

        Raises:
            StoreError: If nothing is finished, a run is damaged, or the page has no place for results.
            ChartError: If a picture cannot be written.
        """
        results = collect(
            self.workspace, self.ablation, self.plan, self.sets, self.score, questions=self.questions, costs=self.costs
        )
        write_results(self.workspace.folder, results)
        write_report(results, self.workspace.folder)
        if page is not None:
            write_page(results, page)
        return results


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRequest:
    """An ablation as names and folders: what the command line says of it.

    Attributes:
        recipe: The recipe that is varied.
        folder: Folder of the ablation.
        data: Folder that paths of the recipe are below.
        sets: Folder of sample sets.
        videos: Folder of their videos.
        store: A frame store of the training clips; ``None`` to decode.
        only: Names of variants and tables; ``None`` for all.
        own: Variants that are not the paper's, as :func:`~.variants.own_variant` reads them; beside those of ``only``.
        seeds: Of the trainings, at least one.
        shares: Shares of the egocentric data of the curve, in (0, 1].
        detect: The difference that the questions should suffice to detect, in [0, 1].
        method: How an answer becomes a number.
        loop: How stages run.
        timings: Folders of trainings whose logs tell how long stages take.
    """

    recipe: Recipe
    folder: Path
    data: Path
    sets: Path
    videos: Path
    store: Path | None = None
    only: Sequence[str] | None = None
    own: Sequence[str] = ()
    seeds: Sequence[int] = (0, 1, 2)
    shares: Sequence[float] = SHARES
    detect: float = 0.02
    method: Method = "likelihood-sum"
    loop: LoopSettings = field(default_factory=LoopSettings)
    timings: Sequence[Path] = ()

    def open(self, observer: Observer | None = None, asked_to_stop: Callable[[], bool] = never) -> Study:
        """Plan an ablation; nothing is trained but a few steps that are timed and forgotten.

        Args:
            observer: Receives progress.
            asked_to_stop: Tells whether the work was asked to stop.

        Raises:
            ValueError: If there is no variant of a name, no seed, a share that is none, or a variant that is.
            RecipeError: If a variant contradicts itself, or lacks data.
            TrainingDataError: If a file of data cannot be read.
            SampleSetError: If a sample set cannot be used, or none has options.
            MissingVideoError: If there is no such folder of videos.
            ResumeError: If the folder holds another ablation.
        """
        if not self.seeds:
            raise ValueError("no seed; expected at least one, and three for a spread")
        if not all(0 < share <= 1 for share in self.shares):
            raise ValueError(f"shares {', '.join(map(str, self.shares))}: expected shares above 0 and up to 1")
        check_videos(self.videos)
        whole = ablation_of(self.recipe, self.shares, [own_variant(text) for text in self.own])
        outside = OutsideFiles(self.data, self.folder / "data")
        only = None if self.only is None else [*self.only, *(OWN for _ in self.own[:1])]
        ablation = choose(leave_out(whole, lacking(whole.variants.values(), self.recipe, outside)), only)
        sample_sets = [SampleSet.read(path) for path in find_sets(self.sets)]
        score = mean_score(sample_sets)
        questions = choose_questions(sample_sets, score, self.detect)
        workspace = Workspace(
            folder=self.folder,
            recipe=self.recipe,
            data=self.data,
            store=self.store,
            sets=self.sets,
            videos=self.videos,
            method=self.method,
            limit=questions.limit,
            loop=self.loop,
            observer=observer or SilentObserver(),
            asked_to_stop=asked_to_stop,
        )
        workspace.check(begin=False)
        costs = Costs(self.folder / "costs.json", self.data, self.store, workspace.observer, self.timings)
        plan = plan_work(self.recipe, self.data, ablation, seeds=self.seeds, costs=costs, outside=outside)
        return Study(workspace, ablation, plan, sample_sets, score, questions, costs)
