"""Pixels as the towers' own processors make them: those of transformers, on Pillow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")

SIZES = [(336, 597), (70, 50), (48, 49), (56, 56), (57, 84)]


def noise(height: int, width: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(height + width).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_clip_sees_what_its_processor_shows(size: tuple[int, int]) -> None:
    from reference_exo2ego.backbone.frames import clip_sight, pixels

    frames = noise(*size)
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size=56)
    wanted = processor(images=list(frames), return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(pixels(frames, clip_sight(56)), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_siglip_sees_what_its_processor_shows(size: tuple[int, int]) -> None:
    from reference_exo2ego.backbone.frames import pixels, siglip_sight

    # Published preprocessor_config.json: bicubic (3), mean and deviation one half.
    half = [0.5, 0.5, 0.5]
    processor = transformers.SiglipImageProcessorPil(
        size={"height": 56, "width": 56}, resample=3, image_mean=half, image_std=half
    )
    frames = noise(*size)
    wanted = processor(images=list(frames), return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(pixels(frames, siglip_sight(56)), wanted, rtol=0, atol=1e-5)


def test_the_sides_of_a_wide_frame_are_cut_off_or_kept() -> None:
    from reference_exo2ego.backbone.frames import clip_sight, pixels

    frames = noise(56, 112)
    changed = frames.copy()
    changed[:, :, :20] = 0
    sight = clip_sight(56)
    assert torch.equal(pixels(frames, sight), pixels(changed, sight))
    kept, blackened = pixels(frames, sight, "pad"), pixels(changed, sight, "pad")
    assert kept.shape == (2, 3, 56, 56)
    assert not torch.equal(kept, blackened)


def test_borders_have_the_mean_colour() -> None:
    # 255 x mean, cut to whole numbers: 122, 116, 104; a frame twice as wide as high fills the middle half.
    from reference_exo2ego.backbone.frames import CLIP_DEVIATION, CLIP_MEAN, clip_sight, pixels

    shown = pixels(np.full((1, 28, 56, 3), 255, np.uint8), clip_sight(56), "pad")[0].permute(1, 2, 0).numpy()
    colours = np.rint((shown * CLIP_DEVIATION + CLIP_MEAN) * 255)
    assert colours[:14].reshape(-1, 3).tolist() == [[122, 116, 104]] * 14 * 56
    assert colours[14:42].min() == 255


def test_a_squeezed_frame_shows_all_of_the_picture() -> None:
    from reference_exo2ego.backbone.frames import clip_sight, squares

    frame = np.zeros((6, 8, 3), np.uint8)
    frame[:, :2], frame[:, -2:] = (255, 0, 0), (0, 0, 255)
    (square,) = squares(frame[None], clip_sight(6), "squeeze")
    assert square.shape == (3, 6, 6)
    assert square[0, 3, 0] > 200
    assert square[2, 3, -1] > 200
    (middle,) = squares(frame[None], clip_sight(6))
    assert middle[0, 3, 2] == middle[2, 3, 3] == 0
