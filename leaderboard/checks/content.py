"""The content of a submission, read as a stranger's: every key and type is checked before any of it is used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from egobench.errors import BundleError, JsonInputError, StoreError
from egobench.json_input import JsonValue, read_json
from egobench.model import ModelInfo
from egobench.prompts import LETTERS
from egobench.run.checksums import JUDGE_FILES
from egobench.run.plan import PartId
from egobench.run.records import Event, JudgeReply, Prediction, read_rows
from egobench.run.spec import MAX_LABEL, RunSpec
from egobench.run.store import Run
from egobench.scoring.entry import ScoreEntry, scored_by
from egobench.validation import first_fault
from egobench.video import FrameRule

from ..bundle import ABOUT, FORMAT

MAX_TEXT = 2**20
"""Most characters of a text, and most bytes of a line: a mebibyte is far more than any reply has."""

MAX_FRAMES = 10_000
"""Most frames of a clip: what the check of pixels would otherwise have to decode has no bound."""

MAX_ORDERS = len(LETTERS)
"""Most orders of the options: cyclic orders, of options that letters name."""

_HEX = frozenset("0123456789abcdef")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Content:
    """The checked content of a submission.

    Attributes:
        folder: The run folder, or where a bundle was unpacked.
        sealed: Whether its replies are sealed: those of a bundle are.
        run: The run in the folder.
        claimed_id: The run id in ``run.json``, which need not be that of the spec.
        scores: The scores in ``scores.json`` by protocol id, which need not follow from the predictions.
        rows: All predictions by name of the part, in the order of their files; a sample may have several.
    """

    folder: Path
    sealed: bool
    run: Run
    claimed_id: str
    scores: Mapping[str, ScoreEntry]
    rows: Mapping[str, tuple[Prediction, ...]]

    @property
    def spec(self) -> RunSpec:
        """What identifies the run."""
        return self.run.spec


def read_content(folder: Path, *, sealed: bool) -> Content:
    """Read and check all files of a submission.

    Args:
        folder: A run folder, or an unpacked bundle.
        sealed: Whether it is a bundle.

    Raises:
        BundleError: If a file is missing, or something in one is not what it must be. The message names the file and
            the place in it.
    """
    if sealed:
        about = _json_file(folder / ABOUT)
        if not isinstance(about, dict) or {key: about.get(key) for key in FORMAT} != FORMAT:
            raise BundleError(f"{ABOUT}: not of the format {FORMAT}; pack the run with this version of EgoBench")
    claimed_id, spec = _read_spec(folder)
    run = Run(folder, spec)
    rows: dict[str, tuple[Prediction, ...]] = {}
    for path in sorted((folder / "predictions").glob("*")):
        name = _part_of(path, spec)
        if path.suffix == ".jsonl":
            rows[name] = rows.get(name, ()) + tuple(_rows(path, Prediction))
    for path in folder.glob(JUDGE_FILES):
        list(_rows(path, JudgeReply))
    if (folder / "events.jsonl").is_file():
        list(_rows(folder / "events.jsonl", Event))
    for judge in run.judge_replies():
        _check_label(judge, "the judge's name")
    return Content(folder, sealed, run, claimed_id, _read_scores(folder / "scores.json", spec), rows)


def _read_spec(folder: Path) -> tuple[str, RunSpec]:
    value = _json_file(folder / "run.json")
    if not isinstance(value, dict) or not {"id", "spec", "recorded"} <= value.keys():
        raise BundleError("run.json: expected id, spec and recorded")
    content, recorded = value["spec"], value["recorded"]
    if not isinstance(content, dict) or not isinstance(recorded, dict):
        raise BundleError("run.json: spec and recorded are expected to be objects")
    try:
        spec = RunSpec.from_json(content)
        own = {key: member for key, member in content.items() if _is_hashed(key, member)}
        if json.dumps(own, sort_keys=True, separators=(",", ":"), ensure_ascii=False) != spec.canonical():
            raise BundleError("run.json: a value of the spec has another type than a run writes")
        info = _validated(ModelInfo, spec.model, "run.json, spec.model")
        for task, rule in spec.frames.items():
            count = _validated(FrameRule, rule, f"run.json, spec.frames.{task:.80}").count
            if count > MAX_FRAMES:
                raise BundleError(f"run.json, spec.frames.{task:.80}: {count} frames; at most {MAX_FRAMES:,}")
    except (StoreError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"run.json: not the spec of a run ({error})") from error
    _check_label(info.name, "the model's name")
    _check_label(recorded.get("name") or "run", "the run's name")
    if not spec.sets or any(len(ref.sha256) != 64 or set(ref.sha256) - _HEX for ref in spec.sets):
        raise BundleError("run.json, spec.sets: expected at least one sample set, each with a SHA-256")
    orders_fit, limit_fits = 1 <= spec.orders <= MAX_ORDERS, spec.limit is None or spec.limit >= 1
    if not (orders_fit and limit_fits and spec.text_prior >= 0):
        raise BundleError("run.json: orders, limit or text_prior of the spec is out of range")
    return str(value["id"]), spec


def _is_hashed(key: str, value: Any) -> bool:
    """Tell whether a field of a spec is in its canonical form, which leaves these two out at their defaults."""
    return not ((key == "rerank" and value is None) or (key == "text_prior" and value == 0.0))


def _read_scores(path: Path, spec: RunSpec) -> dict[str, ScoreEntry]:
    rows: Any = _json_file(path)
    scores: dict[str, ScoreEntry] = {}
    try:
        for protocol_id, row in rows.items():
            read = ScoreEntry.from_json(protocol_id, row)
            entry = _validated(ScoreEntry, asdict(read), f"scores.json, {protocol_id:.120}")
            problem = _foreign_to(spec, entry)
            if problem or str(entry.id) != protocol_id:
                raise BundleError(f"scores.json, {protocol_id:.120}: {problem or 'its id is written in another way'}")
            scores[protocol_id] = entry
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"scores.json: not the scores of a run ({type(error).__name__}: {error})") from error
    return scores


def _foreign_to(spec: RunSpec, entry: ScoreEntry) -> str:
    """Return why a score cannot be of a spec's run; ``""`` where it can."""
    part, named = entry.id.part, entry.id
    if (part.task, part.construction) not in {(ref.task, ref.construction) for ref in spec.sets}:
        return "the run is about no such sample set"
    if named.control != spec.control:
        return f"its control is {named.control}, the run's {spec.control}"
    own = {"gallery": "embedding", "open": "generate"}.get(part.protocol, scored_by(spec.method, spec.text_prior))
    if named.scored_by != own:
        return f"its method is {named.scored_by}, the run's {own}"
    return ""


def _part_of(path: Path, spec: RunSpec) -> str:
    """Return the name of the part that a file in ``predictions`` belongs to."""
    pieces = path.name.split(".")
    name = ".".join(pieces[:4])
    fits = len(pieces) == 6 and path.is_file() and pieces[5] in {"jsonl", "npy"}
    if not fits or (pieces[0], pieces[3]) not in {(ref.task, ref.construction) for ref in spec.sets}:
        raise BundleError(f"predictions/{path.name:.120}: of no part of the run; expected TASK.SUBSET.PROTOCOL.SET")
    return PartId(*pieces[:4]).file_stem if name else name


def _rows(path: Path, kind: type[T]) -> list[T]:
    content = path.read_bytes()
    for number, line in enumerate(content.split(b"\n"), 1):
        if len(line) > MAX_TEXT:
            raise BundleError(f"{path.name}, line {number}: {len(line):,} bytes; at most {MAX_TEXT:,}")
        if line.strip():
            _parsed(line, f"{path.name}, line {number}")
    try:
        return [*read_rows(path, kind)]  # type: ignore[type-var]
    except StoreError as error:
        message = str(error).replace(f"{path.parent}/", "").partition("; delete the line")[0]
        raise BundleError(message) from error


def _json_file(path: Path) -> JsonValue:
    try:
        value = _parsed(path.read_bytes(), path.name)
    except OSError as error:
        raise BundleError(f"{path.name}: cannot be read ({error.strerror}); pack the run again") from error
    longest = _longest_text(value)
    if longest > MAX_TEXT:
        raise BundleError(f"{path.name}: a text of {longest:,} characters; at most {MAX_TEXT:,}")
    return value


def _parsed(content: bytes, source: str) -> JsonValue:
    try:
        return read_json(content, source)
    except JsonInputError as error:
        raise BundleError(str(error)) from error


def _longest_text(value: JsonValue) -> int:
    longest, pending = 0, [value]
    while pending:
        member = pending.pop()
        if isinstance(member, str):
            longest = max(longest, len(member))
        elif isinstance(member, dict):
            pending += [*member, *member.values()]
        elif isinstance(member, list):
            pending += member
    return longest


def _check_label(label: Any, what: str) -> None:
    if not isinstance(label, str) or not label.isprintable() or not 0 < len(label) <= MAX_LABEL:
        raise BundleError(f"{what} is {label!r:.80}; expected at most {MAX_LABEL} printable characters")


def _validated(kind: type[T], value: Any, place: str) -> T:
    try:
        return TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        fault = first_fault(error)
        raise BundleError(f"{place}, {fault}, found {fault.value!r:.80}") from error
    except ValueError as error:
        raise BundleError(f"{place}: {error}") from error
