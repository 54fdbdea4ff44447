"""Tests of the reference model run offline, on one thread, and with the torchvision that is there."""

from __future__ import annotations

import os
from importlib.util import find_spec

os.environ.setdefault("HF_HUB_OFFLINE", "1")

if find_spec("torch") is not None:
    import torch

    from egobench.torchvision_ops import ensure_torchvision

    torch.set_num_threads(1)
    ensure_torchvision()
