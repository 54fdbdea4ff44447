"""Answers of finished runs that differ in their limit alone are taken over, where they are about the same samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from egobench.errors import StoreError
from egobench.run.checksums import check_signature
from egobench.run.plan import Part
from egobench.run.records import Prediction
from egobench.run.spec import RunSpec
from egobench.run.store import Run, read_run


def take_over(run: Run, parts: Iterable[Part]) -> int:
    """Copy answers from finished runs that differ in their limit alone, whether it is smaller, larger or none.

    Args:
        run: The run that is about to be done.
        parts: Its parts; those with a gallery are left out, for their scores are no lines.

    Returns:
        The number of predictions copied.

    Raises:
        StoreError: If the run folder cannot be written.
    """
    siblings = [sibling for path in sorted(run.path.parent.iterdir()) if (sibling := _sibling(path, run.spec))]
    count = 0
    for part in parts:
        if not siblings or part.gallery is not None:
            continue
        known = {
            (row.id, row.order) for by_id in run.predictions_by_order(part.name).values() for row in by_id.values()
        }
        selected = {sample.id for sample in part.selected}
        copied: dict[tuple[str, int], Prediction] = {}
        for sibling in siblings:
            for by_id in sibling.predictions_by_order(part.name).values():
                copied |= {(row.id, row.order): row for row in by_id.values() if row.final and row.id in selected}
        missing = [row for key, row in copied.items() if key not in known]
        run.append(part.name, missing)
        count += len(missing)
    return count


def _sibling(path: Path, spec: RunSpec) -> Run | None:
    """The finished run in a folder, if it differs from a spec in its limit alone."""
    if path.name == spec.id or not (path / "scores.json").is_file():
        return None
    try:
        other = read_run(path).spec
        if other.limit == spec.limit or replace(other, limit=spec.limit).canonical() != spec.canonical():
            return None
        check_signature(path)
    except StoreError:
        return None
    return Run(path, other)
