"""A gallery that colours answer, as a fixture."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.coloured import Coloured, write_gallery


@pytest.fixture
def coloured(tmp_path: Path) -> Coloured:
    """The gallery with its videos."""
    return write_gallery(tmp_path)
