"""The only place that opens a video."""

from __future__ import annotations
