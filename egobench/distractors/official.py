"""The options that the authors published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from egobench.sample import Record
from egobench.task import Construction, Options, Tools


def official(*, shuffle: bool = False) -> Construction:
    """Keep the published options; a record without any becomes an open question.

    Args:
        shuffle: Draw the order from the record's id and the seed, for sources whose order gives the answer away.

    Returns:
        The construction.
    """

    def construct(records: Sequence[Record], tools: Tools) -> Iterator[Options]:
        for record in records:
            yield in_drawn_order(record, record.options, tools) if shuffle else Options(record.options, record.target)

    return construct


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
    shown = tuple(texts[position] for position in order)
    return Options(shown, None if target is None or not shown else order.index(target))
