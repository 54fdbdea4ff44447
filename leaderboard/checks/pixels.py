"""Receipts put to the proof: clips are decoded again, and their pixels compared."""

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
"""Clips that are decoded again."""

_PACKAGES = {"pyav": "av", "torchcodec": "torchcodec", "decord": "decord"}


class _Maker(NamedTuple):
    """Who decoded and resized the frames of a clip."""

    decoder: str
    resize: ResizeKind


@dataclass(frozen=True, slots=True)
class Proof:
    """A clip to decode again, and the receipt that it was shown with.

    Attributes:
        place: Part and sample, for messages.
        request: The clip.
        receipt: The receipt.
    """

    place: str
    request: ClipRequest
    receipt: Mapping[str, Any]


def choose_proofs(content: Content, parts: Sequence[Part], videos: Path, most: int = RECEIPTS) -> list[Proof]:
    """A seeded choice of the clips of a run, each once, with one of its receipts.

    Args:
        content: The submission.
        parts: Its parts over the checker's sample sets.
        videos: Folder of videos, or of one folder of videos per task.
        most: How many.
    """
    proofs: dict[tuple[str, Clip], Proof] = {}
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
                proofs.setdefault((part.task.name, clip), Proof(place, request, row.receipt))
    chosen = list(proofs.values())
    Random(content.spec.id).shuffle(chosen)  # noqa: S311 - reproducible, not secret
    return chosen[:most]


def compare_pixels(proofs: Sequence[Proof], observer: Observer) -> Iterator[str]:
    """Decode clips again as their receipts say, and compare.

    Args:
        proofs: The clips.
        observer: Receives the progress.

    Yields:
        What is wrong with a receipt.
    """
    observer.begin("receipts", len(proofs), 0)
    by_maker: dict[_Maker, dict[str, Proof]] = {}
    for proof in proofs:
        by_maker.setdefault(_maker(proof.receipt), {})[proof.request.key] = proof
    for maker, by_key in by_maker.items():
        requests = [proof.request for proof in by_key.values()]
        with stream_clips(requests, decoder=maker.decoder, resize=maker.resize) as stream:
            for clip in stream:
                observer.advance(1)
                problem = _problem(by_key[clip.key], clip)
                if problem:
                    yield f"{clip.key}: {problem}"


def _maker(receipt: Mapping[str, Any]) -> _Maker:
    """The decoder and resizer of a receipt where they are installed, else our usual ones."""
    name, resizer = str(receipt["decoder"]).partition(" ")[0], str(receipt["resize"]).partition(" ")[0]
    decoder = name if name in _PACKAGES and find_spec(_PACKAGES[name]) else "pyav"
    if resizer == "pil" or (resizer == "torch" and find_spec("torch")):
        return _Maker(decoder, "pil" if resizer == "pil" else "torch")
    return _Maker(decoder, "auto")


def _problem(proof: Proof, clip: DecodedClip | FailedClip) -> str:
    """How a clip differs from its receipt; ``""`` where it does not."""
    if isinstance(clip, FailedClip):
        return f"its clip cannot be decoded here ({clip.error})"
    ours, theirs = clip.receipt.to_json(), proof.receipt
    for key in ("times", "indices", "width", "height", "sha256"):
        if list(ours[key]) != list(theirs[key]) if isinstance(ours[key], list) else ours[key] != theirs[key]:
            makers = [f"{receipt['decoder']}, resized by {receipt['resize']}" for receipt in (theirs, ours)]
            hint = "" if makers[0] == makers[1] else f"; there by {makers[0]:.160}, here by {makers[1]}"
            return f"{key} of its frames is {ours[key]!r:.120} here, {theirs[key]!r:.120} in its receipt{hint}"
    return ""
