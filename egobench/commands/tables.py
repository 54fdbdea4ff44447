"""Scores as tables: what the command line prints, and the same as rows for ``--json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.table import Table

from egobench.commands.console import SlashedText

if TYPE_CHECKING:
    from egobench.scoring.entry import ProtocolId, ScoreEntry, Scores, TagScore

WIDE = 3
"""Runs beside one another; where there are more, intervals stand below their scores."""


def percent(value: float | None) -> str:
    """A value in [0, 1] as shown: times 100, one digit."""
    return "-" if value is None else f"{100 * value:.1f}"


def interval(score: ScoreEntry | TagScore) -> str:
    """The 95 % interval as shown."""
    return "-" if score.low is None else f"[{percent(score.low)}, {percent(score.high)}]"


def score_rows(scores: Scores) -> list[dict[str, Any]]:
    """Scores as flat JSON objects, one per protocol id, without those by tag."""
    return [
        {"id": protocol_id, **{key: value for key, value in entry.to_json().items() if key != "by"}}
        for protocol_id, entry in scores.items()
    ]


def run_table(scores: Scores, title: str, *, everything: bool = False) -> Table:
    """One run: a line a number.

    Args:
        scores: The run's scores.
        title: Printed above.
        everything: Also the metrics that short tables leave out.
    """
    table = Table(title=title, title_justify="left", caption_justify="left", caption=_caption([scores]))
    table.add_column(SlashedText("task/subset/protocol/construction/metric/method"))
    for column in ("n", "score", "95 % interval", "chance", "blind", "blind, trained", "unanswered"):
        table.add_column(column, justify="right", no_wrap=True)
    for protocol_id, entry in scores.items():
        if everything or entry.shown:
            n = f"{entry.n} of {entry.n_expected}" if entry.partial else str(entry.n)
            beside = [*map(percent, (entry.chance, entry.blind, entry.blind_trained)), str(entry.unanswered)]
            table.add_row(SlashedText(protocol_id), n, percent(entry.value), interval(entry), *beside)
        if everything:
            _add_breakdown(table, entry)
    return table


def comparison_table(runs: Mapping[str, Scores], title: str) -> Table:
    """Several runs over the same sample sets: a line a number, a column a run.

    Args:
        runs: Scores by the name a column gets.
        title: Printed above.
    """
    table = Table(title=title, title_justify="left", caption_justify="left", caption=_caption(list(runs.values())))
    table.add_column("task", overflow="fold")
    table.add_column("metric", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    for name in runs:
        table.add_column(name, justify="right", overflow="fold")
    for column in ("chance", "blind", "blind,\ntrained"):
        table.add_column(column, justify="right", no_wrap=True)
    between = "\n" if len(runs) > WIDE else " "
    for number in _numbers(runs):
        entry = number.first
        cells = [
            "-" if own is None else f"{percent(own.value)}{between}{interval(own)}"
            for own in (number.entries.get(name) for name in runs)
        ]
        beside = [percent(share) for share in (entry.chance, entry.blind, entry.blind_trained)]
        table.add_row(entry.id.label, entry.id.metric, str(entry.n), *cells, *beside)
    return table


def comparison_rows(runs: Mapping[str, Scores]) -> list[dict[str, Any]]:
    """What :func:`comparison_table` shows, as JSON objects; values in [0, 1]."""
    return [
        {
            "id": str(number.first.id),
            "column": number.first.id.label,
            "metric": number.first.id.metric,
            "n": number.first.n,
            "chance": number.first.chance,
            "blind": number.first.blind,
            "blind_trained": number.first.blind_trained,
            "runs": {name: entry.to_json() for name, entry in number.entries.items()},
        }
        for number in _numbers(runs)
    ]


class _Number(NamedTuple):
    """A number that several runs have, whatever the method by which each answers.

    Attributes:
        first: The entry of the first run that has it.
        entries: Its entries by run.
    """

    first: ScoreEntry
    entries: dict[str, ScoreEntry]


def _numbers(runs: Mapping[str, Scores]) -> list[_Number]:
    """The numbers that short tables show, in the order of the first run."""
    numbers: dict[ProtocolId, _Number] = {}
    for name, scores in runs.items():
        for entry in scores.values():
            if entry.shown:
                number = numbers.setdefault(replace(entry.id, method=""), _Number(entry, {}))
                number.entries.setdefault(name, entry)
    return list(numbers.values())


def _add_breakdown(table: Table, entry: ScoreEntry) -> None:
    for tag, values in entry.by.items():
        for value, score in values.items():
            cells = [str(score.n), percent(score.value), interval(score), percent(score.chance)]
            table.add_row(f"  {tag} = {value}", *cells, "", "", "")


def _caption(runs: Sequence[Scores]) -> str:
    entries = [entry for scores in runs for entry in scores.values()]
    partial = "PARTIAL: not all samples were asked. " if any(entry.partial for entry in entries) else ""
    problems = [
        f"\n{protocol_id}: {entry.problem}."
        for scores in runs
        for protocol_id, entry in scores.items()
        if entry.shown and entry.problem
    ]
    points = "A judge_score of 100 is 5 of 5 points. " if any(entry.judge for entry in entries) else ""
    blind = ""
    if any(entry.blind is not None for entry in entries):
        blind = (
            "\nblind: accuracy of the best attack that sees the options alone; trained: of the best that has learned "
            "from questions, options and answers of other videos. "
        )
    return f"{partial}Scores x 100, 95 % intervals clustered by source video. {points}{blind}{''.join(problems)}"
