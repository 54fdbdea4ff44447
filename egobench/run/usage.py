"""What a run took: requests, tokens and their price, summed up from its predictions. Never part of a score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from egobench.run.records import Prediction


@dataclass(frozen=True, slots=True)
class RunUsage:
    """What the answers of a run took: the content of ``usage.json``.

    Attributes:
        replies: Questions, each a sample in one order of its options, that the model replied to.
        retries: Requests sent again, those that failed for good among them.
        prompt_tokens: Tokens read; ``None`` where no reply tells.
        reply_tokens: Tokens written; ``None`` where no reply tells.
        cost: Price; ``None`` where no prices were given.
    """

    replies: int
    retries: int
    prompt_tokens: int | None
    reply_tokens: int | None
    cost: float | None

    def to_json(self) -> dict[str, Any]:
        """The usage as a JSON object."""
        return asdict(self)

    @property
    def line(self) -> str:
        """The usage in one line, ``""`` where nothing is known of it."""
        if self.prompt_tokens is None and not self.retries:
            return ""
        facts = [f"{self.replies:,} replies"]
        if self.prompt_tokens is not None:
            facts.append(f"{self.prompt_tokens:,} tokens read, {self.reply_tokens or 0:,} written")
        if self.retries:
            facts.append(f"{self.retries:,} requests sent again")
        if self.cost is not None:
            facts.append(f"cost {price(self.cost)}")
        return "; ".join(facts)


def sum_usage(predictions: Iterable[Prediction]) -> RunUsage:
    """Sum up what replies took; a reply that does not tell counts as nothing.

    Args:
        predictions: Of any parts; of each sample and order of its options only the last one.
    """
    rows = list(predictions)

    def total(values: Iterable[Any]) -> Any:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    return RunUsage(
        replies=sum(row.final for row in rows),
        retries=sum(row.tries - 1 for row in rows),
        prompt_tokens=total(row.prompt_tokens for row in rows),
        reply_tokens=total(row.reply_tokens for row in rows),
        # Sorted, so that the order in which replies came changes no digit.
        cost=total(sorted(row.cost for row in rows if row.cost is not None)),
    )


def price(cost: float) -> str:
    """A price as a person reads it, with two digits that tell however small it is."""
    return f"{cost:,.2f}" if cost >= 1 else f"{cost:.2g}"
