"""The mappings F: ego -> exo and G: exo -> ego, on the grid of a frame's features."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn

from .configuration import MappingConfig

BLOCKS = 9
"""ResNet blocks of a mapping (paper, section 4.3; CycleGAN's ``resnet_9blocks``)."""

SPREAD = 0.02
"""Standard deviation of fresh convolutions, as CycleGAN draws them."""


class ResnetBlock(nn.Module):
    """The ResNet block of CycleGAN's generator (``models/networks.py`` there): nothing acts behind its sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """``(n, channels, height, width)`` to the same."""
        changed: torch.Tensor = self.layers(features)
        return features + changed


class ResnetMapping(nn.Module):
    """CycleGAN's generator of nine ResNet blocks, without the tanh at its end.

    Args:
        channels: Channels of the features.
        config: Width, number of down-samplings, and whether the mapping is residual.
    """

    def __init__(self, channels: int, config: MappingConfig) -> None:
        super().__init__()
        self.residual = config.residual
        widths = [config.width * 2**halved for halved in range(config.downsamplings + 1)]
        self.down = nn.Sequential(nn.ReflectionPad2d(3), *_normed(nn.Conv2d(channels, widths[0], 7)))
        for before, after in pairwise(widths):
            self.down.extend(_normed(nn.Conv2d(before, after, 3, stride=2, padding=1)))
        self.blocks = nn.Sequential(*(ResnetBlock(widths[-1]) for _ in range(BLOCKS)))
        self.up = nn.Sequential()
        for before, after in pairwise(reversed(widths)):
            self.up.extend(_normed(nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)))
        self.up.append(nn.ReflectionPad2d(3))
        self.last = nn.Conv2d(widths[0], channels, 7)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=SPREAD)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        if self.residual:
            nn.init.zeros_(self.last.weight)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map every frame by itself.

        Args:
            features: A square grid of places per step, ``(clips, steps, places, channels)``.

        Returns:
            The same shape.
        """
        side = math.isqrt(features.shape[2])
        grid = features.flatten(0, 1).transpose(1, 2).unflatten(2, (side, side))
        mapped = self.last(self.up(self.blocks(self.down(grid))))
        flat: torch.Tensor = mapped.flatten(2).transpose(1, 2).unflatten(0, features.shape[:2])
        return features + flat if self.residual else flat


class LinearMapping(nn.Module):
    """Two linear layers applied to every place: the fully connected mapping of the ablation (Table 7).

    Args:
        channels: Channels of the features.
        config: Whether the mapping is residual.
    """

    def __init__(self, channels: int, config: MappingConfig) -> None:
        super().__init__()
        self.residual = config.residual
        self.layers = nn.Sequential(nn.Linear(channels, channels), nn.GELU(), nn.Linear(channels, channels))
        if self.residual:
            for parameter in self.layers[2].parameters():
                nn.init.zeros_(parameter)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """``(clips, steps, places, channels)`` to the same."""
        mapped: torch.Tensor = self.layers(features)
        return features + mapped if self.residual else mapped


def build_mapping(channels: int, config: MappingConfig) -> nn.Module:
    """Build a mapping with fresh weights."""
    return (LinearMapping if config.kind == "fc" else ResnetMapping)(channels, config)


def _normed(convolution: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [convolution, nn.InstanceNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]
