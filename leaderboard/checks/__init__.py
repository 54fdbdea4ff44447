"""Checks of a submission: what it says about itself, and what comes out when its replies are read and scored again."""

from __future__ import annotations

from .check import CHECKS, check_submission

__all__ = ["CHECKS", "check_submission"]
