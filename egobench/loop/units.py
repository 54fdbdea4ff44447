"""Units of work: the samples of a part in groups that a process takes as a whole, and what of them is to be done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from egobench.run.records import Prediction
from egobench.sample import Clip, Sample


class OrderOf(NamedTuple):
    """A sample in one order of its options."""

    sample_id: str
    order: int


@dataclass(frozen=True, slots=True)
class Pending:
    """What is still to be done of a part.

    Attributes:
        orders: Orders of the options in which each sample is to be asked, by sample id.
        changed: Predictions among these whose video has changed since; they stand if its frames have not.
    """

    orders: dict[str, list[int]]
    changed: dict[OrderOf, Prediction]

    @property
    def count(self) -> int:
        """Number of questions."""
        return sum(map(len, self.orders.values()))


class Unit(NamedTuple):
    """Samples that one process asks.

    Attributes:
        number: Position among the units of the part; the same in every process.
        samples: The samples, all of one video where frames are shown.
    """

    number: int
    samples: tuple[Sample, ...]


class UnitQueue(Protocol):
    """Hands out the units of a part that this process is to do."""

    @property
    def most(self) -> int | None:
        """Samples per unit at most; ``None`` for no limit."""
        ...

    def take(self, units: Sequence[Unit], pending: Pending) -> Iterator[Unit]:
        """Hand out units, each only when it is asked for; called from several threads, one at a time.

        Args:
            units: All units with pending samples.
            pending: Loses what other processes have done meanwhile.

        Raises:
            StoreError: If the run folder cannot be used.
        """
        ...


@dataclass(frozen=True, slots=True)
class WholeQueue:
    """Hands out every unit: this process works alone.

    Attributes:
        most: No limit, so that every file is opened once.
    """

    most: int | None = None

    def take(self, units: Sequence[Unit], pending: Pending) -> Iterator[Unit]:  # noqa: ARG002 - nobody else does anything
        """Hand out every unit in order."""
        return iter(units)


def split_units(samples: Iterable[Sample], shown_clips: Mapping[str, Clip] | None, most: int | None) -> list[Unit]:
    """Split the samples of a part into units: by video, and where a limit is set by time within it.

    Args:
        samples: All samples that the run asks, whether done or not, so that units are the same in every process.
        shown_clips: The clip of each sample, by sample id; ``None`` where no frames are shown.
        most: Samples per unit at most; ``None`` for no limit.
    """
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault("" if shown_clips is None else shown_clips[sample.id].video, []).append(sample)
    pieces: list[Sequence[Sample]] = []
    for group in groups.values():
        if most is None:
            pieces.append(group)
            continue
        if shown_clips is not None:
            # Neighbours share what is decoded on the way to their frames.
            group.sort(key=lambda sample: shown_clips[sample.id].start)
        pieces += [group[first : first + most] for first in range(0, len(group), most)]
    return [Unit(number, tuple(piece)) for number, piece in enumerate(pieces)]
