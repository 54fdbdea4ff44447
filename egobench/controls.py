"""Controls: the same questions with the evidence removed or altered (PROTOCOL section 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Literal, get_args

from egobench.sample import Clip, Sample

if TYPE_CHECKING:
    import numpy as np

Control = Literal["blind", "first-frame", "shuffled", "reversed", "other-video"]
CONTROLS: tuple[Control, ...] = get_args(Control)


def seed_of(sample: Sample, seed: int) -> int:
    """A seed of the sample's own, so that nothing depends on the order in which samples are asked."""
    # Another key than option orders are drawn with: a guess by the same stream would not be independent of the target.
    key = f"ask/{sample.task}/{sample.subset}/{sample.id}/{seed}"
    return int.from_bytes(sha256(key.encode()).digest()[:8])


def clips(samples: Sequence[Sample], control: Control | None, seed: int) -> Mapping[str, Clip]:
    """The clip that each sample of one subset is asked about, by sample id.

    Args:
        samples: All samples of one subset, whether asked in this run or not.
        control: ``other-video`` exchanges the clips across clusters; any other leaves them.
        seed: The run's seed.

    Raises:
        ValueError: If ``other-video`` is impossible because one cluster holds more than half of the samples.
    """
    own = {sample.id: Clip(sample.video, sample.start, sample.end) for sample in samples}
    if control != "other-video":
        return own
    order = derangement([sample.cluster for sample in samples], seed)
    return {sample.id: own[samples[other].id] for sample, other in zip(samples, order, strict=True)}


def derangement(clusters: Sequence[str], seed: int) -> list[int]:
    """A seeded permutation that sends every position to one of another cluster.

    Positions are laid out cluster by cluster, clusters in seeded order, and shifted by the size of the largest one.

    Args:
        clusters: The cluster of each position.
        seed: Seed of the order of clusters and of the positions in them.

    Raises:
        ValueError: If one cluster holds more than half of the positions.
    """
    sizes = Counter(clusters)
    largest = max(sizes.values(), default=0)
    if 2 * largest > len(clusters):
        name = max(sizes, key=lambda cluster: sizes[cluster])
        raise ValueError(
            f"other-video is impossible: cluster {name!r} holds {largest} of {len(clusters)} samples, more than half"
        )
    rng = Random(seed)  # noqa: S311 - reproducible, not secret
    key = {cluster: rng.random() for cluster in sorted(sizes)}
    layout = sorted(
        range(len(clusters)), key=lambda position: (key[clusters[position]], clusters[position], rng.random())
    )
    shifted = layout[largest:] + layout[:largest]
    moved = dict(zip(layout, shifted, strict=True))
    return [moved[position] for position in range(len(clusters))]


def alter(frames: np.ndarray, control: Control | None, seed: int) -> np.ndarray:
    """Frames as a control shows them; their times stay as they are.

    Args:
        frames: ``(n_frames, height, width, 3)``.
        control: ``first-frame``, ``shuffled`` and ``reversed`` change them; any other leaves them.
        seed: The sample's seed.

    Returns:
        The same shape.
    """
    order = list(range(len(frames)))
    if control == "first-frame":
        order = [0] * len(frames)
    elif control == "reversed":
        order.reverse()
    elif control == "shuffled":
        Random(seed).shuffle(order)  # noqa: S311 - reproducible, not secret
    else:
        return frames
    return frames[order]


def limited(samples: Sequence[Sample], limit: int | None, seed: int) -> list[Sample]:
    """A seeded choice of at most ``limit`` samples, in their order."""
    if limit is None or limit >= len(samples):
        return list(samples)
    chosen = sorted(samples, key=lambda sample: seed_of(replace(sample, subset=f"limit/{sample.subset}"), seed))[:limit]
    kept = {sample.id for sample in chosen}
    return [sample for sample in samples if sample.id in kept]
