"""``.eval_results/*.yaml`` of a model's repository on the Hugging Face Hub: one entry per headline score.

A value there stands for the model alone, so controls and scores of a part of the samples have no place in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from egobench.errors import BundleError
from egobench.scoring.entry import ScoreEntry

from .facts import PROJECT, Exported


def hub_results(exported: Exported) -> Mapping[str, str]:
    """The file of a run, by its path in the model's repository.

    Raises:
        ValueError: If no data set on the Hub is named, or no page about the evaluation.
        BundleError: If the run is a control, or has no headline score of all samples.
    """
    names = exported.attribution
    if not names.dataset or not names.url:
        raise ValueError("results on the Hub name a data set there and a page about them: give --dataset and --url")
    control = exported.content.spec.control
    if control is not None:
        raise BundleError(f"the run is the control {control!r}, which is no result of the model; export its plain run")
    lines = [
        line
        for entry, value in exported.values()
        if entry.headline and entry.orders == 1 and not entry.partial
        for line in _entry(exported, entry, value)
    ]
    if not lines:
        raise BundleError(
            "no headline score is over all samples, so there is no result for the Hub; run without --limit"
        )
    return {f".eval_results/{PROJECT.lower()}-{exported.content.spec.id}.yaml": "\n".join(lines) + "\n"}


def _entry(exported: Exported, entry: ScoreEntry, value: float) -> list[str]:
    names, spec = exported.attribution, exported.content.spec
    facts = [str(entry.id), f"{entry.n} of {entry.n_expected} samples"]
    if entry.low is not None and entry.high is not None:
        facts.append(f"95 % interval {100 * entry.low:.2f} to {100 * entry.high:.2f}, clustered by source video")
    notes = "; ".join([*facts, exported.level, f"run {spec.id} of EgoBench {spec.harness}"])
    part = entry.id.part
    return [
        "- dataset:",
        f"    id: {_text(names.dataset)}",
        f"    task_id: {_text(part.task if part.subset == 'all' else f'{part.task}_{part.subset}')}",
        f"  value: {100 * value:.2f}",
        f"  date: {_text(names.day.isoformat())}",
        "  source:",
        f"    url: {_text(names.url)}",
        f"    name: {_text(PROJECT)}",
        f"  notes: {_text(notes)}",
    ]


def _text(text: str) -> str:
    """A text as a double-quoted scalar: JSON's are YAML's, as long as they are ASCII."""
    return json.dumps(text)
