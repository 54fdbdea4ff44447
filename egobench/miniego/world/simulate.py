"""Simulating a world: the episodes of every split, in numbers that its size says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from egobench.miniego.world.activities import activities
from egobench.miniego.world.episode import Episode, Split
from egobench.miniego.world.plans import SIBLINGS
from egobench.miniego.world.shorts import ACTIONS, short
from egobench.miniego.world.streams import split_stream
from egobench.miniego.world.walks import MOVES, walks

SizeName = Literal["small", "full", "train"]

QA_FPS: Final = 15.0
EPIC_FPS: Final = 15000 / 1001
"""Frame rate of MiniEgo's EPIC videos, a quarter of the usual rate."""
EGO4D_FPS: Final = 30.0
SHORT_FPS: Final = 8.0
TAKE_FPS: Final = 8.0


@dataclass(frozen=True, slots=True)
class SplitSize:
    """Numbers of episodes of the split train or val.

    Attributes:
        families: Families of five takes; families of siblings and of strangers take turns.
        shorts: Short episodes.
        walks: Groups of four walks.
    """

    families: int
    shorts: int
    walks: int


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of questions and episodes of a world.

    Attributes:
        questions: Test questions of each task and subset, at least.
        families: Test families of siblings for questions, at 15 frames a second.
        epic: Test families of strangers filmed as EPIC.
        ego4d: Test families of strangers filmed as Ego4D.
        first_short: Number of the first short test episode, past those of the families; it is in the ids of the tests
            and stays the same from release to release.
        shorts: Short test episodes.
        walks: Groups of four test walks.
        train: Episodes to train on.
        val: Episodes to validate on.
    """

    questions: int
    families: int
    epic: int
    ego4d: int
    first_short: int
    shorts: int
    walks: int
    train: SplitSize
    val: SplitSize


SIZES: Final[dict[SizeName, Size]] = {
    "small": Size(
        questions=104, families=4, epic=2, ego4d=1, first_short=45, shorts=104, walks=26,
        train=SplitSize(families=2, shorts=24, walks=6), val=SplitSize(families=1, shorts=8, walks=2),
    ),
    "full": Size(
        questions=1040, families=40, epic=18, ego4d=9, first_short=675, shorts=1040, walks=260,
        train=SplitSize(families=40, shorts=800, walks=100), val=SplitSize(families=4, shorts=80, walks=10),
    ),
    "train": Size(
        questions=104, families=4, epic=2, ego4d=1, first_short=45, shorts=104, walks=26,
        train=SplitSize(families=200, shorts=2000, walks=300), val=SplitSize(families=10, shorts=100, walks=15),
    ),
}  # fmt: skip
"""The sizes. ``train`` has the tests of ``small``, and enough episodes to train a tiny model on."""


@dataclass(frozen=True)
class TrainingEpisodes:
    """Episodes of the split train or val.

    Attributes:
        takes: Activity episodes, five of a family after another.
        shorts: Short episodes.
        walks: Walks, four with one instruction after another.
    """

    takes: Sequence[Episode]
    shorts: Sequence[Episode]
    walks: Sequence[Episode]

    @property
    def episodes(self) -> list[Episode]:
        """Every episode, in order of number."""
        return [*self.takes, *self.shorts, *self.walks]


@dataclass(frozen=True)
class World:
    """All episodes of a generated world.

    Attributes:
        activities: Test episodes of 15 frames a second, five siblings after another.
        epic: Test episodes filmed as EPIC.
        ego4d: Test episodes filmed as Ego4D.
        shorts: Test episodes for Charades-Ego.
        walks: Test episodes for VLN-QA, four with one instruction after another.
        train: Episodes to train on.
        val: Episodes to validate on.
    """

    activities: Sequence[Episode]
    epic: Sequence[Episode]
    ego4d: Sequence[Episode]
    shorts: Sequence[Episode]
    walks: Sequence[Episode]
    train: TrainingEpisodes
    val: TrainingEpisodes

    @property
    def test(self) -> list[Episode]:
        """Every activity episode of the test split."""
        return [*self.activities, *self.epic, *self.ego4d]

    @property
    def takes(self) -> list[Episode]:
        """Every activity episode of the splits train and val."""
        return [*self.train.takes, *self.val.takes]

    @property
    def episodes(self) -> list[Episode]:
        """Every episode, in order of number."""
        return [*self.test, *self.shorts, *self.walks, *self.train.episodes, *self.val.episodes]


def simulate(size: SizeName, seed: int = 0) -> World:
    """Simulate a world; the same size and seed give the same world.

    Args:
        size: Numbers of questions and episodes.
        seed: Any number.
    """
    counts = SIZES[size]
    families = iter(range(counts.families + counts.epic + counts.ego4d))
    alike, epic_like, ego4d_like = (
        [
            episode
            for _ in range(number)
            for episode in activities(seed, "test", next(families), fps, alike=fps == QA_FPS)
        ]
        for number, fps in ((counts.families, QA_FPS), (counts.epic, EPIC_FPS), (counts.ego4d, EGO4D_FPS))
    )
    first_walk = counts.first_short + counts.shorts
    last = first_walk + len(MOVES) * counts.walks
    train = _training(seed, "train", counts.train, -(-last // SIBLINGS))
    last = train.episodes[-1].number + 1
    return World(
        alike, epic_like, ego4d_like, list(_shorts(seed, "test", counts.shorts, counts.first_short)),
        list(walks(seed, "test", counts.walks, first_walk)), train,
        _training(seed, "val", counts.val, -(-last // SIBLINGS)),
    )  # fmt: skip


def _training(seed: int, split: Split, size: SplitSize, first: int) -> TrainingEpisodes:
    """Episodes of a split whose families have numbers from ``first`` on."""
    takes = [
        episode
        for number in range(size.families)
        for episode in activities(seed, split, first + number, TAKE_FPS, alike=number % 2 == 0)
    ]
    first_short = SIBLINGS * (first + size.families)
    shorts = list(_shorts(seed, split, size.shorts, first_short))
    return TrainingEpisodes(takes, shorts, list(walks(seed, split, size.walks, first_short + size.shorts)))


def _shorts(seed: int, split: Split, count: int, first: int) -> Iterator[Episode]:
    """Short episodes in which the actions take turns."""
    order = split_stream(seed, split, "classes").sample(range(len(ACTIONS)), len(ACTIONS))
    for number in range(count):
        rng = split_stream(seed, split, "short", number)
        yield short(rng, first + number, order[number % len(order)], split, SHORT_FPS)
