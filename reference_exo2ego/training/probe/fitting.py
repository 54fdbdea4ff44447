"""Training of a probe's network on the facts of the training world."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import torch
from torch.nn import functional

from egobench.errors import TrainingDataError
from egobench.observer import Observer
from reference_exo2ego.training.recipe import Recipe
from reference_exo2ego.training.row_frames import RowFrames, chosen_frames

from .facts import UNKNOWN, FactRows, Labels, fact_logits
from .network import FactNetwork

FRAMES_OF_STEP = {"caption": 96, "events": 64, "facts": 36, "last": 24}
"""Frames that a step shows of each kind of rows, in whole clips."""

LAST_FRAMES = 6
"""Frames before the end that are looked at where only what follows is asked."""

RATE = 2e-3
WEIGHT_DECAY = 0.05
WARMUP = 0.05
SHIFT = 4
"""Pixels that a clip is moved by at most, so that it is not seen alike twice."""


class FactBatch(NamedTuple):
    """Clips of a step that are of one kind.

    Attributes:
        frames: uint8 ``(clips, frames, 3, side, side)``.
        labels: By name, a row a clip.
    """

    frames: torch.Tensor
    labels: Labels


def fit(
    recipe: Recipe, facts: Sequence[FactRows], *, store: Path | None, steps: int, observer: Observer
) -> FactNetwork:
    """Train a network.

    Args:
        recipe: Says how frames are cut from clips, and the seed.
        facts: What is true.
        store: Frame store of the clips; ``None`` to decode them.
        steps: Steps.
        observer: Receives the progress.

    Raises:
        VideoError: If a clip cannot be read.
        TrainingDataError: If clips are not seen by the wearer.
    """
    torch.manual_seed(recipe.seed)
    rng = Random(recipe.seed)  # noqa: S311 - not secret
    network = FactNetwork(recipe.model.vision.image_size)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=WARMUP)
    frames = RowFrames(recipe.model, store)
    observer.begin("probe", steps, 0)
    for _ in range(steps):
        batches = [_draw(rows, frames, rng) for rows in facts]
        loss = _loss(network, batches)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        observer.advance(1)
    return network.eval()


def _draw(facts: FactRows, frames: RowFrames, rng: Random) -> FactBatch:
    """Some clips of a kind, drawn anew for each step."""
    last = facts.kind.last
    count = LAST_FRAMES if last else facts.kind.frames
    clips: list[torch.Tensor] = []
    labels: list[Labels] = []
    for _ in range(max(1, FRAMES_OF_STEP[facts.kind.telling] // count)):
        number, seed = rng.randrange(len(facts.rows)), rng.randrange(2**62)
        ego, _exo = frames(facts.kind, facts.rows[number], seed)
        if ego is None:
            raise TrainingDataError(f"rows {facts.kind.name}: seen from outside; a probe needs what the wearer sees")
        shift = rng.randint(-SHIFT, SHIFT), rng.randint(-SHIFT, SHIFT)
        clips.append(torch.roll(ego[-count:], shift, (2, 3)))
        labels.append(facts.labels[number] | facts.moments(number, chosen_frames(facts.kind, seed)))
    unknown = {name: torch.full_like(value, UNKNOWN) for row in labels for name, value in row.items()}
    together = {name: torch.stack([row.get(name, nothing) for row in labels]) for name, nothing in unknown.items()}
    return FactBatch(torch.stack(clips), together)


def _loss(network: FactNetwork, batches: Sequence[FactBatch]) -> torch.Tensor:
    """Sum of the cross-entropies of all facts; all frames go through the network at once, as one batch."""
    encoded = network.encode(torch.cat([batch.frames.flatten(0, 1) for batch in batches]))
    sizes = [batch.frames.shape[0] * batch.frames.shape[1] for batch in batches]
    losses: list[torch.Tensor] = []
    for batch, features in zip(batches, encoded.split(sizes), strict=True):
        predicted = network.predict(features.view(*batch.frames.shape[:2], -1))
        for name, labels in batch.labels.items():
            if (labels != UNKNOWN).any():
                logits = fact_logits(predicted, name)
                losses.append(functional.cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=UNKNOWN))
    return torch.stack(losses).sum()
