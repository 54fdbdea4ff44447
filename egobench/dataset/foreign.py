"""Somebody else's samples, for the audit: lines that hold options and which of them is right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, model_validator

from egobench.dataset.checks import read_lines, validate_json
from egobench.errors import SampleSetError
from egobench.sample import Sample

Text = Annotated[str, Field(strict=True)]


class ForeignLine(BaseModel):
    """What a line must hold; ``cluster`` or ``video`` keep the folds of the attacks apart."""

    options: tuple[Text, ...]
    target: Annotated[int, Field(strict=True, ge=0)] | None
    question: Text = ""
    cluster: str | int | None = None
    video: str | int | None = None

    @model_validator(mode="after")
    def check(self) -> ForeignLine:
        """Compare the target with the options."""
        if self.target is not None and self.target >= len(self.options):
            raise ValueError(f"target {self.target} is the place of none of {len(self.options)} options")
        return self


def read_foreign(path: Path) -> list[Sample]:
    """Samples from a JSON Lines file with ``options`` and ``target``, the place of the right one, a line.

    Args:
        path: The file.

    Raises:
        SampleSetError: If it cannot be read, or a line holds something else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SampleSetError(f"{path}: cannot be read ({error.strerror})") from error
    return list(_samples(content, path))


def _samples(content: bytes, path: Path) -> Iterator[Sample]:
    kind = TypeAdapter(ForeignLine)
    for number, value in read_lines(content, path):
        line = validate_json(kind, value, f"{path}, line {number}")
        clusters = [cluster for cluster in (line.cluster, line.video, number) if cluster is not None]
        answer = "" if line.target is None else line.options[line.target]
        fields: dict[str, Any] = {
            "id": str(number),
            "task": "",
            "subset": "all",
            "video": "",
            "start": 0.0,
            "end": None,
        }
        fields |= {"relevance": None, "tags": {}, "question": line.question, "cluster": str(clusters[0])}
        yield Sample(**fields, options=line.options, target=line.target, answer=answer)
