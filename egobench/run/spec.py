"""What a run is asked: all that decides its answers, and the name that follows from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from egobench.controls import Control
from egobench.errors import StoreError
from egobench.model import Method


@dataclass(frozen=True, slots=True)
class SetRef:
    """Which sample set a run is about: its task, construction and hash."""

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
        frames: Frames a clip, by task: count, last, short_side, min_seconds.
        method: How an answer becomes a number.
        control: What is removed or altered, ``None`` for a plain run.
        limit: Most samples of each subset, a seeded choice; ``None`` for all.
        seed: Seed of everything random.
        harness: EgoBench's version.
        orders: Cyclic orders of its options that every sample is asked in.
        rerank: ``top`` and, by sample set, ``sha256`` of the gallery scores whose best are scored again.
        text_prior: How much of an option's score without the video is taken off its score.
    """

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

    def canonical(self) -> str:
        """The spec as canonical JSON: sorted keys, no blanks; ``rerank`` and ``text_prior`` where there is one."""
        unset = {"rerank": None, "text_prior": 0.0}
        held = {key: value for key, value in asdict(self).items() if key not in unset or value != unset[key]}
        return json.dumps(held, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def id(self) -> str:
        """First 12 hex digits of the SHA-256 of the canonical spec."""
        return sha256(self.canonical().encode()).hexdigest()[:12]


def spec_from_json(held: Mapping[str, Any]) -> RunSpec:
    """A spec from the JSON object in ``run.json``.

    Raises:
        StoreError: If it was written by another version with other fields.
    """
    try:
        fields: dict[str, Any] = {**held, "sets": tuple(SetRef(**entry) for entry in held["sets"])}
        return RunSpec(**fields)
    except (KeyError, TypeError) as error:
        raise StoreError(f"a run of another version of EgoBench ({error})") from error
