"""CycleGAN's generator in NumPy, from its definition: reflected borders, plain sums, no framework."""

from __future__ import annotations

import numpy as np

Weights = dict[str, np.ndarray]


def convolved(image: np.ndarray, kernel: np.ndarray, bias: np.ndarray, stride: int = 1) -> np.ndarray:
    """``(before, height, width)`` to ``(after, ...)``; kernel ``(after, before, side, side)``; no borders added."""
    side = kernel.shape[2]
    rows, columns = ((length - side) // stride + 1 for length in image.shape[1:])
    out = np.empty((len(kernel), rows, columns))
    for row, column in np.ndindex(rows, columns):
        patch = image[:, row * stride : row * stride + side, column * stride : column * stride + side]
        out[:, row, column] = np.tensordot(kernel, patch, 3) + bias
    return out


def widened(image: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Transposed 3 x 3 convolution of stride 2, padding 1, output padding 1: twice the height and width."""
    height, width = image.shape[1:]
    spread = np.zeros((kernel.shape[1], 2 * height + 2, 2 * width + 2))
    for row, column in np.ndindex(height, width):
        spread[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3] += np.tensordot(image[:, row, column], kernel, 1)
    return np.asarray(spread[:, 1 : 2 * height + 1, 1 : 2 * width + 1] + bias[:, None, None])


def normed(image: np.ndarray) -> np.ndarray:
    """Instance norm: every channel by itself, no weights."""
    mean, variance = image.mean((1, 2), keepdims=True), image.var((1, 2), keepdims=True)
    return np.asarray((image - mean) / np.sqrt(variance + 1e-5))


def reflected(image: np.ndarray, border: int) -> np.ndarray:
    return np.pad(image, ((0, 0), (border, border), (border, border)), mode="reflect")


def block(image: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    """Sum of x and IN(conv(reflect(ReLU(IN(conv(reflect(x)))))))."""
    inner = convolved(reflected(image, 1), weights[f"{name}.layers.1.weight"], weights[f"{name}.layers.1.bias"])
    inner = np.maximum(normed(inner), 0)
    inner = convolved(reflected(inner, 1), weights[f"{name}.layers.5.weight"], weights[f"{name}.layers.5.bias"])
    return np.asarray(image + normed(inner))


def generated(image: np.ndarray, weights: Weights) -> np.ndarray:
    """The generator of nine blocks and two down-samplings, without its tanh: ``(channels, side, side)``, one frame."""

    def layer(name: str) -> tuple[np.ndarray, np.ndarray]:
        return weights[f"{name}.weight"], weights[f"{name}.bias"]

    image = np.maximum(normed(convolved(reflected(image, 3), *layer("down.1"))), 0)
    for name in ("down.4", "down.7"):
        bordered = np.pad(image, ((0, 0), (1, 1), (1, 1)))
        image = np.maximum(normed(convolved(bordered, *layer(name), stride=2)), 0)
    for number in range(9):
        image = block(image, weights, f"blocks.{number}")
    for name in ("up.0", "up.3"):
        image = np.maximum(normed(widened(image, *layer(name))), 0)
    return convolved(reflected(image, 3), *layer("last"))


def mapped(features: np.ndarray, weights: Weights) -> np.ndarray:
    """Features ``(clips, steps, places, channels)`` through the generator, frame by frame."""
    clips, steps, places, channels = features.shape
    side = round(places**0.5)
    out = np.empty_like(features)
    for clip, step in np.ndindex(clips, steps):
        grid = features[clip, step].T.reshape(channels, side, side)
        out[clip, step] = generated(grid, weights).reshape(channels, places).T
    return out
