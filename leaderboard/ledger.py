"""The ledger of published numbers: those that the Exo2Ego paper prints, each under the id of what it measures.

A published number comes without samples and without an interval. It is shown apart from runs, and never ranked with
them or tested against them. What the paper does not state, such as how replies were read, is ``unstated`` in the id, so
that no run has the same id.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from typing import NamedTuple

from egobench.run.plan import PartId
from egobench.scoring.entry import ProtocolId, ScoreEntry, Scores, metric_id
from egobench.scoring.overview import headline_ids

UNSTATED = "unstated"
"""In a protocol id: the paper does not say."""

POINTS = 5
"""Highest score of the paper's judge of open answers."""

RESULT_TABLES = ("3", "4", "5", "6", "13")
"""The paper's tables of results; the others are ablations and summaries."""

_PARTS: Mapping[tuple[str, str], tuple[PartId, str]] = {
    ("EgoSchema", "acc"): (PartId("egoschema", "all", "mcq", "official"), "acc"),
    ("QAEgo4D", "acc_closed"): (PartId("qaego4d", "closed", "mcq", "official"), "acc"),
    ("QAEgo4D", "acc_open"): (PartId("qaego4d", "open", "open", "official"), "judge_acc"),
    ("QAEgo4D", "score_open"): (PartId("qaego4d", "open", "open", "official"), "judge_score"),
    ("EgoTaskQA", "acc_direct"): (PartId("egotaskqa", "direct", "mcq", "paper"), "acc"),
    ("EgoTaskQA", "acc_indirect"): (PartId("egotaskqa", "indirect", "mcq", "paper"), "acc"),
    ("Charades-Ego", "mAP"): (PartId("charades-ego", "all", "mcq", "paper"), "mAP"),
    ("EK-100 MIR", "mAP_v2t"): (PartId("epic-kitchens-mir", "all", "mcq", "paper"), "mAP"),
    ("EK-100 MIR", "nDCG_v2t"): (PartId("epic-kitchens-mir", "all", "mcq", "paper"), "nDCG"),
    ("EgoPlan Val", "acc"): (PartId("egoplan", "all", "mcq", "official"), "acc"),
    ("VLN-QA", "acc"): (PartId("vln-qa", "all", "mcq", "official"), "acc"),
    ("EgoMCQ", "acc_inter"): (PartId("egomcq", "inter", "mcq", "paper"), "acc"),
    ("EgoMCQ", "acc_intra"): (PartId("egomcq", "intra", "mcq", "paper"), "acc"),
}
"""Part and metric of each number of a multimodal language model, by the paper's names of benchmark and metric."""

_GALLERIES = {
    "Charades-Ego": PartId("charades-ego", "all", "gallery", "gallery157"),
    "EK-100 MIR": PartId("epic-kitchens-mir", "all", "gallery", "gallery"),
}
"""Parts of the numbers that are quoted for dual encoders in the same columns: official metrics over a whole gallery."""

_WHOLE_SETS = frozenset({"EgoSchema", "Charades-Ego", "EK-100 MIR", "EgoPlan Val", "VLN-QA", "QAEgo4D"})
"""Benchmarks whose printed size is that of each of their numbers; the others have subsets of unstated sizes."""


@dataclass(frozen=True, slots=True)
class PublishedNumber:
    """A number that a paper prints.

    Attributes:
        table: Number of the table.
        model: The model as printed.
        variant: Facts of the table about the row: frames, encoder, language model, whether it was fine-tuned.
        benchmark: The benchmark as printed.
        metric: The metric, named after the column.
        printed: The number as printed; ``""`` for a dash.
        id: Id of what it measures; ``None`` for a mean of several numbers.
        reproduced: Whether the paper's authors ran the model themselves (a dagger in the tables).
        note: A remark of the ledger on it.
        source: Place where it is printed.
        n: Number of samples according to the paper; ``None`` where it does not say.
    """

    table: str
    model: str
    variant: Mapping[str, str]
    benchmark: str
    metric: str
    printed: str
    id: ProtocolId | None
    reproduced: bool
    note: str
    source: str
    n: int | None

    @property
    def value(self) -> float | None:
        """The number in [0, 1]; ``None`` for a dash."""
        top = POINTS if self.metric == "score_open" else 100
        return float(Decimal(self.printed) / top) if self.printed else None

    @property
    def metric_id(self) -> str:
        """``task/subset/protocol/construction/metric``; ``""`` for a mean of several numbers."""
        return metric_id(self.id.part, self.id.metric) if self.id else ""


@dataclass(frozen=True, slots=True)
class PublishedSize:
    """One line of the paper's Table 2: the size of a benchmark.

    Attributes:
        benchmark: The benchmark as printed.
        videos: Number of videos.
        clips: Number of clips.
        seconds: Mean length in seconds.
        questions: Number of questions.
        text: The size according to the paper's text.
        note: ``consistent``, or how the two differ.
    """

    benchmark: str
    videos: int
    clips: int
    seconds: float
    questions: int
    text: str
    note: str


class PublishedModel(NamedTuple):
    """A model of the paper's result tables, with all its numbers.

    Attributes:
        name: As printed.
        variant: Facts of the tables about it.
        numbers: One number per protocol id, without dashes.
    """

    name: str
    variant: Mapping[str, str]
    numbers: tuple[PublishedNumber, ...]

    @property
    def average(self) -> float | None:
        """The mean of the ten headline numbers, in [0, 1]; ``None`` unless all ten are printed."""
        return average(self.numbers)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A published number beside a score of a run, with their difference and its known reasons.

    Attributes:
        published: The paper's number.
        ours: The run's score of the same metric over the same kind of samples; ``None`` for none.
        difference: The run's value minus the paper's, in [-1, 1]; ``None`` where a value is missing.
        reasons: Known differences between the two, as sentences.
    """

    published: PublishedNumber
    ours: ScoreEntry | None
    difference: float | None
    reasons: tuple[str, ...]


def read_ledger() -> tuple[PublishedNumber, ...]:
    """Read every number of the paper's tables, dashes too, in the order of the tables."""
    sizes = {size.benchmark: size.questions for size in read_sizes()}
    return tuple(_number(row, sizes) for row in _rows("published_results.csv"))


def read_sizes() -> tuple[PublishedSize, ...]:
    """Read the paper's Table 2."""
    return tuple(
        PublishedSize(
            benchmark=row["source"],
            videos=int(row["videos"]),
            clips=int(row["clips"]),
            seconds=float(row["seconds"]),
            questions=int(row["questions"]),
            text=row["text_claim"],
            note=row["flag"],
        )
        for row in _rows("published_benchmark_sizes.csv")
    )


def average(numbers: Iterable[PublishedNumber]) -> float | None:
    """Compute the mean of the ten headline numbers, which the paper calls Avg.

    Args:
        numbers: Numbers of one model; of several with the same id the first counts.

    Returns:
        A value in [0, 1]; ``None`` unless all ten are there.
    """
    values: dict[str, Decimal] = {}
    for number in numbers:
        if number.printed and number.id:
            values.setdefault(number.metric_id, Decimal(number.printed))
    members = [values[name] for name in headline_ids() if name in values]
    return float(sum(members) / len(members) / 100) if len(members) == len(headline_ids()) else None


def published_models(numbers: Sequence[PublishedNumber]) -> list[PublishedModel]:
    """Join the rows of the result tables into models, those of Table 3 first.

    Tables 4 to 6 do not say how many frames a model was shown; their rows are joined to the row of Table 13, with whose
    numbers they agree, or else to the only row of that model in Table 3. A fine-tuned model is a row of its own.

    Args:
        numbers: The numbers of :func:`read_ledger`.
    """
    results = [number for number in numbers if number.table in RESULT_TABLES]
    variants: dict[str, list[Mapping[str, str]]] = {}
    for table in ("13", "3"):
        for number in results:
            if number.table == table and number.variant not in variants.setdefault(number.model, []):
                variants[number.model].append(number.variant)
    members: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, PublishedNumber]] = {}
    for number in results:
        variant = number.variant
        if number.table not in {"3", "13"}:
            same_evaluation = (row for row in variants.get(number.model, []) if row["eval"] == variant["eval"])
            variant = next(same_evaluation, variant)
        of_model = members.setdefault((number.model, tuple(variant.items())), {})
        if number.printed:
            of_model.setdefault(str(number.id), number)
    return [PublishedModel(name, dict(variant), tuple(rows.values())) for (name, variant), rows in members.items()]


def compare_with_ledger(numbers: Iterable[PublishedNumber], scores: Scores) -> list[LedgerRow]:
    """Put published numbers beside the scores of a run.

    Args:
        numbers: Published numbers; dashes and means of several numbers are left out.
        scores: Scores of a run by protocol id; those under a control or of several orders are not compared.

    Returns:
        One row per number and score of the same metric, in the order of the numbers; a number that the run has no
        score for has a row of its own.
    """
    ours: dict[str, list[ScoreEntry]] = {}
    for entry in scores.values():
        if entry.id.control is None and entry.orders == 1:
            ours.setdefault(metric_id(entry.id.part, entry.id.metric), []).append(entry)
    rows: list[LedgerRow] = []
    for number in numbers:
        if number.value is None or number.id is None:
            continue
        matching: Sequence[ScoreEntry | None] = ours.get(number.metric_id) or [None]
        for score in matching:
            difference = None if score is None or score.value is None else score.value - number.value
            rows.append(LedgerRow(number, score, difference, () if score is None else _reasons(number, score)))
    return rows


def _reasons(number: PublishedNumber, entry: ScoreEntry) -> tuple[str, ...]:
    reasons: list[str] = []
    if entry.partial:
        reasons.append(f"Ours is of {entry.n} of {entry.n_expected} samples.")
    if number.n is None:
        reasons.append("The paper does not say how many samples its number is of.")
    elif number.n != entry.n_expected:
        reasons.append(f"The paper's number is of {number.n:,} samples, ours of {entry.n_expected:,}.")
    if number.id is not None and number.id.method == UNSTATED:
        reasons.append(f"The paper does not say how an answer became a number; ours was by {entry.id.scored_by}.")
    if entry.id.judge:
        reasons.append(f"Ours was judged by {entry.id.judge}; the paper does not give its judge's rubric.")
    if entry.id.part.construction == "paper":
        reasons.append("The wrong options were made again after the paper's description; they are not the paper's own.")
    if entry.problem:
        reasons.append(f"Ours: {entry.problem}.")
    return tuple(reasons)


def _number(row: Mapping[str, str], sizes: Mapping[str, int]) -> PublishedNumber:
    variant = dict(pair.split("=", 1) for pair in re.split(r";(?=[a-z]+=)", row["variant"]))
    protocol_id = _protocol_id(row, variant)
    five_options = protocol_id is not None and protocol_id.method == UNSTATED
    whole = row["benchmark"] in _WHOLE_SETS and five_options
    return PublishedNumber(
        table=row["table"],
        model=row["model"],
        variant=variant,
        benchmark=row["benchmark"],
        metric=row["metric"],
        printed=row["value"],
        id=protocol_id,
        reproduced=row["is_reproduced_by_authors"] == "true",
        note=row["note"],
        source=row["source"],
        n=sizes[row["benchmark"]] if whole else None,
    )


def _protocol_id(row: Mapping[str, str], variant: Mapping[str, str]) -> ProtocolId | None:
    known = _PARTS.get((row["benchmark"], row["metric"]))
    if known is None:
        return None
    part, metric = known
    if row["note"].startswith("literature value"):
        return ProtocolId(_GALLERIES[row["benchmark"]], metric, "embedding")
    if row["benchmark"] == "EgoTaskQA" and variant.get("eval") == "FT":
        # EgoVLP, EgoVLPv2 and MFAS choose among all answers of the data set: another task than five options.
        return ProtocolId(PartId(part.task, part.subset, "classification", "all-answers"), metric, "fine-tuned")
    judged = metric.startswith("judge_")
    return ProtocolId(part, metric, UNSTATED, judge=UNSTATED if judged else "", rubric=UNSTATED if judged else "")


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((files("egobench.leaderboard") / name).read_text(encoding="utf-8").splitlines()))
