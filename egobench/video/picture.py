"""How a file's pictures are coded and displayed: colours, orientation, shape of the pixels; from its first frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from av.error import FFmpegError

from egobench.errors import DamagedVideoError, UnsupportedVideoError
from egobench.video.colour import ColourCoding, colour_coding_of
from egobench.video.index import main_stream, open_container
from egobench.video.orientation import Orientation, display_matrix_of, orientation_of


class PictureFormat(NamedTuple):
    """Coding and display of a file's pictures.

    Attributes:
        colours: How samples are converted to RGB.
        orientation: How the stored picture is turned and mirrored for display.
        display_matrix: The matrix that says so, ``None`` for none.
        pixel_aspect: Width of a stored pixel over its height.
    """

    colours: ColourCoding
    orientation: Orientation
    display_matrix: bytes | None
    pixel_aspect: Fraction


def picture_format(path: Path) -> PictureFormat:
    """Decode the first frame of a file and read how its pictures are coded and displayed.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
        DamagedVideoError: If no frame can be decoded.
        UnsupportedVideoError: If its colours cannot be converted, or it is turned by an angle between the quarters.
    """
    with open_container(path) as container:
        stream = main_stream(container, path)
        try:
            frame = next(container.decode(stream), None)
        except FFmpegError as error:
            raise DamagedVideoError(f"{path}: no frame can be decoded ({error.strerror}); download it again") from error
        if frame is None:
            raise DamagedVideoError(f"{path}: no frame can be decoded; download it again")
        try:
            display_matrix = display_matrix_of(frame)
            return PictureFormat(
                colours=colour_coding_of(frame),
                orientation=orientation_of(display_matrix),
                display_matrix=display_matrix,
                pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
            )
        except ValueError as error:
            raise UnsupportedVideoError(f"{path}: {error}; re-encode the video") from error
