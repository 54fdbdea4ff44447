"""Errors, intervals and tests of scores."""

from __future__ import annotations
