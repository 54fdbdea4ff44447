"""The runs of a board, read from run folders and bundles, each with its level."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from egobench.errors import BundleError, JsonInputError, StoreError, bare_reason
from egobench.json_input import read_json
from egobench.observer import Observer
from egobench.run.spec import RunSpec
from egobench.run.store import read_run
from egobench.scoring.entry import ScoreEntry, scored_by

from .submission import Level, Submission, find_submissions, open_submission


class MeasureKey(NamedTuple):
    """What scores must share to be comparable.

    Method and control are left out: runs may differ in them, and pages say so.

    Attributes:
        id: ``task/subset/protocol/construction/metric``, with judge, rubric and retriever where there are any.
        samples_sha256: Hash of the samples.
    """

    id: str
    samples_sha256: str

    @classmethod
    def of(cls, entry: ScoreEntry) -> MeasureKey:
        """Return the key of a score."""
        retriever = f"@{entry.id.retriever}" if entry.id.retriever else ""
        return cls("/".join(str(entry.id).split("/")[:5]) + retriever, entry.samples_sha256)


@dataclass(frozen=True)
class BoardRun:
    """A run on a board.

    Attributes:
        folder: The run folder, or the folder that its bundle was unpacked to.
        spec: What identifies the run.
        recorded: The values beside the spec in ``run.json``.
        scores: Score entries by protocol id.
        level: How much stands behind the scores.
        sealed: Whether the replies are sealed, see :mod:`egobench.leaderboard.sealing`: those of a bundle are.
        rankable: Whether it may be ranked: not where a check found that only some samples were asked.
    """

    folder: Path
    spec: RunSpec
    recorded: Mapping[str, Any]
    scores: Mapping[str, ScoreEntry]
    level: Level = "self-reported"
    sealed: bool = False
    rankable: bool = True

    @cached_property
    def key(self) -> str:
        """The run id: equal specs are the same run."""
        return self.spec.id

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.spec.model["name"])

    @property
    def name(self) -> str:
        """The name that the run was started with; ``""`` for none."""
        return str(self.recorded.get("name") or "")

    @property
    def model_key(self) -> str:
        """A file name of letters, digits and dashes; two models never share one, whatever their names hold."""
        plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in self.model.lower())
        return f"{plain.strip('-')[:40] or 'model'}-{sha256(self.model.encode()).hexdigest()[:6]}"

    @property
    def method(self) -> str:
        """How an answer becomes a number, with the text prior where there is one."""
        return scored_by(self.spec.method, self.spec.text_prior)

    @property
    def partial(self) -> bool:
        """Whether only some of the samples were asked."""
        return self.spec.limit is not None

    @property
    def parameters(self) -> float | None:
        """Number of parameters of the model; ``None`` where the run does not say."""
        settings: Mapping[str, Any] = self.spec.model.get("settings") or {}
        count = self.recorded.get("parameters", settings.get("parameters"))
        return float(count) if isinstance(count, int | float) and not isinstance(count, bool) and count > 0 else None

    @property
    def frames(self) -> Mapping[str, str]:
        """How many frames a clip has, by task: ``"16"``, or ``"1 fps, at most 64"``; ``"0"`` without any."""
        return {ref.task: _frames(self.spec.frames.get(ref.task)) for ref in self.spec.sets}

    @cached_property
    def by_measure(self) -> Mapping[MeasureKey, ScoreEntry]:
        """Score entries by the measure that they are of."""
        return {MeasureKey.of(entry): entry for entry in self.scores.values()}


@contextmanager
def open_runs(paths: Iterable[Path], observer: Observer) -> Generator[list[BoardRun]]:
    """Open the runs of a board; bundles are unpacked for as long as the context lasts.

    Args:
        paths: Run folders, bundle files, and folders of these.
        observer: Warned of submissions that are left out.

    Raises:
        BundleError: If a path holds neither, or is a file that may do harm; one below a folder is left out.
        StoreError: If no run is left.
    """
    named = list(paths)
    with ExitStack() as stack:
        runs: list[BoardRun] = []
        for path in dict.fromkeys(below for named_path in named for below in find_submissions([named_path])):
            try:
                submission = stack.enter_context(open_submission(path))
            except BundleError as error:
                if path in named:
                    raise
                observer.warn(f"left out: {error}")
                continue
            if submission.level is None:
                observer.warn(f"{path} is left out: a check refused it")
                continue
            try:
                runs.append(read_board_run(submission))
            except StoreError as error:
                observer.warn(f"left out: {error}")
        if not runs:
            raise StoreError(f"{', '.join(map(str, named))}: no run that can be shown; make one with egobench run")
        yield runs


def read_board_run(submission: Submission) -> BoardRun:
    """Read a finished run for a board.

    Args:
        submission: The run folder, or what a bundle holds.

    Raises:
        StoreError: If the folder holds no run, or it has no scores yet, or they are damaged.
    """
    folder = submission.folder
    run_file = read_run(folder)
    path = folder / "scores.json"
    try:
        rows: Any = read_json(path.read_bytes(), str(path))
        entries = {protocol_id: ScoreEntry.from_json(protocol_id, row) for protocol_id, row in rows.items()}
    except FileNotFoundError as error:
        raise StoreError(f"{folder} has no scores yet; run its command again, or egobench score {folder}") from error
    except (OSError, JsonInputError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{path} is damaged ({bare_reason(error)}); write it again with egobench score {folder}"
        ) from error
    return BoardRun(
        folder,
        run_file.spec,
        run_file.recorded,
        entries,
        level=submission.level or "self-reported",
        sealed=submission.path != folder,
        rankable=submission.record is None or submission.ranked,
    )


def _frames(rule: Mapping[str, Any] | None) -> str:
    if rule is None:
        return "0"
    rate = rule.get("fps")
    return str(rule["count"]) if rate is None else f"{rate:g} fps, at most {rule['count']}"
