"""The classifier of a probe: a small convolutional network for frames, convolutions over time, a head for each fact."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from .actions import FIELDS
from .evidence import DOOR_COLOURS, GOAL_SENTENCES, PLACES

WIDTH = 32
"""Channels of the first convolution; each later scale has twice as many."""

FEATURES = 256
"""Numbers that a frame becomes."""

Head = Literal["whole", "moments", "following", "goal", "doors"]
"""What is told of a clip: the action that it shows, that of each moment, the one that comes next, the goal, doors."""


class Predicted(NamedTuple):
    """Logits of all facts.

    Attributes:
        whole: Of each field of an action ``(clips, values)``.
        moments: Likewise of each frame, ``(clips, frames, values)``.
        following: As ``whole``, of the action after the clip.
        goal: ``(clips, goals)``.
        doors: ``(clips, colours, places)``.
    """

    whole: dict[str, torch.Tensor]
    moments: dict[str, torch.Tensor]
    following: dict[str, torch.Tensor]
    goal: torch.Tensor
    doors: torch.Tensor


class FactNetwork(nn.Module):
    """Recognises the facts of clips.

    Args:
        side: Height and width of frames in pixels, a multiple of 16.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        wide = 4 * WIDTH
        self.frames = nn.Sequential(
            nn.Conv2d(3, WIDTH, 4, 4),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(),
            _Halved(WIDTH),
            _Halved(2 * WIDTH),
            nn.Flatten(),
            nn.Linear(wide * (side // 16) ** 2, FEATURES),
            nn.LayerNorm(FEATURES),
        )
        self.time = nn.ModuleList(_OverTime() for _ in range(3))
        self.action = nn.ModuleDict({name: nn.Linear(FEATURES, len(values)) for name, values in FIELDS.items()})
        self.next_action = nn.ModuleDict({name: nn.Linear(FEATURES, len(values)) for name, values in FIELDS.items()})
        self.goal = nn.Linear(2 * FEATURES, len(GOAL_SENTENCES))
        self.doors = nn.Linear(3 * FEATURES, len(DOOR_COLOURS) * len(PLACES))

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Features of frames by themselves: uint8 ``(frames, 3, side, side)`` to ``(frames, features)``."""
        pixels = (frames.float() / 255 - 0.5).contiguous(memory_format=torch.channels_last)
        with torch.autocast(frames.device.type, dtype=torch.bfloat16):
            features: torch.Tensor = self.frames(pixels)
        return features.float()

    def predict(self, features: torch.Tensor) -> Predicted:
        """Logits of clips of equal length: ``(clips, frames, features)``."""
        for layer in self.time:
            features = layer(features)
        mean, most, last = features.mean(1), features.amax(1), features[:, -1]
        moments = {name: head(features) for name, head in self.action.items()}
        return Predicted(
            {name: logits.mean(1) for name, logits in moments.items()},
            moments,
            {name: head(last) for name, head in self.next_action.items()},
            self.goal(torch.cat((mean, most), 1)),
            self.doors(torch.cat((mean, most, last), 1)).view(-1, len(DOOR_COLOURS), len(PLACES)),
        )


class _Halved(nn.Module):
    """Half the side and twice the channels, then a residual block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.down = nn.Sequential(nn.Conv2d(channels, wide, 3, 2, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU())
        self.block = nn.Sequential(
            nn.Conv2d(wide, wide, 3, 1, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
            nn.Conv2d(wide, wide, 3, 1, 1, bias=False),
            nn.BatchNorm2d(wide),
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        maps = self.down(maps)
        return functional.relu(maps + self.block(maps))


class _OverTime(nn.Module):
    """What neighbouring frames add to one another."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(FEATURES)
        self.mix = nn.Sequential(
            nn.Conv1d(FEATURES, FEATURES, 3, padding=1), nn.GELU(), nn.Conv1d(FEATURES, FEATURES, 1)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        mixed: torch.Tensor = self.mix(self.norm(features).transpose(1, 2)).transpose(1, 2)
        return features + mixed
