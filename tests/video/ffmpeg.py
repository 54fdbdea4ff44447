"""ffmpeg's command line: it writes the videos and says what their pixels are."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path
from typing import Final

import imageio_ffmpeg
import numpy as np

MATRICES: Final = {
    "upright": (1, 0, 0, 1),
    "mirrored left to right": (-1, 0, 0, 1),
    "mirrored top to bottom": (1, 0, 0, -1),
    "turned by 180 degrees": (-1, 0, 0, -1),
    "turned by 90 degrees clockwise": (0, 1, -1, 0),
    "turned by 90 degrees counterclockwise": (0, -1, 1, 0),
    "mirrored along the diagonal": (0, 1, 1, 0),
    "mirrored along the other diagonal": (0, -1, -1, 0),
}
"""The entries ``a b c d`` of the eight display matrices that keep to the axes."""

MESSAGES: Final = {
    "mirrored left to right": "flip=horizontal",
    "mirrored top to bottom": "flip=vertical",
    "turned by 180 degrees": "rotate=180",
    "turned by 90 degrees clockwise": "rotate=-90",
    "turned by 90 degrees counterclockwise": "rotate=90",
    "mirrored along the diagonal": "rotate=90:flip=horizontal",
    "mirrored along the other diagonal": "rotate=-90:flip=horizontal",
}
"""The same as a display orientation message among the pictures of H.264, for ffmpeg's ``h264_metadata``."""


def run_ffmpeg(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", *arguments]
    done = subprocess.run(command, check=False, capture_output=True)
    assert done.returncode == 0, (command, done.stderr.decode(errors="replace")[-2000:])
    return done


def write_pattern(path: Path, *options: str, size: str = "64x48", frames: int = 12, filters: str = "null") -> Path:
    """Write a moving test pattern, ten frames a second, of which no two frames are equal."""
    source = f"testsrc2=s={size}:r=10:d={frames / 10}"
    run_ffmpeg("-f", "lavfi", "-i", source, "-vf", filters, *options, str(path))
    return path


def reference_frames(path: Path, filters: str = "null") -> np.ndarray:
    """Every displayed frame as ffmpeg shows it: uint8 RGB ``(n_frames, height, width, 3)``."""
    options = ("-map", "0:v:0", "-vf", filters, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24")
    done = run_ffmpeg("-i", str(path), *options, "-")
    sizes = re.findall(r"Video: rawvideo.*?, (\d+)x(\d+)", done.stderr.decode(errors="replace"))
    width, height = map(int, sizes[-1])
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)


def with_display_matrix(path: Path, orientation: str, turned: Path) -> Path:
    """Write an MP4 file again with another display matrix in its track header (ISO/IEC 14496-12, 8.3.2)."""
    content = path.read_bytes()
    start = content.index(b"tkhd") + 4 + 40  # behind version, flags, times, track, duration, layer, group and volume
    a, b, c, d = (entry << 16 for entry in MATRICES[orientation])
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    turned.write_bytes(content[:start] + matrix + content[start + len(matrix) :])
    return turned


def with_orientation_message(path: Path, orientation: str, turned: Path) -> Path:
    """Copy an H.264 stream and put a display orientation message before its key frames."""
    change = f"h264_metadata=display_orientation=insert:{MESSAGES[orientation]}"
    run_ffmpeg("-i", str(path), "-c", "copy", "-bsf:v", change, str(turned))
    return turned
