"""What a run took: requests, tokens and their price, summed up from its predictions. Never part of a score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from egobench.run.store import Prediction


def usage(predictions: Iterable[Prediction]) -> dict[str, Any]:
    """Sum up what replies took.

    Args:
        predictions: Of any parts; only the last one of each sample tells.

    Returns:
        ``replies``, ``retries`` (requests sent again, those that failed for good among them), and ``prompt_tokens``,
        ``reply_tokens`` and ``cost`` where any reply tells, else ``None``. A reply that does not tell counts as
        nothing.
    """
    given = list(predictions)

    def total(values: Iterable[Any]) -> Any:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    return {
        "replies": sum(one.final for one in given),
        "retries": sum(one.tries - 1 for one in given),
        "prompt_tokens": total(one.prompt_tokens for one in given),
        "reply_tokens": total(one.reply_tokens for one in given),
        # Sorted, so that the order in which replies came changes no digit.
        "cost": total(sorted(one.cost for one in given if one.cost is not None)),
    }


def usage_line(used: Mapping[str, Any]) -> str:
    """What a run took in one line, ``""`` where nothing is known of it."""
    if used["prompt_tokens"] is None and not used["retries"]:
        return ""
    told = [f"{used['replies']:,} replies"]
    if used["prompt_tokens"] is not None:
        told.append(f"{used['prompt_tokens']:,} tokens read, {used['reply_tokens'] or 0:,} written")
    if used["retries"]:
        told.append(f"{used['retries']:,} requests sent again")
    if used["cost"] is not None:
        told.append(f"cost {cost_text(used['cost'])}")
    return "; ".join(told)


def cost_text(cost: float) -> str:
    """A price as a person reads it, with two digits that tell however small it is."""
    return f"{cost:,.2f}" if cost >= 1 else f"{cost:.2g}"
