"""Simulating a world: all episodes of a size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from egobench.miniego.world.activities import activities
from egobench.miniego.world.episode import Episode
from egobench.miniego.world.plans import SIBLINGS
from egobench.miniego.world.shorts import ACTIONS, short
from egobench.miniego.world.streams import stream
from egobench.miniego.world.walks import walks

SizeName = Literal["small", "full"]

QA_FPS: Final = 15.0
EPIC_FPS: Final = 15000 / 1001
"""Frame rate of MiniEgo's EPIC videos, a quarter of the usual rate."""
EGO4D_FPS: Final = 30.0
SHORT_FPS: Final = 8.0
TAKE_FPS: Final = 8.0


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of questions and episodes of a world.

    Attributes:
        questions: Questions of each task and subset, at least.
        families: Families of siblings for questions, at 15 frames a second.
        epic: Families of strangers filmed as EPIC.
        ego4d: Families of strangers filmed as Ego4D.
        shorts: Short episodes.
        walks: Groups of four walks.
        train: Takes to train on.
        val: Takes to validate on.
    """

    questions: int
    families: int
    epic: int
    ego4d: int
    shorts: int
    walks: int
    train: int
    val: int


SIZES: Final[dict[SizeName, Size]] = {
    "small": Size(questions=104, families=4, epic=2, ego4d=1, shorts=104, walks=26, train=3, val=1),
    "full": Size(questions=1040, families=40, epic=18, ego4d=9, shorts=1040, walks=260, train=300, val=40),
}


@dataclass(frozen=True)
class World:
    """All episodes of a generated world.

    Attributes:
        activities: Test episodes of 15 frames a second, five siblings after another.
        epic: Test episodes filmed as EPIC.
        ego4d: Test episodes filmed as Ego4D.
        shorts: Test episodes for Charades-Ego.
        walks: Test episodes for VLN-QA, four with one instruction after another.
        takes: Train and val episodes.
    """

    activities: Sequence[Episode]
    epic: Sequence[Episode]
    ego4d: Sequence[Episode]
    shorts: Sequence[Episode]
    walks: Sequence[Episode]
    takes: Sequence[Episode]

    @property
    def test(self) -> list[Episode]:
        """Every activity episode of the test split."""
        return [*self.activities, *self.epic, *self.ego4d]

    @property
    def episodes(self) -> list[Episode]:
        """Every episode, in order of number."""
        return [*self.test, *self.takes, *self.shorts, *self.walks]


def simulate(size: SizeName, seed: int = 0) -> World:
    """Simulate a world; the same size and seed give the same world.

    Args:
        size: Numbers of questions and episodes.
        seed: Any number.
    """
    counts = SIZES[size]
    ends = [counts.families, counts.families + counts.epic, counts.families + counts.epic + counts.ego4d]
    test = [[*range(ends[0])], [*range(ends[0], ends[1])], [*range(ends[1], ends[2])]]
    alike, epic_like, ego4d_like = (
        [episode for number in numbers for episode in activities(seed, "test", number, fps, alike=fps == QA_FPS)]
        for numbers, fps in zip(test, (QA_FPS, EPIC_FPS, EGO4D_FPS), strict=True)
    )
    train_families = -(-counts.train // SIBLINGS)
    val_families = -(-counts.val // SIBLINGS)
    train = [
        episode
        for number in range(ends[2], ends[2] + train_families)
        for episode in activities(seed, "train", number, TAKE_FPS, alike=False)
    ][: counts.train]
    first_val = ends[2] + train_families
    val = [
        episode
        for number in range(first_val, first_val + val_families)
        for episode in activities(seed, "val", number, TAKE_FPS, alike=False)
    ][: counts.val]
    first = SIBLINGS * (first_val + val_families)
    order = stream(seed, "classes").sample(range(len(ACTIONS)), len(ACTIONS))
    shorts = [
        short(stream(seed, "short", number), first + number, order[number % len(order)], "test", SHORT_FPS)
        for number in range(counts.shorts)
    ]
    return World(
        alike, epic_like, ego4d_like, shorts, list(walks(seed, "test", counts.walks, first + counts.shorts)),
        [*train, *val],
    )  # fmt: skip
