"""Making the libraries that a command computes with ready for it."""

from __future__ import annotations

from egobench.torchvision_ops import ensure_torchvision


def prepare_libraries() -> None:
    """Make transformers importable, without bars of its own between the lines that a command prints.

    Raises:
        ImportError: If it is not installed.
    """
    ensure_torchvision()

    from transformers.utils import logging

    logging.disable_progress_bar()
