"""The check of a second run: whether its scores lie within the intervals of the first one."""

from __future__ import annotations

from collections.abc import Iterator

from .content import Content


def unreproduced_scores(first: Content, second: Content) -> Iterator[str]:
    """Yield scores of a second run that do not lie within the first one's intervals.

    Args:
        first: A run that was scored again.
        second: A run of the same spec that was scored again, and is not the first one's copy.

    Yields:
        A problem per score, or one about the runs as a whole.
    """
    if first.spec.id != second.spec.id:
        yield f"the second run is {second.spec.id}, another one than {first.spec.id}"
        return
    if _times(first) == _times(second):
        yield "the second run took as long as the first for every sample, to the microsecond: it is a copy"
    for protocol_id, entry in first.scores.items():
        other = second.scores.get(protocol_id)
        if other is None or other.value is None or entry.value is None:
            if (entry.value is None) != (other is None or other.value is None):
                yield f"{protocol_id}: only one of the two runs has a value"
        elif entry.low is not None and entry.high is not None and not entry.low <= other.value <= entry.high:
            yield f"{protocol_id}: {other.value:.4f} the second time, not in [{entry.low:.4f}, {entry.high:.4f}]"
        elif entry.low is None and entry.value != other.value:
            yield f"{protocol_id}: {other.value:.4f} the second time, {entry.value:.4f} the first, without an interval"


def _times(content: Content) -> list[tuple[str, str, int, float]]:
    return sorted((name, row.id, row.order, row.seconds) for name, rows in content.rows.items() for row in rows)
