"""``egobench score --judge-url``: verdicts of a judge, kept in the run folder."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from egobench.errors import JudgeError
from egobench.evaluate import plan, sets_of, settings_of
from egobench.llm_judge.client import Judge
from egobench.llm_judge.rubric import Messages, key_of
from egobench.loop.ask import Observer
from egobench.run.store import Run, reopen_run
from egobench.scoring.score import chats

IN_A_ROW = 5
"""Failed requests after which the judge is given up."""


def judge_run(path: Path, data: Path | None, judge: Judge, observer: Observer) -> None:
    """Ask a judge about every open answer of a run that it has no verdict on, and keep what it says.

    Args:
        path: The run folder.
        data: Folder of its sample sets; ``None`` for where they were when it ran.
        judge: The judge.
        observer: Who is told how it goes.

    Raises:
        StoreError: If the folder holds no run, or cannot be written.
        SampleSetError: If a sample set is gone or is not the one that was asked.
        JudgeError: If there is nothing to judge, or the judge cannot be reached; what it said before is kept.
    """
    with reopen_run(path) as run:
        parts = [part for part in plan(sets_of(path, data), settings_of(run.spec)) if part.subset.protocol == "open"]
        if not parts:
            raise JudgeError(f"{path} holds no answers in words; a judge has nothing to do")
        wanted = {key_of(chat): chat for part in parts for chat in chats(part, run.predictions(part.name)).values()}
        known = run.judgements().get(judge.model, {})
        todo = [chat for key, chat in wanted.items() if key not in known or known[key].error is not None]
        observer.begin(f"judge {judge.model}", len(wanted), len(wanted) - len(todo))
        _ask(run, judge, todo, observer)


def _ask(run: Run, judge: Judge, todo: list[Messages], observer: Observer) -> None:
    failures = 0
    with closing(judge.ask(todo)) as replies:
        for reply in replies:
            run.append_judgement(judge.model, reply)
            observer.advance(1)
            failures = 0 if reply.error is None else failures + 1
            if reply.error is not None:
                observer.warn(f"judge {judge.model}: {reply.error}")
            if failures == IN_A_ROW:
                raise JudgeError(
                    f"{judge.endpoint.url} failed {IN_A_ROW} times in a row, the last time with: {reply.error}; "
                    "its other verdicts are kept, run the same command again to go on"
                )
