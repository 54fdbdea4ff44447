"""The connector against its formulas in NumPy: RegNet blocks as in timm, a convolution over time and space."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest

torch = pytest.importorskip("torch")

Weights = dict[str, np.ndarray]
Kind = Literal["stc_connector", "stc_connector_v35"]
KINDS: tuple[Kind, Kind] = ("stc_connector", "stc_connector_v35")


def silu(values: np.ndarray) -> np.ndarray:
    return np.asarray(values / (1 + np.exp(-values)))


def norm(values: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    """Layer norm of ``(height, width, channels)`` over the channels."""
    mean, variance = values.mean(-1, keepdims=True), values.var(-1, keepdims=True)
    scaled = (values - mean) / np.sqrt(variance + 1e-5)
    return np.asarray(scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"])


def mixed(values: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    """A 1 x 1 convolution: a matrix at every place."""
    return values @ weights[f"{name}.weight"][:, :, 0, 0].T


def depthwise(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A 3 x 3 convolution of every channel by itself, borders filled with zeros."""
    height, width, _ = values.shape
    filled = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    parts = [
        filled[row : row + height, column : column + width] * kernel[:, 0, row, column]
        for row in range(3)
        for column in range(3)
    ]
    return np.asarray(np.sum(parts, axis=0))


def block(values: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    hidden = silu(norm(mixed(values, weights, f"{name}.conv1.conv"), weights, f"{name}.conv1.bn"))
    hidden = silu(norm(depthwise(hidden, weights[f"{name}.conv2.conv.weight"]), weights, f"{name}.conv2.bn"))
    squeezed = hidden.mean((0, 1))[None, None]
    gate = silu(mixed(squeezed, weights, f"{name}.se.fc1") + weights[f"{name}.se.fc1.bias"])
    gate = mixed(gate, weights, f"{name}.se.fc2") + weights[f"{name}.se.fc2.bias"]
    hidden = norm(mixed(hidden / (1 + np.exp(-gate)), weights, f"{name}.conv3.conv"), weights, f"{name}.conv3.bn")
    if f"{name}.downsample.conv.weight" in weights:
        values = norm(mixed(values, weights, f"{name}.downsample.conv"), weights, f"{name}.downsample.bn")
    return silu(hidden + values)


def joined(values: np.ndarray, weights: Weights, padding: int) -> np.ndarray:
    """2 x 2 x 2 places of ``(frames, height, width, channels)`` become one."""
    filled = np.pad(values, (*((padding, padding),) * 3, (0, 0)))
    steps, rows, columns = (length // 2 for length in filled.shape[:3])
    cubes = np.zeros((steps, rows, columns, values.shape[3]))
    kernel = weights["sampler.0.weight"]
    for step, row, column in np.ndindex(steps, rows, columns):
        cube = filled[2 * step : 2 * step + 2, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        cubes[step, row, column] = np.einsum("thwi,oithw->o", cube, kernel)
    return silu(cubes + weights["sampler.0.bias"])


def expected(patches: np.ndarray, weights: Weights, padding: int, depth: int) -> np.ndarray:
    """Tokens of one clip: ``(frames, side, side, seen)`` to ``(tokens, width)``."""
    for stage in ("s1", "s2"):
        for number in range(1, depth + 1):
            patches = np.stack([block(frame, weights, f"{stage}.b{number}") for frame in patches])
        if stage == "s1":
            patches = joined(patches, weights, padding)
    tokens = patches.reshape(-1, patches.shape[-1])
    hidden = tokens @ weights["readout.0.weight"].T + weights["readout.0.bias"]
    hidden = hidden / 2 * (1 + np.vectorize(math.erf)(hidden / np.sqrt(2)))
    return np.asarray(hidden @ weights["readout.2.weight"].T + weights["readout.2.bias"])


def connector(kind: Kind, depth: int = 2) -> tuple[Any, Weights]:
    from reference_exo2ego.backbone.connector import Connector
    from tests.reference_exo2ego.published_layout import connector_shapes, random_weights

    torch.manual_seed(0)
    tensors = random_weights(connector_shapes(8, 12, depth))
    built = Connector(8, 12, kind, depth)
    built.load_state_dict(tensors)
    return built.eval(), {name: tensor.numpy().astype(np.float64) for name, tensor in tensors.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("frames", "side"), [(4, 4), (2, 3), (1, 2)])
def test_tokens_are_those_of_the_formulas(kind: Kind, frames: int, side: int) -> None:
    from reference_exo2ego.backbone.grid import token_grid

    built, weights = connector(kind)
    padding = int(kind == "stc_connector")
    patches = np.random.default_rng(0).normal(size=(2, frames, side * side, 8))
    with torch.inference_mode():
        tokens_of_clips = built(torch.tensor(patches, dtype=torch.float32)).numpy()
    for clip in range(2):
        grid = patches[clip].reshape(frames, side, side, 8)
        if not padding and frames % 2:
            grid = np.concatenate([grid, grid[-1:]])
        numbers = expected(grid, weights, padding, depth=2)
        assert numbers.shape == (token_grid(frames, side, kind).tokens, 12)
        np.testing.assert_allclose(tokens_of_clips[clip], numbers, atol=2e-5)


def test_token_counts_are_those_of_the_published_models() -> None:
    # By hand: floor((n + 2 p - 2) / 2) + 1 along each axis; 24 x 24 patches of CLIP, 27 x 27 of SigLIP.
    from reference_exo2ego.backbone.grid import token_grid

    assert [token_grid(frames, 24, "stc_connector").tokens for frames in (8, 16, 32)] == [5 * 169, 9 * 169, 17 * 169]
    assert token_grid(16, 27, "stc_connector_v35").tokens == 8 * 13 * 13


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_of_an_odd_number_counts(kind: Kind) -> None:
    built, _ = connector(kind)
    patches = torch.randn(1, 5, 4, 8)
    with torch.inference_mode():
        plain = built(patches)
        for frame in range(5):
            changed = patches.clone()
            changed[:, frame] += 1
            assert not torch.equal(built(changed), plain)
