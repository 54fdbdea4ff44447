"""What a run took: requests, tokens and their price, summed up from its predictions. Never part of a score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from egobench.store import Prediction


def usage(predictions: Iterable[Prediction]) -> dict[str, Any]:
    """Sum up what answers took.

    Args:
        predictions: Of any parts; those that the model was never asked do not count.

    Returns:
        ``answers``, ``retries``, and ``prompt_tokens``, ``reply_tokens`` and ``cost`` where any answer tells, else
        ``None``. An answer that does not tell counts as nothing.
    """
    asked = [one for one in predictions if one.outcome != "media_error"]

    def total(values: Iterable[Any]) -> Any:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    return {
        "answers": len(asked),
        "retries": sum(one.tries - 1 for one in asked),
        "prompt_tokens": total(one.prompt_tokens for one in asked),
        "reply_tokens": total(one.reply_tokens for one in asked),
        "cost": total(one.cost for one in asked),
    }


def usage_line(used: Mapping[str, Any]) -> str:
    """What a run took in one line, ``""`` where nothing is known of it."""
    if used["prompt_tokens"] is None and not used["retries"]:
        return ""
    told = [f"{used['answers']:,} answers"]
    if used["prompt_tokens"] is not None:
        told.append(f"{used['prompt_tokens']:,} tokens read, {used['reply_tokens'] or 0:,} written")
    if used["retries"]:
        told.append(f"{used['retries']:,} requests sent again")
    if used["cost"] is not None:
        told.append(f"cost {used['cost']:,.2f}")
    return "; ".join(told)
