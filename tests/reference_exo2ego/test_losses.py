"""The losses on numbers small enough to compute by hand."""

from __future__ import annotations

from math import log
from typing import Any

import pytest

torch = pytest.importorskip("torch")


def grid(*places: list[float]) -> Any:
    """Features of one clip, one step: ``(1, 1, places, channels)``."""
    return torch.tensor(places)[None, None]


def test_next_words_cost_their_negative_log_probability() -> None:
    from reference_exo2ego.model.losses import next_token_loss

    # Probabilities 3/4 and 1/2.
    logits = torch.tensor([[log(3), 0.0], [0.0, 0.0]])
    assert float(next_token_loss(logits, torch.tensor([0, 1]))) == pytest.approx((log(4 / 3) + log(2)) / 2)


def test_a_cycle_costs_its_mean_absolute_difference() -> None:
    from reference_exo2ego.model.losses import cycle_loss

    # |1 - 0|, |2 - 4|, |3 - 3|, |4 - 3|: 4 / 4.
    assert float(cycle_loss(grid([1.0, 2.0], [3.0, 4.0]), grid([0.0, 4.0], [3.0, 3.0]))) == 1.0


def test_the_categorical_divergence_is_that_of_softmax_over_channels() -> None:
    from reference_exo2ego.model.losses import categorical_kl

    # Channels (0, ln 3) are probabilities 1/4, 3/4; (0, 0) are 1/2, 1/2. A second place is equal: half of it.
    target, learnt = grid([0.0, log(3)], [1.0, 5.0]), grid([0.0, 0.0], [0.0, 4.0])
    expected = (0.25 * log(0.25 / 0.5) + 0.75 * log(0.75 / 0.5)) / 2
    assert float(categorical_kl(target, learnt)) == pytest.approx(expected)
    # Twice the temperature makes of (0, 2 ln 3) what one makes of (0, ln 3).
    assert float(categorical_kl(2 * target, 2 * learnt, 2.0)) == pytest.approx(expected)


def test_the_gaussian_divergence_is_that_of_means_and_variances() -> None:
    from reference_exo2ego.model.losses import gaussian_kl

    # First channel: y is 0, 2 (mean 1, variance 1), F(x) is 1, 5 (mean 3, variance 4); second: both 0, 2.
    target, learnt = grid([0.0, 0.0], [2.0, 2.0]), grid([1.0, 0.0], [5.0, 2.0])
    expected = 0.5 * (log(4 / 1) + (1 + (1 - 3) ** 2) / 4 - 1)
    assert float(gaussian_kl(target, learnt)) == pytest.approx(expected, rel=1e-5)


def test_gaussians_are_over_all_places_of_a_clip_and_averaged_over_clips() -> None:
    from reference_exo2ego.model.losses import gaussian_kl

    # As above, the two places now in two steps; a second clip is equal.
    target = torch.tensor([[[[0.0]], [[2.0]]], [[[7.0]], [[9.0]]]])
    learnt = torch.tensor([[[[1.0]], [[5.0]]], [[[7.0]], [[9.0]]]])
    expected = 0.5 * (log(4 / 1) + (1 + (1 - 3) ** 2) / 4 - 1) / 2
    assert float(gaussian_kl(target, learnt)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("reading", ["categorical_kl", "gaussian_kl"])
def test_a_divergence_is_not_symmetric_and_moves_its_learnt_side_alone(reading: str) -> None:
    from reference_exo2ego.model import losses

    divergence = getattr(losses, reading)
    target, learnt = (torch.randn(1, 2, 4, 3, requires_grad=True) for _ in range(2))
    forward = divergence(target, learnt)
    assert float(forward.detach()) > 0
    assert float(forward.detach()) != pytest.approx(float(divergence(learnt, target).detach()), rel=1e-3)
    forward.backward()
    assert target.grad is None
    assert learnt.grad is not None and bool(learnt.grad.any())
    assert float(divergence(target, target).detach()) == pytest.approx(0.0, abs=1e-6)


def test_half_precision_features_are_compared_in_single_precision() -> None:
    from reference_exo2ego.model.losses import categorical_kl, cycle_loss, gaussian_kl

    target, learnt = (torch.randn(1, 2, 4, 64).bfloat16() for _ in range(2))
    for loss in (categorical_kl, cycle_loss, gaussian_kl):
        exact = loss(target.float(), learnt.float())
        assert loss(target, learnt).dtype == torch.float32
        assert torch.equal(loss(target, learnt), exact)
