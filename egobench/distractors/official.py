"""The options that the authors published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from egobench.sample import Record
from egobench.task import Construction, Options, Tools


def official() -> Construction:
    """Keep the published options and their order; a record without any becomes an open question.

    Returns:
        The construction. Options that were published without an order (``Record.ordered``) get one that is drawn from
        the record's id and the seed.
    """

    def construct(records: Sequence[Record], tools: Tools) -> Iterator[Options]:
        for record in records:
            yield published(record, tools)

    return construct


def published(record: Record, tools: Tools) -> Options:
    """The options that a record was published with, in their order."""
    return Options(record.options, record.target) if record.ordered else in_drawn_order(record, record.options, tools)


def in_drawn_order(record: Record, texts: Sequence[str], tools: Tools) -> Options:
    """Options in an order drawn from the record's id and the seed.

    Args:
        record: The record they belong to; its ``target`` is a position in ``texts``, and 0 where it has no options.
        texts: The options, the published ones first.
        tools: Gives the seed.

    Returns:
        The same options in another order, with the position the target has in it.
    """
    target = record.target if record.options else 0
    order = list(range(len(texts)))
    tools.rng(record).shuffle(order)
    drawn = tuple(texts[position] for position in order)
    return Options(drawn, None if target is None or not drawn else order.index(target))
