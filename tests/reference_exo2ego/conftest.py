"""Tests of the reference model run offline, on one thread, and with the torchvision and the extras that are there."""

from __future__ import annotations

import os
from importlib.util import find_spec

os.environ.setdefault("HF_HUB_OFFLINE", "1")

if find_spec("torch") is not None:
    import torch

    from egobench.torchvision_ops import ensure_torchvision

    torch.set_num_threads(1)
    ensure_torchvision()

# Training data is read with packages of the extra [train].
if find_spec("ijson") is None or find_spec("webdataset") is None:
    collect_ignore_glob = ["data/test_*.py", "test_exo2ego_commands.py"]
