"""What becomes a clip of Ego-ExoClip; the paper leaves some of it open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from reference_exo2ego.data.ego_exo4d import Resolution


@dataclass(frozen=True, slots=True)
class ClipRule:
    """What becomes a clip; where the paper is silent, nothing is left out.

    Attributes:
        splits: Takes of these splits; any other is the benchmark's to validate or test on.
        resolution: Which files of a take are named.
        views: All exocentric cameras, or the one that the annotator, or else the take, calls the best.
        group: Whether beta and neighbours are those of one annotator's pass, or of all that is narrated of the take.
        alpha: Seconds to use for alpha; ``None`` to compute it.
        subject: Only narrations about ``"C"``, the wearer, or ``"O"``, others; ``None`` for both.
        keep_unsure: Whether narrations count that the annotator was not sure of.
        keep_unseen: Whether those count that cannot be seen in the wearer's view.
        wearer: What stands for the word ``C`` in the texts.
    """

    splits: tuple[str, ...] = ("train",)
    resolution: Resolution = "full"
    views: Literal["all", "best"] = "all"
    group: Literal["pass", "take"] = "pass"
    alpha: float | None = None
    subject: Literal["C", "O"] | None = None
    keep_unsure: bool = True
    keep_unseen: bool = True
    wearer: str = "C"

    def __post_init__(self) -> None:
        """Refuse an alpha that divides nothing."""
        if self.alpha is not None and not 0 < self.alpha < math.inf:
            raise ValueError(f"alpha is {self.alpha} seconds; expected a number above 0")
