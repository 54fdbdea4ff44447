"""The model card: what a checkpoint is, its recipe, data, licences and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .checkpoint import Saved
from .configuration import Exo2EgoConfig, differences
from .freezing import part_counts

CARD = "README.md"


class Source(NamedTuple):
    """Weights that a checkpoint began from, or data that it was trained on.

    Attributes:
        name: Its name.
        licence: Its licence; a checkpoint is under the licences of all its sources.
        use: The part that was used, with a number where there is one.
    """

    name: str
    licence: str
    use: str = ""


class CardScore(NamedTuple):
    """A score of a run.

    Attributes:
        protocol: The protocol id.
        value: The score x 100.
        chance: Expected score of chance x 100.
        samples: Number of samples.
        interval: Ends of its 95 % interval; ``None`` where it has none.
    """

    protocol: str
    value: float
    chance: float
    samples: int
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """Content of a model card that cannot be read from the checkpoint itself.

    Attributes:
        name: Its name.
        recipe: Training settings by name, in order.
        weights: Weights it began from.
        data: Data it was trained on, in the order of the stages.
        scores: Its scores.
    """

    name: str
    recipe: Mapping[str, str] = field(default_factory=dict[str, str])
    weights: Sequence[Source] = ()
    data: Sequence[Source] = ()
    scores: Sequence[CardScore] = ()


def write_card(card: Card, saved: Saved) -> Path:
    """Write the card beside a checkpoint.

    Args:
        card: Its content.
        saved: The checkpoint.

    Returns:
        Path of the card.
    """
    path = saved.folder / CARD
    path.write_text(card_text(card, saved), encoding="utf-8")
    return path


def card_text(card: Card, saved: Saved) -> str:
    """Render the card as Markdown, with the metadata that the Hugging Face hub reads."""
    changed = [change.partition(" and ")[0] for change in differences(saved.config, Exo2EgoConfig())]
    counts = {row.part: row for row in part_counts(saved.config)}
    parts = [f"| `{part}` | {counts[part].parameters:,} |" for part in saved.parts]
    scores = [
        f"| {score.protocol} | {score.value:.1f} | {_interval(score)} | {score.chance:.1f} | {score.samples:,} |"
        for score in card.scores
    ]
    sections = [
        f"# {card.name}",
        "Exo2Ego (arXiv 2503.09143): an egocentric video language model that an exocentric demonstrator has guided. "
        f"Last stage trained: `{saved.stage}`; weights in `{saved.dtype}`.",
        "```\negobench run exo2ego -o checkpoint=CHECKPOINT --data DATA --videos VIDEOS --out RUNS\n```",
        _section("Recipe", [f"| {name} | {value} |" for name, value in card.recipe.items()], "| | |\n|---|---|"),
        _section(
            "Switches and sizes that are not the paper's at full size", [f"* `{change}`" for change in changed], ""
        ),
        _section("Parts", parts, "| part | parameters |\n|---|---|"),
        _section("Weights it began from", _sources(card.weights), "| | licence | used |\n|---|---|---|"),
        _section("Data", _sources(card.data), "| | licence | used |\n|---|---|---|"),
        _section("Scores", scores, "| protocol | value | interval | chance | samples |\n|---|---|---|---|---|"),
        "## Licence\n\nThe code is under Apache-2.0. The weights are under the terms of all that is listed above.",
    ]
    metadata = (
        "---\nlicense: other\nlibrary_name: egobench\npipeline_tag: video-text-to-text\ntags:\n- egocentric-video\n---"
    )
    return "\n\n".join([metadata, *sections]) + "\n"


def _section(title: str, rows: Sequence[str], head: str) -> str:
    if not rows:
        return f"## {title}\n\nNone stated."
    return "\n".join([f"## {title}", "", *([head] if head else []), *rows])


def _sources(sources: Sequence[Source]) -> list[str]:
    return [f"| {source.name} | {source.licence} | {source.use} |" for source in sources]


def _interval(score: CardScore) -> str:
    return "" if score.interval is None else f"{score.interval[0]:.1f} to {score.interval[1]:.1f}"
