"""What became of a sample in one character, as the viewer's lists and filters know it."""

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
    "U": "unparsed",
    "F": "refused",
    "M": "media error",
    "E": "request error",
    NOT_ASKED: "not asked",
}
"""What each character means."""


def outcome_of(sample: Sample, prediction: Prediction | None, *, truth: bool = True) -> str:
    """What became of a sample in a run.

    Args:
        sample: The sample.
        prediction: The answer; ``None`` where it was not asked.
        truth: Whether it may be said what is right.
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
