"""From official files to a frozen sample set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from statistics import fmean
from typing import TYPE_CHECKING, Any

from egobench.annotations import Annotations
from egobench.dataset.sampleset import Manifest, SampleSet, encode, encode_gallery
from egobench.errors import AnnotationFileError, BrokenPluginError
from egobench.metrics.gallery import tied_values
from egobench.sample import GalleryItem, Record, Sample
from egobench.statistics import chance
from egobench.task import Dropped, Embedder, Options, Task, Tools

if TYPE_CHECKING:
    import numpy as np


def build(
    task: Task, annotations: Annotations, embedder: Embedder, *, construction: str | None = None, seed: int = 0
) -> SampleSet:
    """Build a task's samples.

    Every random choice is seeded by the record's id, so the order of the file never matters.

    Args:
        task: The task.
        annotations: The folder of its official files.
        embedder: Turns texts into vectors, for constructions that look for near texts.
        construction: How options are made; the task's default when ``None``.
        seed: Seed of distractors and option orders.

    Returns:
        The samples in the order of the annotation files. Records that could not be read or placed are in the manifest.

    Raises:
        ValueError: If the task has no such construction.
        AnnotationError: If a file or row is malformed; rows only unless ``annotations.skip_bad`` is on.
        BrokenPluginError: If a record is of a subset that the task does not declare.
    """
    construction = construction or task.default_construction
    known = (*task.constructions, *task.galleries)
    if construction not in known:
        raise ValueError(f"task {task.name!r} has no construction {construction!r}; it has {', '.join(known)}")
    records = list(task.readers.get(construction, task.read)(annotations))
    if not records:
        raise AnnotationFileError(f"{annotations.folder}: no usable record of task {task.name!r} in its files")
    declared = [subset.name for subset in task.subsets]
    undeclared = next((record for record in records if record.subset not in declared), None)
    if undeclared is not None:
        raise BrokenPluginError(
            f"task {task.name!r} reads record {undeclared.id!r} of subset {undeclared.subset!r}, which it does not "
            f"declare; it declares {', '.join(declared)}; add a Subset to its TASK"
        )
    watched = _Watched(embedder)
    tools = Tools(task.name, seed, annotations, watched)
    samples: list[Sample] = []
    construct = task.constructions.get(construction, _no_options)
    for record, options in zip(records, construct(records, tools), strict=True):
        if isinstance(options, Dropped):
            annotations.drop(record.id, options.reason)
        else:
            samples.append(_sample(task.name, record, options))
    if not samples:
        reason = annotations.dropped[-1]["reason"]
        raise AnnotationFileError(
            f"{annotations.folder}: construction {construction!r} of task {task.name!r} placed no record; e.g. {reason}"
        )
    items = tuple(task.galleries[construction].items(records, tools)) if construction in task.galleries else ()
    return _freeze(task, construction, tuple(samples), items, tools, embedder.name if watched.used else None)


def _no_options(records: Sequence[Record], tools: Tools) -> Iterable[Options]:
    del tools
    return [Options()] * len(records)


def _sample(task: str, record: Record, options: Options) -> Sample:
    return Sample(
        id=record.id,
        task=task,
        subset=record.subset,
        video=record.clip.video,
        start=record.clip.start,
        end=record.clip.end,
        question=record.question,
        options=options.texts,
        target=options.target,
        answer=record.answer,
        relevance=options.relevance,
        cluster=record.cluster,
        tags=record.tags,
    )


def _freeze(
    task: Task,
    construction: str,
    samples: tuple[Sample, ...],
    items: tuple[GalleryItem, ...],
    tools: Tools,
    embedder: str | None,
) -> SampleSet:
    counts = Counter(sample.subset for sample in samples)
    subsets = [subset for subset in task.subsets if counts[subset.name]]
    lengths = [sample.end - sample.start for sample in samples if sample.end is not None]
    captions = [item.text for item in items] or sorted({sample.answer for sample in samples})
    facts = dict(tools.annotations.facts)
    manifest = Manifest(
        task=task.name,
        task_version=task.version,
        protocol={subset.name: "gallery" if items else subset.protocol for subset in subsets},
        construction=construction,
        n=len(samples),
        n_by_subset={subset.name: counts[subset.name] for subset in subsets},
        videos=len({sample.video for sample in samples}),
        captions=facts.pop("captions", len(captions)),
        texts=facts.pop("texts", len(set(captions))),
        facts=facts,
        mean_seconds=round(fmean(lengths), 6) if lengths else None,
        dropped=tuple(tools.annotations.dropped),
        sources=dict(sorted(tools.annotations.sources.items())),
        samples_sha256=sha256(encode(samples)).hexdigest(),
        embedder=embedder,
        seed=tools.seed,
        chance=dict(_chances(task, construction, samples, items)),
        gallery_sha256=sha256(encode_gallery(items)).hexdigest() if items else None,
        releases={
            name: task.source.release_of(name, digest) for name, digest in sorted(tools.annotations.sources.items())
        },
    )
    figures: dict[str, Any] = {**tools.report}
    manifest = replace(manifest, **figures)
    return SampleSet(manifest, samples, items, dict(sorted(tools.annotations.videos.items())))


def _chances(
    task: Task, construction: str, samples: Sequence[Sample], items: Sequence[GalleryItem]
) -> Iterable[tuple[str, float]]:
    if items:
        gallery = task.galleries[construction]
        tied = tied_values(gallery.metrics, gallery.relevance(samples, items))
        yield from ((f"all/{name}", value) for name, value in tied.items())
        return
    for subset in task.subsets:
        part = [sample for sample in samples if sample.subset == subset.name]
        for name, metric in task.metrics_of(subset).items():
            value = chance(metric, part) if part else None
            if value is not None:
                yield f"{subset.name}/{name}", value


@dataclass
class _Watched:
    """An embedder that remembers whether it was used, since only then does it belong in the manifest."""

    embedder: Embedder
    used: bool = False

    @property
    def name(self) -> str:
        return self.embedder.name

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.used = True
        return self.embedder(texts)
