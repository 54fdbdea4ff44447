"""Official annotation files: every row checked, every mistake named by file, row and field."""

from __future__ import annotations

from egobench.annotations.reader import Annotations, FieldError, Numbered, Row

__all__ = ["Annotations", "FieldError", "Numbered", "Row"]
