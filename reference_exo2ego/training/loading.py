"""Steps loaded ahead by threads, and how long the loop waited for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import NamedTuple

from .batches import MicroBatch, Source
from .processes import Processes


class LoadedStep(NamedTuple):
    """The part of a step that a process computes.

    Attributes:
        step: The step.
        micro_batches: The micro-batches that this process computes in it.
        waited: Seconds that the loop waited for them.
    """

    step: int
    micro_batches: Sequence[MicroBatch]
    waited: float


def load_steps(source: Source, steps: range, processes: Processes, *, workers: int) -> Iterator[LoadedStep]:
    """Load the steps of a stage, in order; threads load as many steps ahead as there are of them.

    Args:
        source: The data of the stage. Its batches are functions of the step, so threads change nothing.
        steps: Numbers of the steps.
        processes: The processes.
        workers: Threads; with 0 each step is read when it is needed.
    """
    if workers == 0:
        for step in steps:
            began = perf_counter()
            micro_batches = source.micro_batches(step, processes.rank, processes.count)
            yield LoadedStep(step, micro_batches, perf_counter() - began)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="exo2ego-load")
    ahead: deque[Future[Sequence[MicroBatch]]] = deque()
    coming = iter(steps)
    try:
        for step in steps:
            while len(ahead) <= workers and (following := next(coming, None)) is not None:
                ahead.append(pool.submit(source.micro_batches, following, processes.rank, processes.count))
            began = perf_counter()
            micro_batches = ahead.popleft().result()
            yield LoadedStep(step, micro_batches, perf_counter() - began)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
