"""``python -m egobench``: the command line."""

from __future__ import annotations

from egobench.cli import main

main()
