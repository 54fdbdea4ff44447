"""The videos of the takes: which can be read, and how long they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from egobench.observer import Observer
from egobench.video.check import FileCheck, check_files, read_checks
from reference_exo2ego.data.clip_statistics import Exclusions
from reference_exo2ego.data.take_catalogue import StoredTake, TakeCatalogue

BATCH: Final = 64
"""Takes whose videos are looked at together."""

SPREAD: Final = 1.0
"""Seconds by which synchronised files may differ in length; annotations say nothing of more."""


@dataclass(frozen=True, slots=True)
class VideoCheck:
    """How the files of the takes are looked at.

    Attributes:
        file_of_checks: File that remembers the check of every video, so that a second start looks at new files only.
        workers: Threads, at least 1.
        decode: Decode every frame; otherwise only the files' indexes are read.
    """

    file_of_checks: Path
    workers: int = 2
    decode: bool = False


def check_videos(
    folder: Path, catalogue: TakeCatalogue, check: VideoCheck, exclusions: Exclusions, observer: Observer
) -> None:
    """Note the length of every file of the narrated takes, and leave out what cannot be read.

    Args:
        folder: The folder of Ego-Exo4D.
        catalogue: The takes; those without usable videos are removed.
        check: How to look.
        exclusions: What is left out.
        observer: Receives the progress.

    Raises:
        StoreError: If the file of checks cannot be read or written.
    """
    earlier = read_checks(check.file_of_checks)
    observer.begin("takes whose videos are checked", catalogue.narrated(), 0)
    for batch in catalogue.batches(BATCH):
        paths = [folder / path for take in batch for path in (take.ego, *take.exo.values())]
        checks = {
            result.path: result
            for result in check_files(paths, earlier, check.file_of_checks, workers=check.workers, decode=check.decode)
        }
        for take in batch:
            seconds: dict[str, float] = {}
            for path in (take.ego, *take.exo.values()):
                result = checks[str(folder / path)]
                if fault := _fault(result):
                    exclusions.add("video that cannot be used", fault)
                else:
                    seconds[path] = result.intact
            _settle(take, seconds, catalogue, exclusions, observer)
        observer.advance(len(batch))


def _fault(result: FileCheck) -> str:
    if result.error:
        return result.error
    if result.intact <= 0:
        return f"{result.path}: holds no frame; download it again"
    return f"{result.path}: damaged at {result.damaged[0][0]:.3f} s; download it again" if result.damaged else ""


def _settle(
    take: StoredTake, seconds: dict[str, float], catalogue: TakeCatalogue, exclusions: Exclusions, observer: Observer
) -> None:
    exo = {camera: path for camera, path in take.exo.items() if path in seconds}
    if take.ego not in seconds or not exo:
        lack = take.ego if take.ego not in seconds else "any exocentric camera"
        exclusions.add("take whose videos cannot be used", f"take {take.uid!r}: {lack}")
        catalogue.remove_take(take.uid)
        return
    catalogue.replace_take(replace(take, exo=exo, seconds=seconds))
    lengths = [seconds[path] for path in (take.ego, *exo.values())]
    if max(lengths) - min(lengths) > SPREAD:
        spread = f"{min(lengths):.2f} to {max(lengths):.2f} s"
        observer.warn(f"take {take.uid!r}: its cameras' files last {spread}; are they cut to one clock?")
