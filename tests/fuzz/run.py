"""Fuzzing: altered inputs are read; a crash, a hang, or a refusal that names no place is a finding."""

from __future__ import annotations

import signal
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from shutil import copytree, rmtree
from types import FrameType

from egobench.errors import EgoBenchError
from tests.fuzz.inputs import Reader, Seed
from tests.fuzz.mutations import mutate
from tests.fuzz.readers import READERS

SECONDS = 20
"""Most time that one input may take."""

DELETED = 0.04
"""Share of the inputs whose file is missing altogether, where it may be."""


class Hang(BaseException):
    """Reading takes longer than :data:`SECONDS`."""


@dataclass(slots=True)
class Report:
    """What came of fuzzing.

    Attributes:
        accepted: Inputs read without complaint, by reader.
        refused: Inputs refused with a typed error that names the place, by reader.
        findings: Everything else, in words, with the seed that makes it again.
        inputs: Number of inputs that were read.
    """

    accepted: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    findings: list[str] = field(default_factory=list[str])
    inputs: int = 0


def fuzz(
    inputs: int,
    seed: int,
    *,
    readers: Sequence[Reader] = READERS,
    first: int = 0,
    progress: Callable[[int, Sequence[str]], None] | None = None,
) -> Report:
    """Read altered inputs, in turn of every reader; a Ctrl-C ends it with what was read so far.

    Args:
        inputs: Number of inputs.
        seed: Equal seeds make equal inputs.
        readers: What reads them.
        first: Number of the first input, to read one again without those before it.
        progress: Called with the number of inputs, and the findings, so far.
    """
    report = Report()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), suppress(KeyboardInterrupt):
        warnings.simplefilter("ignore")
        seeds = {
            reader.name: list(reader.make_seeds(Path(folder) / f"{number}")) for number, reader in enumerate(readers)
        }
        for number in range(first, first + inputs):
            reader = readers[number % len(readers)]
            _read_altered(reader, seeds[reader.name], f"{seed}/{number}", Path(folder) / "altered", report)
            report.inputs += 1
            if progress is not None:
                progress(report.inputs, report.findings)
    return report


def _read_altered(reader: Reader, seeds: Sequence[Seed], key: str, altered: Path, report: Report) -> None:
    rng = Random(key)
    source = rng.choice(seeds)
    about = f"{key} {reader.name} ({source.file})"
    rmtree(altered, ignore_errors=True)
    if "videos" in source.folder.name:
        altered.mkdir()
    else:
        copytree(source.folder, altered)
    (altered / source.file).parent.mkdir(parents=True, exist_ok=True)
    content = mutate(source.path.read_bytes(), rng)
    if reader.deletes and rng.random() < DELETED:
        (altered / source.file).unlink()
    else:
        (altered / source.file).write_bytes(content)
    try:
        with _time_limit():
            reader.read(Seed(altered, source.file))
        report.accepted[reader.name] += 1
    except EgoBenchError as error:
        report.refused[reader.name] += 1
        if not _names_place(str(error), source, altered):
            report.findings.append(f"{about}: names no place: {type(error).__name__}: {error}")
    except Hang:
        report.findings.append(f"{about}: takes more than {SECONDS} s")
    except Exception as error:  # noqa: BLE001 - whatever comes is what is looked for
        report.findings.append(f"{about}: {type(error).__name__}: {error}"[:500])


def _names_place(message: str, source: Seed, altered: Path) -> bool:
    """Whether an error names the file, its folder, or what is about it."""
    places = {Path(source.file).name, str(altered), *(part for part in Path(source.file).parts if len(part) > 3)}
    return any(place in message for place in places)


@contextmanager
def _time_limit() -> Generator[None]:
    def stop(_: int, __: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
