"""``python -m egobench.interop ...``: lmms-eval's own command line, where torchvision and torch do not fit together.

lmms-eval imports torchvision before any plugin could mend its import; see :mod:`egobench.torchvision_ops`.
"""

from __future__ import annotations

from runpy import run_module

from egobench.torchvision_ops import ensure_torchvision

if __name__ == "__main__":
    ensure_torchvision()
    run_module("lmms_eval", run_name="__main__", alter_sys=True)
