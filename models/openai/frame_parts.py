"""Frames as parts of a chat: single images with their times, or one video."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from PIL import Image

from egobench.interop.clips import rate_of, write_clip

LABEL = "<{:.1f} seconds>"
"""What stands before each single image; seconds from the first displayed frame of the video."""

Kind = Literal["images", "video", "vllm-video"]
"""How frames are sent."""

ImageFormat = Literal["jpeg", "png"]
"""How an image is stored; PNG keeps every pixel and is several times as large."""

Detail = Literal["auto", "low", "high"]
"""How finely a server that charges by it is to look at an image."""


@dataclass(frozen=True, slots=True)
class Media:
    """How frames are sent.

    Attributes:
        kind: ``images``: one image a frame, each behind its time; ``video``: an MP4 file of exactly the frames,
            without loss; ``vllm-video``: the frames as JPEG images in one video part, which vLLM does not sample again.
        image_format: Of single images.
        quality: Of JPEG images, in [1, 100]; colours are kept at full resolution.
        detail: Of single images.
        labels: Whether single images stand behind their times.
    """

    kind: Kind
    image_format: ImageFormat = "jpeg"
    quality: int = 95
    detail: Detail = "auto"
    labels: bool = True

    def parts(self, frames: np.ndarray, times: np.ndarray) -> list[dict[str, Any]]:
        """The parts of a message that show frames.

        Args:
            frames: uint8 RGB ``(n_frames, height, width, 3)``, at least one.
            times: Seconds of each frame, ``(n_frames,)``.

        Raises:
            VideoError: If no video can be made of them.
        """
        if self.kind == "images":
            return [part for frame, time in zip(frames, times, strict=True) for part in self._labelled(frame, time)]
        if self.kind == "vllm-video":
            url = "data:video/jpeg;base64," + ",".join(_text(_image(frame, "jpeg", self.quality)) for frame in frames)
        else:
            with TemporaryDirectory() as folder:
                path = write_clip(frames, times, Path(folder) / "clip.mp4", fps=None)
                url = f"data:video/mp4;base64,{_text(path.read_bytes())}"
        return [{"type": "video_url", "video_url": {"url": url}}]

    def fields(self, times: np.ndarray) -> dict[str, Any]:
        """What a request says beside its messages."""
        if self.kind != "vllm-video":
            return {}
        sampling = {"num_frames": -1, "fps": float(rate_of(times)), "frames_indices": list(range(len(times)))}
        return {"media_io_kwargs": {"video": sampling}}

    def settings(self) -> dict[str, str]:
        """What of it changes answers, by name."""
        if self.kind == "video":
            return {"media": self.kind}
        stored = "png" if self.image_format == "png" and self.kind == "images" else f"jpeg, quality {self.quality}"
        settings = {"media": self.kind, "image_format": stored}
        label = LABEL if self.labels else ""
        return settings | {"frame_label": label, "detail": self.detail} if self.kind == "images" else settings

    def _labelled(self, frame: np.ndarray, time: float) -> list[dict[str, Any]]:
        url = f"data:image/{self.image_format};base64,{_text(_image(frame, self.image_format, self.quality))}"
        image = {"url": url} if self.detail == "auto" else {"url": url, "detail": self.detail}
        label = [{"type": "text", "text": LABEL.format(time)}] if self.labels else []
        return [*label, {"type": "image_url", "image_url": image}]


def _image(frame: np.ndarray, image_format: ImageFormat, quality: int) -> bytes:
    file = BytesIO()
    options = {"quality": quality, "subsampling": 0} if image_format == "jpeg" else {"compress_level": 1}
    Image.fromarray(frame).save(file, image_format, **options)
    return file.getvalue()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
