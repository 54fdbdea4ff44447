"""Outcomes of samples as single characters, for the viewer's lists and filters."""

from __future__ import annotations

from egobench.run.records import Prediction
from egobench.sample import Sample

RIGHT, WRONG, TIE, OPEN, PRIVATE, NOT_ASKED = "R", "W", "T", "O", "P", "-"
FAILURES = {"unparsed": "U", "refused": "F", "media_error": "M", "request_error": "E"}

WORDS = {
    RIGHT: "right",
    WRONG: "wrong",
    TIE: "tie at the top",
    OPEN: "answered in words",
    PRIVATE: "answered, truth not shown",
    **{character: outcome.replace("_", " ") for outcome, character in FAILURES.items()},
    NOT_ASKED: "not asked",
}
"""Meaning of each character, in words."""


def outcome_of(sample: Sample, prediction: Prediction | None, *, truth: bool = True) -> str:
    """Return the character for the outcome of a sample in a run.

    Args:
        sample: The sample.
        prediction: The answer; ``None`` where it was not asked.
        truth: Whether the right answer may be shown.
    """
    if prediction is None:
        return NOT_ASKED
    if prediction.outcome != "answered":
        return FAILURES[prediction.outcome]
    if not sample.options:
        return OPEN
    if sample.target is None or not truth:
        return PRIVATE
    if prediction.choice is None:
        return TIE
    return RIGHT if prediction.choice == sample.target else WRONG
