"""Checks that need nothing but the submission: whether its files agree with one another."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from egobench.errors import ChecksumError
from egobench.metrics import OUTCOMES
from egobench.orders import shown_at
from egobench.prompts import SYSTEM, prompt_hash
from egobench.run.checksums import CHECKSUMS, verify_run
from egobench.run.records import Prediction
from egobench.scoring.entry import ScoreEntry
from egobench.validation import first_fault
from egobench.video import FrameRule

from ..tolerance import ROUNDING
from .content import Content

MOST_FAILED: Final = 0.05
"""Largest share of a part's samples whose video or request may fail; above it the numbers are about the setup."""

ENOUGH: Final = 20
"""Fewest answers in which a pattern is taken for more than an accident."""

SAME_PIXELS: Final = 5
"""Most different videos that may show the very same pixels: some begin or end in black."""

BASELINES: Final = frozenset({"first-choice"})
"""Built-in models that choose one position by design."""

SHARES: Final = frozenset({"acc", "exact", "normalised", "judge_acc"})
"""Metrics that are a share of right answers."""


def changed_files(content: Content) -> Iterator[str]:
    """Yield files that differ from their checksums or have none."""
    try:
        problems = verify_run(content.folder)
        lines = (content.folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except ChecksumError as error:
        yield str(error).replace(f"{content.folder}/", "").replace(str(content.folder), "the bundle")
        return
    yield from (f"{problem.file}: {problem.problem}" for problem in problems)
    if content.sealed:
        signed = {line.partition("  ")[2] for line in lines} | {problem.file for problem in problems}
        files = {file.relative_to(content.folder).as_posix() for file in content.folder.rglob("*") if file.is_file()}
        yield from (f"{name}: not signed" for name in sorted(files - signed - {CHECKSUMS}))


def false_run_id(content: Content) -> Iterator[str]:
    """Yield a run id that is not the hash of the spec."""
    if content.claimed_id != content.spec.id:
        yield f"run.json says {content.claimed_id:.40}, its spec has {content.spec.id}"


def unknown_prompt(content: Content) -> Iterator[str]:
    """Yield a prompt that EgoBench does not have, or has in other words."""
    name, _, digest = content.spec.prompt.partition("@")
    if name not in SYSTEM:
        yield f"there is no prompt {name!r:.40}; there are {', '.join(SYSTEM)}"
    elif digest != prompt_hash(name):
        yield f"the prompt {name!r} has the hash {prompt_hash(name)} here, {digest:.40} there: other words were shown"


def repeated_answers(content: Content) -> Iterator[str]:
    """Yield samples with several answers in one order of the options."""
    if not content.sealed:
        return  # In a run folder the last line of a sample counts.
    for name, rows in content.rows.items():
        counts = Counter((row.id, row.order) for row in rows)
        for (sample_id, order), count in counts.items():
            if count > 1:
                yield f"{name}: sample {sample_id!r:.80} has {count} lines in order {order}"


def contradicting_counts(content: Content) -> Iterator[str]:
    """Yield scores whose numbers contradict one another or the predictions."""
    for protocol_id, entry in content.scores.items():
        for problem in _contradictions(entry):
            yield f"{protocol_id}: {problem}"
        rows = _last_rows(content.rows.get(entry.id.part.file_stem, ()))
        if entry.orders > 1:
            continue
        outcomes = Counter(row.outcome for row in rows.values())
        if any(entry.outcomes.get(outcome) != outcomes[outcome] for outcome in OUTCOMES):
            yield f"{protocol_id}: says {dict(entry.outcomes)}, its predictions are {dict(outcomes)}"


def impossible_shares(content: Content) -> Iterator[str]:
    """Yield shares of right answers that no whole number of right answers gives (GRIM)."""
    for protocol_id, entry in content.scores.items():
        if entry.id.metric not in SHARES or entry.value is None or not entry.n:
            continue
        rows = _last_rows(content.rows.get(entry.id.part.file_stem, ()))
        # A tie counts as the expected value over its options: a half, a third.
        parts = math.lcm(*{row.scores.count(max(row.scores)) for row in rows.values() if row.scores}) if rows else 1
        right = entry.value * entry.n * parts
        if abs(right - round(right)) > ROUNDING * max(1.0, right):
            yield f"{protocol_id}: {entry.value} of {entry.n} samples would be {right / parts:.4f} right answers"


def failed_parts(content: Content) -> Iterator[str]:
    """Yield parts in which more than :data:`MOST_FAILED` of the videos or requests failed."""
    for name, rows in content.rows.items():
        failed = sum(row.outcome in {"media_error", "request_error"} for row in rows)
        if failed > MOST_FAILED * len(rows):
            yield f"{name}: {failed} of {len(rows)} videos or requests failed; at most {MOST_FAILED:.0%} may"


def constant_answers(content: Content) -> Iterator[str]:
    """Yield parts in which every answer chooses the same position."""
    # Without its evidence a model may well choose one position.
    if content.spec.control is not None or content.spec.model["name"] in BASELINES:
        return
    for name, rows in content.rows.items():
        positions = {
            shown_at(row.choice, row.order, len(row.scores)) if row.choice is not None else None
            for row in rows
            if row.scores is not None
        }
        n_answers = sum(row.scores is not None for row in rows)
        if n_answers >= ENOUGH and len(positions) == 1:
            yield f"{name}: all {n_answers} answers choose the same position"


def implausible_receipts(content: Content) -> Iterator[str]:
    """Yield answers without a receipt, and receipts that do not fit the run's frame rule."""
    contents_of: dict[str, set[str]] = defaultdict(set)
    for name, rows in content.rows.items():
        rule = content.spec.frames.get(name.partition(".")[0])
        frame_rule = None if rule is None or content.spec.control == "blind" else FrameRule(**rule)
        for row in rows:
            if row.outcome in {"media_error", "request_error"} and row.receipt is None:
                continue
            problem = _receipt_problem(row, frame_rule)
            if problem:
                yield f"{name}, sample {row.id!r:.80}: {problem}"
            elif row.receipt is not None:
                contents_of[str(row.receipt["sha256"])].add(_video_content(row.video))
    for pixels, videos in contents_of.items():
        if len(videos) > SAME_PIXELS:
            yield f"{len(videos)} different videos show the same pixels, {pixels[:12]}..."


def _contradictions(entry: ScoreEntry) -> Iterator[str]:
    least = -1 if entry.id.metric.startswith("position_bias") else 0
    if not 0 <= entry.n <= entry.n_expected:
        yield f"{entry.n} samples of a set of {entry.n_expected}"
    if set(entry.outcomes) != set(OUTCOMES) or sum(entry.outcomes.values()) != entry.n:
        yield f"the outcomes of {entry.n} samples are {dict(entry.outcomes)}"
    if not 0 <= entry.clusters <= entry.n:
        yield f"{entry.clusters} clusters of {entry.n} samples"
    for what, value in (("value", entry.value), ("answered_only", entry.answered_only), ("chance", entry.chance)):
        if value is not None and not least - ROUNDING <= value <= 1 + ROUNDING:
            yield f"{what} is {value}; expected a number in [{least}, 1]"
    ends = (entry.low, entry.value, entry.high)
    known = [number for number in ends if number is not None]
    if len(known) == len(ends) and not _ascends([known[0] - ROUNDING, known[1], known[2] + ROUNDING]):
        yield f"{entry.value} is not in its interval [{entry.low}, {entry.high}]"


def _last_rows(rows: Iterable[Prediction]) -> Mapping[str, Prediction]:
    return {row.id: row for row in rows if row.order == 0}


class ReceiptRow(BaseModel):
    """The receipt of a prediction, as strictly as it is checked."""

    model_config = ConfigDict(extra="forbid", strict=True)

    times: Annotated[list[Annotated[float, Field(ge=0, lt=1e9)]], Field(min_length=1)]
    indices: list[Annotated[int, Field(ge=0, lt=2**53)]]
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    decoder: Annotated[str, Field(min_length=1, max_length=200)]
    resize: Annotated[str, Field(min_length=1, max_length=200)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _receipt_problem(row: Prediction, rule: FrameRule | None) -> str:
    """Return what is wrong with the receipt of a prediction; ``""`` for nothing."""
    if rule is None or row.receipt is None:
        return "" if (rule is None) == (row.receipt is None) else _RECEIPT_MISMATCH[rule is None]
    try:
        receipt = ReceiptRow.model_validate(row.receipt)
    except ValidationError as error:
        return f"its receipt is none ({first_fault(error)})"
    n_frames, short_side = len(receipt.times), min(receipt.width, receipt.height)
    problems = {
        f"a receipt of {n_frames} frames; the run shows {rule.count}": n_frames != rule.count
        if rule.fps is None
        else n_frames > rule.count,
        "times and indices of its receipt are not as many": n_frames != len(receipt.indices),
        "the frames of its receipt go back in time": not _ascends(receipt.times) or not _ascends(receipt.indices),
        f"frames of {short_side} pixels; the run shows {rule.short_side} at most": short_side > rule.short_side,
    }
    return next((problem for problem, applies in problems.items() if applies), "")


_RECEIPT_MISMATCH = {
    True: "a receipt, and the run shows no frames",
    False: "no receipt of the frames that it was shown",
}
"""Problems of a receipt, by whether the run shows no frames."""


def _ascends(numbers: Sequence[float]) -> bool:
    return all(before <= after for before, after in pairwise(numbers))


def _video_content(fingerprint: str) -> str:
    """Return the part of a video's fingerprint that is about its content: size and hash, without the time."""
    size, _, rest = fingerprint.partition("-")
    return f"{size}-{rest.rpartition('-')[2]}"


AGREEMENT_CHECKS: Final[Mapping[str, Callable[[Content], Iterator[str]]]] = {
    "checksums": changed_files,
    "run id": false_run_id,
    "prompt": unknown_prompt,
    "duplicates": repeated_answers,
    "counts": contradicting_counts,
    "grim": impossible_shares,
    "failures": failed_parts,
    "constant answers": constant_answers,
    "receipts": implausible_receipts,
}
"""The checks of this module by name, in the order in which they are made."""
