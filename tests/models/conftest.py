"""Tests of models run offline, on one thread, and with the torchvision that is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

if find_spec("torch") is not None:
    import torch

    from egobench.torchvision_ops import ensure_torchvision

    torch.set_num_threads(1)
    ensure_torchvision()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny checkpoint by the name of its family, made when it is first asked for."""
    pytest.importorskip("transformers")
    from tests.models.tiny_checkpoints import FAMILIES

    @cache
    def made(family: str) -> Path:
        return FAMILIES[family](tmp_path_factory.mktemp(family) / family)

    return made
