"""What a model is."""

from __future__ import annotations


class lmms:  # noqa: N801 - lmms-eval's name
    """Base of all models; its constructor takes nothing."""

    is_simple = True

    def __init__(self) -> None:
        self.task_dict: dict[str, object] = {}
