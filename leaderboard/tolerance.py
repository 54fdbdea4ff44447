"""How far a score that is computed again may be from the one that a run claims."""

from __future__ import annotations

from egobench.scoring.entry import ProtocolId

ROUNDING = 1e-9
"""How far a number may be off by rounding alone."""

_INEXACT = {"similarity": 1e-3}
"""Metrics that a network computes: another machine gives another last digit."""


def tolerance(protocol_id: ProtocolId) -> float:
    """How far values of a score may differ between machines, relative and absolute; 0 for a score of exact sums.

    Tables of galleries go through libraries that may round otherwise.
    """
    loose = ROUNDING if protocol_id.part.protocol in {"gallery", "rerank"} else 0.0
    return _INEXACT.get(protocol_id.metric, loose)
