"""The Ray engine: a job done by actors of a Ray cluster, on this machine or on many, started again when they die.

Every actor does the same as a process of :mod:`egobench.engines.shards`: it loads the model, joins the run folder and
takes units of work there, which is the queue. So nothing is lost with an actor, a machine or this process but what was
under way there, and the folders of runs, sample sets and videos must be the same on every machine. What this process
does is to start the actors, to pass on what they report, and to have those work again that died and were started again.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Protocol

from egobench.engines.ray_cluster import Cluster, connect
from egobench.engines.reports import Progress, Report, ReportBox
from egobench.errors import EgoBenchError, EngineError, install_command
from egobench.observer import Observer
from egobench.run.spec import Shard

POLL_SECONDS = 1.0
"""Seconds between two looks at what actors report."""

RETRY_SECONDS = 2.0
"""Seconds between two calls of an actor that is not there yet."""

LAST_SECONDS = 15.0
"""Seconds that the other actors have to end once all is done."""

IDLE_SECONDS = 60.0
"""Seconds without an actor at work after which the run warns."""

DEATHS = 3
"""Deaths of each actor, one after another without an answer in between, that end a run."""


class Job(Protocol):
    """The work of an actor; Ray pickles it to take it there."""

    def __call__(self, shard: Shard, observer: Observer) -> Any:
        """Do a share of the work, and then whatever is left of the rest.

        Args:
            shard: The share to begin with.
            observer: Receives the progress.

        Returns:
            Any result that can be pickled, once nothing is left of the work.

        Raises:
            EgoBenchError: If it cannot be done.
        """
        ...


class Worker:
    """Does a job inside an actor.

    Args:
        job: The job.
        shard: The share that it begins with.
    """

    def __init__(self, job: Job, shard: Shard) -> None:
        self._job, self._shard = job, shard
        self._box = ReportBox()

    def work(self) -> Any:
        """Do the job, and return its result, or the error that it ends with."""
        try:
            return self._job(self._shard, self._box)
        except (EgoBenchError, ValueError) as error:
            return error

    def reports(self) -> list[Report]:
        """Return the reports since the last call."""
        return self._box.fetch()


def run_on_ray(job: Job, workers: int | None, observer: Observer) -> Any:
    """Have a job done by actors: of the cluster that the variable ``RAY_ADDRESS`` names, else of this machine.

    Args:
        job: The job of each actor.
        workers: Number of actors; ``None`` for one per GPU of the cluster, or per processor where it has no GPU.
        observer: Receives the progress.

    Returns:
        The result of an actor's job.

    Raises:
        EngineError: If Ray is missing, there is no such cluster or it vanishes, or actors die again and again.
        EgoBenchError: If the job of every actor ends with an error.
    """
    if find_spec("ray") is None:
        raise EngineError(f"the Ray engine needs the package ray; {install_command('ray')}, or give --engine shards")
    with connect(workers) as cluster:
        with_gpu = cluster.gpus >= 1
        count = workers or int(cluster.gpus if with_gpu else cluster.cpus) or 1
        observer.note(f"{count} actors on {cluster.place}, {'a GPU' if with_gpu else 'a processor'} each")
        pool = WorkerPool(job, count, gpus=int(with_gpu), cluster=cluster, observer=observer)
        try:
            return pool.run()
        finally:
            pool.stop()


class WorkerPool:
    """Actors that do a job together.

    An actor is called until it answers, is at work from then on, and is called again after it has died: Ray starts a
    dead actor again wherever there is room for it. An actor that cannot even be constructed is given up.

    Args:
        job: The job of each actor.
        count: Number of actors.
        gpus: GPUs of each actor.
        cluster: The cluster.
        observer: Receives the progress.
    """

    def __init__(self, job: Job, count: int, *, gpus: int, cluster: Cluster, observer: Observer) -> None:
        self._ray: Any = import_module("ray")
        self._cluster, self._observer = cluster, observer
        self._progress = Progress(observer)
        self._idle_since: float | None = monotonic()
        self._deaths: Counter[Any] = Counter()
        self._up: set[Any] = set()
        options = {"num_cpus": 0 if gpus else 1, "num_gpus": gpus, "max_restarts": -1, "max_concurrency": 2}
        actor_class = self._ray.remote(_actor_class()).options(**options)
        # Kept for as long as an actor may be started again.
        self._makers = [self._ray.put(partial(Worker, job, Shard(index, count))) for index in range(count)]
        self._actors = [actor_class.remote(_shadowing_folder(), [maker]) for maker in self._makers]
        self._absent: dict[Any, float] = dict.fromkeys(self._actors, 0.0)
        self._starting: dict[Any, Any] = {}
        self._working: dict[Any, Any] = {}
        self._reports: dict[Any, Any] = {}

    def run(self) -> Any:
        """Wait until an actor finds nothing left to do, and return the result of its job.

        Raises:
            EngineError: If actors die again and again, or the cluster vanishes.
            EgoBenchError: If the job of every actor ends with an error.
        """
        while True:
            for result in self._results():
                if not isinstance(result, Exception):
                    self._finish()
                    return result
                if not self._working and not self._starting and not self._absent:
                    raise result
                self._observer.warn(f"an actor has ended, the others do its work: {result}")
            self._fetch_reports()
            self._cluster.check()
            self._warn_if_idle()

    def stop(self) -> None:
        """End every actor."""
        for actor in self._actors:
            self._ray.kill(actor)

    def _call_absent(self) -> None:
        """Call those that are to start; a call waits while Ray makes an actor, and fails while it makes one again."""
        for actor in [actor for actor, moment in self._absent.items() if moment <= monotonic()]:
            del self._absent[actor]
            self._starting[actor.reports.remote()] = actor

    def _results(self) -> list[Any]:
        """Return the results of jobs that have ended meanwhile, and let actors that have started begin theirs."""
        self._call_absent()
        if not self._working and not self._starting:
            sleep(POLL_SECONDS)
            return []
        ready, _ = self._ray.wait([*self._working, *self._starting], timeout=POLL_SECONDS)
        return [result for future in ready for result in (self._begin(future), self._end(future)) if result is not None]

    def _begin(self, future: Any) -> EngineError | None:
        """Let an actor that has started begin its job; return an error if it cannot start at all."""
        actor = self._starting.pop(future, None)
        if actor is None:
            return None
        try:
            self._progress.take(actor, self._ray.get(future))
        except self._ray.exceptions.ActorDiedError as error:
            reason = [line for line in str(error).splitlines() if line.strip()][-1].strip()
            return EngineError(f"it cannot be made ({reason}); is the same version of EgoBench installed everywhere?")
        except self._ray.exceptions.RayActorError:
            self._absent[actor] = monotonic() + RETRY_SECONDS
            return None
        self._up.add(actor)
        self._working[actor.work.remote()] = actor
        return None

    def _end(self, future: Any) -> Any:
        """Return the result of an actor's job; ``None`` if it has died and is to start again."""
        actor = self._working.pop(future, None)
        if actor is None:
            return None
        try:
            result = self._ray.get(future)
        except self._ray.exceptions.RayActorError as error:
            self._count_death(actor, error)
            self._absent[actor] = monotonic()
            return None
        self._up.discard(actor)
        return result

    def _count_death(self, actor: Any, error: Exception) -> None:
        if self._progress.moved():
            self._deaths.clear()
        self._deaths[actor] += 1
        self._progress.forget(actor)
        self._observer.warn("an actor has died, and is started again where there is room")
        if all(self._deaths[other] >= DEATHS for other in self._up):
            raise EngineError(
                f"every actor died {DEATHS} times in a row and nothing was answered in between, the last time: "
                f"{str(error).splitlines()[0]}; see why with --engine local; what was answered is kept"
            ) from error

    def _fetch_reports(self) -> None:
        waiting = set(self._reports.values())
        for actor in self._working.values():
            if actor not in waiting:
                self._reports[actor.reports.remote()] = actor
        if not self._reports:
            return
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
        if self._working:
            self._ray.wait(list(self._working), num_returns=len(self._working), timeout=LAST_SECONDS)
        self._fetch_reports()

    def _warn_if_idle(self) -> None:
        if self._working:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = monotonic()
        elif monotonic() - self._idle_since > IDLE_SECONDS:
            self._idle_since = monotonic()
            self._observer.warn(
                f"no actor at work for {IDLE_SECONDS:.0f} seconds: does the cluster have room for one? See ray status"
            )


def _shadowing_folder() -> str | None:
    """Return the folder to take off the path of actors: a checkout in it would shadow the installed package.

    Ray puts the current folder of this process first on their path, even where this process does not look there itself.
    """
    here = str(Path.cwd())
    return None if here in {str(Path(entry).resolve()) for entry in sys.path} else here


def _actor_class() -> type[Any]:
    """Return the class of actors, which imports nothing of EgoBench before their path is right.

    A class defined in a function is pickled by value; one of a module would be imported by name, from whatever path.
    """

    class Actor:
        def __init__(self, shadowing_folder: str | None, makers: list[Any]) -> None:
            import sys  # noqa: PLC0415 - what the class uses travels with it
            from importlib import import_module  # noqa: PLC0415

            if sys.path[0] == shadowing_folder:
                del sys.path[0]
            # In a list, it is read here, after the path is right, and not before the call.
            self._worker: Any = import_module("ray").get(makers[0])()

        def work(self) -> Any:
            return self._worker.work()

        def reports(self) -> list[Any]:
            reports: list[Any] = self._worker.reports()
            return reports

    return Actor
