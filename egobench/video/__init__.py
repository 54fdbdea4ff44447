"""The only place that opens a video: sampling, one decoding pass per file, receipts.

Requests come first, then one plan: :func:`stream_clips` groups clips by file and opens each file once;
:func:`read_clips` does one file. The names below are loaded when they are used, so that importing this package
costs nothing.

A frame that cannot be decoded is a typed error of :mod:`egobench.errors`, never another frame. One kind of damage
escapes every decoder: a few flipped bits inside a picture may decode without complaint, into a damaged picture of the
right time. Only a checksum of the downloaded file finds those. PyAV fails a clip where its decoder flags any picture
that the clip's frames may refer to; torchcodec and decord do not say so, and may patch a damaged picture with a
neighbour.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from egobench.video.clips import CLIP_SECONDS, ClipRequest, DecodedClip, FailedClip
    from egobench.video.facts import PlanSummary, VideoFacts, fingerprint, plan_summary, probe
    from egobench.video.folder import stored_as
    from egobench.video.frame_store.read_through import ReadThrough
    from egobench.video.frame_store.store import FrameStore
    from egobench.video.reading import read_clips
    from egobench.video.receipts import Receipt, pixel_hash
    from egobench.video.sampling import FrameRule
    from egobench.video.stream import ClipReader, ClipStream, stream_clips

__all__ = [
    "CLIP_SECONDS",
    "ClipReader",
    "ClipRequest",
    "ClipStream",
    "DecodedClip",
    "FailedClip",
    "FrameRule",
    "FrameStore",
    "PlanSummary",
    "ReadThrough",
    "Receipt",
    "VideoFacts",
    "fingerprint",
    "pixel_hash",
    "plan_summary",
    "probe",
    "read_clips",
    "stored_as",
    "stream_clips",
]

_HOMES: Final = {
    "clips": ("CLIP_SECONDS", "ClipRequest", "DecodedClip", "FailedClip"),
    "facts": ("PlanSummary", "VideoFacts", "fingerprint", "plan_summary", "probe"),
    "folder": ("stored_as",),
    "frame_store.read_through": ("ReadThrough",),
    "frame_store.store": ("FrameStore",),
    "reading": ("read_clips",),
    "receipts": ("Receipt", "pixel_hash"),
    "sampling": ("FrameRule",),
    "stream": ("ClipReader", "ClipStream", "stream_clips"),
}


def __getattr__(name: str) -> Any:
    """Load a public name from the module that defines it."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
