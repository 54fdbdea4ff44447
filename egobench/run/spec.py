"""A run's spec: all that decides its answers, and the id that follows from it; and the settings it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from egobench import __version__
from egobench.controls import Control
from egobench.errors import StoreError
from egobench.model import Method, ModelInfo
from egobench.prompts import prompt_hash
from egobench.validation import first_fault
from egobench.video import CLIP_SECONDS, FrameRule

if TYPE_CHECKING:
    import numpy as np
    from pydantic import TypeAdapter

    from egobench.dataset.sampleset import Manifest


MAX_LABEL = 200
"""Characters of a name that a board shows: of a model, a run, a judge."""


@dataclass(frozen=True, slots=True)
class Rerank:
    """Which texts of galleries are scored again.

    Attributes:
        top: How many of a retriever's best texts per sample.
        sha256: Hash of the retriever's scores, by name of the sample set.
        tables: The scores, ``(n_samples, n_items)`` by name of the sample set; a row of NaN where the retriever has
            none. Not needed to score a run that was done.
    """

    top: int
    sha256: Mapping[str, str]
    tables: Mapping[str, np.ndarray] = field(default_factory=dict[str, "np.ndarray"], compare=False, repr=False)

    def retriever(self, sample_set: str) -> str:
        """The retriever of a sample set as protocol ids name it, e.g. ``"top50@0123456789ab"``."""
        return f"top{self.top}@{self.sha256[sample_set][:12]}"


@dataclass(frozen=True, slots=True)
class Shard:
    """The share of a run that one of several processes begins with.

    Attributes:
        index: Which share, from 0.
        count: Number of shares.
    """

    index: int
    count: int


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run is done.

    Attributes:
        method: How an answer becomes a number.
        control: What is removed or altered; ``None`` for a plain run.
        prompt: Id of the prompt style.
        frames: Frames per clip; ``None`` leaves it to the model, else to the task. With ``fps`` the most there may be.
        fps: Frames per second of a clip; ``None`` for a fixed number.
        limit: Most samples per subset, a seeded choice; ``None`` for all.
        seed: Seed of everything random.
        batch_size: Prompts per call of the model; never changes an answer, so it is no part of the spec.
        workers: Threads that decode; no part of the spec either.
        in_flight: Most decoded clips that wait for the model; no part of the spec either.
        clip_timeout: Seconds that the decoding of a clip may take; no part of the spec either.
        frame_store: Folder of decoded frames, read from and added to; ``None`` for none; no part of the spec either.
        shard: The share to begin with, if other processes share the run; ``None`` to work alone; no part of the spec.
        orders: Cyclic orders of the options that every sample is shown in.
        rerank: Whose best texts of a gallery are scored again; ``None`` for an encoder's scores of all.
        text_prior: Share of an option's score without the video that is subtracted from its score, at least 0.
    """

    method: Method = "generate"
    control: Control | None = None
    prompt: str = "first_person"
    frames: int | None = None
    limit: int | None = None
    seed: int = 0
    batch_size: int = 1
    workers: int = 1
    in_flight: int = 4
    clip_timeout: float = CLIP_SECONDS
    frame_store: Path | None = None
    shard: Shard | None = None
    orders: int = 1
    rerank: Rerank | None = None
    text_prior: float = 0.0
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class SetRef:
    """A sample set that a run is about.

    Attributes:
        task: Name of its task.
        task_version: Version of the task.
        construction: How its options were made.
        sha256: Hash of its samples, and of its gallery where it has one.
    """

    task: str
    task_version: int
    construction: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RunSpec:
    """All that decides what a run measures. Equal specs are the same run.

    Attributes:
        model: :class:`egobench.model.ModelInfo` as a JSON object.
        sets: The sample sets, sorted by task.
        prompt: Id of the prompt style and hash of its text.
        frames: Frames per clip, by task: count, last, short_side, min_seconds, and fps where it is set.
        method: How an answer becomes a number.
        control: What is removed or altered, ``None`` for a plain run.
        limit: Most samples per subset, a seeded choice; ``None`` for all.
        seed: Seed of everything random.
        harness: EgoBench's version.
        orders: Cyclic orders of the options that every sample is shown in.
        rerank: ``top`` and, by sample set, ``sha256`` of the gallery scores whose best are scored again.
        text_prior: Share of an option's score without the video that is subtracted from its score.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = {"extra": "forbid"}

    model: Mapping[str, Any]
    sets: tuple[SetRef, ...]
    prompt: str
    frames: Mapping[str, Mapping[str, Any]]
    method: Method
    control: Control | None
    limit: int | None
    seed: int
    harness: str
    orders: int = 1
    rerank: Mapping[str, Any] | None = None
    text_prior: float = 0.0

    @classmethod
    def of(
        cls, info: ModelInfo, manifests: Iterable[Manifest], frame_rules: Mapping[str, FrameRule], settings: Settings
    ) -> RunSpec:
        """The spec of a run that is about to be done.

        Args:
            info: What identifies the model.
            manifests: Of the sample sets, sorted by task.
            frame_rules: Which frames are shown, by task; without tasks that are shown none.
            settings: How the run is done.
        """
        rerank = settings.rerank
        return cls(
            model=_info_json(info),
            sets=tuple(
                SetRef(manifest.task, manifest.task_version, manifest.construction, manifest.sha256)
                for manifest in manifests
            ),
            prompt=f"{settings.prompt}@{prompt_hash(settings.prompt)}",
            frames={task: _rule_json(rule) for task, rule in frame_rules.items()},
            method=settings.method,
            control=settings.control,
            limit=settings.limit,
            seed=settings.seed,
            harness=__version__,
            orders=settings.orders,
            rerank=None if rerank is None else {"top": rerank.top, "sha256": dict(sorted(rerank.sha256.items()))},
            text_prior=float(settings.text_prior),
        )

    @classmethod
    def from_json(cls, content: Mapping[str, Any], source: str = "run.json") -> RunSpec:
        """The spec from the JSON object in ``run.json``.

        Args:
            content: The object.
            source: What names the file for a person.

        Raises:
            StoreError: If another version wrote it with other fields.
        """
        from pydantic import ValidationError  # noqa: PLC0415 - a command's --help stays light

        adapters = _adapters()
        try:
            spec = adapters.spec.validate_python({**content, "sets": [*content["sets"]]})
            adapters.parts.validate_python({"model": spec.model, "frames": spec.frames, "rerank": spec.rerank})
        except KeyError as error:
            raise StoreError(f"{source} is of another version of EgoBench: no {error} in its spec") from error
        except ValidationError as error:
            fault = first_fault(error)
            place = ".".join(map(str, ("spec", *fault.path)))
            raise StoreError(f"{source} is of another version of EgoBench: {place}: {fault.problem}") from error
        except TypeError as error:
            raise StoreError(f"{source} is of another version of EgoBench: {error}") from error
        return spec

    def settings(self) -> Settings:
        """The settings that decide the parts and the scores of a run that was done."""
        return Settings(
            method=self.method,
            control=self.control,
            prompt=self.prompt.partition("@")[0],
            limit=self.limit,
            seed=self.seed,
            orders=self.orders,
            rerank=None if self.rerank is None else Rerank(**self.rerank),
            text_prior=self.text_prior,
        )

    def canonical(self) -> str:
        """The spec as canonical JSON: sorted keys, no blanks; ``rerank`` and ``text_prior`` only where they are set."""
        defaults = {"rerank": None, "text_prior": 0.0}
        content = {key: value for key, value in asdict(self).items() if key not in defaults or value != defaults[key]}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def id(self) -> str:
        """First 12 hex digits of the SHA-256 of the canonical spec."""
        return sha256(self.canonical().encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class _RerankEntry:
    """The rerank of a spec."""

    top: int
    sha256: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a spec that it keeps as they are in JSON, as what they must be."""

    model: ModelInfo
    frames: Mapping[str, FrameRule]
    rerank: _RerankEntry | None


class _Adapters(NamedTuple):
    spec: TypeAdapter[RunSpec]
    parts: TypeAdapter[_Parts]


@cache
def _adapters() -> _Adapters:
    from pydantic import TypeAdapter  # noqa: PLC0415 - a command's --help stays light

    return _Adapters(TypeAdapter(RunSpec), TypeAdapter(_Parts))


def _rule_json(rule: FrameRule) -> dict[str, Any]:
    return {key: value for key, value in asdict(rule).items() if key != "fps" or value is not None}


def _info_json(info: ModelInfo) -> dict[str, Any]:
    """A model's identity; a rate that there is not is left out, so that models without one keep their run ids."""
    content = asdict(info)
    if content["frames"]["fps"] is None:
        del content["frames"]["fps"]
    return content
