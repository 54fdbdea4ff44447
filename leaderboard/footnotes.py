"""Footnotes of the ledger: what does not add up in the paper, with the arithmetic, computed from the ledger itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from math import log2

from .grim import is_share, neighbours
from .ledger import PublishedNumber, PublishedSize, published_models

OPTIONS = 5
"""Candidates of the paper's version of Charades-Ego and EPIC-KITCHENS (appendix C.1.4 and C.1.5)."""

ARROWS = {
    ("EgoSchema", "acc"): "2.3",
    ("QAEgo4D", "acc_closed"): "9.7",
    ("Charades-Ego", "mAP"): "2.8",
    ("EK-100 MIR", "mAP_v2t"): "1.9",
    ("EK-100 MIR", "nDCG_v2t"): "3.0",
    ("EgoPlan Val", "acc"): "3.3",
    ("VLN-QA", "acc"): "7.0",
    ("EgoMCQ", "acc_intra"): "2.6",
}
"""The gains that Table 13 prints beside Exo2Ego's numbers, by benchmark and metric."""

_TABLE_9_START = "38.9"


@dataclass(frozen=True, slots=True)
class Footnote:
    """Something about published numbers that does not add up.

    Attributes:
        key: A short name, for links.
        title: What it is, in a few words.
        arithmetic: The arithmetic, in sentences.
        numbers: The numbers that it is about.
    """

    key: str
    title: str
    arithmetic: str
    numbers: tuple[PublishedNumber, ...]


def footnotes(numbers: Sequence[PublishedNumber], sizes: Sequence[PublishedSize]) -> list[Footnote]:
    """Everything that does not add up in the ledger.

    Args:
        numbers: Of :func:`egobench.leaderboard.ledger.read_ledger`.
        sizes: Of :func:`egobench.leaderboard.ledger.read_sizes`.
    """
    return [
        *_impossible_shares(numbers),
        *_wrong_arrows(numbers),
        _mixed_protocols(numbers),
        _other_answer_sets(numbers),
        _chance(numbers),
        _average(numbers),
        *_sizes(sizes),
    ]


def _impossible_shares(numbers: Sequence[PublishedNumber]) -> list[Footnote]:
    """Accuracies that no whole number of right answers has (GRIM)."""
    notes: list[Footnote] = []
    for number in numbers:
        if not number.printed or number.n is None or number.metric != "acc" or is_share(number.printed, number.n):
            continue
        below, above = neighbours(number.printed, number.n)
        right = Decimal(number.printed) * number.n / 100
        notes.append(
            Footnote(
                f"grim-{number.table}-{number.printed}",
                f"{number.benchmark} {number.printed} ({number.model}, Table {number.table}) is impossible",
                f"{number.printed} % of {number.n} samples would be {right.normalize():f} right answers. {below} right "
                f"answers are {100 * below / number.n:.1f} %, {above} are {100 * above / number.n:.1f} %.",
                (number,),
            )
        )
    return notes


def _wrong_arrows(numbers: Sequence[PublishedNumber]) -> list[Footnote]:
    notes: list[Footnote] = []
    for (benchmark, metric), arrow in ARROWS.items():
        column = [
            number
            for number in numbers
            if (number.table, number.benchmark, number.metric) == ("13", benchmark, metric) and number.printed
        ]
        (own,) = [number for number in column if number.model == "Exo2Ego"]
        best = max((number for number in column if number is not own), key=lambda number: Decimal(number.printed))
        gain = Decimal(own.printed) - Decimal(best.printed)
        if gain == Decimal(arrow):
            continue
        notes.append(
            Footnote(
                f"arrow-{benchmark.lower().replace(' ', '-')}",
                f"The gain printed for {benchmark} in Table 13 is another one",
                f"Table 13 prints a gain of {arrow} over the best other model. {own.printed} - {best.printed} "
                f"({best.model}) = {gain}. The other {len(ARROWS) - 1} gains of the table are right.",
                (own, best),
            )
        )
    return notes


def _mixed_protocols(numbers: Sequence[PublishedNumber]) -> Footnote:
    table = [number for number in numbers if number.table == "4" and number.printed and number.id]
    gallery = tuple(number for number in table if number.id and number.id.part.protocol == "gallery")
    values = "; ".join(f"{number.model} {number.benchmark} {number.metric} {number.printed}" for number in gallery)
    return Footnote(
        "two-protocols-in-table-4",
        "Table 4 shows two kinds of numbers in one column",
        f"{len(gallery)} of its {len(table)} numbers are literature values over a whole gallery, 157 classes or 3,842 "
        f"captions: {values}. The others choose among {OPTIONS} candidates (appendix C.1.4 and C.1.5). They stand "
        "under other protocol ids here and never share a column.",
        gallery,
    )


def _other_answer_sets(numbers: Sequence[PublishedNumber]) -> Footnote:
    rows = tuple(number for number in numbers if number.id and number.id.part.protocol == "classification")
    values = "; ".join(f"{number.model} {number.metric} {number.printed}" for number in rows if number.printed)
    return Footnote(
        "answer-sets-in-table-3",
        "EgoTaskQA numbers of fine-tuned models are of another task",
        f"{values}: accuracies of choosing among all answers of the data set, quoted from earlier papers. The other "
        f"rows choose among {OPTIONS} options.",
        tuple(number for number in rows if number.printed),
    )


def _chance(numbers: Sequence[PublishedNumber]) -> Footnote:
    ranks = range(1, OPTIONS + 1)
    mean_ap = 100 * sum(1 / rank for rank in ranks) / OPTIONS
    mean_ndcg = 100 * sum(1 / log2(1 + rank) for rank in ranks) / OPTIONS
    rows = tuple(
        number
        for number in numbers
        if number.table == "4" and number.benchmark == "EK-100 MIR" and number.printed
        if number.id and number.id.part.protocol == "mcq"
    )
    values = {
        metric: sorted(Decimal(number.printed) for number in rows if number.metric == metric)
        for metric in ("mAP_v2t", "nDCG_v2t")
    }
    return Footnote(
        "epic-at-chance",
        "EPIC-KITCHENS numbers of multimodal models lie around chance",
        f"With one right caption among {OPTIONS}, drawn at random, average precision is the mean of 1/rank: "
        f"(1 + 1/2 + 1/3 + 1/4 + 1/5) / 5 = {mean_ap:.2f} %; nDCG is the mean of 1/log2(1 + rank) = {mean_ndcg:.2f} %. "
        f"Table 4 prints mAP from {values['mAP_v2t'][0]} to {values['mAP_v2t'][-1]} and nDCG from "
        f"{values['nDCG_v2t'][0]} to {values['nDCG_v2t'][-1]}.",
        rows,
    )


def _average(numbers: Sequence[PublishedNumber]) -> Footnote:
    start = next(number for number in numbers if number.table == "9" and number.printed == _TABLE_9_START)
    models = published_models(numbers)
    (own,) = [model for model in models if model.name == "Exo2Ego"]
    (baseline,) = [model for model in models if model.name == start.model and model.average is not None]
    # In tenths of a percent, so that sums are exact.
    own_tenths = {number.metric_id: int(10 * Decimal(number.printed)) for number in own.numbers if _percent(number)}
    tenths = {number.metric_id: int(10 * Decimal(number.printed)) for number in baseline.numbers}
    fits = [
        sum(tenths[name] for name in names) / len(names) / 10
        for size in range(3, len(own_tenths) + 1)
        for names in combinations(own_tenths, size)
        if abs(2 * sum(own_tenths[name] for name in names) - 2 * 556 * size) <= size
    ]
    return Footnote(
        "average-38.9",
        f"The average {_TABLE_9_START} of {start.model} in Table 9 cannot be derived",
        f"The mean of Exo2Ego's ten headline numbers is {100 * (own.average or 0):.2f}, printed as 55.6; the mean of "
        f"the same ten of {start.model} is {100 * (baseline.average or 0):.2f}, not {_TABLE_9_START}. Of all choices "
        f"of at least three of the {len(own_tenths)} percentages, {len(fits)} give Exo2Ego 55.55 to 55.65, and the "
        f"lowest mean of {start.model} among them is {min(fits):.1f}. The row's caption speaks of partial data, so it "
        "is probably another checkpoint than the released one of Tables 3 to 6.",
        (start,),
    )


def _percent(number: PublishedNumber) -> bool:
    return number.metric != "score_open"


def _sizes(sizes: Sequence[PublishedSize]) -> list[Footnote]:
    return [
        Footnote(
            f"size-{size.benchmark.lower().replace(' ', '-')}",
            f"The size of {size.benchmark}",
            f"Table 2 prints {size.questions:,} questions on {size.videos:,} videos of {size.seconds:g} s; the text "
            f"says {size.text}. {size.note[:1].upper()}{size.note[1:]}.",
            (),
        )
        for size in sizes
        if size.note != "consistent"
    ]
