"""torchvision imports, whatever torch it stands beside."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torchvision") is None, reason="the extra [models] is not installed")
def test_operators_are_declared_only_where_torchvision_does_not_import_as_it_is() -> None:
    plain = run("try:\n import torchvision\n print('native')\nexcept RuntimeError:\n print('declared')")
    code = """
from egobench.torchvision_ops import ensure_torchvision
print(ensure_torchvision(), ensure_torchvision())
import torchvision.transforms.v2, transformers
transformers.PreTrainedModel
"""
    assert run(code) == f"{plain} {plain}"


def test_a_missing_torchvision_is_no_error() -> None:
    code = """
import importlib.util, egobench.torchvision_ops as ops
ops.find_spec = lambda name: None
print(ops.ensure_torchvision())
"""
    assert run(code) == "absent"
