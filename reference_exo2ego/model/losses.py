"""The losses of Exo2Ego: next words (VTG), cycle consistency (CCL, Eq. 2), and the readings of its divergence (KL).

All are computed in float32.
"""

from __future__ import annotations

import torch
from torch.nn import functional


def next_token_loss(logits: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
    """Mean negative log-likelihood of the tokens that follow (VTG).

    Args:
        logits: ``(words, vocabulary)``.
        following: The tokens that follow, ``(words,)``.
    """
    return functional.cross_entropy(logits.float(), following)


def cycle_loss(features: torch.Tensor, returned: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference between features and their round trip: one term of Eq. 2 (CCL).

    Args:
        features: x, or y.
        returned: G(F(x)), or F(G(y)), of the same shape.
    """
    return functional.l1_loss(returned.float(), features.float())


def categorical_kl(target: torch.Tensor, learnt: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Kullback-Leibler divergence KL(target || learnt) of softmaxes over the last axis, mean over the other axes.

    Args:
        target: Features y, or logits; no gradient reaches them.
        learnt: Features F(x), or logits, of the same shape.
        temperature: Divides both before the softmax.
    """
    log_p = functional.log_softmax(target.detach().float() / temperature, -1)
    log_q = functional.log_softmax(learnt.float() / temperature, -1)
    return (log_p.exp() * (log_p - log_q)).sum(-1).mean()


def gaussian_kl(target: torch.Tensor, learnt: torch.Tensor, floor: float = 1e-6) -> torch.Tensor:
    """Kullback-Leibler divergence of Gaussians, one a channel: sum over channels, mean over clips.

    0.5 sum_c [ln(v'_c / v_c) + (v_c + (m_c - m'_c)^2) / v'_c - 1], where m, v are ``target``'s and m', v' ``learnt``'s
    over all places of a clip.

    Args:
        target: Features y, ``(clips, steps, places, channels)``; no gradient reaches them.
        learnt: Features F(x), of the same shape.
        floor: Added to both variances.
    """
    (mean, variance), (learnt_mean, learnt_variance) = (
        (values.mean(1), values.var(1, correction=0) + floor)
        for values in (target.detach().float().flatten(1, 2), learnt.float().flatten(1, 2))
    )
    ratio = (variance + (mean - learnt_mean) ** 2) / learnt_variance
    return 0.5 * ((learnt_variance / variance).log() + ratio - 1).sum(-1).mean()
