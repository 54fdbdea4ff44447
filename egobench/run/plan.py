"""The parts of a run: which samples of which sample sets are asked, under which protocol and by which method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from egobench.controls import Control, limited
from egobench.dataset.galleries import gallery_of
from egobench.dataset.sampleset import SampleSet, find_sets
from egobench.errors import ModelError, SampleSetError
from egobench.model import Encoder, Method, Model, ModelInfo, ScoresOptions
from egobench.plugins import load_task
from egobench.prompts import LETTERS
from egobench.run.media import frame_rule
from egobench.run.spec import RunSpec, Settings
from egobench.run.store import read_run
from egobench.sample import Sample
from egobench.task import Gallery, Subset, Task


class PartId(NamedTuple):
    """Names a part of a run.

    Attributes:
        task: Name of the task.
        subset: Name of the subset.
        protocol: What the model is asked for.
        construction: How options were made.
    """

    task: str
    subset: str
    protocol: str
    construction: str

    @property
    def file_stem(self) -> str:
        """``<task>.<subset>.<protocol>.<construction>``, the beginning of its files' names."""
        return ".".join(self)


@dataclass(frozen=True, slots=True)
class Part:
    """One subset of one sample set in a run: what one file of predictions is about.

    Attributes:
        task: The task.
        sample_set: The sample set.
        subset: The subset.
        samples: All samples of the subset.
        selected: The samples that the run asks, all of them without a limit.
        settings: How the run is done.
    """

    task: Task
    sample_set: SampleSet
    subset: Subset
    samples: tuple[Sample, ...]
    selected: tuple[Sample, ...]
    settings: Settings

    @property
    def id(self) -> PartId:
        """The part's name."""
        return PartId(self.task.name, self.subset.name, self.subset.protocol, self.sample_set.manifest.construction)

    @property
    def name(self) -> str:
        """The part's name as files and messages show it."""
        return self.id.file_stem

    @property
    def control(self) -> Control | None:
        """What is removed or altered, ``None`` for a plain run."""
        return self.settings.control

    @property
    def method(self) -> Method | Literal["embedding"]:
        """How an answer becomes a number; open questions are always generated, and galleries embedded."""
        if self.subset.protocol == "gallery":
            return "embedding"
        return "generate" if self.subset.protocol == "open" else self.settings.method

    @property
    def orders(self) -> int:
        """Cyclic orders of the options that every sample is shown in."""
        return self.settings.orders if self.subset.protocol == "mcq" else 1

    @property
    def text_prior(self) -> float:
        """Share of an option's score without the video that is subtracted from its score, 0 for none."""
        return self.settings.text_prior if self.subset.protocol in {"mcq", "rerank"} else 0.0

    @property
    def retriever(self) -> str:
        """The retriever whose best texts are scored again, as protocol ids name it; ``""`` where there is none."""
        if self.subset.protocol != "rerank" or self.settings.rerank is None:
            return ""
        return self.settings.rerank.retriever(self.sample_set.name)

    @property
    def gallery(self) -> Gallery | None:
        """The gallery that all its samples are scored against; ``None`` for a part with options of its own."""
        return self.task.galleries.get(self.id.construction) if self.sample_set.gallery else None


def plan(sets: Sequence[SampleSet], settings: Settings) -> list[Part]:
    """The parts of a run, sorted by task and subset.

    Raises:
        PluginError: If a sample set's task is not installed.
        SampleSetError: If texts of a gallery are to be scored again and a set has no gallery.
        ValueError: If texts of a gallery are to be scored again and the method makes no scores of that many.
    """
    parts: list[Part] = []
    for sample_set in sorted(sets, key=lambda sample_set: sample_set.name):
        task = load_task(sample_set.manifest.task)
        if sample_set.gallery or settings.rerank:
            parts.append(_gallery_part(task, sample_set, settings))
            continue
        for subset in task.subsets:
            samples = tuple(sample for sample in sample_set.samples if sample.subset == subset.name)
            if samples:
                parts.append(_part(task, sample_set, subset, samples, settings))
    return parts


def check_model(model: Model, parts: Sequence[Part], settings: Settings) -> None:
    """Check that a model can do what a run will ask of it.

    Raises:
        ModelError: If the model cannot.
        ValueError: If the settings suit no model.
    """
    name = model.info.name
    _check_prior(model.info, parts, settings)
    if settings.method != "generate" and not isinstance(model, ScoresOptions):
        hint = "choose another model to score texts again" if settings.rerank else "use --method generate"
        raise ModelError(f"model {name!r} cannot score options; {hint}")
    for part in parts:
        if part.subset.protocol != "gallery":
            continue
        if not isinstance(model, Encoder):
            raise ModelError(
                f"model {name!r} does not embed clips and texts, so it cannot score the gallery of "
                f"{part.sample_set.name}; have it score a retriever's best texts: --rerank RUN"
            )
        if frame_rule(part.task, model.info, settings) is None:
            raise ValueError(
                f"{part.sample_set.name} is a gallery, and a clip without frames has no embedding: blind is impossible "
                "there; choose other sample sets with --tasks or --construction"
            )


def spec_of_parts(info: ModelInfo, parts: Sequence[Part], settings: Settings) -> RunSpec:
    """The spec of a run that consists of these parts."""
    manifests = {part.sample_set.name: part.sample_set.manifest for part in parts}
    rules = {part.task.name: rule for part in parts if (rule := frame_rule(part.task, info, settings))}
    return RunSpec.of(info, manifests.values(), rules, settings)


def find_run_sets(path: Path, data: Path | None = None, tasks: Sequence[str] | None = None) -> list[SampleSet]:
    """The sample sets that a run was about.

    Args:
        path: The run folder.
        data: Folder of sample sets; ``None`` for where they were when it ran.
        tasks: Only those of these tasks; ``None`` for all.

    Returns:
        The sets in the order of the spec.

    Raises:
        StoreError: If the folder holds no run, or one of another version.
        SampleSetError: If a sample set is gone or is not the one that the run was about.
    """
    run_file = read_run(path)
    needed = [ref for ref in run_file.spec.sets if tasks is None or ref.task in tasks]
    if data is None and "data" not in run_file.recorded:
        raise SampleSetError(f"{path} does not say where its sample sets are; give --data")
    folder = data or Path(run_file.recorded["data"])
    sets = {sample_set.manifest.sha256: sample_set for sample_set in map(SampleSet.read, find_sets(folder))}
    missing = [f"{ref.task}/{ref.construction}" for ref in needed if ref.sha256 not in sets]
    if missing:
        raise SampleSetError(
            f"{folder} does not hold what {path} was asked: {', '.join(missing)} is missing or differs; give --data"
        )
    return [sets[ref.sha256] for ref in needed]


def _part(task: Task, sample_set: SampleSet, subset: Subset, samples: tuple[Sample, ...], settings: Settings) -> Part:
    selected = tuple(limited(samples, settings.limit, settings.seed))
    return Part(task, sample_set, subset, samples, selected, settings)


def _gallery_part(task: Task, sample_set: SampleSet, settings: Settings) -> Part:
    headline = next(iter(gallery_of(sample_set).metrics))
    if settings.rerank is None:
        return _part(task, sample_set, Subset("all", "gallery", headline), sample_set.samples, settings)
    top = settings.rerank.top
    if settings.method == "generate":
        raise ValueError("a reply ranks no texts: with --rerank, give --method likelihood-sum or likelihood-mean")
    if settings.method == "likelihood-letter" and min(top, len(sample_set.gallery)) > len(LETTERS):
        raise ValueError(
            f"{top} texts are more than there are letters ({len(LETTERS)}); give --method likelihood-sum or "
            f"likelihood-mean, or --top {len(LETTERS)}"
        )
    return _part(task, sample_set, Subset("all", "rerank", headline), sample_set.samples, settings)


def _check_prior(info: ModelInfo, parts: Sequence[Part], settings: Settings) -> None:
    prior = settings.text_prior
    if not 0 <= prior < math.inf:
        raise ValueError(f"text prior {prior}; expected a finite number, 0 or more")
    if not prior:
        return
    if settings.method == "generate":
        raise ValueError(
            "a reply has no score to take a text prior off; with --text-prior, give --method likelihood-..."
        )
    if any(part.text_prior and frame_rule(part.task, info, settings) is None for part in parts):
        raise ValueError(
            "a text prior is what options score without the video, and this run shows none: leave out --text-prior, or "
            "show frames"
        )
