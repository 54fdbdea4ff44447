"""Several questions under way at a time, and their answers written in one thread, as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.pool import ThreadPool
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Generic, TypeVar

from egobench.errors import StoreError

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

LAST_SECONDS = 10.0
"""How long answers under way are waited for when something ends a run."""

GLANCE = 0.5
"""Seconds of one wait: Python heeds a Ctrl-C that comes just before it waits only when it has waited."""


def answer_at_once(
    questions: Iterable[Asked], answer: Callable[[Asked], Answered], write: Callable[[Answered], None], most: int
) -> None:
    """Ask one question a call, the next one as soon as any is answered: a slow answer holds up nobody.

    When something ends the run, what is under way is waited for and kept, for it may have been paid for; but not for
    long, since a server may never answer.

    Args:
        questions: Taken in this thread, one whenever there is room for it.
        answer: Called from several threads.
        write: Called in this thread, with answers in the order in which they come.
        most: Questions under way at a time, at least 1.

    Raises:
        StoreError: If an answer cannot be written; those under way are lost then.
    """
    # Threads of this pool are waited for by nobody, at the end of the process neither.
    with ThreadPool(most) as pool:
        under_way = _UnderWay(pool, answer, write)
        try:
            for question in questions:
                under_way.ask(question)
                if under_way.count == most:
                    under_way.write_next()
            while under_way.count:
                under_way.write_next()
        except StoreError:
            # Nothing can be written any more.
            raise
        except BaseException:
            until = monotonic() + LAST_SECONDS
            with suppress(Empty):
                while under_way.count:
                    under_way.write_next(until)
            raise


class _UnderWay(Generic[Asked, Answered]):
    """Questions under way, and their answers until they are written.

    Attributes:
        count: How many.
    """

    def __init__(
        self, pool: ThreadPool, answer: Callable[[Asked], Answered], write: Callable[[Answered], None]
    ) -> None:
        self.count = 0
        self._pool, self._answer, self._write = pool, answer, write
        self._told: deque[Answered | BaseException] = deque()
        self._came: SimpleQueue[None] = SimpleQueue()

    def ask(self, question: Asked) -> None:
        """Ask one question, and do not wait."""
        self.count += 1
        self._pool.apply_async(self._answer, (question,), {}, self._tell, self._tell)

    def write_next(self, until: float | None = None) -> None:
        """Wait for an answer and write it down, or raise what came instead.

        Args:
            until: When to stop waiting, with ``Empty``; what comes instead of an answer is passed over then.
        """
        while not self._told:
            if until is not None and monotonic() >= until:
                raise Empty
            with suppress(Empty):
                self._came.get(timeout=GLANCE if until is None else min(GLANCE, max(0.0, until - monotonic())))
        # Taken out first, it would be lost to an interruption that comes before it is written.
        answered = self._told[0]
        if not isinstance(answered, BaseException):
            self._write(answered)
        self._told.popleft()
        self.count -= 1
        if isinstance(answered, BaseException) and until is None:
            raise answered

    def _tell(self, answered: Answered | BaseException) -> None:
        self._told.append(answered)
        self._came.put(None)
