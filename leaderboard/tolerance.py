"""Tolerances between a score that is computed again and the one that a run claims."""

from __future__ import annotations

from egobench.scoring.entry import ProtocolId

ROUNDING = 1e-9
"""Largest difference, relative and absolute, that rounding in another library may make."""

_INEXACT = {"similarity": 1e-3}
"""Tolerances of metrics that a network computes, which differs between machines."""


def tolerance(protocol_id: ProtocolId) -> float:
    """Return how far a score may differ between machines, relative and absolute; 0 for one of exact sums."""
    # Tables of galleries go through libraries that may round differently.
    loose = ROUNDING if protocol_id.part.protocol in {"gallery", "rerank"} else 0.0
    return _INEXACT.get(protocol_id.metric, loose)
