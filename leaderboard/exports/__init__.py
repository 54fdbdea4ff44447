"""Exports of a submission to the formats in which others collect results."""

from __future__ import annotations

from .export import FORMATS, ExportFormat, export_submission
from .facts import Attribution

__all__ = ["FORMATS", "Attribution", "ExportFormat", "export_submission"]
