"""The check of pixels: clips are decoded again and compared with their receipts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from egobench.controls import clips
from egobench.observer import Observer
from egobench.run.media import VideoFolder
from egobench.run.plan import Part
from egobench.sample import Clip
from egobench.video import ClipRequest, DecodedClip, FailedClip, FrameRule, stream_clips
from egobench.video.resize import ResizeKind

from .content import Content

RECEIPTS = 100
"""Clips that are decoded again at most: who forged one in twenty receipts is found out in 99 % of all cases."""

_PACKAGES = {"pyav": "av", "torchcodec": "torchcodec", "decord": "decord"}


class _Decoding(NamedTuple):
    """Decoder and resizer of a clip's frames."""

    decoder: str
    resize: ResizeKind


@dataclass(frozen=True, slots=True)
class SampledReceipt:
    """A receipt that was chosen to be checked, and its clip.

    Attributes:
        place: Part and sample, for messages.
        request: The clip to decode.
        receipt: The receipt.
    """

    place: str
    request: ClipRequest
    receipt: Mapping[str, Any]


def choose_receipts(
    content: Content, parts: Sequence[Part], videos: Path, most: int = RECEIPTS
) -> list[SampledReceipt]:
    """Choose clips of a run at random, seeded by the run id, each with the first of its receipts.

    Args:
        content: The submission.
        parts: Its parts over the checker's sample sets.
        videos: Folder of videos, or of one folder of videos per task.
        most: How many at most.
    """
    receipts: dict[tuple[str, Clip], SampledReceipt] = {}
    for part in parts:
        rule = content.spec.frames.get(part.task.name)
        if rule is None or content.spec.control == "blind":
            continue
        folder, frame_rule = VideoFolder(videos, part.task), FrameRule(**rule)
        clip_of = clips(part.samples, content.spec.control, content.spec.seed)
        for row in content.rows.get(part.name, ()):
            if row.receipt is not None and row.id in clip_of:
                clip, place = clip_of[row.id], f"{part.name}, sample {row.id!r:.80}"
                request = ClipRequest(place, folder.path(clip.video), clip.start, clip.end, frame_rule)
                receipts.setdefault((part.task.name, clip), SampledReceipt(place, request, row.receipt))
    shuffled = list(receipts.values())
    Random(content.spec.id).shuffle(shuffled)  # noqa: S311 - reproducible, not secret
    return shuffled[:most]


def compare_pixels(receipts: Sequence[SampledReceipt], observer: Observer) -> Iterator[str]:
    """Decode clips again, by the decoder and resizer of their receipts, and yield how they differ.

    Args:
        receipts: The receipts and their clips.
        observer: Receives the progress.

    Yields:
        A problem per receipt that differs.
    """
    observer.begin("receipts", len(receipts), 0)
    by_decoding: dict[_Decoding, dict[str, SampledReceipt]] = {}
    for sampled in receipts:
        by_decoding.setdefault(_decoding_of(sampled.receipt), {})[sampled.request.key] = sampled
    for decoding, by_key in by_decoding.items():
        requests = [sampled.request for sampled in by_key.values()]
        with stream_clips(requests, decoder=decoding.decoder, resize=decoding.resize) as stream:
            for clip in stream:
                observer.advance(1)
                problem = _problem(by_key[clip.key], clip)
                if problem:
                    yield f"{clip.key}: {problem}"


def _decoding_of(receipt: Mapping[str, Any]) -> _Decoding:
    """Return the decoder and resizer of a receipt where they are installed, else the default ones."""
    name, resizer = str(receipt["decoder"]).partition(" ")[0], str(receipt["resize"]).partition(" ")[0]
    decoder = name if name in _PACKAGES and find_spec(_PACKAGES[name]) else "pyav"
    if resizer == "pil" or (resizer == "torch" and find_spec("torch")):
        return _Decoding(decoder, "pil" if resizer == "pil" else "torch")
    return _Decoding(decoder, "auto")


def _problem(sampled: SampledReceipt, clip: DecodedClip | FailedClip) -> str:
    """Return how a clip differs from its receipt; ``""`` for not at all."""
    if isinstance(clip, FailedClip):
        return f"its clip cannot be decoded here ({clip.error})"
    ours, theirs = clip.receipt.to_json(), sampled.receipt
    for key in ("times", "indices", "width", "height", "sha256"):
        if list(ours[key]) != list(theirs[key]) if isinstance(ours[key], list) else ours[key] != theirs[key]:
            there, here = (f"{receipt['decoder']}, resized by {receipt['resize']}" for receipt in (theirs, ours))
            hint = "" if there == here else f"; there by {there:.160}, here by {here}"
            return f"{key} of its frames is {ours[key]!r:.120} here, {theirs[key]!r:.120} in its receipt{hint}"
    return ""
