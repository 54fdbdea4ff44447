"""Open answers of a run judged by a language model: its replies are kept in the run folder, and scored from there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from egobench.errors import JudgeError
from egobench.llm_judge.client import Judge
from egobench.llm_judge.rubric import Messages, Verdict, judge_metrics, key_of, messages, read_verdict, rubric_hash
from egobench.metrics import MeanMetric
from egobench.observer import Observer
from egobench.run.plan import Part, find_run_sets, plan
from egobench.run.records import JudgeReply, Prediction
from egobench.run.store import Run, reopen_run
from egobench.scoring.entry import JudgeCounts, ProtocolId, ScoreEntry
from egobench.scoring.score import estimate_fields, score_metric, score_samples

FAILURES_IN_A_ROW = 5
"""Failed requests in a row after which the judge is given up."""


def judge_chats(part: Part, predictions: Mapping[str, Prediction]) -> dict[str, Messages]:
    """What a judge is asked about the open answers of a part, by sample id."""
    return {
        scored.sample.id: messages(scored.sample.question, scored.sample.answer, scored.reply)
        for scored in score_samples(part.selected, predictions)
        if scored.outcome == "answered" and scored.sample.answer
    }


def judged_metrics(
    part: Part, predictions: Mapping[str, Prediction], replies: Mapping[str, JudgeReply]
) -> dict[str, MeanMetric]:
    """The metrics of a part that a judge graded, by name.

    Args:
        part: The part.
        predictions: By sample id.
        replies: The judge's, by key.
    """
    verdicts: dict[str, Verdict | None] = {}
    for sample_id, chat in judge_chats(part, predictions).items():
        reply = replies.get(key_of(chat))
        if reply is not None:
            verdicts[sample_id] = _verdict(reply)
    return judge_metrics(verdicts)


def judge_run(path: Path, data: Path | None, judge: Judge, observer: Observer, *, accept_changes: bool = False) -> None:
    """Have every open answer of a run judged that has no verdict yet, and keep the replies.

    Args:
        path: The run folder.
        data: Folder of its sample sets; ``None`` for where they were when it ran.
        judge: The judge.
        observer: Receives the progress.
        accept_changes: Judge it although a file was changed since it was signed.

    Raises:
        ChecksumError: If a file was changed since it was signed.
        StoreError: If the folder holds no run, or cannot be written.
        SampleSetError: If a sample set is gone or is not the one that was asked.
        JudgeError: If there is nothing to judge, or the judge cannot be reached; its earlier replies are kept.
    """
    with reopen_run(path, accept_changes=accept_changes) as run:
        parts = [
            part for part in plan(find_run_sets(path, data), run.spec.settings()) if part.subset.protocol == "open"
        ]
        if not parts:
            raise JudgeError(f"{path} holds no answers in words; a judge has nothing to do")
        chats = {
            key_of(chat): chat for part in parts for chat in judge_chats(part, run.predictions(part.name)).values()
        }
        known = run.judge_replies().get(judge.model, {})
        pending = [chat for key, chat in chats.items() if key not in known or known[key].error is not None]
        observer.begin(f"judge {judge.model}", len(chats), len(chats) - len(pending))
        _collect(run, judge, pending, observer)


def score_with_judge(
    part: Part,
    predictions: Mapping[str, Prediction],
    replies: Mapping[str, Mapping[str, JudgeReply]],
    *,
    seed: int,
) -> Iterator[ScoreEntry]:
    """The metrics of judged open answers.

    Args:
        part: The part.
        predictions: By sample id.
        replies: Of judges, by judge and key. Judges without a reply about the part are left out; as long as a judge
            has not replied about all of its answers, there is no value.
        seed: Seed of bootstrap replicates.

    Yields:
        One entry per judge and metric.
    """
    scored = score_samples(part.selected, predictions)
    keys = {sample_id: key_of(chat) for sample_id, chat in judge_chats(part, predictions).items()}
    for judge, by_key in replies.items():
        of_part = {sample_id: by_key[key] for sample_id, key in keys.items() if key in by_key}
        if not of_part:
            continue
        verdicts = {sample_id: _verdict(reply) for sample_id, reply in of_part.items()}
        failed = sum(reply.error is not None for reply in of_part.values())
        unparsed = sum(verdict is None for verdict in verdicts.values()) - failed
        counts = JudgeCounts(judge, rubric_hash(), replies=len(of_part), failed=failed, unparsed=unparsed)
        missing = len(keys) - len(of_part)
        for name, metric in judge_metrics(verdicts).items():
            protocol_id = ProtocolId.of(part, name, judge=judge, rubric=rubric_hash())
            entry = score_metric(part, protocol_id, metric, scored, seed=seed)
            entry = replace(entry, shown=True, judge=counts)
            if missing:
                problem = f"the judge has not been heard on {missing} of {len(keys)} answers; run it again"
                entry = replace(entry, **estimate_fields(None), answered_only=None, problem=problem)
            elif None in verdicts.values():
                problem = f"{failed} requests failed and {unparsed} verdicts were unreadable: no, 0"
                entry = replace(entry, problem=problem)
            yield entry


def _verdict(reply: JudgeReply) -> Verdict | None:
    return None if reply.error else read_verdict(reply.reply)


def _collect(run: Run, judge: Judge, pending: list[Messages], observer: Observer) -> None:
    failures = 0
    with closing(judge.ask(pending)) as replies:
        for reply in replies:
            run.append_judge_reply(judge.model, reply)
            observer.advance(1)
            failures = 0 if reply.error is None else failures + 1
            if reply.error is not None:
                observer.warn(f"judge {judge.model}: {reply.error}")
            if failures == FAILURES_IN_A_ROW:
                raise JudgeError(
                    f"{judge.endpoint.url} failed {failures} times in a row, the last time with: {reply.error}; its "
                    "other verdicts are kept, run the same command again to go on"
                )
