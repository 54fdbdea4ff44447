"""What is varied: variants of a recipe, and tables whose rows they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from reference_exo2ego.training.batches import TrainingStage

Views = Literal["both", "ego", "exo"]
"""Whose clips are trained on: the wearer's, those of fixed cameras, or both."""

FULL: Final = "full"
SINGLE: Final = "single"
PROMPT: Final = "first_person"
"""The prompt that models are asked with, and that rows of questions are trained with."""

SHARES: Final = (1.0, 0.3, 0.1, 0.03)
"""Shares of the egocentric data of the curve. The paper's ratio of egocentric to exocentric pairs is 0.037."""

CURVE: Final = "ego-share"
"""The table that is drawn as a curve."""

OWN: Final = "own"
"""The table of variants that are not the paper's."""

PAPER: Final = "arXiv 2503.09143v1"

_OWN = re.compile(r"(?P<name>[a-z0-9]+(-[a-z0-9]+)*)(@(?P<share>\d*\.?\d+))?: *(?P<overrides>\S.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A way to train and to ask.

    Attributes:
        name: Its name.
        about: What is different from the recipe.
        overrides: Dotted overrides of the recipe.
        encoders: The paper's two, or one for all clips: the same language model and connector, no F and no G.
        pretrained: Whose captions one encoder is trained on.
        finetuned: Whose questions it is trained on.
        ego_share: Share of the egocentric videos that there are, in (0, 1].
        ends: The last stage that is trained; ``None`` for the recipe's last.
        prompt: The prompt that it is asked with.
    """

    name: str
    about: str
    overrides: tuple[str, ...] = ()
    encoders: Literal["two", "one"] = "two"
    pretrained: Views = "both"
    finetuned: Views = "ego"
    ego_share: float = 1.0
    ends: TrainingStage | None = None
    prompt: str = PROMPT


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        variant: The variant.
        label: What the paper calls it, or what it is.
        against: The variant that it is compared with; ``None`` for the table's reference.
        paper: The paper's mean of ten scores, in [0, 1]; ``None`` where it has none.
        source: Where that is from.
    """

    variant: str
    label: str
    against: str | None = FULL
    paper: float | None = None
    source: str = PAPER


class Table(NamedTuple):
    """Rows that are compared.

    Attributes:
        name: Its name on the command line.
        title: What it is about.
        rows: The rows.
        note: What has to be known to read it.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    note: str = ""


def own_variant(text: str) -> Variant:
    """Read a variant that is not the paper's: a name, overrides, and the share of egocentric data unless it is all.

    Args:
        text: As ``weak-kl: model.weights.kl=0.1``, or ``weak-kl@0.1: model.weights.kl=0.1`` for a tenth of the data.

    Raises:
        ValueError: If the text is none.
    """
    match = _OWN.fullmatch(text.strip())
    share = 1.0 if match is None or match["share"] is None else float(match["share"])
    if match is None or not 0 < share <= 1:
        raise ValueError(
            f"variant {text!r}: expected a name of small letters, digits and hyphens, a share of egocentric data above "
            "0 and up to 1 if it is not 1, a colon, and values of the recipe, as 'weak-kl@0.1: model.weights.kl=0.1'"
        )
    overrides = tuple(match["overrides"].split())
    return Variant(name=at_share(match["name"], share), about=" ".join(overrides), overrides=overrides, ego_share=share)


def at_share(name: str, share: float) -> str:
    """Name a variant with a share of the egocentric data.

    Args:
        name: Its name with all of them.
        share: The share, in (0, 1].
    """
    return name if share == 1 else f"{name}@{share:g}"
