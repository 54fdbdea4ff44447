"""Runs by name: from names and folders to a loaded model and its sample sets, done or only forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter
from typing import Any

from egobench.controls import clips
from egobench.dataset.galleries import gallery_advice
from egobench.dataset.sampleset import SampleSet, find_sets
from egobench.engines.ray import run_on_ray
from egobench.errors import SampleSetError
from egobench.evaluate import Result, evaluate, rescore
from egobench.model import Encoder, Method, Model, ScoresOptions
from egobench.observer import Observer, SilentObserver
from egobench.orders import orders_of
from egobench.plugins import load_model, load_task
from egobench.printable import printable
from egobench.retrieval.rerank import TOP, read_retriever
from egobench.run.environment import environment
from egobench.run.locks import PATIENCE
from egobench.run.media import VideoFolder, check_videos, frame_rule
from egobench.run.plan import plan
from egobench.run.spec import MAX_LABEL, Settings, Shard
from egobench.video import ClipRequest, plan_summary
from egobench.video.frame_store.shards import check_version

TRIAL = 3
"""Samples of each part that a forecast asks, to estimate the time."""


def best_method(model: Model) -> Method:
    """The method that suits a model best for choosing among options."""
    if not isinstance(model, ScoresOptions):
        return "generate"
    # A dual encoder compares texts and knows no letters.
    return "likelihood-sum" if isinstance(model, Encoder) else "likelihood-letter"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A run as names and folders: what the command line, or a configuration file, says of it.

    Attributes:
        model: The model's name.
        options: Its options, as texts.
        data: Folder of sample sets.
        tasks: Only these; ``None`` for all.
        construction: Only sample sets of this construction; ``None`` for all.
        videos: Folder of videos.
        out: Folder of runs.
        settings: How the run is done.
        rerank: A retriever's run, or its file of scores; ``None`` for none.
        top: How many of its best texts are scored again.
        choose_method: Whether the model's best method replaces that of the settings.
        name: A name for the run; never part of its identity.
    """

    model: str
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    data: Path
    tasks: tuple[str, ...] | None = None
    construction: str | None = None
    videos: Path
    out: Path
    settings: Settings = field(default_factory=Settings)
    rerank: Path | None = None
    top: int = TOP
    choose_method: bool = False
    name: str = ""

    def load(self, observer: Observer | None = None) -> LoadedRun:
        """Load the model and the sample sets that it can be asked about.

        Args:
            observer: Receives warnings about sample sets that are left out.

        Raises:
            EgoBenchError: If any cannot be loaded.
            ValueError: If the method does not suit a retriever's texts.
        """
        observer = observer or SilentObserver()
        if self.settings.frame_store is not None:
            # Before the model is loaded, which may take minutes.
            check_version(self.settings.frame_store)
        folders = find_sets(self.data, self.tasks, self.construction)
        sets = [SampleSet.read(folder) for folder in folders]
        if self.rerank is not None:
            galleries, settings = self._plan_rerank(sets, self.rerank, observer)
            return LoadedRun(load_model(self.model, **self.options), galleries, settings)
        model, settings = load_model(self.model, **self.options), self.settings
        if self.choose_method:
            settings = replace(settings, method=best_method(model))
        return LoadedRun(model, self._answerable(model, sets, observer), settings)

    def _plan_rerank(
        self, sets: Sequence[SampleSet], retriever: Path, observer: Observer
    ) -> tuple[list[SampleSet], Settings]:
        galleries = [sample_set for sample_set in sets if sample_set.gallery]
        if not galleries:
            advice = gallery_advice(load_task(sample_set.manifest.task) for sample_set in sets)
            raise SampleSetError(f"{self.data} holds no gallery to score; {advice}")
        method: Method = "likelihood-sum" if self.choose_method else self.settings.method
        settings = replace(self.settings, method=method, rerank=read_retriever(retriever, galleries, self.top))
        plan(galleries, settings)
        others = [sample_set for sample_set in sets if not sample_set.gallery]
        _leave_out(others, "--rerank asks about galleries alone", observer)
        return galleries, settings

    def _answerable(self, model: Model, sets: list[SampleSet], observer: Observer) -> list[SampleSet]:
        galleries = [sample_set for sample_set in sets if sample_set.gallery]
        if isinstance(model, Encoder) or not galleries:
            return sets
        others = [sample_set for sample_set in sets if not sample_set.gallery]
        if not others:
            raise SampleSetError(
                f"{self.data} holds galleries alone, and {model.info.name!r} does not embed clips and texts; score a "
                "retriever's best texts with --rerank RUN, or a table with egobench score FILE.npy --data SET"
            )
        _leave_out(galleries, f"{model.info.name!r} does not embed clips and texts; see --rerank", observer)
        return others


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A run whose model and sample sets are loaded.

    Attributes:
        model: The model.
        sets: The sample sets.
        settings: How the run is done.
    """

    model: Model
    sets: list[SampleSet]
    settings: Settings


def evaluate_request(request: RunRequest, observer: Observer, *, command: Sequence[str] = ()) -> Result:
    """Load what a request names, and evaluate it.

    Args:
        request: The run.
        observer: Receives the progress.
        command: The command line, to be recorded.

    Raises:
        EgoBenchError: If the model, a sample set, the run folder or the folder of videos cannot be used.
        ValueError: If the control or the method is impossible for a sample set.
    """
    recorded = _recorded(request, command)
    loaded = request.load(observer)
    _check_videos(request.videos, loaded)
    return evaluate(
        loaded.model, loaded.sets, request.videos, request.out, loaded.settings, observer=observer, recorded=recorded
    )


def _recorded(request: RunRequest, command: Sequence[str]) -> dict[str, Any]:
    """What a run keeps beside its spec; bytes of a path that are no text are made visible, for JSON cannot hold them.

    Raises:
        ValueError: If no board would show the name.
    """
    if len(request.name) > MAX_LABEL or not request.name.isprintable():
        raise ValueError(f"the run's name is {request.name!r:.80}; expected at most {MAX_LABEL} printable characters")
    recorded: dict[str, Any] = {
        "command": [printable(word) for word in command],
        "data": printable(str(request.data.resolve())),
        **environment(),
    }
    return {**recorded, "name": request.name} if request.name else recorded


def _check_videos(videos: Path, loaded: LoadedRun) -> None:
    """Refuse a folder of videos that is not there, rather than call every question a media error."""
    shows_frames = any(
        frame_rule(load_task(sample_set.manifest.task), loaded.model.info, loaded.settings) is not None
        for sample_set in loaded.sets
    )
    if shows_frames:
        check_videos(videos, besides=", or --control blind to show none")


@dataclass(frozen=True, slots=True)
class RequestJob:
    """A request as the job of an actor, see :class:`egobench.engines.ray.Job`.

    Attributes:
        request: The run.
        command: The command line, to be recorded.
    """

    request: RunRequest
    command: tuple[str, ...] = ()

    def __call__(self, shard: Shard, observer: Observer) -> Path:
        """Do a share of the run, and what is left of it; return its folder.

        Raises:
            EgoBenchError: If the model, a sample set or the run folder cannot be used.
            ValueError: If the control or the method is impossible for a sample set.
        """
        settings = replace(self.request.settings, shard=shard)
        return evaluate_request(replace(self.request, settings=settings), observer, command=self.command).path


def evaluate_on_ray(
    request: RunRequest, observer: Observer, *, workers: int | None = None, command: Sequence[str] = ()
) -> Result:
    """Evaluate what a request names by actors of a Ray cluster; see :mod:`egobench.engines.ray`.

    Args:
        request: The run; its folders must be the same on every machine of the cluster.
        observer: Receives the progress.
        workers: Number of actors; ``None`` for one per GPU of the cluster, or per processor where it has no GPU.
        command: The command line, to be recorded.

    Raises:
        EngineError: If Ray is missing, the cluster vanishes, or actors die again and again.
        EgoBenchError: If the model, a sample set or the run folder cannot be used.
    """
    store, retriever = request.settings.frame_store, request.rerank
    settings = replace(request.settings, frame_store=None if store is None else store.resolve())
    rerank = retriever.resolve() if retriever is not None else None
    absolute = replace(
        request,
        data=request.data.resolve(),
        videos=request.videos.resolve(),
        out=request.out.resolve(),
        settings=settings,
        rerank=rerank,
    )
    path: Path = run_on_ray(RequestJob(absolute, tuple(command)), workers, observer)
    # Scores that an actor may have written already: it has no way to hand them over.
    return rescore(path, absolute.data, patience=PATIENCE)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would ask, open and decode of one sample set, and how long it would take.

    Attributes:
        set: Name of the sample set.
        samples: Questions.
        clips: Clips to decode.
        files: Files that they are in.
        missing_files: Files that are not there.
        frames_to_decode: Frames that have to be decoded.
        minutes: Estimated by asking a few samples.
        prompt_tokens: Estimated tokens read, where the model tells.
        reply_tokens: Estimated tokens written, where the model tells.
        cost: Estimated price, where the model tells.
    """

    set: str
    samples: int
    clips: int
    files: int
    missing_files: int
    frames_to_decode: int
    minutes: float
    prompt_tokens: int | None
    reply_tokens: int | None
    cost: float | None


def forecast(loaded: LoadedRun, sample_set: SampleSet, videos: Path, observer: Observer | None = None) -> Forecast:
    """Count what a run would do with one sample set, and estimate its time by asking a few samples; nothing is kept.

    Args:
        loaded: The run.
        sample_set: One of its sample sets.
        videos: Folder of videos, or of one folder of videos per task.
        observer: Receives warnings.

    Raises:
        EgoBenchError: If the model or the sample set cannot be used.
    """
    settings, model = loaded.settings, loaded.model
    n_questions, requests = 0, list[ClipRequest]()
    for part in plan([sample_set], settings):
        n_questions += sum(len(orders_of(sample, part.orders)) for sample in part.selected)
        rule = frame_rule(part.task, model.info, settings)
        if rule is not None:
            shown_clips = clips(part.samples, settings.control, settings.seed)
            shared = VideoFolder(videos, part.task).share(part.selected, shown_clips, rule)
            requests += [clip.request for clip in shared.values()]
    readable = [request for request in requests if request.path.exists()]
    files = {request.path for request in requests}
    with TemporaryDirectory() as folder:
        started, watch = perf_counter(), _QuestionTimer(observer or SilentObserver())
        trial_settings = replace(settings, limit=TRIAL, frame_store=None, shard=None)
        trial = evaluate(model, [sample_set], videos, Path(folder), trial_settings, observer=watch)
        once = perf_counter() - started - watch.seconds
    usage = trial.usage
    share = n_questions / usage.replies if usage.replies else 0.0
    return Forecast(
        set=sample_set.name,
        samples=n_questions,
        clips=len(requests),
        files=len(files),
        missing_files=len(files - {request.path for request in readable}),
        frames_to_decode=plan_summary(readable).decoded,
        minutes=(once + watch.seconds * share) / 60,
        prompt_tokens=None if usage.prompt_tokens is None else round(usage.prompt_tokens * share),
        reply_tokens=None if usage.reply_tokens is None else round(usage.reply_tokens * share),
        cost=None if usage.cost is None else usage.cost * share,
    )


class _QuestionTimer:
    """Times the questions alone, without what is done once per part; passes on warnings."""

    def __init__(self, observer: Observer) -> None:
        self.seconds = 0.0
        self._observer = observer
        self._last = monotonic()

    def begin(self, stage: str, total: int, done: int) -> None:  # noqa: ARG002
        """Begin a part."""
        self._last = monotonic()

    def advance(self, steps: int) -> None:  # noqa: ARG002
        """Add the time since the last question."""
        now = monotonic()
        self.seconds += now - self._last
        self._last = now

    def note(self, message: str) -> None:
        """Pass a note on."""
        self._observer.note(message)

    def warn(self, message: str) -> None:
        """Pass a warning on."""
        self._observer.warn(message)


def _leave_out(sets: Sequence[SampleSet], reason: str, observer: Observer) -> None:
    if sets:
        observer.note(f"left out: {', '.join(sample_set.name for sample_set in sets)}: {reason}")
