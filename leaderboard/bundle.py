"""Bundles: a finished run in one file, for a leaderboard that scores it again.

A bundle holds what a run folder does: ``run.json`` without what is private about the machine, predictions with sealed
replies (:mod:`egobench.leaderboard.sealing`), tables of gallery scores, judges' replies, ``scores.json``, and checksums
of all files. It never holds a question, an option's text, a reference answer or a frame. Of an error it holds the kind
alone: messages name paths, and the path of a video may give an answer away.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from egobench import __version__
from egobench.errors import StoreError
from egobench.llm_judge.rubric import key_of
from egobench.llm_judge.score import judge_chats
from egobench.prompts import LETTERS
from egobench.run.checksums import CHECKSUMS, verify_run
from egobench.run.plan import Part, find_run_sets, plan
from egobench.run.records import JudgeReply, Prediction, encode_rows
from egobench.run.store import Run, read_run
from egobench.sample import Sample

from .archive import write_archive
from .sealing import seal, unseal

ABOUT = "bundle.json"
"""The member that names the format."""

FORMAT = {"format": "egobench bundle", "version": 1}

RECORDED = ("name", "python", "libraries", "machine", "parameters")
"""Recorded values of ``run.json`` that go into a bundle: no path and no command line."""

_ERROR_KIND = re.compile(r"[A-Z][A-Za-z]*Error\b")


def pack(path: Path, out: Path, data: Path | None = None) -> Path:
    """Pack a finished run into one file; the same run gives the same bytes.

    Args:
        path: The run folder.
        out: The file to write.
        data: Folder of its sample sets, which replies are sealed with; ``None`` for where they were when it ran.

    Returns:
        The file.

    Raises:
        StoreError: If the folder holds no finished run, is not as it was signed, or the file cannot be written.
        SampleSetError: If a sample set is gone or is not the one that the run was about.
    """
    run_file = read_run(path)
    problems = verify_run(path)
    if problems:
        listed = ", ".join(f"{problem.file} ({problem.problem})" for problem in problems[:3])
        raise StoreError(f"{path} is not as it was signed: {listed}; score it again with egobench score, then pack it")
    run = Run(path, run_file.spec)
    recorded = {key: run_file.recorded[key] for key in RECORDED if key in run_file.recorded}
    content = {"id": run.spec.id, "spec": json.loads(run.spec.canonical()), "recorded": recorded}
    members: dict[str, bytes | Path] = {
        ABOUT: _json({**FORMAT, "egobench": __version__}),
        "run.json": _json(content),
        "scores.json": (path / "scores.json").read_bytes(),
    }
    parts = plan(find_run_sets(path, data), run.spec.settings())
    for part in parts:
        members |= _part_members(run, part)
    for judge, replies in run.judge_replies().items():
        members[judge_file(judge)] = encode_rows(_sealed_judge_replies(run, parts, replies))
    lines = [f"{_digest(content)}  {name}" for name, content in sorted(members.items())]
    members[CHECKSUMS] = ("\n".join(lines) + "\n").encode()
    write_archive(out, members)
    return out


def restore_replies(folder: Path, parts: Sequence[Part], run: Run) -> None:
    """Restore the sealed replies of an unpacked bundle, in its folder.

    Args:
        folder: The folder that the bundle was unpacked to.
        parts: The parts of the run, over the sample sets that its replies were sealed with.
        run: The run in the folder.

    Raises:
        BundleError: If a sealed reply refers to words that its sample lacks.
        StoreError: If a file is damaged.
    """
    for part in parts:
        samples = {sample.id: sample for sample in part.samples}
        by_order = run.predictions_by_order(part.name)
        rows = [row for by_id in by_order.values() for row in by_id.values()]
        restored = [
            replace(row, reply=unseal(row.reply, sample_texts(samples[row.id]))) if row.id in samples else row
            for row in rows
        ]
        (folder / "predictions" / f"{part.name}.main.jsonl").write_bytes(encode_rows(restored))


def restore_judges(folder: Path, parts: Sequence[Part], run: Run) -> None:
    """Restore the sealed replies of judges, once those of the model are restored; see :func:`restore_replies`."""
    texts = judged_texts(run, parts)
    for judge, replies in run.judge_replies().items():
        restored = [replace(reply, reply=unseal(reply.reply, texts.get(reply.key, {}))) for reply in replies.values()]
        (folder / judge_file(judge)).write_bytes(encode_rows(restored))


def sample_texts(sample: Sample) -> dict[str, str]:
    """Return the texts that replies are sealed with: options by letter, ``QQ`` for option Q, ``Q`` for the question."""
    options = dict(zip(LETTERS, sample.options, strict=False))
    if "Q" in options:
        options["QQ"] = options.pop("Q")
    return {**options, "Q": sample.question}


def judged_texts(run: Run, parts: Iterable[Part]) -> dict[str, dict[str, str]]:
    """Return the texts that judges' replies are sealed with, by key of the reply: question and reference answer."""
    texts: dict[str, dict[str, str]] = {}
    for part in parts:
        if part.subset.protocol != "open":
            continue
        texts |= judged_sample_texts(part, run.predictions(part.name))
    return texts


def judged_sample_texts(part: Part, predictions: Mapping[str, Prediction]) -> dict[str, dict[str, str]]:
    """Return the texts of :func:`judged_texts` for a part of open answers whose replies are restored."""
    samples = {sample.id: sample for sample in part.selected}
    return {
        key_of(chat): {"Q": samples[sample_id].question, "T": samples[sample_id].answer}
        for sample_id, chat in judge_chats(part, predictions).items()
    }


def judge_file(judge: str) -> str:
    """Return the name of the file of a judge's replies."""
    return f"judge.{quote(judge, safe='')}.jsonl"


def _part_members(run: Run, part: Part) -> dict[str, bytes | Path]:
    by_order = run.predictions_by_order(part.name)
    rows = [
        _public(by_id[sample.id], sample)
        for sample in part.selected
        for _, by_id in sorted(by_order.items())
        if sample.id in by_id
    ]
    stem = f"predictions/{part.name}.main"
    members: dict[str, bytes | Path] = {f"{stem}.jsonl": encode_rows(rows)}
    if part.gallery is not None and (run.path / f"{stem}.npy").is_file():
        members[f"{stem}.npy"] = run.path / f"{stem}.npy"
    return members


def _public(row: Prediction, sample: Sample) -> Prediction:
    return replace(row, reply=seal(row.reply, sample_texts(sample)), error=_error_kind(row.error))


def _error_kind(error: str | None) -> str | None:
    if error is None:
        return None
    kind = _ERROR_KIND.match(error)
    return kind[0] if kind else "error"


def _sealed_judge_replies(run: Run, parts: Iterable[Part], replies: Mapping[str, JudgeReply]) -> list[JudgeReply]:
    """Seal a judge's replies about answers of the run, sorted by key; others are left out."""
    texts = judged_texts(run, parts)
    return [
        replace(replies[key], reply=seal(replies[key].reply, texts[key]), error=_error_kind(replies[key].error))
        for key in sorted(texts)
        if key in replies
    ]


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _digest(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return sha256(content).hexdigest()
    with content.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
