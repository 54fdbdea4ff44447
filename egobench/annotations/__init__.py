"""Official annotation files: every row checked, every mistake named by file, row and field."""

from __future__ import annotations

from egobench.annotations.files import CsvFile, JsonFile, RawRow
from egobench.annotations.reader import Annotations, FieldError, Row

__all__ = ["Annotations", "CsvFile", "FieldError", "JsonFile", "RawRow", "Row"]
