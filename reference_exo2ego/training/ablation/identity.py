"""Identity of trainings: a fingerprint of everything that decides the weights at the end of a stage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from egobench import __version__
from egobench.errors import TrainingDataError
from reference_exo2ego.training.files import file_digest

from .chains import Step
from .outside import files_of

DIGITS = 16
"""Hex digits of a fingerprint."""

BLOCK = 1 << 20
"""Bytes of a file of weights that are hashed, beside its name and size: enough to tell checkpoints apart."""

LENGTHS = ("steps", "epochs", "warmup", "last")
"""Fields of a stage that decide its length and schedule: they change what is learnt, not what a step costs."""


@dataclass(slots=True)
class Digests:
    """SHA-256 of files and folders, each read once.

    Attributes:
        data: Folder that paths are below.
    """

    data: Path
    _digests: dict[str, str] = field(default_factory=dict[str, str], init=False, repr=False)

    def file(self, path: str) -> str:
        """Digest of a file's content.

        Raises:
            TrainingDataError: If it cannot be read.
        """
        if path not in self._digests:
            try:
                self._digests[path] = file_digest(self.data / path)
            except OSError as error:
                raise TrainingDataError(
                    f"{self.data / path}: cannot be read ({error.strerror}); expected a file of training samples, as "
                    f"exo2ego clips, egoclip, pairs and instructions make them"
                ) from error
        return self._digests[path]

    def folder(self, path: str) -> str:
        """Digest of the names, sizes and first megabytes of a folder's files: weights, tokenizers."""
        if path not in self._digests:
            digest = sha256()
            for file in sorted((self.data / path).iterdir()):
                if file.is_file():
                    digest.update(f"{file.name} {file.stat().st_size}\n".encode())
                    with file.open("rb") as stream:
                        digest.update(stream.read(BLOCK))
            self._digests[path] = digest.hexdigest()
        return self._digests[path]


def fingerprint(step: Step, before: str | None, digests: Digests) -> str:
    """Return the fingerprint of a training: equal fingerprints, equal weights.

    Args:
        step: The training.
        before: Fingerprint of the one that it begins from; ``None`` for the recipe's start.
        digests: Digests of files.

    Raises:
        TrainingDataError: If a file of data cannot be read.
    """
    recipe = step.recipe
    values = _of_a_step(step)
    values.update(before=before, seed=recipe.seed, version=__version__)
    values["stage"] = _by_content(values["stage"], digests)
    if before is None:
        # Whatever is begun from: weights, a tokenizer, or the words of all that the recipe trains on.
        start = recipe.start.model_dump(mode="json")
        texts = [value for value in start.values() if isinstance(value, str) and value]
        values["start"] = start | {text: digests.folder(text) for text in texts if (digests.data / text).is_dir()}
        sources = [stage.source.model_dump(mode="json") for stage in recipe.stages]
        values["data"] = sorted({digests.file(file["path"]) for source in sources for file in files_of(source)})
    return _hash(values)


def kind_of(step: Step) -> str:
    """Return the key of a step's cost: a hash of all but seed, length, the content of files, and other stages."""
    values, config = _of_a_step(step), step.recipe.model
    values["stage"] = {name: value for name, value in values["stage"].items() if name not in LENGTHS}
    for file in files_of(values["stage"]["source"]):
        file.pop("share", None)
    del values["model"]["train"], values["model"]["weights"]
    if step.stage != "stage2":
        values["model"] |= {"kl": None, "ccl": None, "kl_temperature": None}
    if step.stage != "language":
        values["parts"] = [config.read_in(step.stage), config.trained_in(step.stage)]
    return _hash(values)


def _of_a_step(step: Step) -> dict[str, Any]:
    values = step.recipe.model_dump(mode="json")
    for name in ("name", "about", "start", "stages", "seed"):
        del values[name]
    return values | {"stage": step.trained.model_dump(mode="json")}


def _by_content(stage: Mapping[str, Any], digests: Digests) -> dict[str, Any]:
    """Replace the paths of a stage's files by digests of their content."""
    copied: dict[str, Any] = json.loads(json.dumps(stage))
    for file in files_of(copied["source"]):
        file["path"] = digests.file(file["path"])
    return copied


def _hash(values: Mapping[str, Any]) -> str:
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()[:DIGITS]
