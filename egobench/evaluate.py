"""The front door to evaluation: models and sample sets in, scores out; going on where an earlier call stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from egobench.dataset.sampleset import MANIFEST, SampleSet
from egobench.engines.local import run_parts
from egobench.engines.shards import run_shard
from egobench.errors import BusyRunError, ReadOnlyRunError, SampleSetError
from egobench.llm_judge.score import score_with_judge
from egobench.model import Model
from egobench.observer import Observer, SilentObserver
from egobench.retrieval.gallery import read_scores, score_gallery, score_gallery_part
from egobench.retrieval.tables import read_score_table
from egobench.run.checksums import check_signature
from egobench.run.locks import in_turn
from egobench.run.plan import Part, check_model, find_run_sets, plan, spec_of_parts
from egobench.run.records import Prediction
from egobench.run.spec import Settings
from egobench.run.store import Run, join_run, open_run, read_run, reopen_run
from egobench.run.takeover import take_over
from egobench.run.usage import RunUsage, sum_usage
from egobench.scoring.entry import ScoreEntry, Scores, by_id, scores_frame
from egobench.scoring.score import score_part, submission

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run.

    Attributes:
        path: Its folder.
        scores: Entry by protocol id, as in ``scores.json``.
        usage: What its answers took, as in ``usage.json``.
        submissions: Files for whoever holds private answers, content by name.
        written: Whether all this is in the folder; not where it cannot be written.
    """

    path: Path
    scores: Scores
    usage: RunUsage
    submissions: Mapping[str, str] = field(default_factory=dict[str, str])
    written: bool = False

    def to_frame(self) -> pd.DataFrame:
        """The scores as a table, one row per protocol id."""
        return scores_frame(self.scores)


def evaluate(
    model: Model,
    sets: Sequence[SampleSet],
    videos: Path,
    out: Path,
    settings: Settings | None = None,
    *,
    observer: Observer | None = None,
    recorded: Mapping[str, Any] | None = None,
) -> Result:
    """Evaluate a model, going on where an earlier call of the same run stopped.

    Args:
        model: The model.
        sets: The sample sets.
        videos: Folder of videos, or of one folder of videos per task.
        out: Folder of runs.
        settings: How the run is done.
        observer: Receives the progress.
        recorded: What ``run.json`` keeps beside the spec: library versions, hardware, command.

    Returns:
        The run's folder and its scores. Videos that cannot be read are outcomes, not errors.

    Raises:
        ModelError: If the model cannot do what the method needs.
        StoreError: If the run folder cannot be used.
        FrameStoreError: If the frame store is of another version, damaged, or cannot be read.
        ValueError: If the control is impossible for a sample set.
    """
    settings, observer = settings or Settings(), observer or SilentObserver()
    parts = plan(sets, settings)
    check_model(model, parts, settings)
    spec = spec_of_parts(model.info, parts, settings)
    if settings.shard is None:
        with open_run(out, spec, recorded or {}) as run:
            _take_over(run, parts, observer)
            run_parts(parts, run, model, videos, observer)
            return write_scores(run, score_parts(run, parts))
    with join_run(out, spec, recorded or {}) as run:
        with in_turn(run.path):
            _take_over(run, parts, observer)
        run_shard(parts, run, model, videos, observer, settings.shard)
    # Everything is answered now. Whoever leaves last finds nobody else at work, and writes the scores.
    try:
        with reopen_run(run.path) as reopened:
            return write_scores(reopened, score_parts(reopened, parts))
    except BusyRunError:
        return score_parts(run, parts)


def _take_over(run: Run, parts: Sequence[Part], observer: Observer) -> None:
    copied = take_over(run, parts)
    if copied:
        observer.note(f"{copied} answers of a run with another limit are taken over")


def score_parts(run: Run, parts: Sequence[Part]) -> Result:
    """Score what a run folder holds, and sum up what it took.

    Args:
        run: The run.
        parts: Its parts.

    Raises:
        StoreError: If the run folder is damaged.
    """
    entries: list[ScoreEntry] = []
    answered: list[Prediction] = []
    files: dict[str, str] = {}
    judge_replies, seed = run.judge_replies(), run.spec.seed
    for part in parts:
        predictions = run.predictions_by_order(part.name)
        answered += [prediction for by_sample in predictions.values() for prediction in by_sample.values()]
        if part.gallery is not None:
            table = read_score_table(run, part, predictions.get(0, {}))
            entries += score_gallery_part(table, part, seed=seed)
            continue
        entries += score_part(part, predictions, seed=seed)
        if part.subset.protocol == "open":
            entries += score_with_judge(part, predictions.get(0, {}), judge_replies, seed=seed)
        files |= submission(part, predictions)
    usage = sum_usage(answered)
    return Result(run.path, by_id(entries), usage, files)


def write_scores(run: Run, result: Result) -> Result:
    """Write scores, usage and submissions to a run folder, and sign it.

    Returns:
        The result, as written.

    Raises:
        StoreError: If the run folder cannot be written.
    """
    content = {protocol_id: entry.to_json() for protocol_id, entry in result.scores.items()}
    usage = json.dumps(result.usage.to_json(), indent=1) + "\n"
    run.finish(content, {**result.submissions, "usage.json": usage})
    return replace(result, written=True)


def rescore(path: Path, data: Path | None = None, *, accept_changes: bool = False, patience: float = 0.0) -> Result:
    """Compute the scores of a run again from its predictions, and write them where the folder can be written.

    Args:
        path: The run folder.
        data: Folder of its sample sets; ``None`` for where they were when it ran.
        accept_changes: Score the files as they are, although they were changed since they were signed.
        patience: Seconds to wait for other processes that are at work in it.

    Raises:
        StoreError: If the folder holds no run, or one of another version.
        ChecksumError: If a file was changed since it was signed.
        SampleSetError: If a sample set is gone or is not the one that was asked.
    """
    try:
        with reopen_run(path, accept_changes=accept_changes, patience=patience) as run:
            parts = plan(find_run_sets(path, data), run.spec.settings())
            result = score_parts(run, parts)
            return write_scores(run, result)
    except ReadOnlyRunError:
        if not accept_changes:
            check_signature(path)
        run = Run(path, read_run(path).spec)
        return score_parts(run, plan(find_run_sets(path, data), run.spec.settings()))


def score_file(path: Path, data: Path | None) -> Scores:
    """Scores of a table of gallery scores.

    Args:
        path: A ``.npy`` or ``.npz`` file, see :func:`egobench.retrieval.gallery.read_scores`.
        data: The sample set's folder.

    Raises:
        SampleSetError: If that is no sample set with a gallery.
        ScoreFileError: If the scores do not fit it.
    """
    if data is None or not (data / MANIFEST).is_file():
        raise SampleSetError(f"what is {path} about? give --data DATA/<task>/<construction>, the folder of its set")
    sample_set = SampleSet.read(data)
    return score_gallery(read_scores(path, sample_set), sample_set)
