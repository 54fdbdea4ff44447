"""Where what can be computed again is kept between processes."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "EGOBENCH_CACHE"
"""The environment variable that names the cache folder; else it is ``egobench`` in the XDG cache folder."""


def cache_folder() -> Path:
    """The cache folder (XDG Base Directory Specification: a relative path counts as unset)."""
    own = os.environ.get(CACHE_VARIABLE, "")
    if own:
        return Path(own).expanduser()
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "egobench"
