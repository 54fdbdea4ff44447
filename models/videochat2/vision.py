"""What VideoChat2 sees with: a video transformer, and a Q-Former that reads what to look for.

The video transformer is UMT-L (arXiv 2303.16058): every patch of every frame attends to all others. Parameters have the
names of the published checkpoints, except inside the Q-Former, which is transformers' own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of the visual half; the defaults are the published ones.

    Attributes:
        width: Channels of a patch.
        depth: Blocks the encoder was trained with; the last one is left out.
        heads: Attention heads of a block.
        patch: Pixels of a patch's side.
        side: Pixels of a frame's side.
        trained: Frames the positions were made for; they are stretched to others.
        queries: Queries of the Q-Former from its first training.
        extra: Queries added later.
    """

    width: int = 1024
    depth: int = 24
    heads: int = 16
    patch: int = 16
    side: int = 224
    trained: int = 4
    queries: int = 32
    extra: int = 64


class Attention(nn.Module):
    """Attention of all patches to all; queries and values have a bias, keys have none."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """``(clips, patches, width)``, same shape."""
        bias = torch.cat((self.q_bias, torch.zeros_like(self.v_bias), self.v_bias))
        mixed = functional.linear(patches, self.qkv.weight, bias)
        query, key, value = mixed.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        mixed_values: torch.Tensor = self.proj(seen.transpose(1, 2).flatten(2))
        return mixed_values


class Feedforward(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """``(clips, patches, width)``, same shape."""
        outputs: torch.Tensor = self.fc2(functional.gelu(self.fc1(patches)))
        return outputs


class Block(nn.Module):
    """A transformer block, normed first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Feedforward(width)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """``(clips, patches, width)``, same shape."""
        patches = patches + self.attn(self.norm1(patches))
        outputs: torch.Tensor = patches + self.mlp(self.norm2(patches))
        return outputs


class VideoTransformer(nn.Module):
    """The video transformer, up to the last block but one."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        shape = (1, sizes.patch, sizes.patch)
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv3d(3, sizes.width, shape, shape)})
        self.blocks = nn.ModuleList([Block(sizes.width, sizes.heads) for _ in range(sizes.depth - 1)])

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Patches of clips.

        Args:
            pixels: ``(clips, frames, 3, side, side)``.

        Returns:
            ``(clips, frames * rows * columns, width)``.
        """
        patches: torch.Tensor = self.patch_embed["proj"](pixels.transpose(1, 2)).flatten(2).transpose(1, 2)
        patches = patches + positions(self.sizes, pixels.shape[1]).to(patches)
        for block in self.blocks:
            patches = block(patches)
        return patches


class VisualEncoder(nn.Module):
    """The visual half of VideoChat2.

    Args:
        sizes: Its sizes.
        qformer: ``InstructBlipQFormerModel`` of transformers.
        width: Channels of a token of the language model.
    """

    def __init__(self, sizes: Sizes, qformer: Any, width: int) -> None:
        super().__init__()
        hidden = int(qformer.config.hidden_size)
        self.vision_encoder = nn.ModuleDict({"encoder": VideoTransformer(sizes)})
        self.vision_layernorm = nn.LayerNorm(sizes.width, eps=1e-12)
        self.qformer = qformer
        self.query_tokens = nn.Parameter(torch.zeros(1, sizes.queries, hidden))
        self.extra_query_tokens = nn.Parameter(torch.zeros(1, sizes.extra, hidden))
        self.mistral_proj = nn.Linear(hidden, width)

    def forward(self, pixels: torch.Tensor, instruction: torch.Tensor) -> torch.Tensor:
        """Look at clips with an instruction in mind.

        Args:
            pixels: ``(clips, frames, 3, side, side)``.
            instruction: Tokens of the Q-Former's vocabulary, ``(1, tokens)``, the same for all clips.

        Returns:
            ``(clips, queries, width)``.
        """
        seen = self.vision_layernorm(self.vision_encoder["encoder"](pixels))
        queries = torch.cat([self.query_tokens, self.extra_query_tokens], dim=1).expand(len(pixels), -1, -1)
        states = self.qformer(
            input_ids=instruction.expand(len(pixels), -1), query_embeds=queries, encoder_hidden_states=seen
        ).last_hidden_state
        tokens: torch.Tensor = self.mistral_proj(states[:, : queries.shape[1]])
        return tokens


def positions(sizes: Sizes, frames: int) -> torch.Tensor:
    """Where each patch is: sines and cosines of its number (arXiv 1706.03762, section 3.5), stretched over time.

    Args:
        sizes: Of the encoder.
        frames: Frames of a clip; the table of ``sizes.trained`` frames is interpolated to them.

    Returns:
        float32 ``(1, frames * rows * columns, width)``.
    """
    rows = sizes.side // sizes.patch
    numbers = torch.arange(sizes.trained * rows * rows, dtype=torch.float64, device="cpu")[:, None]
    channels = torch.arange(sizes.width, dtype=torch.float64, device="cpu")
    angles = numbers / 10000 ** (channels.div(2, rounding_mode="floor") * 2 / sizes.width)
    angles[:, 0::2] = angles[:, 0::2].sin()
    angles[:, 1::2] = angles[:, 1::2].cos()
    table: torch.Tensor = angles.float().unflatten(0, (sizes.trained, rows * rows)).permute(1, 2, 0)
    if frames != sizes.trained:
        table = functional.interpolate(table, size=frames, mode="linear")
    return table.permute(2, 0, 1).flatten(0, 1)[None]
