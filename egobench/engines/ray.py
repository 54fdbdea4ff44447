"""The Ray engine: a job done by actors of a Ray cluster, on this machine or on many, started again when they die.

Every actor does the same as a process of :mod:`egobench.engines.shards`: it loads the model, joins the run folder and
takes units of work there, which is the queue. So nothing is lost with an actor, a machine or this process but what was
under way there, and the folders of runs, sample sets and videos must be the same on every machine. What this process
does is to start the actors, to pass on what they report, and to start again those that die.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from time import monotonic
from typing import Any, Literal, NamedTuple, Protocol

from egobench.errors import EgoBenchError, EngineError, install_command
from egobench.observer import Observer
from egobench.run.spec import Shard

POLL_SECONDS = 1.0
"""Seconds between two looks at what actors report."""

LAST_SECONDS = 60.0
"""Seconds that the other actors have to end once all is done."""

DEATHS = 3
"""Deaths per actor, one after another without an answer in between, that end a run."""

OBJECT_STORE = 100_000_000
"""Bytes of the object store of a cluster of our own."""

CONNECT_SECONDS = 10.0
"""Seconds in which the head of a cluster must answer when a run begins."""

LOST_SECONDS = 15.0
"""Seconds without an answer from the head of the cluster after which it is given up."""


class Job(Protocol):
    """What an actor does; it travels there by pickle."""

    def __call__(self, shard: Shard, observer: Observer) -> Any:
        """Do a share of the work and whatever else is left of it.

        Args:
            shard: The share to begin with.
            observer: Receives the progress.

        Returns:
            Anything that can be pickled, once nothing is left of the work.

        Raises:
            EgoBenchError: If it cannot be done.
        """
        ...


class Report(NamedTuple):
    """A call of an observer, on its way from an actor.

    Attributes:
        call: Which one.
        arguments: Its arguments.
    """

    call: Literal["begin", "advance", "note", "warn"]
    arguments: tuple[Any, ...]


@dataclass(slots=True)
class ReportBox:
    """An observer that keeps reports until they are fetched."""

    _reports: list[Report] = field(default_factory=list[Report])
    _lock: Lock = field(default_factory=Lock)

    def begin(self, stage: str, total: int, done: int) -> None:
        """Keep the beginning of a stage."""
        self._add(Report("begin", (stage, total, done)))

    def advance(self, steps: int) -> None:
        """Keep progress; steps are summed up."""
        with self._lock:
            if self._reports and self._reports[-1].call == "advance":
                steps += self._reports.pop().arguments[0]
            self._reports.append(Report("advance", (steps,)))

    def note(self, message: str) -> None:
        """Keep a note."""
        self._add(Report("note", (message,)))

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self._add(Report("warn", (message,)))

    def fetch(self) -> list[Report]:
        """Hand over what has been kept."""
        with self._lock:
            reports, self._reports = self._reports, []
            return reports

    def _add(self, report: Report) -> None:
        with self._lock:
            self._reports.append(report)


class Worker:
    """What a Ray actor is made of.

    Args:
        job: What it does.
        shard: The share that it begins with.
    """

    def __init__(self, job: Job, shard: Shard) -> None:
        self._job, self._shard = job, shard
        self._box = ReportBox()

    def work(self) -> Any:
        """Do the job; return what it comes to, or the error that it ends with."""
        try:
            return self._job(self._shard, self._box)
        except (EgoBenchError, ValueError) as error:
            return error

    def reports(self) -> list[Report]:
        """What has happened since the last call."""
        return self._box.fetch()


def run_on_ray(job: Job, workers: int | None, observer: Observer) -> Any:
    """Have a job done by actors: of the cluster that the variable ``RAY_ADDRESS`` names, else of this machine.

    Args:
        job: What each of them does.
        workers: Number of actors; ``None`` for one per GPU of the cluster, or per processor where it has no GPU.
        observer: Receives the progress.

    Returns:
        What the job of an actor came to.

    Raises:
        EngineError: If Ray is missing, there is no such cluster or it vanishes, or actors die again and again.
        EgoBenchError: If the job of every actor ends with an error.
    """
    if find_spec("ray") is None:
        raise EngineError(f"the Ray engine needs the package ray; {install_command('ray')}, or give --engine shards")
    with _cluster(workers) as cluster:
        with_gpu = cluster.gpus >= 1
        count = workers or int(cluster.gpus if with_gpu else cluster.cpus) or 1
        observer.note(f"{count} actors on {cluster.where}, {'a GPU' if with_gpu else 'a processor'} each")
        pool = WorkerPool(job, count, gpus=int(with_gpu), head=cluster.head, observer=observer)
        try:
            return pool.run()
        finally:
            pool.stop()


class _Cluster(NamedTuple):
    """A cluster that this process is connected to.

    Attributes:
        where: What a person calls it.
        head: Host and port of its head; ``None`` where that is not known, or ends with this process.
        cpus: Processors.
        gpus: GPUs.
    """

    where: str
    head: tuple[str, int] | None
    cpus: float
    gpus: float


@contextmanager
def _cluster(workers: int | None) -> Generator[_Cluster]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray: Any = import_module("ray")
    address = os.environ.get("RAY_ADDRESS", "")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        head = _head(address)
        if head is not None:
            # Ray itself would try for minutes.
            socket.create_connection(head, timeout=CONNECT_SECONDS).close()
        if address:
            ray.init(address=address, **quiet)
        else:
            # Ray starts its workers at niceness 15: beside anything else at work they would get next to nothing.
            os.environ.setdefault("RAY_worker_niceness", "0")
            # Actors pass nothing through the object store, and nobody else is to reach them.
            ray.init(
                address="local",
                num_cpus=workers,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE,
                _node_ip_address="127.0.0.1",
                **quiet,
            )
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        where = f"the Ray cluster at {address} (RAY_ADDRESS)" if address else "a Ray cluster on this machine"
        raise EngineError(
            f"no connection to {where}: {error}; is it up? See ray status, or unset RAY_ADDRESS"
        ) from error
    try:
        resources: Mapping[str, float] = ray.cluster_resources()
        where = f"the Ray cluster at {address}" if address else "this machine"
        yield _Cluster(where, head, resources.get("CPU", 0), resources.get("GPU", 0))
    finally:
        ray.shutdown()


def _head(address: str) -> tuple[str, int] | None:
    """Host and port of an address; ``None`` for one of another kind, as ``auto``."""
    host, colon, port = address.rpartition(":")
    return (host, int(port)) if colon and port.isdecimal() and "/" not in host else None


class WorkerPool:
    """Actors that do a job together.

    Args:
        job: What each of them does.
        count: How many.
        gpus: GPUs of each.
        head: Host and port of the cluster's head, to see whether it is there; ``None`` not to look.
        observer: Receives the progress.
    """

    def __init__(self, job: Job, count: int, *, gpus: int, head: tuple[str, int] | None, observer: Observer) -> None:
        self._ray: Any = import_module("ray")
        self._head, self._seen = head, monotonic()
        self._progress = _Progress(observer)
        self._observer = observer
        self._deaths = 0
        # Started again by Ray whenever its process or machine dies, where there is room for it.
        actor: Any = self._ray.remote(Worker).options(
            num_cpus=0 if gpus else 1, num_gpus=gpus, max_restarts=-1, max_concurrency=2
        )
        self._actors = [actor.remote(job, Shard(index, count)) for index in range(count)]
        self._work: dict[Any, Any] = {actor.work.remote(): actor for actor in self._actors}
        self._reports: dict[Any, Any] = {}

    def run(self) -> Any:
        """Wait until an actor finds nothing left to do; return what its job came to.

        Raises:
            EngineError: If actors die again and again, or the cluster vanishes.
            EgoBenchError: If the job of every actor ends with an error.
        """
        while True:
            for result in self._results(POLL_SECONDS):
                if not isinstance(result, Exception):
                    self._finish()
                    return result
                if not self._work:
                    raise result
                self._observer.warn(f"an actor has ended, the others do its work: {result}")
            self._fetch_reports()
            self._check_head()

    def stop(self) -> None:
        """End every actor."""
        for actor in self._actors:
            self._ray.kill(actor)

    def _results(self, seconds: float) -> list[Any]:
        """What the jobs came to that have ended within so many seconds; those that died are done again."""
        ready, _ = self._ray.wait(list(self._work), timeout=seconds)
        results: list[Any] = []
        for future in ready:
            actor = self._work.pop(future)
            try:
                results.append(self._ray.get(future))
            except self._ray.exceptions.RayActorError as error:
                self._count_death(error)
                self._progress.forget(actor)
                self._work[actor.work.remote()] = actor
        return results

    def _count_death(self, error: Exception) -> None:
        self._deaths = 0 if self._progress.moved() else self._deaths + 1
        self._observer.warn(f"an actor has died and is started again: {str(error).splitlines()[0]}")
        if self._deaths >= DEATHS * len(self._actors):
            raise EngineError(
                f"actors died {self._deaths} times in a row and answered nothing in between, the last time with: "
                f"{error}; see why with --engine local; what was answered is kept"
            ) from error

    def _fetch_reports(self) -> None:
        waiting = set(self._reports.values())
        for actor in self._actors:
            if actor not in waiting:
                self._reports[actor.reports.remote()] = actor
        ready, _ = self._ray.wait(list(self._reports), num_returns=len(self._reports), timeout=POLL_SECONDS)
        for future in ready:
            actor = self._reports.pop(future)
            try:
                reports: Sequence[Report] = self._ray.get(future)
            except self._ray.exceptions.RayActorError:
                continue
            self._progress.take(actor, reports)

    def _finish(self) -> None:
        """Let the other actors end by themselves: nothing is left to do for them."""
        until = monotonic() + LAST_SECONDS
        while self._work and monotonic() < until:
            self._results(POLL_SECONDS)
        self._fetch_reports()

    def _check_head(self) -> None:
        """Give up a cluster whose head does not answer; Ray itself would end this process without a word."""
        if self._head is None:
            return
        try:
            with socket.create_connection(self._head, timeout=POLL_SECONDS):
                self._seen = monotonic()
        except OSError as error:
            if monotonic() - self._seen > LOST_SECONDS:
                raise EngineError(
                    f"the Ray cluster at {':'.join(map(str, self._head))} has vanished ({error}); what was answered is "
                    "kept: run the same command again when it is back, or without RAY_ADDRESS on this machine"
                ) from error


class _Progress:
    """Progress of the whole work, as actors see it: each of them knows of the others what it has read last.

    Args:
        observer: Receives it.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._stage = ""
        self._done: Counter[str] = Counter()
        self._views: dict[Any, tuple[str, int]] = {}
        self._total_before = 0

    def take(self, actor: Any, reports: Sequence[Report]) -> None:
        """Take in what an actor reports."""
        for call, arguments in reports:
            if call == "note":
                self._observer.note(*arguments)
            elif call == "warn":
                self._observer.warn(*arguments)
            elif call == "begin":
                stage, total, done = arguments
                self._views[actor] = (stage, done)
                if stage not in self._done:
                    self._stage, self._done[stage] = stage, done
                    self._observer.begin(stage, total, done)
                self._see(stage, done)
            elif actor in self._views:
                stage, done = self._views[actor]
                self._views[actor] = (stage, done + arguments[0])
                self._see(stage, done + arguments[0])

    def forget(self, actor: Any) -> None:
        """Forget how far an actor was that has died."""
        self._views.pop(actor, None)

    def moved(self) -> bool:
        """Whether anything was done since the last call."""
        total = self._done.total()
        moved, self._total_before = total > self._total_before, total
        return moved

    def _see(self, stage: str, done: int) -> None:
        if done > self._done[stage]:
            if stage == self._stage:
                self._observer.advance(done - self._done[stage])
            self._done[stage] = done
