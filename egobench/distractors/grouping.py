"""Partition into groups of equal size whose members are alike and never in conflict.

Every round takes one member out of every group and gives them back by the best assignment there is, so the likeness
never falls and no pairwise swap is missed that the round could make. Vectors are rounded to whole numbers first: sums
are exact then, and do not depend on the order in which a library adds.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]
    Vectors = NDArray[np.floating]

SCALE = 4096
"""Vectors are rounded to multiples of 1 / 4096, which moves a cosine by less than 0.001."""

ROUNDS = 200
BLOCK = 1024
"""Groups that exchange members in one assignment; more cost the cube of it."""

CONFLICT = -10.0
"""What a conflict adds to the likeness of a member to a group: it outweighs anything that can be gained by it."""


def alike(vectors: Vectors, conflicts: csr_array, kinds: Whole, size: int, *, seed: int, left_out: float = 0) -> Whole:
    """Find groups of members that are alike.

    Args:
        vectors: ``(n, dim)``, rows of length 1.
        conflicts: ``(n, n)`` symmetric, 1 where two may not share a group, 0 on the diagonal.
        kinds: ``(n,)`` numbers of 0 and above; two of one kind are always in conflict.
        size: Members of a group, at least 2.
        seed: Seed of what is taken out when.
        left_out: Share of members that may stay without a group for the sake of likeness, in [0, 1).

    Returns:
        Row numbers, ``(n_groups, size)``; as many groups as were found without a conflict.
    """
    rng = np.random.default_rng(seed)
    exact = np.rint(np.asarray(vectors, np.float64) * SCALE)
    n_groups = int(len(exact) * (1 - left_out) + 1e-9) // size
    free, finished = np.arange(len(exact)), np.empty((0, size), np.int64)
    while len(finished) < n_groups:
        count = min(n_groups - len(finished), _most_groups(kinds[free], size))
        groups = _improved(exact, conflicts, rng.permutation(free), (count, size), rng)
        sound = groups[~_in_conflict(groups, conflicts, len(exact))]
        if not len(sound):
            break
        finished = np.concatenate([finished, sound])
        free = np.setdiff1d(free, sound)
    return finished


def _most_groups(kinds: Whole, size: int) -> int:
    """The largest number m of groups, each with a kind at most once: the sum of min(n, m) over kinds is >= m size."""
    counts = np.bincount(kinds) if len(kinds) else np.zeros(1, np.int64)
    # The mean of min(n / m, 1) falls with m: what too many groups lack, more groups lack too.
    numbers = range(1, len(kinds) // size + 1)
    return bisect_left(numbers, True, key=lambda m: bool(np.minimum(counts, m).sum() < m * size))  # noqa: FBT003


def _improved(
    exact: Vectors, conflicts: csr_array, order: Whole, shape: tuple[int, int], rng: np.random.Generator
) -> Whole:
    """Groups of members of ``order``, exchanged until nothing was gained in as many rounds as four times the size."""
    count, size = shape
    groups, spare = order[: count * size].reshape(shape), order[count * size :]
    idle = 0
    for _ in range(ROUNDS if count else 0):
        before = groups.copy()
        spare = _exchange(exact, conflicts, groups, spare, rng)
        idle = idle + 1 if np.array_equal(before, groups) else 0
        if idle == 4 * size:
            break
    return groups


def _exchange(exact: Vectors, conflicts: csr_array, groups: Whole, spare: Whole, rng: np.random.Generator) -> Whole:
    """One round, in place: a random member of every group is given back. Returns who has no group now."""
    count, size = groups.shape
    places = rng.integers(0, size, (count,))
    # Neighbours along a random direction exchange, a block at a time.
    direction = np.asarray(rng.integers(-8, 9, exact.shape[1]), np.float64)
    along = np.argsort(exact[groups].sum(axis=1) @ direction, kind="stable")
    blocks = np.array_split(along, -(-count // BLOCK))
    waiting = np.array_split(rng.permutation(spare), len(blocks))
    for number, block in enumerate(blocks):
        place = places[block]
        members = np.concatenate([groups[block, place], waiting[number]])
        kept = groups[block[:, None], (place[:, None] + np.arange(1, size)) % size]
        gain = exact[members] @ exact[kept].sum(axis=1).T / SCALE**2
        against = _against(conflicts, members, kept, len(exact))
        who, where = linear_sum_assignment(gain + CONFLICT * against, maximize=True)
        groups[block[where], place[where]] = members[who]
        waiting[number] = np.delete(members, who)
    return np.concatenate(waiting)


def _against(conflicts: csr_array, members: Whole, kept: Whole, total: int) -> Vectors:
    """How many of the kept each member is in conflict with: ``(n_members, n_groups)``."""
    columns = np.repeat(np.arange(len(kept)), kept.shape[1])
    membership = csr_array((np.ones(kept.size), (kept.ravel(), columns)), shape=(total, len(kept)))
    return (conflicts[members] @ membership).toarray()


def _in_conflict(groups: Whole, conflicts: csr_array, total: int) -> NDArray[np.bool_]:
    """Whether a group holds two that are in conflict: ``(n_groups,)``."""
    group_of = np.full(total, -1)
    group_of[groups] = np.arange(len(groups))[:, None]
    pairs = conflicts.tocoo()
    first, second = group_of[pairs.row], group_of[pairs.col]
    return np.isin(np.arange(len(groups)), first[first == second])
