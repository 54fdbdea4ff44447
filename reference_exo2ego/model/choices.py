"""The page of choices, written from the configuration, so that page and switches cannot disagree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import Any, Literal, NamedTuple, get_args, get_origin

from annotated_types import Ge, Gt

from egobench.errors import ConfigurationError

from .configuration import Exo2EgoConfig, TrainTable
from .sizes import Section
from .stages import FACTS, STAGES

BEGIN, END = "<!-- choices: written from the configuration -->", "<!-- end of choices -->"
"""What encloses the written part of the page."""

WIDTH = 120


class Choice(NamedTuple):
    """A switch of the configuration.

    Attributes:
        name: With its section, ``mapping.width``.
        default: Its default.
        others: What else it may be.
        reason: What it decides, and why the default is the default.
    """

    name: str
    default: str
    others: str
    reason: str


def choices(section: Section | None = None, above: str = "") -> Iterator[Choice]:
    """All switches that have a reason, in the order of the configuration."""
    section = section or Exo2EgoConfig()
    for name, field in type(section).model_fields.items():
        if isinstance(field.default, Section):
            yield from choices(field.default, f"{above}{name}.")
        elif field.description:
            default = _shown(field.default)
            reason = " ".join(field.description.replace("``", "`").split())
            yield Choice(above + name, default, _others(field.annotation, field.metadata, default), reason)


def page_part() -> str:
    """The written part of the page: what trains when, what each stage reads, then every switch."""
    rows = [f"| | {' | '.join(STAGES)} |", f"|---|{'---|' * len(STAGES)}"]
    for name in TrainTable.model_fields:
        stages: tuple[str, ...] = getattr(TrainTable(), name)
        rows.append(f"| `{name}` | {' | '.join('trains' if stage in stages else '' for stage in STAGES)} |")
    table = "\n".join(row.replace("|  |", "| |").replace("|  |", "| |") for row in rows)
    switches = [
        f"### `{choice.name}` = `{choice.default}`\n\nElse: {choice.others}.\n\n{fill(choice.reason, WIDTH)}"
        for choice in choices()
    ]
    facts_listed = [
        fill(
            f"* **{stage}** ({' / '.join(dict.fromkeys(facts.names))}) reads {facts.reads}. {facts.compared}",
            WIDTH,
            subsequent_indent="  ",
        )
        for stage, facts in FACTS.items()
    ]
    return "\n\n".join(["## What trains when", table, "\n".join(facts_listed), "## The switches", *switches])


def write_page(page: Path) -> None:
    """Write the part of the page that is the configuration's; the rest stays.

    Raises:
        ConfigurationError: If the page has no place for it.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ConfigurationError(f"{page}: no place for the choices; expected the lines {BEGIN!r} and {END!r}")
    page.write_text(f"{before}{BEGIN}\n\n{page_part()}\n\n{END}{after}", encoding="utf-8")


def _others(annotation: Any, limits: list[Any], default: str) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation) if str(value) != default)
    if annotation is bool:
        return "`true`" if default == "false" else "`false`"
    if get_origin(annotation) is tuple:
        return "any list of stages in which it is read" if "Literal" in str(annotation) else "any list of these"
    number = "a number" if annotation is float else "a whole number"
    bounds = [f" above {limit.gt}" for limit in limits if isinstance(limit, Gt)]
    bounds += [f" of at least {limit.ge}" for limit in limits if isinstance(limit, Ge)]
    return number + "".join(bounds)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)
