"""The local engine: parts are done one after the other, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from egobench.loop.ask import PartRun, ask_part
from egobench.loop.mode import choose_mode
from egobench.model import Model
from egobench.observer import Observer
from egobench.run.media import VideoFolder
from egobench.run.plan import Part
from egobench.run.store import Run


def run_parts(parts: Sequence[Part], run: Run, model: Model, videos: Path, observer: Observer) -> None:
    """Ask every sample of every part that has no standing prediction yet.

    Args:
        parts: The parts, in the order in which they are done.
        run: The run folder.
        model: The model.
        videos: Folder of videos, or of one folder of videos per task.
        observer: Receives the progress.

    Raises:
        ModelError: If the model cannot do what a method needs, or breaks its contract.
        StoreError: If the run folder cannot be written.
        ValueError: If a control is impossible for the samples.
    """
    for part in parts:
        mode = choose_mode(part, run, model)
        ask_part(PartRun(part, mode, model, VideoFolder(videos, part.task), run, observer))
