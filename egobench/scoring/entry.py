"""A score as it stands in ``scores.json``: the id that names its column, and the entry with all that belongs to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from egobench.controls import CONTROLS, Control
from egobench.run.plan import Part, PartId

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ProtocolId:
    """Names a column of scores: numbers with different ids or sample sets never share one (PROTOCOL section 1).

    As text: ``task/subset/protocol/construction/metric[@judge@rubric]/method[-priorA][@retriever][/control]``.

    Attributes:
        part: Task, subset, protocol and construction.
        metric: Name of the metric.
        method: How an answer becomes a number.
        judge: Name of the model that judged open answers; ``""`` where none did.
        rubric: Hash of what the judge was asked.
        text_prior: Share of an option's score without the video that was subtracted.
        retriever: Whose best texts were scored again, and how many; ``""`` where none were.
        control: What was removed or altered; ``None`` for a plain run.
    """

    part: PartId
    metric: str
    method: str
    judge: str = ""
    rubric: str = ""
    text_prior: float = 0.0
    retriever: str = ""
    control: Control | None = None

    @classmethod
    def of(cls, part: Part, metric: str, *, judge: str = "", rubric: str = "") -> ProtocolId:
        """The id of a metric of a part of a run."""
        return cls(
            part=part.id,
            metric=metric,
            method=part.method,
            judge=judge,
            rubric=rubric,
            text_prior=part.text_prior,
            retriever=part.retriever,
            control=part.control,
        )

    @classmethod
    def parse(cls, text: str) -> ProtocolId:
        """The id that was written as a text.

        Raises:
            ValueError: If the text is no protocol id.
        """
        pieces = text.split("/")
        control: Control | None = next((name for name in CONTROLS if pieces[6:] == [name]), None)
        if len(pieces) != (6 if control is None else 7) or not all(pieces):
            raise ValueError(f"{text!r} is no protocol id; expected task/subset/protocol/construction/metric/method")
        metric, *judged = pieces[4].split("@")
        scored_by, _, retriever = pieces[5].partition("@")
        prior = re.fullmatch(r"(.+)-prior([0-9.e+-]+)", scored_by)
        if len(judged) not in {0, 2}:
            raise ValueError(f"{text!r} is no protocol id: {pieces[4]!r} names a judge without a rubric")
        return cls(
            part=PartId(*pieces[:4]),
            metric=metric,
            method=prior[1] if prior else scored_by,
            judge=unquote(judged[0]) if judged else "",
            rubric=judged[1] if judged else "",
            text_prior=float(prior[2]) if prior else 0.0,
            retriever=retriever,
            control=control,
        )

    def __str__(self) -> str:
        metric = f"{self.metric}@{quote(self.judge, safe='')}@{self.rubric}" if self.judge else self.metric
        method = f"{self.scored_by}@{self.retriever}" if self.retriever else self.scored_by
        return "/".join([*self.part, metric, method, *([self.control] if self.control else [])])

    @property
    def scored_by(self) -> str:
        """The method with what changes its numbers, e.g. ``"likelihood-sum-prior1"``."""
        return scored_by(self.method, self.text_prior)

    @property
    def label(self) -> str:
        """Task, subset where there are several, and construction, as tables show them."""
        part = self.part
        return f"{part.task if part.subset == 'all' else f'{part.task} {part.subset}'} ({part.construction})"


def metric_id(part: PartId, metric: str) -> str:
    """``task/subset/protocol/construction/metric``: a metric of a part, whatever the method and the control."""
    return "/".join([*part, metric])


def scored_by(method: str, text_prior: float) -> str:
    """A method with its text prior, as protocol ids and predictions name it."""
    return f"{method}-prior{text_prior:g}" if text_prior else method


@dataclass(frozen=True, slots=True)
class TagScore:
    """The score of the samples that have one value of a tag.

    Attributes:
        n: Number of samples.
        value: The score; ``None`` where there is none.
        se: Its clustered standard error.
        low: Lower end of the 95 % interval.
        high: Upper end.
        chance: Value under scores that are all equal.
    """

    n: int
    value: float | None
    se: float | None
    low: float | None
    high: float | None
    chance: float | None


@dataclass(frozen=True, slots=True)
class GallerySize:
    """The gallery that a score is about.

    Attributes:
        gallery_sha256: Hash of its texts.
        items: Number of texts.
        items_with_positives: Texts that are fully relevant for at least one sample.
    """

    gallery_sha256: str | None
    items: int
    items_with_positives: int


@dataclass(frozen=True, slots=True)
class OptionPositions:
    """How often each position was chosen, and how often the right option stood there; both sum to 1.

    Attributes:
        chosen: Share of the answers per position.
        right: Share of the right options per position.
    """

    chosen: tuple[float, ...]
    right: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class JudgeCounts:
    """The judge of a score, and what became of its requests.

    Attributes:
        model: The judge's name.
        rubric: Hash of what it was asked.
        replies: Answers that it replied about.
        failed: Requests that failed.
        unparsed: Replies that could not be read.
    """

    model: str
    rubric: str
    replies: int
    failed: int
    unparsed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreEntry:
    """One score of a run: one entry of ``scores.json``. Values are in [0, 1].

    Attributes:
        id: Names its column.
        n: Samples that were asked.
        n_expected: Samples of the sample set.
        outcomes: Number of samples by outcome.
        clusters: Number of clusters.
        value: The score; ``None`` where there is none.
        se: Its clustered standard error.
        low: Lower end of the 95 % interval.
        high: Upper end.
        answered_only: The score over answered samples alone.
        problem: Why there is no value, or what is wrong with it; ``None`` mostly.
        chance: Value under scores that are all equal.
        blind: Accuracy of the best attack that sees a sample's options alone; ``None`` where the set was not audited.
        blind_trained: The same of the best attack that has learned from questions, options and answers of other
            clusters.
        samples_sha256: Hash of the samples.
        orders: Orders of the options that the score is about.
        headline: Whether it stands for its subset.
        shown: Whether short tables show it.
        by: Scores by tag and value of the tag.
        gallery: The gallery, where it is about one.
        positions: Positions of answers, where it is about several orders.
        judge: The judge, where one judged.
    """

    id: ProtocolId
    n: int
    n_expected: int
    outcomes: Mapping[str, int]
    clusters: int
    value: float | None
    se: float | None
    low: float | None
    high: float | None
    answered_only: float | None
    problem: str | None
    chance: float | None
    blind: float | None
    blind_trained: float | None
    samples_sha256: str
    orders: int
    headline: bool
    shown: bool
    by: Mapping[str, Mapping[str, TagScore]] = field(default_factory=dict[str, dict[str, TagScore]])
    gallery: GallerySize | None = None
    positions: OptionPositions | None = None
    judge: JudgeCounts | None = None

    @property
    def partial(self) -> bool:
        """Whether only some of the samples were asked."""
        return self.n < self.n_expected

    @property
    def unanswered(self) -> int:
        """Samples without an answer, whatever the reason."""
        return self.n - self.outcomes["answered"]

    def to_json(self) -> dict[str, Any]:
        """The entry as a JSON object, without its id."""
        row = {key: value for key, value in asdict(self).items() if key not in {"id", "gallery"} and value is not None}
        row |= {key: None for key in _NULLABLE if key not in row}
        return {**row, "partial": self.partial, **(asdict(self.gallery) if self.gallery else {})}

    @classmethod
    def from_json(cls, protocol_id: str, row: Mapping[str, Any]) -> ScoreEntry:
        """The entry that :meth:`to_json` wrote.

        Raises:
            ValueError: If the id is none.
            KeyError: If a key is missing.
            TypeError: If a key is unknown.
        """
        fields = {key: value for key, value in row.items() if key not in {"partial", *_GALLERY_KEYS}}
        if "blind_ceiling" in fields:
            # Written before there were two figures.
            fields |= {"blind": fields.pop("blind_ceiling"), "blind_trained": None}
        if not all(isinstance(fields[key], int) for key in ("n", "n_expected", "clusters", "orders")):
            raise TypeError("n, n_expected, clusters and orders are expected to be whole numbers")
        if not all(isinstance(fields[key], float | int | None) for key in ("value", "low", "high")):
            raise TypeError("value, low and high are expected to be numbers")
        positions, judge = fields.pop("positions", None), fields.pop("judge", None)
        by = {
            tag: {value: TagScore(**score) for value, score in scores.items()}
            for tag, scores in fields.pop("by").items()
        }
        return cls(
            id=ProtocolId.parse(protocol_id),
            by=by,
            gallery=GallerySize(**{key: row[key] for key in _GALLERY_KEYS}) if "items" in row else None,
            positions=OptionPositions(**positions) if positions else None,
            judge=JudgeCounts(**judge) if judge else None,
            **fields,
        )


_NULLABLE = ("value", "se", "low", "high", "answered_only", "problem", "chance", "blind", "blind_trained")
_GALLERY_KEYS = ("gallery_sha256", "items", "items_with_positives")

Scores = Mapping[str, ScoreEntry]
"""The scores of a run, by protocol id."""


def by_id(entries: Iterable[ScoreEntry]) -> dict[str, ScoreEntry]:
    """Entries by their id as a text."""
    return {str(entry.id): entry for entry in entries}


def scores_frame(scores: Scores) -> pd.DataFrame:
    """Scores as a table: one row per protocol id, its parts as columns of their own."""
    import pandas as pd  # noqa: PLC0415 - for notebooks; the command line stays light

    rows: list[dict[str, Any]] = []
    for protocol_id, entry in scores.items():
        row = {key: value for key, value in entry.to_json().items() if key not in {"by", "outcomes"}}
        names = {**entry.id.part._asdict(), "metric": entry.id.metric, "method": entry.id.scored_by}
        rows.append({"id": protocol_id, **names, "control": entry.id.control, **row, **entry.outcomes})
    return pd.DataFrame(rows)
