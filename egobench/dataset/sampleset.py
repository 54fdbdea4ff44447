"""Frozen sample sets: what every model is asked, on disk, hashed.

A folder holds ``samples.jsonl``, one sample a line, and ``manifest.json``, which says where they came from; where all
samples are scored against one gallery, ``gallery.json`` holds it once. Equal inputs give equal bytes, so a set is known
by the hash of its samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from egobench.errors import SampleSetError
from egobench.sample import GalleryItem, Sample
from egobench.whole_file import replace_file

SAMPLES = "samples.jsonl"
MANIFEST = "manifest.json"
GALLERY = "gallery.json"
VIDEOS = "videos.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a sample set is and what it was made from.

    Attributes:
        task: The task's name.
        task_version: The task's version.
        protocol: What a model is asked for, by subset.
        construction: How options were made.
        n: Number of samples.
        n_by_subset: The same, by subset.
        videos: Number of distinct videos.
        captions: Number of captions in the source's gallery, else of answers.
        texts: Number of distinct texts among them.
        facts: What the reader counted or noted besides, e.g. the version of a cleaning rule.
        mean_seconds: Mean length of the clips whose end is known, in seconds; ``None`` when none is.
        dropped: Rows and records left out, with the reason.
        sources: SHA-256 by annotation file.
        releases: By annotation file, whether it is of the release that the task pins: ``pinned``, ``another`` or
            ``unknown``; empty in sets of before.
        blind: Accuracy of the best attack that is shown a sample's options and nothing else, by subset; ``None`` where
            the set was not audited.
        blind_trained: The same of the best attack that has learned from questions, options and answers of other
            clusters.
        blind_left_out: Ways to the answer that the trained attacks do not take.
        samples_sha256: SHA-256 of ``samples.jsonl``.
        embedder: Name and weights hash of the text embedder, ``None`` when none was used.
        seed: Seed of distractors and option orders.
        chance: Value of every metric under scores that are all equal, by ``subset/metric``, in [0, 1].
        co_correct: Share of samples with a distractor that is true too, where that was counted.
        similarity_ratio: Likeness of distractors to answers, over that of the nearest ones, where that was measured.
        placed: Share of records that got options, where a construction may leave some out.
        blind_ceiling: The largest of ``blind``, where the set was audited; kept for those who read it.
        gallery_sha256: SHA-256 of ``gallery.json``, where there is one.
    """

    task: str
    task_version: int
    protocol: Mapping[str, str]
    construction: str
    n: int
    n_by_subset: Mapping[str, int]
    videos: int
    captions: int
    texts: int
    facts: Mapping[str, int]
    mean_seconds: float | None
    dropped: tuple[Mapping[str, str], ...]
    sources: Mapping[str, str]
    samples_sha256: str
    embedder: str | None
    seed: int
    chance: Mapping[str, float]
    co_correct: float | None = None
    similarity_ratio: float | None = None
    placed: float | None = None
    blind_ceiling: float | None = None
    gallery_sha256: str | None = None
    releases: Mapping[str, str] = field(default_factory=dict[str, str])
    blind: Mapping[str, float] | None = None
    blind_trained: Mapping[str, float] | None = None
    blind_left_out: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """What runs know the set by: the hash of its samples, or of these and its gallery where it has one."""
        if self.gallery_sha256 is None:
            return self.samples_sha256
        return sha256(f"{self.samples_sha256} {self.gallery_sha256}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SampleSet:
    """The samples of one task under one construction.

    Attributes:
        manifest: Where they came from.
        samples: In the order of the annotation files.
        gallery: The texts that every sample is scored against, in their published order; empty for other sets.
        videos: ``seconds`` and ``fps`` by video where the annotations say them; written for ``egobench doctor``.
    """

    manifest: Manifest
    samples: tuple[Sample, ...]
    gallery: tuple[GalleryItem, ...] = ()
    videos: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, dict[str, float]], compare=False)

    @property
    def name(self) -> str:
        """Task and construction, e.g. ``"egomcq/paper"``."""
        return f"{self.manifest.task}/{self.manifest.construction}"

    def write(self, data: Path) -> Path:
        """Write the set to ``data/<task>/<construction>/``, replacing an earlier one.

        Returns:
            The folder.

        Raises:
            SampleSetError: If the folder cannot be written.
        """
        folder = data / self.manifest.task / self.manifest.construction
        try:
            folder.mkdir(parents=True, exist_ok=True)
            files = {SAMPLES: encode(self.samples), MANIFEST: _pretty(asdict(self.manifest))}
            if self.videos:
                files[VIDEOS] = _pretty(self.videos)
            if self.gallery:
                files = {GALLERY: encode_gallery(self.gallery), **files}
            for name, content in files.items():
                replace_file(folder / name, content)
        except OSError as error:
            raise SampleSetError(f"cannot write the sample set to {folder}: {error.strerror}") from error
        return folder

    @classmethod
    def read(cls, folder: Path) -> SampleSet:
        """Read a set, check that its samples and its gallery are the ones its manifest speaks of, and check each.

        Raises:
            SampleSetError: If a file is missing, damaged, or was changed by hand; if a sample cannot be asked
                (:func:`egobench.dataset.checks.read_samples`); if the task does not declare a subset.
        """
        from pydantic import TypeAdapter  # noqa: PLC0415 - writing a set does without

        from egobench.dataset.checks import check_subsets, read_file, read_gallery, read_samples, validate_json  # noqa: PLC0415

        path = folder / MANIFEST
        manifest = validate_json(TypeAdapter(Manifest), read_file(_bytes(path), path), str(path))
        content, listing = _bytes(folder / SAMPLES), b""
        if sha256(content).hexdigest() != manifest.samples_sha256:
            raise SampleSetError(f"{folder / SAMPLES} is not what {MANIFEST} describes: it was changed; build it again")
        if manifest.gallery_sha256:
            listing = _bytes(folder / GALLERY)
        if manifest.gallery_sha256 and sha256(listing).hexdigest() != manifest.gallery_sha256:
            raise SampleSetError(
                f"{folder / GALLERY} is not what {MANIFEST} describes: its texts or their order were changed; "
                "build it again"
            )
        check_subsets(manifest.task, manifest.n_by_subset, folder)
        samples = read_samples(content, folder / SAMPLES, task=manifest.task, subsets=manifest.n_by_subset)
        return cls(manifest, samples, read_gallery(listing, folder / GALLERY) if manifest.gallery_sha256 else ())


def encode(samples: tuple[Sample, ...]) -> bytes:
    """The bytes of ``samples.jsonl``: one JSON object a line, UTF-8."""
    to_line = json.JSONEncoder(ensure_ascii=False).encode
    return "".join(to_line(sample.to_json()) + "\n" for sample in samples).encode()


def encode_gallery(gallery: tuple[GalleryItem, ...]) -> bytes:
    """The bytes of ``gallery.json``: a list in the order of the scores' columns."""
    return _pretty([asdict(item) for item in gallery])


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of a set that is on disk, for what is found out about it later.

    Raises:
        SampleSetError: If it cannot be written.
    """
    try:
        replace_file(folder / MANIFEST, _pretty(asdict(manifest)))
    except OSError as error:
        raise SampleSetError(f"cannot write {folder / MANIFEST}: {error.strerror}") from error


def find_sets(data: Path, tasks: tuple[str, ...] | None = None, construction: str | None = None) -> list[Path]:
    """Folders of sample sets below a data folder, or the folder itself if it is one.

    Args:
        data: A folder written by ``egobench build``.
        tasks: Only these tasks; ``None`` for all.
        construction: Only this one; ``None`` for all.

    Returns:
        Sorted folders ``<task>/<construction>``.

    Raises:
        SampleSetError: If there is none, or none of a task that was asked for.
    """
    names = _names(data)
    fitting = [folder for folder, (_, made) in names.items() if construction in {None, made}]
    have = sorted({names[folder][0] for folder in fitting})
    missing = [task for task in tasks or () if task not in have]
    if missing or not fitting:
        tasks_missing = ", ".join(missing or tasks or ()) or "any task"
        made = "" if construction is None else f" with the construction {construction!r}"
        listed = have if construction is None else sorted(f"{task}/{made}" for task, made in names.values())
        others = f"; it holds {', '.join(listed)}" if listed else ""
        raise SampleSetError(f"{data} holds no sample set of {tasks_missing}{made}{others}; run egobench build")
    return [folder for folder in fitting if tasks is None or names[folder][0] in tasks]


def _names(data: Path) -> dict[Path, tuple[str, str]]:
    """Task and construction of each sample set below a folder, or of the folder itself, by its path."""
    from egobench.dataset.checks import read_file  # noqa: PLC0415 - writing a set does without

    path = data / MANIFEST
    if not path.is_file():
        folders = sorted(path.parent for path in data.glob(f"*/*/{MANIFEST}"))
        return {folder: (folder.parent.name, folder.name) for folder in folders}
    content = read_file(_bytes(path), path)
    values = content if isinstance(content, dict) else {}
    return {data: (str(values.get("task")), str(values.get("construction")))}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SampleSetError(
            f"no sample set in {path.parent}: {path.name}: {error.strerror}; make one with egobench build"
        ) from error


def _pretty(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
