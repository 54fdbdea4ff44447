"""What libraries print while they load and run a model, kept off the program's own lines."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager

LIBRARIES = ("transformers", "huggingface_hub", "accelerate", "peft")
"""Loggers of libraries that print by themselves; who sets up :mod:`logging` gets their records."""

IMPORTED_ON_THE_WAY = "DeepSpeed"
"""Logger of a library that transformers imports where it is installed, and that prints to standard output."""


@contextmanager
def quiet_loading() -> Generator[None]:
    """Load a model without the libraries' progress bars and warnings; their log records go to :mod:`logging` alone.

    Records stay routed afterwards, for generation warns too; bars come back.
    """
    from transformers.utils import logging as transformers_logging

    for name in LIBRARIES:
        _route(logging.getLogger(name))
    logging.getLogger(IMPORTED_ON_THE_WAY).addFilter(_is_error)
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=rf"({'|'.join(LIBRARIES)}|torch)(\.|$)")
            yield
    finally:
        if bars:
            transformers_logging.enable_progress_bar()


def _route(logger: logging.Logger) -> None:
    for handler in list(logger.handlers):
        # Handlers of any other class were put there by somebody who wants them.
        if type(handler) in {logging.StreamHandler, logging.NullHandler}:
            logger.removeHandler(handler)
    # Without any handler Python would print records to standard error.
    logger.addHandler(logging.NullHandler())
    logger.propagate = True


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
