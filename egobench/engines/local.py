"""The local engine: parts are done one after the other, in this process alone."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from egobench.loop.ask import PartRun, ask_part
from egobench.loop.mode import choose_mode
from egobench.model import Model
from egobench.observer import Observer
from egobench.run.deaths import DecodingNotes
from egobench.run.media import VideoFolder
from egobench.run.plan import Part
from egobench.run.spec import Settings
from egobench.run.store import Run
from egobench.video import ClipReader, FrameStore, ReadThrough, read_clips


def run_parts(parts: Sequence[Part], run: Run, model: Model, videos: Path, observer: Observer) -> None:
    """Ask every sample of every part that has no standing prediction yet.

    Args:
        parts: The parts, in the order in which they are done.
        run: The run folder.
        model: The model.
        videos: Folder of videos, or of one folder of videos per task.
        observer: Receives the progress.

    Raises:
        FrameStoreError: If a frame store is of another version, damaged, or cannot be read.
        ModelError: If the model cannot do what a method needs, or breaks its contract.
        StoreError: If the run folder cannot be written.
        ValueError: If a control is impossible for the samples.
    """
    with clip_reader(parts, run, observer) as read:
        for part in parts:
            mode = choose_mode(part, run, model)
            ask_part(PartRun(part, mode, model, VideoFolder(videos, part.task), run, observer, read))


@contextmanager
def clip_reader(parts: Sequence[Part], run: Run, observer: Observer) -> Generator[ClipReader]:
    """What reads the clips of a run: from files, or through its frame store, without those that it died of twice.

    Args:
        parts: The parts of the run.
        run: The run folder.
        observer: Receives a warning when frames cannot be kept.

    Raises:
        FrameStoreError: If the frame store is of another version, damaged, or cannot be read.
        StoreError: If the run folder cannot be written.
    """
    settings = parts[0].settings if parts else Settings()
    with DecodingNotes(run.path, run.writer) as notes:
        if settings.frame_store is None:
            yield notes.watch(read_clips)
            return
        with ReadThrough(FrameStore(settings.frame_store), observer) as reader:
            yield notes.watch(reader)
