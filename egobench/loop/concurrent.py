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

QuestionT = TypeVar("QuestionT")
AnswerT = TypeVar("AnswerT")

LAST_SECONDS = 10.0
"""How long answers under way are waited for when something ends a run."""

POLL_SECONDS = 0.5
"""Length of a single wait: Python heeds a Ctrl-C that comes just before it waits only when it has waited."""


def answer_concurrently(
    questions: Iterable[QuestionT],
    answer: Callable[[QuestionT], AnswerT],
    write: Callable[[AnswerT], None],
    most: int,
) -> None:
    """Answer one question per call, the next one as soon as any is answered: a slow answer holds up no other.

    When something ends the run, what is under way is waited for and kept, for it may have been paid for; but not for
    long, since a server may never answer.

    Args:
        questions: Drawn in this thread, one whenever there is room for it.
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
                under_way.submit(question)
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


class _UnderWay(Generic[QuestionT, AnswerT]):
    """Questions under way, and their answers until they are written.

    Attributes:
        count: Number of questions without a written answer.
    """

    def __init__(
        self, pool: ThreadPool, answer: Callable[[QuestionT], AnswerT], write: Callable[[AnswerT], None]
    ) -> None:
        self.count = 0
        self._pool, self._answer, self._write = pool, answer, write
        self._results: deque[AnswerT | BaseException] = deque()
        self._arrivals: SimpleQueue[None] = SimpleQueue()

    def submit(self, question: QuestionT) -> None:
        """Have a question answered, without waiting."""
        self.count += 1
        self._pool.apply_async(self._answer, (question,), {}, self._arrive, self._arrive)

    def write_next(self, until: float | None = None) -> None:
        """Wait for an answer and write it, or raise what came instead.

        Args:
            until: When to stop waiting, with ``Empty``; what comes instead of an answer is passed over then.
        """
        while not self._results:
            if until is not None and monotonic() >= until:
                raise Empty
            with suppress(Empty):
                wait = POLL_SECONDS if until is None else min(POLL_SECONDS, max(0.0, until - monotonic()))
                self._arrivals.get(timeout=wait)
        # Removed first, it would be lost to an interruption that comes before it is written.
        result = self._results[0]
        if not isinstance(result, BaseException):
            self._write(result)
        self._results.popleft()
        self.count -= 1
        if isinstance(result, BaseException) and until is None:
            raise result

    def _arrive(self, result: AnswerT | BaseException) -> None:
        self._results.append(result)
        self._arrivals.put(None)
