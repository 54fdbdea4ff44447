"""The log of a training is read strictly: a page of numbers must not be made of something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from egobench.errors import TrainingError
from reference_exo2ego.training.tracking import JsonLines, LogRecord, read_log

STEP = {"loss": 1.5, "steps": 3, "clips": 8, "unreadable": 0, "seconds": 0.25, "rate": 1e-3}


def test_what_was_written_is_read_and_a_torn_line_is_not(tmp_path: Path) -> None:
    log = JsonLines(tmp_path / "log.jsonl")
    log.write(LogRecord("step", "init", 1, STEP))
    log.write(LogRecord("note", "init", 1, {"note": "resumed"}))
    log.write(LogRecord("checkpoint", "init", 1, {"path": "step-000001", "seconds": 0.1}))
    log.close()
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"kind": "step", "sta')
    rows = list(read_log(tmp_path / "log.jsonl"))
    assert [row["kind"] for row in rows] == ["step", "note", "checkpoint"]
    assert {name: rows[0][name] for name in STEP} == STEP
    assert list(read_log(tmp_path / "none.jsonl")) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[]", "line 2, Input should be a valid dictionary"),
        (b"{", "line 2, line 1, column 2: not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[" * 20_000, "nested deeper"),
        (b'{"kind": "step"}', "stage: Field required"),
        (json.dumps({"kind": "step", "stage": "init", "step": 1} | STEP | {"rate": "x"}).encode(), "rate: "),
        (json.dumps({"kind": "step", "stage": "init", "step": -1} | STEP).encode(), "step: "),
        (
            b'{"kind": "captions", "stage": "init", "step": 1, "captions": [{"prompt": "a"}]}',
            "expected: Field required",
        ),
        (b'{"kind": "scores", "stage": "init", "step": 1, "scores": {"acc": 0.5}}', "scores.acc: "),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"kind": "begin", "stage": "init", "step": 0}\n' + line + b"\n")
    with pytest.raises(TrainingError, match=reason) as error:
        list(read_log(path))
    assert str(path) in str(error.value)
