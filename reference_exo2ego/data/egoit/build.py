"""EgoIT from its sources to one file of training samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from egobench.annotations import Annotations
from egobench.errors import TrainingDataError
from egobench.observer import Observer, SilentObserver
from reference_exo2ego.data.egoit import egoexolearn, egotimeqa, egtea, openeqa, something_something
from reference_exo2ego.data.egoit.egoexolearn import View
from reference_exo2ego.data.egoit.egotimeqa import Form
from reference_exo2ego.data.egoit.question_answer import QuestionAnswer, SourceFiles
from reference_exo2ego.data.egoit.wording import Instructions, instructed
from reference_exo2ego.data.samples import SampleWriter

PAPER: Final[Mapping[str, int]] = {
    egtea.NAME: 15_000,
    something_something.NAME: 221_000,
    egotimeqa.NAME: 303_000,
    openeqa.NAME: 1_600,
    egoexolearn.NAME: 45_000,
}
"""Samples of each source in Table 1 of arXiv 2503.09143, rounded there."""

SPLITS: Final[Mapping[str, tuple[str, ...]]] = {
    egtea.NAME: ("train", "test"),
    something_something.NAME: ("train", "val", "test"),
    egoexolearn.NAME: ("train", "val"),
}
"""Splits of the sources that have some."""

OUTSIDE: Final = (egoexolearn.NAME,)
"""Sources that have exocentric films too."""


@dataclass(frozen=True, slots=True)
class InstructionRule:
    """What is read of each source.

    Attributes:
        splits: Splits to read; a source gives those of them that it has.
        form: How the questions of EgoTimeQA are put.
        egtea_raw: Whether EGTEA is read from its raw annotations, which know no splits, in any case.
        seed: Seed of instructions, and of the options of closed questions.
        skip_bad: Leave malformed rows out.
        view: Whose films are shown; the paper's are the wearers'.
    """

    splits: tuple[str, ...] = ("train",)
    form: Form = "mixed"
    egtea_raw: bool = False
    seed: int = 0
    skip_bad: bool = False
    view: View = "ego"


@dataclass(frozen=True, slots=True)
class SourceCount:
    """How much a source gave.

    Attributes:
        source: Its name.
        samples: Samples written.
        paper: Samples in the paper, rounded there.
        videos: Distinct files.
        left_out: Rows left out: ``{"id": ..., "reason": ...}``.
        sources: SHA-256 by annotation file.
    """

    source: str
    samples: int
    paper: int
    videos: int
    left_out: list[dict[str, str]]
    sources: dict[str, str]


def read_source(name: str, source: SourceFiles, rule: InstructionRule) -> Iterator[QuestionAnswer]:
    """The questions of a source, one by one.

    Raises:
        AnnotationError: If a file or, without ``skip_bad``, a row cannot be used.
    """
    splits = tuple(split for split in rule.splits if split in SPLITS.get(name, ()))
    readers: dict[str, Callable[[], Iterator[QuestionAnswer]]] = {
        egtea.NAME: lambda: egtea.read(source, splits, raw=rule.egtea_raw),
        something_something.NAME: lambda: something_something.read(source, splits),
        egotimeqa.NAME: lambda: egotimeqa.read(source, rule.form, rule.seed),
        openeqa.NAME: lambda: openeqa.read(source),
        egoexolearn.NAME: lambda: egoexolearn.read(source, splits, rule.view),
    }
    return readers[name]()


def require_splits(sources: Iterable[str], splits: Sequence[str]) -> None:
    """Refuse splits that no source has, and sources that have none of them.

    Raises:
        ValueError: If there is such a split or source.
    """
    of_sources = {name: SPLITS[name] for name in sources if name in SPLITS}
    for split in splits:
        if of_sources and not any(split in names for names in of_sources.values()):
            there = "; ".join(f"{name}: {', '.join(names)}" for name, names in of_sources.items())
            raise ValueError(f"no source has a split {split!r}; there are {there}")
    for name, names in of_sources.items():
        if not set(splits) & set(names):
            raise ValueError(f"{name} has none of the splits {', '.join(splits)}; it has {', '.join(names)}")


def build_instructions(
    folders: Mapping[str, Path],
    out: Path,
    instructions: Instructions,
    rule: InstructionRule,
    *,
    observer: Observer | None = None,
) -> list[SourceCount]:
    """Write EgoIT, or those of its sources that are there.

    Args:
        folders: Folder of official files by source; videos are named below ``<source>/``.
        out: The file to write, ``.jsonl`` or ``.json``; an earlier one stays until this one is whole.
        instructions: Instructions by source.
        rule: What is read.
        observer: Receives the progress.

    Raises:
        AnnotationError: If a file or, without ``skip_bad``, a row cannot be used.
        TrainingDataError: If a source gives nothing, or the file cannot be written.
        ValueError: If there is no such source or split.
    """
    if strange := sorted(set(folders) - set(PAPER)):
        raise ValueError(f"no source {strange[0]!r}; there are {', '.join(PAPER)}")
    require_splits(folders, rule.splits)
    inside = sorted(set(folders) - set(OUTSIDE)) if rule.view == "exo" else []
    if inside:
        raise ValueError(f"{inside[0]} has no exocentric films; there are some of {', '.join(OUTSIDE)}")
    counts: list[SourceCount] = []
    with SampleWriter(out) as writer:
        for name, folder in folders.items():
            files, before, videos = Annotations(folder, skip_bad=rule.skip_bad), writer.count, set[str]()
            for row in read_source(name, SourceFiles(files, observer or SilentObserver()), rule):
                sample = instructed(row, instructions, name, rule.seed)
                writer.write(sample)
                videos.add(sample.media)
            if writer.count == before:
                raise TrainingDataError(f"{folder}: {name} gives no sample of the splits {', '.join(rule.splits)}")
            samples = writer.count - before
            counts.append(SourceCount(name, samples, PAPER[name], len(videos), files.dropped, files.sources))
    return counts
