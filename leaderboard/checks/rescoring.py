"""Checks over the checker's own sample sets: every reply is read again, and every score computed again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, cast

from egobench.controls import clips
from egobench.errors import BundleError
from egobench.orders import orders_of, turn, turn_back
from egobench.replies import read_reply
from egobench.run.plan import Part
from egobench.run.records import Prediction
from egobench.sample import Sample
from egobench.scoring.entry import ScoreEntry, Scores, scored_by

from ..bundle import judged_texts, sample_texts
from ..sealing import holds_copy, unseal
from ..tolerance import ROUNDING, tolerance
from .agreement import ENOUGH
from .content import Content

PERFECT: Final = 0.99
"""Lowest headline score at which a model is taken to have been given the answers."""

VERBATIM: Final = 0.5
"""Share of open answers equal to the reference letter by letter at which they are taken to be copied."""

TIME_ROUNDING: Final = 1e-3
"""Seconds by which a container may round a frame's time."""


def unexpected_samples(content: Content, parts: Sequence[Part]) -> Iterator[str]:
    """Yield samples that have no prediction, and predictions of samples that were not to be asked."""
    for name in sorted(content.rows.keys() - {part.name for part in parts}):
        yield f"{name}: no part of the run over these sample sets"
    for part in parts:
        rows = {row.id for row in content.rows.get(part.name, ())}
        selected = {sample.id for sample in part.selected}
        missing, foreign = sorted(selected - rows), sorted(rows - selected)
        if missing:
            yield f"{part.name}: {len(missing)} of {len(selected)} samples have no line, e.g. {missing[0]!r:.80}"
        if foreign:
            yield f"{part.name}: {len(foreign)} lines are of no sample that was to be asked, e.g. {foreign[0]!r:.80}"


def unexpected_orders(content: Content, parts: Sequence[Part]) -> Iterator[str]:
    """Yield samples that were not asked in exactly the orders of the options that the spec names."""
    for part in parts:
        by_sample: dict[str, set[int]] = {}
        for row in content.rows.get(part.name, ()):
            by_sample.setdefault(row.id, set()).add(row.order)
        for sample in part.selected:
            expected = {*orders_of(sample, part.orders)}
            if by_sample.get(sample.id, expected) != expected:
                orders = sorted(by_sample[sample.id])
                yield f"{part.name}, sample {sample.id!r:.80}: orders {orders}; expected {sorted(expected)}"


def faulty_seals(content: Content, parts: Sequence[Part]) -> Iterator[str]:
    """Yield replies of a bundle that repeat words of their sample, or refer to words that it lacks."""
    if not content.sealed:
        return
    for part in parts:
        by_id = {sample.id: sample_texts(sample) for sample in part.samples}
        for row in content.rows.get(part.name, ()):
            problem = _seal_problem(row.reply, by_id.get(row.id, {}))
            if problem:
                yield f"{part.name}, sample {row.id!r:.80}: {problem}"


def faulty_judge_seals(content: Content, parts: Sequence[Part]) -> Iterator[str]:
    """Yield judges' replies of a bundle that :func:`faulty_seals` would; the predictions must be restored before."""
    if not content.sealed:
        return
    texts = judged_texts(content.run, parts)
    for judge, replies in content.run.judge_replies().items():
        for key, reply in replies.items():
            problem = _seal_problem(reply.reply, texts.get(key, {}))
            if problem:
                yield f"judge {judge}, {key[:12]}: {problem}"


def misread_replies(content: Content, parts: Sequence[Part]) -> Iterator[str]:
    """Yield predictions that do not follow from their own reply or scores; the replies must be restored before."""
    for part in parts:
        by_id = {sample.id: sample for sample in part.selected}
        for by_sample in content.run.predictions_by_order(part.name).values():
            for row in by_sample.values():
                if row.id not in by_id:
                    continue
                problem = _misread(row, by_id[row.id], part)
                if problem:
                    yield f"{part.name}, sample {row.id!r:.80}, order {row.order}: {problem}"


def conflicting_receipts(content: Content, parts: Sequence[Part]) -> Iterator[str]:
    """Yield receipts of frames after the end of the clip, and different receipts of one clip."""
    known: dict[tuple[object, ...], tuple[object, ...]] = {}
    for part in parts:
        rule = content.spec.frames.get(part.task.name)
        if rule is None or content.spec.control == "blind":
            continue
        clip_of = clips(part.samples, content.spec.control, content.spec.seed)
        for row in content.rows.get(part.name, ()):
            if row.receipt is None or row.id not in clip_of:
                continue
            clip, receipt = clip_of[row.id], row.receipt
            place = f"{part.name}, sample {row.id!r:.80}"
            if clip.end is not None and receipt["times"][-1] > clip.end + float(rule["min_seconds"]) + TIME_ROUNDING:
                yield f"{place}: its last frame is of {receipt['times'][-1]} s, the clip ends at {clip.end:g} s"
            key = (part.task.name, clip.video, clip.start, clip.end, receipt["decoder"], receipt["resize"])
            evidence = (receipt["sha256"], *receipt["times"], *receipt["indices"], receipt["width"], receipt["height"])
            if known.setdefault(key, evidence) != evidence:
                yield f"{place}: another receipt of the same clip shows other frames"


def copied_answers(content: Content, parts: Sequence[Part], computed: Scores) -> Iterator[str]:
    """Yield headline scores of at least :data:`PERFECT`, and parts whose open answers repeat the references."""
    for protocol_id, entry in computed.items():
        known = entry.headline and entry.value is not None and entry.n >= ENOUGH
        if known and (entry.value or 0) >= PERFECT:
            yield f"{protocol_id}: {entry.value:.4f} of {entry.n} samples; no model knows all the answers"
    for part in parts:
        if part.subset.protocol != "open":
            continue
        answers = {sample.id: sample.answer for sample in part.selected if sample.answer}
        rows = [row for row in content.run.predictions(part.name).values() if row.id in answers]
        verbatim = sum(row.reply == answers[row.id] for row in rows)
        if len(rows) >= ENOUGH and verbatim >= VERBATIM * len(rows):
            yield f"{part.name}: {verbatim} of {len(rows)} replies are the reference answer, letter by letter"


def wrong_scores(content: Content, computed: Scores) -> Iterator[str]:
    """Yield claimed scores that do not follow from the predictions; blind figures are the checker's own."""
    for protocol_id in sorted(content.scores.keys() | computed.keys()):
        if protocol_id not in computed:
            yield f"{protocol_id}: no such score comes out of the predictions"
        elif protocol_id not in content.scores:
            yield f"{protocol_id}: comes out of the predictions, and was left out"
        else:
            problem = _differs(content.scores[protocol_id], computed[protocol_id])
            if problem:
                yield f"{protocol_id}: {problem}"


def _seal_problem(reply: str, texts: Mapping[str, str]) -> str:
    try:
        unseal(reply, texts)
    except BundleError as error:
        return str(error)
    return "its reply repeats the question or an option; pack the run again" if holds_copy(reply, texts) else ""


def _misread(row: Prediction, sample: Sample, part: Part) -> str:
    """Return how a prediction differs from what its reply or its scores say; ``""`` for not at all."""
    if row.outcome in {"media_error", "request_error"}:
        empty = row.scores is None and row.choice is None and row.reply == ""
        return "" if empty else f"is a {row.outcome} and has an answer"
    if part.gallery is not None:
        named = scored_by(part.method, part.text_prior)
        fits = row.outcome == "answered" and row.scores is None and row.choice is None and row.rule == named
        return "" if fits else f"no line of a gallery's table by {named}"
    if part.method == "generate":
        return _misread_reply(row, sample)
    return _misread_scores(row, sample, scored_by(part.method, part.text_prior), with_prior=part.text_prior > 0)


def _misread_reply(row: Prediction, sample: Sample) -> str:
    if not sample.options:
        answered = bool(row.reply.strip())
        expected = ("answered", "words") if answered else ("unparsed", "empty")
        fits = (row.outcome, row.rule) == expected and row.scores is None and row.choice is None
        return "" if fits else f"its reply is {expected[0]}, not {row.outcome}"
    reading = read_reply(row.reply, turn(sample.options, row.order))
    choice, option_scores = None, None
    if reading.choice is not None:
        named = [float(position == reading.choice) for position in range(len(sample.options))]
        option_scores = turn_back(named, row.order)
        choice = option_scores.index(1.0)
    before = (row.outcome, row.choice, row.rule, row.scores)
    now = (reading.outcome, choice, reading.rule, option_scores)
    if before == now:
        return ""
    return f"is {row.outcome}, option {row.choice}, by {row.rule!r:.40}; its reply reads as {now[0]}, option {now[1]}"


def _misread_scores(row: Prediction, sample: Sample, rule: str, *, with_prior: bool) -> str:
    values = row.scores
    if row.outcome != "answered" or values is None or row.reply:
        return f"is {row.outcome} and was asked for a score per option"
    if row.rule != rule:
        return f"is scored by {row.rule!r:.40}; the run is by {rule}"
    if len(values) != len(sample.options):
        return f"has {len(values)} scores for {len(sample.options)} options"
    if not all(math.isfinite(value) or value == -math.inf for value in values):
        return "has a score that is no number"
    if not with_prior and max(values) > ROUNDING:
        return f"has a log-probability of {max(values)}; none is above 0"
    top = max(values)
    choice = values.index(top) if values.count(top) == 1 else None
    return "" if choice == row.choice else f"chooses option {row.choice}; the best score is option {choice}'s"


def _differs(claimed: ScoreEntry, computed: ScoreEntry) -> str:
    """Return the first field in which a claimed score differs from a computed one; ``""`` for none."""
    # Standard errors go through libraries that may round otherwise.
    loose = tolerance(claimed.id)
    ours, theirs = asdict(computed), asdict(claimed)
    for field in ours.keys() - {"id", "blind", "blind_trained"}:
        slack = loose if field in {"value", "answered_only"} else max(loose, ROUNDING)
        if not _alike(theirs[field], ours[field], slack):
            return f"claims {field} {theirs[field]!r:.80}; its predictions give {ours[field]!r:.120}"
    return ""


def _alike(first: Any, second: Any, slack: float) -> bool:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        ours, theirs = cast("Mapping[str, Any]", first), cast("Mapping[str, Any]", second)
        return ours.keys() == theirs.keys() and all(_alike(ours[key], theirs[key], slack) for key in ours)
    if isinstance(first, tuple) and isinstance(second, tuple):
        members, others = cast("Sequence[Any]", first), cast("Sequence[Any]", second)
        pairs = zip(members, others, strict=False)
        return len(members) == len(others) and all(_alike(member, other, slack) for member, other in pairs)
    if isinstance(first, float) and isinstance(second, float):
        return first == second or math.isclose(first, second, rel_tol=slack, abs_tol=slack)
    return bool(first == second)
