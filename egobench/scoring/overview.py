"""An overview of a folder of runs: what each is about, how far it is, and its averages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from egobench.errors import JsonInputError, StoreError, bare_reason
from egobench.json_input import read_json
from egobench.plugins import TASKS, load_task, names
from egobench.run.checksums import CHECKSUMS
from egobench.run.finding import find_run_folders
from egobench.run.plan import PartId
from egobench.run.store import read_run
from egobench.scoring.entry import ScoreEntry, metric_id

RunState = Literal["finished", "unfinished", "damaged"]


@dataclass(frozen=True, slots=True)
class RunOverview:
    """A run in one line.

    Attributes:
        run: Path of its folder.
        name: The name that it was given; ``""`` for none.
        model: The model's name.
        tasks: Its tasks.
        method: How an answer becomes a number.
        control: What is removed or altered; ``None`` for a plain run.
        limit: Most samples per subset; ``None`` for all.
        state: ``finished`` is scored and signed, ``unfinished`` is not, ``damaged`` cannot be read in whole.
        avg: Mean of the ten headline scores, in [0, 1]; ``None`` unless all ten are there.
        avg_debiased: The same with debiased options where a task has them.
    """

    run: str
    name: str
    model: str
    tasks: tuple[str, ...]
    method: str
    control: str | None
    limit: int | None
    state: RunState
    avg: float | None
    avg_debiased: float | None

    def to_json(self) -> dict[str, Any]:
        """The overview as a JSON object."""
        return {**asdict(self), "tasks": list(self.tasks)}


def list_runs(root: Path) -> Iterator[RunOverview]:
    """Every run below a folder, sorted by path.

    Raises:
        StoreError: If there is none.
    """
    folders = find_run_folders(root)
    if not folders:
        raise StoreError(f"{root} holds no run; make one with egobench run")
    yield from map(_overview, folders)


@cache
def headline_ids(construction: str | None = None) -> tuple[str, ...]:
    """Ids of the scores whose plain mean is ``Avg``: the headline of every multiple-choice subset of our own tasks.

    Args:
        construction: The construction where a task has it; the one that published rows used elsewhere.
    """
    own = [name for name in names(TASKS) if find_spec(f"{TASKS}.{name.replace('-', '_')}")]
    ids: list[str] = []
    for task in map(load_task, own):
        chosen = construction if construction in task.constructions else task.headline
        ids += [
            metric_id(PartId(task.name, subset.name, "mcq", chosen or task.headline), subset.headline)
            for subset in task.subsets
            if subset.protocol == "mcq"
        ]
    return tuple(ids)


def _overview(folder: Path) -> RunOverview:
    try:
        run_file = read_run(folder)
    except StoreError:
        return RunOverview(str(folder), "", "", (), "", None, None, "damaged", None, None)
    spec = run_file.spec
    finished = (folder / CHECKSUMS).is_file() and (folder / "scores.json").is_file()
    state: RunState = "finished" if finished else "unfinished"
    entries: dict[str, ScoreEntry] = {}
    try:
        entries = read_scores_file(folder) if finished else entries
    except StoreError:
        state = "damaged"
    values = {score_id: entry.value for score_id, entry in entries.items() if not entry.partial}
    return RunOverview(
        run=str(folder),
        name=str(run_file.recorded.get("name", "")),
        model=str(spec.model["name"]),
        tasks=tuple(dict.fromkeys(ref.task for ref in spec.sets)),
        method=spec.method,
        control=spec.control,
        limit=spec.limit,
        state=state,
        avg=_mean(values, headline_ids()),
        avg_debiased=_mean(values, headline_ids("debiased")),
    )


def read_scores_file(folder: Path) -> dict[str, ScoreEntry]:
    """The scores of a finished run, by ``task/subset/protocol/construction/metric``.

    Raises:
        StoreError: If ``scores.json`` is missing or damaged.
    """
    path = folder / "scores.json"
    try:
        rows: Any = read_json(path.read_bytes(), str(path))
        entries = [ScoreEntry.from_json(protocol_id, row) for protocol_id, row in rows.items()]
    except (OSError, JsonInputError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{path} is damaged ({bare_reason(error)}); write it again with egobench score {path.parent}"
        ) from error
    return {metric_id(entry.id.part, entry.id.metric): entry for entry in entries}


def _mean(values: dict[str, float | None], ids: Sequence[str]) -> float | None:
    members = [value for score_id in ids if (value := values.get(score_id)) is not None]
    return sum(members) / len(members) if len(members) == len(ids) else None
