"""The connector of VideoLLaMA2: patches of a clip's frames become tokens of the language model.

Two stages of RegNet blocks (arXiv 2003.13678), as timm's ``RegStage`` computes them, stand before and after one 3D
convolution that joins 2 frames and 2 x 2 patches (arXiv 2406.07476, section 3). Parameters have the names of the
published checkpoints.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from .grid import JOINED, Kind


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of ``(n, channels, height, width)``, then SiLU where it is wanted."""

    def __init__(self, channels: int, *, active: bool) -> None:
        super().__init__(channels, eps=1e-5)
        self.active = active

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Norm of each place: same shape."""
        normed = super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return functional.silu(normed) if self.active else normed


class NormedConvolution(nn.Module):
    """A convolution that keeps height and width, without bias, then :class:`ChannelNorm`."""

    def __init__(self, before: int, after: int, side: int = 1, *, active: bool = True) -> None:
        super().__init__()
        # Wider than one pixel it is depthwise: groups of one channel.
        groups = 1 if side == 1 else after
        self.conv = nn.Conv2d(before, after, side, padding=side // 2, groups=groups, bias=False)
        self.bn = ChannelNorm(after, active=active)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """``(n, before, height, width)`` to ``(n, after, height, width)``."""
        normed: torch.Tensor = self.bn(self.conv(patches))
        return normed


class Excitation(nn.Module):
    """Squeeze and excitation (arXiv 1709.01507): a gate that sees the means of all channels scales each."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Scaled channels: same shape."""
        gate: torch.Tensor = self.fc2(functional.silu(self.fc1(patches.mean((2, 3), keepdim=True))))
        return patches * gate.sigmoid()


class Block(nn.Module):
    """A RegNet block: 1 x 1, depthwise 3 x 3, excitation, 1 x 1, and a shortcut."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = NormedConvolution(before, after)
        self.conv2 = NormedConvolution(after, after, 3)
        self.se = Excitation(after, round(before / 4))
        self.conv3 = NormedConvolution(after, after, active=False)
        self.downsample = NormedConvolution(before, after, active=False) if before != after else nn.Identity()

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """``(n, before, height, width)`` to ``(n, after, height, width)``."""
        changed = self.conv3(self.se(self.conv2(self.conv1(patches))))
        return functional.silu(changed + self.downsample(patches))


def stage(before: int, after: int, depth: int) -> nn.Sequential:
    """Blocks ``b1``, ``b2`` and so on, of which the first widens."""
    blocks = nn.Sequential()
    for number in range(depth):
        blocks.add_module(f"b{number + 1}", Block(after if number else before, after))
    return blocks


class Connector(nn.Module):
    """The spatial-temporal convolution connector.

    Args:
        channels_seen: Channels of a patch.
        width: Channels of a token.
        kind: Which release's.
        depth: Blocks of each stage; published ones have 4.
    """

    def __init__(self, channels_seen: int, width: int, kind: Kind, depth: int = 4) -> None:
        super().__init__()
        self.padding = int(kind == "stc_connector")
        self.s1 = stage(channels_seen, width, depth)
        self.sampler = nn.Sequential(nn.Conv3d(width, width, JOINED, stride=JOINED, padding=self.padding), nn.SiLU())
        self.s2 = stage(width, width, depth)
        self.readout = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Join frames and neighbouring patches.

        Args:
            patches: Of a square of patches a frame, ``(clips, frames, patches, channels_seen)``.

        Returns:
            ``(clips, tokens, width)``; steps in time, then rows, then columns.
        """
        clips, frames, count, channels_seen = patches.shape
        side = math.isqrt(count)
        if not self.padding and frames % JOINED:
            # Without padding the last frame of an odd number would be dropped.
            patches = torch.cat([patches, patches[:, -1:]], dim=1)
            frames += 1
        grid = self.s1(patches.reshape(clips * frames, side, side, channels_seen).permute(0, 3, 1, 2))
        joined = self.sampler(grid.unflatten(0, (clips, frames)).transpose(1, 2)).transpose(1, 2)
        steps = joined.shape[1]
        joined = self.s2(joined.flatten(0, 1)).unflatten(0, (clips, steps))
        tokens: torch.Tensor = self.readout(joined.permute(0, 1, 3, 4, 2).flatten(1, 3))
        return tokens
