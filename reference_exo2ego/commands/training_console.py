"""A training on the terminal: a line a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from egobench.commands.console import note

if TYPE_CHECKING:
    from reference_exo2ego.training.tracking import LogRecord

SHOWN_SCORES = 12
"""Scores of a line; the log has all of them."""


class ConsoleLines:
    """Records as lines on standard error."""

    def write(self, record: LogRecord) -> None:
        """Print a record."""
        where = f"{record.stage} {record.step}"
        match record.kind:
            case "step":
                note(step_line(record.stage, record.step, record.values))
            case "validation":
                note(f"{where} held out: {numbers_line(record.numbers)}")
            case "captions":
                for caption in record.values["captions"]:
                    note(f"{where} expected: {caption['expected']!r}  reply: {caption['reply']!r}")
            case "scores":
                scores: Mapping[str, Any] = record.values["scores"]
                values = {name: row["value"] for name, row in scores.items() if row["value"] is not None}
                note(f"{where} scores: {numbers_line(dict(list(values.items())[:SHOWN_SCORES]))}")
            case "note":
                note(f"{where}: {record.values['note']}")
            case "checkpoint" | "end":
                pass

    def close(self) -> None:
        """Nothing to close."""


def step_line(stage: str, step: int, values: Mapping[str, Any]) -> str:
    """A step in a line."""
    parts = {name: values[name] for name in ("vtg", "kl", "ccl_ego", "ccl_exo") if values[name]}
    of_loss = f" ({numbers_line(parts)})" if len(parts) > 1 else ""
    left = (values["steps"] - step) * values["seconds"]
    mfu = f", MFU {100 * values['mfu']:.0f} %" if "mfu" in values else ""
    return (
        f"{stage} {step}/{values['steps']}  loss {values['loss']:.4f}{of_loss}  norm {values['grad_norm']:.3g}  "
        f"rate {values['rate']:.2e}  {values['samples_per_second']:.1f} clips/s, "
        f"{values['tokens_per_second']:,.0f} tokens/s{mfu}, waiting {100 * values['data_wait']:.0f} %, "
        f"{left / 60:.1f} min left"
    )


def numbers_line(numbers: Mapping[str, float]) -> str:
    """Numbers by name in a line."""
    return ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
