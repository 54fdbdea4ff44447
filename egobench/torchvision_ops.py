"""Importing a torchvision that was built for CUDA beside a torch that was built without it.

Package indexes serve such a pair (pytorch/vision issues 9077 and 9085): torchvision's compiled operators do not load,
its import fails, and with it every model class of transformers, though what those use needs no compiled operator.
"""

# Torch has half of its types.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Literal


@cache
def ensure_torchvision() -> Literal["native", "declared", "absent"]:
    """Make ``import torchvision`` work where it is installed; call it before transformers is imported.

    Returns:
        ``"native"`` where it imports as it is; ``"declared"`` where its compiled operators had to be declared, without
        an implementation; ``"absent"`` where it is not installed.

    Raises:
        RuntimeError: If its import fails for another reason.
    """
    if find_spec("torchvision") is None:
        return "absent"
    try:
        import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    else:
        return "native"
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    _declared.append(_declare())
    import_module("torchvision")
    return "declared"


_declared: list[object] = []
"""The declaration lasts as long as the library object does."""


def _declare() -> object:
    from torch.library import Library  # noqa: PLC0415 - the core imports no torch

    library = Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
