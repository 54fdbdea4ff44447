"""What a task is: where its records come from, how options are made, how answers are scored.

A task is a frozen value put together from plain functions; a plugin module ends in ``TASK = Task(...)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Literal, Protocol

from egobench.metrics import Metric, ScoredSample
from egobench.metrics.gallery import GalleryMetric, Relevance
from egobench.sample import GalleryItem, Record
from egobench.video.sampling import FrameRule

if TYPE_CHECKING:
    import numpy as np

    from egobench.annotations import Annotations

AnswerProtocol = Literal["mcq", "open", "gallery", "rerank"]
"""What a model is asked for: to choose among the options, to answer in words, to score a whole gallery, or to score a
retriever's best texts of a gallery again. Subsets of a task are of the first two kinds."""

ReadRecords = Callable[["Annotations"], Iterable[Record]]
"""From a folder of official files to records."""


Release = Literal["pinned", "another", "unknown"]
"""Whether an annotation file is the one that was pinned."""


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def name(self) -> str:
        """The model's name and the hash of its weights, for the manifest."""
        ...

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts.

        Args:
            texts: At least one.

        Returns:
            ``(n_texts, dim)`` float32, rows of length 1.
        """
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one sample, in the order they are shown.

    Attributes:
        texts: Empty for an open question.
        target: Position of the right one; ``None`` for an open question or a private answer.
        relevance: One number in [0, 1] an option; ``None`` when only the target is relevant.
    """

    texts: tuple[str, ...] = ()
    target: int | None = None
    relevance: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A record that a construction cannot place.

    Attributes:
        reason: Why, for the manifest.
    """

    reason: str


@dataclass
class Tools:
    """What a construction may use.

    Attributes:
        task: The task's name, part of every seed.
        seed: The build's seed.
        annotations: The folder the records came from, for a pool of texts that no record holds.
        embedder: The text embedder; asking for it loads its model.
        report: Figures about the whole construction, by field of the manifest: ``co_correct``, ``similarity_ratio``,
            ``placed``.
    """

    task: str
    seed: int
    annotations: Annotations
    embedder: Embedder
    report: dict[str, float] = field(default_factory=dict[str, float])

    def rng(self, record: Record) -> Random:
        """A random stream of the record's own, so that the order of the file never matters."""
        key = f"{self.task}/{record.subset}/{record.id}/{self.seed}"
        return Random(int.from_bytes(sha256(key.encode()).digest()[:8]))  # noqa: S311 - reproducible, not secret


Construction = Callable[[Sequence[Record], Tools], Iterable[Options | Dropped]]
"""Makes the options of every record, in the order of the records."""


@dataclass(frozen=True, slots=True)
class Truth:
    """How to tell that an answer is true of another clip too. Equal texts always are.

    Attributes:
        same: Tags of a record that together say what its answer says: where all are equal, either answer is true of
            both clips. A record whose tags are all empty says nothing by them.
        also: Tag that lists texts which are true of the clip beside its answer; ``""`` for none.
    """

    same: tuple[str, ...] = ()
    also: str = ""


@dataclass(frozen=True, slots=True)
class Gallery:
    """A construction without options: every sample is scored against all texts of one gallery.

    Attributes:
        items: From the records to the gallery, in the order in which its scores are published.
        relevance: What is right.
        metrics: By name, the headline first.
    """

    items: Callable[[Sequence[Record], Tools], Sequence[GalleryItem]]
    relevance: Relevance
    metrics: Mapping[str, GalleryMetric]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One annotation file of a source.

    Attributes:
        content: What it holds, in a few words.
        sha256: Hash of the file in the source's pinned release; ``""`` where it is not known.
    """

    content: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a task's data comes from, so that anyone can get and check it.

    Attributes:
        paper: Link to the paper that defines the task.
        home: Link to where the annotations are had.
        licence: Licence of the annotations, as an SPDX id or in the data set's own words.
        files: The annotation files by official name below the annotation folder.
        videos: How videos are named below the task's folder of videos, e.g. ``"{participant}/{video_id}.MP4"``.
        release: The release that was pinned, e.g. a commit; ``""`` where no hash is known.
        other_forms: Files of the same data in other forms that are read too, by name.
        shareable: Whether the licence lets anyone show questions and answers to the public.
    """

    paper: str
    home: str
    licence: str
    files: Mapping[str, SourceFile]
    videos: str
    release: str = ""
    other_forms: Mapping[str, SourceFile] = field(default_factory=dict[str, SourceFile])
    shareable: bool = False

    def release_of(self, name: str, sha256: str) -> Release:
        """Whether a file is of the pinned release.

        Args:
            name: Its name below the annotation folder.
            sha256: Its hash.

        Returns:
            ``"unknown"`` where no hash of the file was pinned.
        """
        file = self.files.get(name) or self.other_forms.get(name)
        if file is None or not file.sha256:
            return "unknown"
        return "pinned" if file.sha256 == sha256 else "another"


@dataclass(frozen=True, slots=True)
class Subset:
    """A named part of a task that gets numbers of its own: every metric of its task with its protocol.

    Attributes:
        name: Its name, ``"all"`` where a task has none.
        protocol: What a model is asked for.
        headline: The metric that stands for the subset.
        beside: Metrics shown beside the headline one even in short tables.
    """

    name: str
    protocol: AnswerProtocol
    headline: str
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A task, put together from plain functions.

    Attributes:
        name: Its name on the command line, in ids and in files, e.g. ``"charades-ego"``.
        version: Raised whenever the same answers could get another score.
        skill: What it measures, in a few words.
        source: Where the data comes from.
        read: From official files to records.
        constructions: How options are made, by name.
        metrics: By name.
        subsets: In the order they are shown.
        cluster: What a cluster is, in words, e.g. ``"video"``.
        frames: Which frames of a clip a model sees.
        headline: The construction that published rows used.
        breakdown: Tags whose every value gets a number of its own beside the whole; a sample counts under each of its.
        galleries: Constructions of another kind, by name: the official metrics over a whole gallery.
        readers: Readers of constructions that need other records than those of ``read``.
        submission: From the samples of a set with private answers to the files that their owner takes, by name.
        true_of: How to tell that an answer is true of another clip too.
    """

    name: str
    version: int
    skill: str
    source: Source
    read: ReadRecords
    constructions: Mapping[str, Construction]
    metrics: Mapping[str, Metric]
    subsets: tuple[Subset, ...]
    cluster: str
    frames: FrameRule = field(default_factory=FrameRule)
    headline: str = "official"
    breakdown: tuple[str, ...] = ()
    galleries: Mapping[str, Gallery] = field(default_factory=dict[str, Gallery])
    readers: Mapping[str, ReadRecords] = field(default_factory=dict[str, ReadRecords])
    submission: Callable[[Sequence[ScoredSample]], Mapping[str, str]] | None = None
    true_of: Truth = field(default_factory=Truth)

    def metrics_of(self, subset: Subset) -> dict[str, Metric]:
        """The metrics of a subset, its headline first."""
        apply = {name: metric for name, metric in self.metrics.items() if metric.protocol == subset.protocol}
        return {subset.headline: self.metrics[subset.headline], **apply}

    @property
    def default_construction(self) -> str:
        """``official`` where the task ships options, else ``paper``, else its first."""
        names = tuple(self.constructions)
        return next((name for name in ("official", "paper") if name in names), names[0])
