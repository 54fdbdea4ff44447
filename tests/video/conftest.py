"""The decoders that can be used here."""

from __future__ import annotations

import pytest

from egobench.video.decoders import DECODERS
from egobench.video.self_seeking import import_decoder_package

OTHERS = tuple(name for name in DECODERS if name != "pyav")


def is_usable(name: str) -> bool:
    """Whether the optional package of a decoder is installed and can be loaded."""
    try:
        import_decoder_package(name)
    except ValueError:
        return False
    return True


def usable(name: str) -> str:
    """The decoder, or a skipped test where its optional package cannot be used."""
    if name in OTHERS:
        try:
            import_decoder_package(name)
        except ValueError as error:
            pytest.skip(str(error))
    return name


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> str:
    """Each decoder in turn."""
    return usable(request.param)


@pytest.fixture(params=OTHERS)
def other_decoder(request: pytest.FixtureRequest) -> str:
    """Each decoder but the default in turn."""
    return usable(request.param)
