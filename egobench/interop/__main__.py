"""``python -m egobench.interop ...``: lmms-eval's own command line, where torchvision and torch do not fit together.

lmms-eval imports torchvision before any plugin could mend its import; see :mod:`egobench.torchvision_ops`.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from runpy import run_module

from egobench.torchvision_ops import ensure_torchvision

if __name__ == "__main__":
    if find_spec("lmms_eval") is None:
        sys.exit(f"{sys.executable} has no lmms-eval; docs/lmms_eval.md says how to make an environment with it")
    ensure_torchvision()
    run_module("lmms_eval", run_name="__main__", alter_sys=True)
