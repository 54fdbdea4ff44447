"""Shards: several processes, on one machine or on many, that share a run folder and nothing else.

A process begins with its own share of the units, and then takes units that others have not begun. It takes a unit by a
lock in the run folder, which is released when the process ends, and reads from the files of the others what they have
answered. So processes may die, be slow, join late, or be more or fewer than before: only what was under way in a
process that died is asked again, and the last process leaves nothing undone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import sleep

from egobench.engines.local import clip_reader
from egobench.loop.ask import PartRun, ask_part
from egobench.loop.mode import choose_mode
from egobench.loop.units import OrderOf, Pending, Unit
from egobench.model import Model
from egobench.observer import Observer
from egobench.run.locks import UnitLocks
from egobench.run.media import VideoFolder
from egobench.run.plan import Part
from egobench.run.records import Prediction, RowFollower
from egobench.run.spec import Shard
from egobench.run.store import Run

UNIT_SAMPLES = 16
"""Most samples of a unit: few, so that all processes end at about the same time."""

POLL_SECONDS = 0.5
"""Seconds between two checks of the units that others have taken."""


def parse_shard(text: str) -> Shard:
    """Parse a share such as ``"0/4"``, the first of four.

    Raises:
        ValueError: If the text is no share.
    """
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None or int(match[1]) >= int(match[2]):
        raise ValueError(f"{text!r} is no shard; expected INDEX/COUNT, such as 0/4 for the first of four")
    return Shard(int(match[1]), int(match[2]))


def find_shard(environment: Mapping[str, str]) -> Shard | None:
    """Find the share of a process that torchrun or SLURM has started; ``None`` for any other process.

    In a job array of tasks with several processes, the processes of all tasks are numbered consecutively.

    Args:
        environment: The environment variables.

    Raises:
        ValueError: If a variable is no number, or an index is out of its range.
    """
    values = {name: text for name, text in environment.items() if text and name in _VARIABLES}
    wrong = next((name for name, text in values.items() if not re.fullmatch("[0-9]{1,9}", text)), None)
    if wrong is not None:
        raise ValueError(f"{wrong} is {values[wrong]!r}; expected a number; or give --shard INDEX/COUNT")
    numbers = {name: int(text) for name, text in values.items()}
    if {"RANK", "WORLD_SIZE"} <= numbers.keys():
        return _checked(numbers["RANK"], numbers["WORLD_SIZE"], "RANK of WORLD_SIZE")
    process = Shard(0, 1)
    if {"SLURM_PROCID", "SLURM_NTASKS"} <= numbers.keys():
        process = _checked(numbers["SLURM_PROCID"], numbers["SLURM_NTASKS"], "SLURM_PROCID of SLURM_NTASKS")
    if {"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"} <= numbers.keys():
        first, step = numbers.get("SLURM_ARRAY_TASK_MIN", 0), numbers.get("SLURM_ARRAY_TASK_STEP", 1) or 1
        place = (numbers["SLURM_ARRAY_TASK_ID"] - first) // step
        # An array of tasks that were named one by one has no step: any share is as good to begin with.
        count = max(1, numbers["SLURM_ARRAY_TASK_COUNT"])
        return Shard(place % count * process.count + process.index, count * process.count)
    return process if "SLURM_PROCID" in numbers else None


_VARIABLES = {
    "RANK",
    "WORLD_SIZE",
    "SLURM_PROCID",
    "SLURM_NTASKS",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_ARRAY_TASK_COUNT",
    "SLURM_ARRAY_TASK_MIN",
    "SLURM_ARRAY_TASK_STEP",
}


def _checked(index: int, count: int, names: str) -> Shard:
    if index >= count:
        raise ValueError(f"{names} are {index} of {count}; expected an index below the count")
    return Shard(index, count)


class SharedQueue:
    """Hands out the units of a part that no other process has taken.

    Args:
        part: The part.
        run: The run folder.
        shard: The share to begin with.
        locks: The units' locks.
        observer: Counts what others do as progress.
    """

    def __init__(self, part: Part, run: Run, shard: Shard, locks: UnitLocks, observer: Observer) -> None:
        self._shard, self._locks, self._observer = shard, locks, observer
        own_file = f"{part.name}.{run.writer}.jsonl"
        self._follower = RowFollower(run.path / "predictions", f"{part.name}.*.jsonl", Prediction, but=own_file)
        # What lies there now is read by the recorder; a failure among it is tried again, a later one is not.
        self._follower.skip()
        self._answered: set[OrderOf] = set()
        self._handed_out: set[int] = set()
        self._busy: dict[int, set[OrderOf]] = {}

    @property
    def most(self) -> int:
        """Most samples of a unit."""
        return UNIT_SAMPLES

    def take(self, units: Sequence[Unit], pending: Pending) -> Iterator[Unit]:
        """Yield the units of the own share, then those of the others, the last ones first."""
        _strike(pending, self._answered)
        own = [unit for unit in units if unit.number % self._shard.count == self._shard.index]
        others = [unit for unit in reversed(units) if unit.number % self._shard.count != self._shard.index]
        for unit in (*own, *others):
            if unit.number in self._handed_out:
                continue
            if not self._locks.take(unit.number):
                orders = (OrderOf(sample.id, order) for sample in unit.samples for order in pending.orders[sample.id])
                self._busy[unit.number] = set(orders)
                continue
            self._handed_out.add(unit.number)
            self._busy.pop(unit.number, None)
            _strike(pending, self._read_on())
            if any(pending.orders[sample.id] for sample in unit.samples):
                yield unit

    def wait(self) -> bool:
        """Wait until the others are done, or a process has died with a unit undone; return whether one has.

        Raises:
            StoreError: If the run folder cannot be read.
        """
        while self._busy:
            # In this order: a unit that is free now was left by a process whose last rows are there to be read.
            free = [unit for unit in self._busy if self._locks.take(unit)]
            self._read_on()
            self._busy = {unit: left for unit, orders in self._busy.items() if (left := orders - self._answered)}
            if self._busy.keys() & set(free):
                return True
            if self._busy:
                sleep(POLL_SECONDS)
        return False

    def _read_on(self) -> set[OrderOf]:
        """Read the answers of others since the last call."""
        new = {OrderOf(row.id, row.order) for row in self._follower.read_new()} - self._answered
        self._answered |= new
        if new:
            self._observer.advance(len(new))
        return new


def _strike(pending: Pending, answered: Iterable[OrderOf]) -> None:
    for sample_id, order in answered:
        if order in pending.orders.get(sample_id, ()):
            pending.orders[sample_id].remove(order)


def run_shard(parts: Sequence[Part], run: Run, model: Model, videos: Path, observer: Observer, shard: Shard) -> None:
    """Do a share of every part, then what others have not begun or left undone; return when all is done.

    Args:
        parts: The parts, in the order in which they are done.
        run: The run folder, joined.
        model: The model.
        videos: Folder of videos, or of one folder of videos per task.
        observer: Receives the progress.
        shard: The share to begin with.

    Raises:
        FrameStoreError: If a frame store is of another version, damaged, or cannot be read.
        ModelError: If the model cannot do what a method needs, or breaks its contract.
        StoreError: If the run folder cannot be written.
        ValueError: If a control is impossible for the samples.
    """
    with ExitStack() as stack:
        read = stack.enter_context(clip_reader(parts, run, observer))
        shared: list[tuple[Part, SharedQueue]] = []
        for part in parts:
            locks = stack.enter_context(UnitLocks(run.path, part.name))
            shared.append((part, SharedQueue(part, run, shard, locks, observer)))

        def ask(part: Part, queue: SharedQueue) -> None:
            mode = choose_mode(part, run, model)
            ask_part(PartRun(part, mode, model, VideoFolder(videos, part.task), run, observer, read, queue))

        for part, queue in shared:
            ask(part, queue)
        for part, queue in shared:
            while queue.wait():
                ask(part, queue)
