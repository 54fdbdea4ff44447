"""F and G against CycleGAN's generator: its layers, its numbers on a small grid, its size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reference_exo2ego.model.configuration import MappingConfig

torch = pytest.importorskip("torch")


def mapping(channels: int = 3, **switches: Any) -> Any:
    from reference_exo2ego.model.mapping import build_mapping

    torch.manual_seed(0)
    return build_mapping(channels, MappingConfig(**switches))


def layers(module: Any) -> list[str]:
    """What layers are, as the reference's definition has it: channels, kernel, stride, padding, bias; running stats."""
    listed: list[str] = []
    for layer in module:
        kind = type(layer).__name__
        if kind == "ReflectionPad2d":
            kind += f" {layer.padding[0]}"
        elif kind in {"Conv2d", "ConvTranspose2d"}:
            kind += f" {layer.in_channels}-{layer.out_channels} k{layer.kernel_size[0]} s{layer.stride[0]}"
            kind += f" p{layer.padding[0]} o{layer.output_padding[0]}" + " bias" * (layer.bias is not None)
        elif kind == "InstanceNorm2d":
            kind += (
                f" {layer.num_features} {layer.eps}" + " affine" * layer.affine + " stats" * layer.track_running_stats
            )
        listed.append(kind)
    return listed


def test_the_block_is_the_reference_generators() -> None:
    # models/networks.py of pytorch-CycleGAN-and-pix2pix, ResnetBlock with padding "reflect", instance norm (hence a
    # bias in its convolutions), no dropout: pad 1, 3 x 3 without padding, norm, ReLU, pad 1, 3 x 3, norm.
    half = ["ReflectionPad2d 1", "Conv2d 256-256 k3 s1 p0 o0 bias", "InstanceNorm2d 256 1e-05"]
    built = mapping(1024)
    assert len(built.blocks) == 9
    for block in built.blocks:
        assert layers(block.layers) == [*half, "ReLU", *half]


def test_what_stands_around_the_blocks_is_the_reference_generators() -> None:
    # ResnetGenerator with ngf=64: 7 x 7 behind 3 reflected, two 3 x 3 of stride 2; and back. Its tanh is left out.
    def normed(convolution: str, channels: int) -> list[str]:
        return [convolution, f"InstanceNorm2d {channels} 1e-05", "ReLU"]

    built = mapping(1024)
    assert layers(built.down) == [
        "ReflectionPad2d 3",
        *normed("Conv2d 1024-64 k7 s1 p0 o0 bias", 64),
        *normed("Conv2d 64-128 k3 s2 p1 o0 bias", 128),
        *normed("Conv2d 128-256 k3 s2 p1 o0 bias", 256),
    ]
    assert layers(built.up) == [
        *normed("ConvTranspose2d 256-128 k3 s2 p1 o1 bias", 128),
        *normed("ConvTranspose2d 128-64 k3 s2 p1 o1 bias", 64),
        "ReflectionPad2d 3",
    ]
    assert layers([built.last]) == ["Conv2d 64-1024 k7 s1 p0 o0 bias"]


def test_between_images_it_has_the_11_378_million_parameters_that_the_official_code_prints() -> None:
    assert sum(parameter.numel() for parameter in mapping(3).parameters()) == 11_378_179


@pytest.mark.parametrize("residual", [False, True])
def test_a_mapped_clip_is_the_generators_by_hand(residual: bool) -> None:
    from tests.reference_exo2ego.generator_by_hand import mapped

    built = mapping(3, width=2, residual=residual)
    if residual:
        torch.nn.init.normal_(built.last.weight, std=0.5)
    weights = {name: tensor.numpy().astype(np.float64) for name, tensor in built.state_dict().items()}
    features = np.random.default_rng(0).normal(size=(2, 2, 64, 3))
    with torch.inference_mode():
        clip = built(torch.tensor(features, dtype=torch.float32)).numpy()
    expected = mapped(features, weights) + (features if residual else 0)
    np.testing.assert_allclose(clip, expected, atol=2e-4)


def test_fresh_convolutions_are_drawn_as_cyclegan_draws_them() -> None:
    # Normal with standard deviation 0.02, biases 0 (init_weights of the same file).
    built = mapping(64)
    kernel = built.blocks[4].layers[1].weight
    assert float(kernel.detach().std()) == pytest.approx(0.02, rel=0.01)
    assert all(not parameter.any() for name, parameter in built.named_parameters() if name.endswith("bias"))


def test_a_residual_mapping_begins_at_the_identity() -> None:
    features = torch.randn(1, 2, 64, 8)
    for kind in ("resnet9", "fc"):
        assert torch.equal(mapping(8, kind=kind, width=4, residual=True)(features), features)
        assert not torch.allclose(mapping(8, kind=kind, width=4)(features), features, atol=0.1)


def test_the_fully_connected_mapping_sees_no_neighbours() -> None:
    built, features = mapping(8, kind="fc"), torch.randn(1, 1, 16, 8)
    changed = features.clone()
    changed[:, :, 5] += 1
    differs = (built(features) != built(changed)).any(-1)[0, 0]
    assert differs.nonzero().flatten().tolist() == [5]
    # By hand: 2 x (8 x 8 + 8).
    assert sum(parameter.numel() for parameter in built.parameters()) == 144


def test_wider_mappings_have_the_parameters_of_the_choices_page() -> None:
    with torch.device("meta"):
        counts = [sum(p.numel() for p in mapping(1024, width=width).parameters()) for width in (64, 256)]
    # By hand, with w channels first: 2 x 49 x 1024 w + w + 1024, then 9 w 2w + 2w and 9 2w 4w + 4w twice (their
    # biases 2w + 4w down, 2w + w up), and 18 blocks' convolutions of 9 (4w)^2 + 4w.
    by_hand = [
        2 * 49 * 1024 * w + w + 1024 + 2 * (18 * w * w + 72 * w * w) + 6 * w + 3 * w + 18 * (144 * w * w + 4 * w)
        for w in (64, 256)
    ]
    assert counts == by_hand
    assert [round(count / 1e6) for count in counts] == [18, 207]
