"""The model card: what a checkpoint is, how it was made, of what data, under which licences, and what it scores."""

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
    """What a checkpoint was made of: weights that it began from, or data.

    Attributes:
        name: Its name.
        licence: Under which terms it comes; a checkpoint is under those of all its sources.
        use: What of it was used, with a number where there is one.
    """

    name: str
    licence: str
    use: str = ""


class CardScore(NamedTuple):
    """A score, as a run has it.

    Attributes:
        protocol: The protocol id.
        value: The number.
        chance: What chance reaches.
        samples: How many samples it is of.
        interval: The ends of its interval; ``None`` where it has none.
    """

    protocol: str
    value: float
    chance: float
    samples: int
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """What a person has to say of a checkpoint; the rest is read from it.

    Attributes:
        name: Its name.
        recipe: How it was trained: settings by name, in order.
        weights: What it began from.
        data: What it was trained on, in the order of the stages.
        scores: What it scores.
    """

    name: str
    recipe: Mapping[str, str] = field(default_factory=dict[str, str])
    weights: Sequence[Source] = ()
    data: Sequence[Source] = ()
    scores: Sequence[CardScore] = ()


def write_card(card: Card, saved: Saved) -> Path:
    """Write the card beside a checkpoint.

    Args:
        card: What is to be said.
        saved: The checkpoint.

    Returns:
        The file.
    """
    path = saved.folder / CARD
    path.write_text(card_text(card, saved), encoding="utf-8")
    return path


def card_text(card: Card, saved: Saved) -> str:
    """The card as Markdown, with the metadata that the Hugging Face hub reads."""
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
        f"```\negobench run exo2ego -o checkpoint={card.name} --data DATA --videos VIDEOS --out RUNS\n```",
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
