"""From predictions to scores: every number of a run is derived from its rows, here and nowhere else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypedDict

from egobench.dataset.sampleset import Manifest
from egobench.errors import ModelError, StoreError
from egobench.metrics import OUTCOMES, Metric, Outcome, ScoredSample
from egobench.metrics.orders import circular, position_bias, positions
from egobench.orders import orders_of
from egobench.run.plan import Part, PartId
from egobench.run.records import Prediction, PredictionsByOrder
from egobench.sample import Sample
from egobench.scoring.entry import OptionPositions, ProtocolId, ScoreEntry, TagScore
from egobench.statistics import Estimate, chance, estimate


class Attempt(NamedTuple):
    """An estimate, or why there is none.

    Attributes:
        estimate: The score with its interval; ``None`` where there is none.
        problem: Why there is none; ``None`` where there is.
    """

    estimate: Estimate | None
    problem: str | None


def score_samples(samples: Sequence[Sample], predictions: Mapping[str, Prediction]) -> list[ScoredSample]:
    """Samples that have a prediction, in their order, with what became of them.

    Args:
        samples: The samples.
        predictions: By sample id.

    Raises:
        StoreError: If a prediction does not fit its sample, or contradicts itself.
    """
    scored: list[ScoredSample] = []
    for sample in samples:
        prediction = predictions.get(sample.id)
        if prediction is None:
            continue
        _check_prediction(sample, prediction)
        reply = prediction.reply if prediction.outcome == "answered" else ""
        scored.append(ScoredSample(sample, prediction.outcome, prediction.scores, reply))
    return scored


def _check_prediction(sample: Sample, prediction: Prediction) -> None:
    """Refuse what no run writes: another number of scores than options, an answer without scores, a foreign choice."""
    scores, options = prediction.scores, len(sample.options)
    if scores is None:
        fault = "an answer and no scores of its options" if options and prediction.outcome == "answered" else ""
    elif len(scores) != options:
        fault = f"{len(scores)} scores for {options} options"
    else:
        top = max(scores, default=0.0)
        best = scores.index(top) if scores.count(top) == 1 else None
        fault = "" if prediction.choice == best else f"choice {prediction.choice}, but its scores choose {best}"
    if fault:
        raise StoreError(
            f"predictions: sample {sample.id!r} has {fault}; delete its line and checksums.txt to ask again"
        )


def score_samples_in_orders(
    samples: Sequence[Sample], predictions: PredictionsByOrder, orders: int
) -> list[ScoredSample]:
    """Samples that have a prediction in each of their first orders; answered where they were answered in all of them.

    Args:
        samples: The samples.
        predictions: By order of the options and sample id.
        orders: Number of orders.

    Raises:
        StoreError: If a prediction does not fit its sample, or contradicts itself.
    """
    scored: list[ScoredSample] = []
    for sample in samples:
        turns = orders_of(sample, orders)
        of_sample = [
            prediction for turn in turns if (prediction := predictions.get(turn, {}).get(sample.id)) is not None
        ]
        if len(of_sample) < len(turns):
            continue
        for prediction in of_sample:
            _check_prediction(sample, prediction)
        failures: list[Outcome] = [prediction.outcome for prediction in of_sample if prediction.outcome != "answered"]
        if failures:
            scored.append(ScoredSample(sample, failures[0]))
        else:
            scores = [prediction.scores for prediction in of_sample if prediction.scores is not None]
            scored.append(ScoredSample(sample, "answered", scores[0], turned=tuple(scores[1:])))
    return scored


def score_part(part: Part, predictions: PredictionsByOrder, *, seed: int) -> Iterator[ScoreEntry]:
    """Every metric of a part with options or open answers.

    Args:
        part: The part.
        predictions: By order of the options and sample id; samples without one count as not yet asked.
        seed: Seed of bootstrap replicates.

    Yields:
        One entry per metric.
    """
    scored = score_samples(part.selected, predictions.get(0, {}))
    for name, metric in part.task.metrics_of(part.subset).items():
        yield score_metric(part, ProtocolId.of(part, name), metric, scored, seed=seed)
    if part.orders > 1 and part.subset.protocol == "mcq":
        scored = score_samples_in_orders(part.selected, predictions, part.orders)
        chosen, right = positions(scored)
        for name, metric in (("circular", circular), ("position_bias", position_bias)):
            yield score_metric(
                part,
                ProtocolId.of(part, f"{name}{part.orders}"),
                metric,
                scored,
                seed=seed,
                orders=part.orders,
                positions=OptionPositions(tuple(chosen), tuple(right)),
            )


def score_metric(
    part: Part,
    protocol_id: ProtocolId,
    metric: Metric,
    scored: Sequence[ScoredSample],
    *,
    seed: int,
    orders: int = 1,
    positions: OptionPositions | None = None,
) -> ScoreEntry:
    """One metric of a part.

    Args:
        part: The part.
        protocol_id: Names the score.
        metric: The metric.
        scored: The samples that have been asked.
        seed: Seed of bootstrap replicates.
        orders: Orders of the options that the score is about.
        positions: Positions of answers, where it is about several orders.
    """
    outcomes = Counter(scored_sample.outcome for scored_sample in scored)
    manifest, name = part.sample_set.manifest, protocol_id.metric
    whole = _attempt(metric, scored, seed)
    answered = _attempt(
        metric, [scored_sample for scored_sample in scored if scored_sample.outcome == "answered"], seed
    )
    return ScoreEntry(
        id=protocol_id,
        n=len(scored),
        n_expected=len(part.samples),
        outcomes={outcome: outcomes[outcome] for outcome in OUTCOMES},
        clusters=len({scored_sample.sample.cluster for scored_sample in scored}),
        **estimate_fields(whole.estimate),
        answered_only=answered.estimate.value if answered.estimate else None,
        problem=whole.problem,
        chance=chance(metric, part.selected, orders=orders),
        **blind_fields(manifest, part.subset.name, orders=orders),
        samples_sha256=manifest.samples_sha256,
        orders=orders,
        headline=name == part.subset.headline,
        shown=positions is not None or name in {part.subset.headline, *part.subset.beside},
        by={tag: _by_value(tag, metric, scored, seed) for tag in (part.task.breakdown if orders == 1 else ())},
        positions=positions,
    )


class BlindFields(TypedDict):
    """The fields of an entry that an audit fills."""

    blind: float | None
    blind_trained: float | None


def blind_fields(manifest: Manifest, subset: str, *, orders: int = 1) -> BlindFields:
    """The two blind figures of a subset (PROTOCOL section 4); ``None`` where the set was not audited.

    Args:
        manifest: Of the sample set.
        subset: Name of the subset.
        orders: Orders of the options that the score is about; attacks are of one order, so there is none of several.
    """
    if orders > 1:
        return {"blind": None, "blind_trained": None}
    # Audits of before 0.2 noted a single figure per set.
    blind = manifest.blind_ceiling if manifest.blind is None else manifest.blind.get(subset)
    return {"blind": blind, "blind_trained": (manifest.blind_trained or {}).get(subset)}


class EstimateFields(TypedDict):
    """The fields of an entry that an estimate fills."""

    value: float | None
    se: float | None
    low: float | None
    high: float | None


def estimate_fields(result: Estimate | None) -> EstimateFields:
    """An estimate as fields of an entry, all ``None`` where there is none."""
    if result is None:
        return {"value": None, "se": None, "low": None, "high": None}
    return {"value": result.value, "se": result.se, "low": result.low, "high": result.high}


def submission(part: Part, predictions: PredictionsByOrder) -> Mapping[str, str]:
    """Files for whoever holds the private answers of a part, content by name; nothing where all answers are public."""
    make_files = part.task.submission
    if make_files is None or not _count_private(part.samples):
        return {}
    return make_files(score_samples(part.selected, predictions.get(0, {})))


def coverage(entries: Iterable[ScoreEntry]) -> float:
    """Share of the asked samples that the model replied to, over all parts, in [0, 1]; 1 when none was asked.

    A sample that is asked in several orders of its options counts once, as one that was replied to in all of them.

    Args:
        entries: Of one run.
    """
    counted: dict[PartId, ScoreEntry] = {}
    for entry in entries:
        if entry.headline or entry.orders > 1:
            known = counted.setdefault(entry.id.part, entry)
            counted[entry.id.part] = max(known, entry, key=lambda entry: entry.orders)
    n = sum(entry.n for entry in counted.values())
    lost = sum(entry.outcomes["media_error"] + entry.outcomes["request_error"] for entry in counted.values())
    return 1 - lost / n if n else 1.0


def _count_private(samples: Sequence[Sample]) -> int:
    return sum(sample.target is None for sample in samples)


def _by_value(tag: str, metric: Metric, scored: Sequence[ScoredSample], seed: int) -> dict[str, TagScore]:
    groups: dict[str, list[ScoredSample]] = defaultdict(list)
    for scored_sample in scored:
        values = scored_sample.sample.tags.get(tag, ())
        for value in {values} if isinstance(values, str) else set(values):
            groups[value].append(scored_sample)
    return {
        value: TagScore(
            n=len(members),
            **estimate_fields(_attempt(metric, members, seed).estimate),
            chance=chance(metric, [member.sample for member in members]),
        )
        for value, members in sorted(groups.items())
    }


def _attempt(metric: Metric, scored: Sequence[ScoredSample], seed: int) -> Attempt:
    """An estimate, or why there is none: a metric whose package is not installed must not cost the others."""
    if not scored:
        return Attempt(None, "no sample")
    private = _count_private([scored_sample.sample for scored_sample in scored]) if metric.protocol == "mcq" else 0
    if private:
        missing = sum(scored_sample.choice is None for scored_sample in scored)
        problem = f"unscored: the answers of {private} of {len(scored)} samples are private; {missing} have no reply"
        return Attempt(None, problem)
    try:
        return Attempt(estimate(metric, scored, seed=seed), None)
    except ModelError as error:
        return Attempt(None, str(error))
