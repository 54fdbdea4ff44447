"""From predictions to scores: every number of a run is derived from its rows, here and nowhere else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from egobench.controls import Control
from egobench.dataset.sampleset import SampleSet
from egobench.errors import ModelError
from egobench.llm_judge.rubric import JudgeReply, Messages, judge_metrics, key_of, messages, read_verdict, rubric_hash
from egobench.metrics import OUTCOMES, Metric, Outcome, ScoredSample
from egobench.metrics.orders import circular, position_bias, positions
from egobench.model import Method
from egobench.orders import orders_of
from egobench.run.store import Prediction
from egobench.sample import Sample
from egobench.statistics import Estimate, chance, estimate
from egobench.task import Subset, Task


@dataclass(frozen=True, slots=True)
class Part:
    """One subset of one sample set in a run: what one predictions file is about.

    Attributes:
        task: The task.
        sample_set: The sample set.
        subset: The subset.
        samples: All its samples.
        asked: The samples that the run asks, all of them without ``--limit``.
        method: How an answer becomes a number; open questions are always generated, and galleries embedded.
        control: What is removed or altered, ``None`` for a plain run.
        orders: Cyclic orders of its options that every sample is asked in.
        retriever: Whose best texts are scored again, and how many; ``""`` where none are.
        text_prior: How much of an option's score without the video is taken off its score, 0 for none.
    """

    task: Task
    sample_set: SampleSet
    subset: Subset
    samples: tuple[Sample, ...]
    asked: tuple[Sample, ...]
    method: Method | Literal["embedding"]
    control: Control | None
    orders: int = 1
    retriever: str = ""
    text_prior: float = 0.0

    @property
    def scored_by(self) -> str:
        """The method, with what changes its numbers: ``likelihood-sum-prior1``."""
        return f"{self.method}-prior{self.text_prior:g}" if self.text_prior else self.method

    @property
    def name(self) -> str:
        """``<task>.<subset>.<protocol>.<construction>``, the beginning of its predictions files' names."""
        construction = self.sample_set.manifest.construction
        return f"{self.task.name}.{self.subset.name}.{self.subset.protocol}.{construction}"

    def protocol_id(self, metric: str) -> str:
        """Names a column: numbers with different ids or sample sets never share one."""
        method = f"{self.scored_by}@{self.retriever}" if self.retriever else self.scored_by
        parts = [*self.name.split("."), metric, method, *([self.control] if self.control else [])]
        return "/".join(parts)


def judge(samples: Sequence[Sample], predictions: Mapping[str, Prediction]) -> list[ScoredSample]:
    """Samples that have been asked, in their order, with what became of them."""
    return [
        ScoredSample(sample, found.outcome, found.scores, found.reply if found.outcome == "answered" else "")
        for sample in samples
        if (found := predictions.get(sample.id)) is not None
    ]


def judge_orders(
    samples: Sequence[Sample], answers: Mapping[int, Mapping[str, Prediction]], n: int
) -> list[ScoredSample]:
    """Samples that have been asked in all of their first ``n`` orders; answered where they were answered in each."""
    judged: list[ScoredSample] = []
    for sample in samples:
        orders = orders_of(sample, n)
        found = [held for order in orders if (held := answers.get(order, {}).get(sample.id)) is not None]
        if len(found) < len(orders):
            continue
        failed: list[Outcome] = [held.outcome for held in found if held.outcome != "answered"]
        if failed:
            judged.append(ScoredSample(sample, failed[0]))
        else:
            scores = [held.scores for held in found if held.scores is not None]
            judged.append(ScoredSample(sample, "answered", scores[0], turned=tuple(scores[1:])))
    return judged


def score(
    part: Part, answers: Mapping[int, Mapping[str, Prediction]], *, seed: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every metric of a part.

    Args:
        part: The part.
        answers: Predictions by order of the options and sample id; samples without one count as not yet asked.
        seed: Seed of bootstrap replicates.

    Yields:
        Protocol id and its entry in ``scores.json``; values in [0, 1].
    """
    judged = judge(part.asked, answers.get(0, {}))
    for name, metric in part.task.metrics_of(part.subset).items():
        yield part.protocol_id(name), entry(part, name, metric, judged, seed=seed)
    if part.orders > 1 and part.subset.protocol == "mcq":
        judged = judge_orders(part.asked, answers, part.orders)
        said, stood = positions(judged)
        for name, metric in (("circular", circular), ("position_bias", position_bias)):
            held = entry(part, name, metric, judged, seed=seed, orders=part.orders)
            shown = {"shown": True, "positions": {"said": said, "right": stood}}
            yield part.protocol_id(f"{name}{part.orders}"), {**held, **shown}


def entry(
    part: Part, name: str, metric: Metric, judged: Sequence[ScoredSample], *, seed: int, orders: int = 1
) -> dict[str, Any]:
    """One entry of ``scores.json``.

    Args:
        part: What was asked.
        name: The metric's name.
        metric: The metric.
        judged: The samples that have been asked.
        seed: Seed of bootstrap replicates.
        orders: Orders of the options that the number is about.
    """
    outcomes = Counter(each.outcome for each in judged)
    found, problem = _attempt(metric, judged, seed)
    alone, _ = _attempt(metric, [each for each in judged if each.outcome == "answered"], seed)
    return {
        "n": len(judged),
        "n_expected": len(part.samples),
        "partial": len(judged) < len(part.samples),
        "outcomes": {outcome: outcomes[outcome] for outcome in OUTCOMES},
        "clusters": len({each.sample.cluster for each in judged}),
        **_numbers(found),
        "answered_only": alone.value if alone else None,
        "problem": problem,
        "chance": chance(metric, part.asked, orders=orders),
        "blind_ceiling": part.sample_set.manifest.blind_ceiling,
        "samples_sha256": part.sample_set.manifest.samples_sha256,
        "orders": orders,
        "headline": name == part.subset.headline,
        "shown": name in {part.subset.headline, *part.subset.beside},
        "by": {tag: _by(tag, metric, judged, seed) for tag in (part.task.breakdown if orders == 1 else ())},
    }


def chats(part: Part, predictions: Mapping[str, Prediction]) -> dict[str, Messages]:
    """What a judge is asked about the open answers of a part, by sample id."""
    return {
        each.sample.id: messages(each.sample.question, each.sample.answer, each.reply)
        for each in judge(part.asked, predictions)
        if each.outcome == "answered" and each.sample.answer
    }


def score_judged(
    part: Part,
    predictions: Mapping[str, Prediction],
    judgements: Mapping[str, Mapping[str, JudgeReply]],
    *,
    seed: int,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What judges make of the open answers of a part.

    Args:
        part: The part.
        predictions: By sample id.
        judgements: What has been said, by judge and key. Judges that were asked about no answer of the part are left
            out; as long as one that was asked has not been heard on all of them, there is no value.
        seed: Seed of bootstrap replicates.

    Yields:
        Protocol id, with the judge's name and the hash of the rubric, and its entry in ``scores.json``.
    """
    judged = judge(part.asked, predictions)
    asked = {name: key_of(chat) for name, chat in chats(part, predictions).items()}
    for model, said in judgements.items():
        heard = {name: said[key] for name, key in asked.items() if key in said}
        if not heard:
            continue
        verdicts = {name: None if one.error else read_verdict(one.reply) for name, one in heard.items()}
        failed = sum(one.error is not None for one in heard.values())
        counts = {"failed": failed, "unparsed": sum(one is None for one in verdicts.values()) - failed}
        missing = len(asked) - len(heard)
        for name, metric in judge_metrics(verdicts).items():
            held = entry(part, name, metric, judged, seed=seed)
            held |= {"shown": True, "judge": {"model": model, "rubric": rubric_hash(), "asked": len(heard), **counts}}
            if missing:
                held |= {**_numbers(None), "answered_only": None}
                held["problem"] = f"the judge has not been heard on {missing} of {len(asked)} answers; run it again"
            elif verdicts and None in verdicts.values():
                held["problem"] = f"{failed} requests failed and {counts['unparsed']} verdicts were unreadable: no, 0"
            yield part.protocol_id(f"{name}@{quote(model, safe='')}@{rubric_hash()}"), held


def submission(part: Part, answers: Mapping[int, Mapping[str, Prediction]]) -> Mapping[str, str]:
    """Files for whoever holds the private answers of a part, content by name; nothing where all answers are public."""
    made = part.task.submission
    return made(judge(part.asked, answers.get(0, {}))) if made and _private(part.samples) else {}


def _private(samples: Sequence[Sample]) -> int:
    return sum(sample.target is None for sample in samples)


def _by(tag: str, metric: Metric, judged: Sequence[ScoredSample], seed: int) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[ScoredSample]] = defaultdict(list)
    for each in judged:
        held = each.sample.tags.get(tag, ())
        for value in {held} if isinstance(held, str) else set(held):
            groups[value].append(each)
    return {
        value: {
            "n": len(members),
            **_numbers(_attempt(metric, members, seed)[0]),
            "chance": chance(metric, [each.sample for each in members]),
        }
        for value, members in sorted(groups.items())
    }


def _numbers(found: Estimate | None) -> dict[str, float | None]:
    if found is None:
        return dict.fromkeys(("value", "se", "low", "high"))
    return {"value": found.value, "se": found.se, "low": found.low, "high": found.high}


def _attempt(metric: Metric, judged: Sequence[ScoredSample], seed: int) -> tuple[Estimate | None, str | None]:
    """An estimate, or why there is none: a metric whose package is not installed must not cost the others."""
    if not judged:
        return None, "no sample"
    private = _private([each.sample for each in judged]) if metric.protocol == "mcq" else 0
    if private:
        missing = sum(each.choice is None for each in judged)
        return None, f"unscored: the answers of {private} of {len(judged)} samples are private; {missing} have no reply"
    try:
        return estimate(metric, judged, seed=seed), None
    except ModelError as error:
        return None, str(error)


def coverage(scores: Mapping[str, Mapping[str, Any]]) -> float:
    """Share of the asked samples that the model replied to, over all parts, in [0, 1]; 1 when none was asked."""
    rows = [entry for entry in scores.values() if entry["headline"] or entry["orders"] > 1]
    asked = sum(entry["n"] for entry in rows)
    lost = sum(entry["outcomes"]["media_error"] + entry["outcomes"]["request_error"] for entry in rows)
    return 1 - lost / asked if asked else 1.0
