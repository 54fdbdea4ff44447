"""The timecode strip: episode and frame index written into the top of a picture, for tests to read back.

The strip takes the top twelfth of the picture: two rows of 32 cells, black or white, each a 32nd of the width. At
256x192 a cell is 8x8 pixels, one transform block of H.264. Sixteen cells hold the episode, sixteen the frame index (the
most significant bit first), eight a CRC-8 of those four bytes, and the other 24 a fixed pattern that tells black from
white and keeps ordinary pictures from being taken for a timecode. It survives compression and rescaling.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

ROWS: Final = 2
COLUMNS: Final = 32
SHARE: Final = 12
"""The strip's height is the picture's divided by this."""
LIMIT: Final = 1 << 16
MINIMUM_WIDTH: Final = 2 * COLUMNS
MINIMUM_HEIGHT: Final = 2 * ROWS * SHARE

_SYNC: Final = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1], dtype=bool)
_BLACK: Final = 24
_WHITE: Final = 232
_CONTRAST: Final = 60.0
_POLYNOMIAL: Final = 0x07


def crc8(data: bytes) -> int:
    """Checksum CRC-8/SMBUS (polynomial 0x07, start 0, no reflection).

    Args:
        data: What is checked.

    Returns:
        A number in [0, 255].
    """
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ _POLYNOMIAL) & 0xFF if crc & 0x80 else crc << 1
    return crc


def draw(frame: Picture, episode: int, index: int) -> None:
    """Write the strip into a picture, in place.

    Args:
        frame: ``(height, width, 3)`` RGB, at least 48 high and 64 wide.
        episode: Number of the episode, in [0, 65535].
        index: Number of the frame at its video's frame rate, counted from the episode's start, in [0, 65535].

    Raises:
        ValueError: A number out of range, or a picture too small to hold the strip.
    """
    if not (0 <= episode < LIMIT and 0 <= index < LIMIT):
        raise ValueError(f"timecode of episode {episode}, frame {index}: both must be in [0, {LIMIT - 1}]")
    height, width = frame.shape[:2]
    if height < MINIMUM_HEIGHT or width < MINIMUM_WIDTH:
        raise ValueError(f"a picture of {width}x{height} is too small for a timecode: {MINIMUM_WIDTH}x{MINIMUM_HEIGHT}")
    cells = np.where(_cells(episode, index), np.uint8(_WHITE), np.uint8(_BLACK))
    strip = height // SHARE
    rows = np.arange(int(strip)) * ROWS // strip
    columns = np.arange(int(width)) * COLUMNS // width
    frame[:strip] = cells[rows][:, columns, None]


def read(frame: Picture) -> tuple[int, int] | None:
    """Read the strip of a picture of any size.

    Args:
        frame: ``(height, width, 3)`` RGB, the whole picture, possibly rescaled.

    Returns:
        Episode and frame index, or ``None`` where there is no readable timecode.
    """
    height, width = frame.shape[:2]
    if height < MINIMUM_HEIGHT or width < MINIMUM_WIDTH:
        return None
    samples = np.array([0.35, 0.5, 0.65])
    rows = ((np.arange(ROWS)[:, None] + samples) * (height / SHARE / ROWS)).astype(int).ravel()
    columns = ((np.arange(COLUMNS)[:, None] + samples) * (width / COLUMNS)).astype(int).ravel()
    light = frame[rows[:, None], columns].mean(axis=2).reshape(ROWS, 3, COLUMNS, 3).mean(axis=(1, 3)).ravel()
    sync = light[40:]
    white, black = float(sync[_SYNC].min()), float(sync[~_SYNC].max())
    if white - black < _CONTRAST:
        return None
    data = np.packbits(light[:40] > (white + black) / 2).tobytes()
    if crc8(data[:4]) != data[4]:
        return None
    return int.from_bytes(data[:2]), int.from_bytes(data[2:4])


def _cells(episode: int, index: int) -> npt.NDArray[np.bool_]:
    """The cells of a timecode, ``(ROWS, COLUMNS)``, true for white."""
    data = episode.to_bytes(2) + index.to_bytes(2)
    bits = np.unpackbits(np.frombuffer(data + bytes([crc8(data)]), dtype=np.uint8)).astype(bool)
    return np.concatenate([bits, _SYNC]).reshape(ROWS, COLUMNS)
