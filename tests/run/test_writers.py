"""Several writers of one run: which of their predictions counts, what is cut off, and who is let in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from egobench.errors import BusyRunError, StoreError
from egobench.run import locks
from egobench.run.locks import UnitLocks
from egobench.run.recorder import LineRecorder
from egobench.run.records import Event, Prediction, RowFollower
from egobench.run.spec import RunSpec, SetRef
from egobench.run.store import Run, join_run, open_run, reopen_run
from tests.cli import EGOBENCH

SPEC = RunSpec(
    {"name": "toy", "revision": "1"},
    (SetRef("egoschema", 1, "official", "0" * 64),),
    *("base@0", {}, "generate", None, None, 0, "0.1.0"),
)
PART = "egoschema.all.mcq.official"


def lines(run: Run) -> dict[str, list[str]]:
    """Ids in each file of predictions."""
    return {
        file.name.split(".")[-2]: [json.loads(line)["id"] for line in file.read_text().splitlines()]
        for file in run.path.glob("predictions/*.jsonl")
    }


def test_each_of_those_that_share_a_run_writes_files_of_its_own_and_a_free_name_is_taken_again(tmp_path: Path) -> None:
    with join_run(tmp_path, SPEC, {}) as first, join_run(tmp_path, SPEC, {}) as second:
        assert (first.writer, second.writer) == ("worker-0", "worker-1")
        first.append(PART, [Prediction("a", "answered")])
        second.append(PART, [Prediction("b", "answered")])
        second.append_event(Event(PART, "halved"))
    with join_run(tmp_path, SPEC, {}) as third:
        assert third.writer == "worker-0"
        third.append(PART, [Prediction("c", "answered")])
        assert sorted(third.predictions(PART)) == ["a", "b", "c"]
    assert lines(third) == {"worker-0": ["a", "c"], "worker-1": ["b"]}
    assert [file.name for file in third.path.glob("events*")] == ["events.worker-1.jsonl"]


@pytest.mark.parametrize("answerer", [0, 1])
def test_an_answer_counts_over_an_earlier_failure_whichever_file_it_is_in(tmp_path: Path, answerer: int) -> None:
    with join_run(tmp_path, SPEC, {}) as first, join_run(tmp_path, SPEC, {}) as second:
        failing, answering = ((second, first), (first, second))[answerer]
        failing.append(PART, [Prediction("a", "media_error", error="gone")])
        recorder = LineRecorder(answering, PART)
        recorder.kept()
        recorder.write([Prediction("a", "answered", choice=1)])
        assert answering.predictions(PART)["a"] == Prediction("a", "answered", choice=1, revision=1)
        assert [row["outcome"] for row in answering.scored_rows(PART)] == ["answered"]


@pytest.mark.parametrize("answerer", [0, 1])
def test_an_answer_to_a_changed_video_counts_over_the_one_before(tmp_path: Path, answerer: int) -> None:
    with join_run(tmp_path, SPEC, {}) as first, join_run(tmp_path, SPEC, {}) as second:
        before, after = ((second, first), (first, second))[answerer]
        before.append(PART, [Prediction("a", "answered", choice=0, video="old")])
        recorder = LineRecorder(after, PART)
        recorder.kept()
        recorder.write([Prediction("a", "answered", choice=1, video="new")])
        assert after.predictions(PART)["a"].choice == 1
        assert [row.get("choice") for row in after.scored_rows(PART)] == [1]


def test_only_lines_of_its_own_are_cut_off_by_one_that_shares_and_all_by_one_that_is_alone(tmp_path: Path) -> None:
    with join_run(tmp_path, SPEC, {}) as run:
        run.append(PART, [Prediction("a", "answered")])
    own, other = (run.path / "predictions" / f"{PART}.worker-{number}.jsonl" for number in (0, 1))
    for file in (own, other):
        with file.open("a") as handle:
            handle.write('{"id": "torn')
    with join_run(tmp_path, SPEC, {}) as again:
        assert list(again.predictions(PART)) == ["a"]
        assert own.read_bytes().endswith(b"\n")
        # Another process may be writing the rest of it at this moment.
        assert other.read_bytes() == b'{"id": "torn'
    with reopen_run(run.path) as alone:
        assert other.read_bytes() == b""
        assert list(alone.predictions(PART)) == ["a"]


def test_a_process_that_works_alone_is_not_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    with (
        open_run(tmp_path, SPEC, {}),
        pytest.raises(BusyRunError, match="does not share"),
        join_run(tmp_path, SPEC, {}),
    ):
        pass
    with join_run(tmp_path, SPEC, {}), pytest.raises(BusyRunError, match="wait for it"), open_run(tmp_path, SPEC, {}):
        pass


def test_a_unit_that_another_process_has_is_not_taken_and_is_free_when_that_dies(tmp_path: Path) -> None:
    import signal
    import subprocess

    code = (
        "import sys, time; from pathlib import Path; from egobench.run.locks import UnitLocks\n"
        "locks = UnitLocks(Path(sys.argv[1]), 'part'); print(locks.take(7), flush=True); time.sleep(60)"
    )
    command = [EGOBENCH[0], "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, UnitLocks(tmp_path, "part") as units:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert [units.take(number) for number in (6, 7, 8)] == [True, False, True]
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert units.take(7)


def test_rows_of_others_are_read_once_each_and_a_torn_one_when_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / "p.b.jsonl").write_text('{"part": "p", "what": "before"}\n')
    follower = RowFollower(tmp_path, "p.*.jsonl", Event, but="p.own.jsonl")
    follower.skip()
    (tmp_path / "p.own.jsonl").write_text('{"part": "p", "what": "mine"}\n')
    with (tmp_path / "p.b.jsonl").open("a") as file:
        file.write('{"part": "p", "what": "first"}\n{"part": "p", "wh')
        file.flush()
        assert [row.what for row in follower.read_new()] == ["first"]
        file.write('at": "second"}\n')
        file.flush()
        assert [row.what for row in follower.read_new()] == ["second"]
    assert list(follower.read_new()) == []
    (tmp_path / "p.c.jsonl").write_text("{}\n")
    with pytest.raises(StoreError, match=r"p\.c\.jsonl: damaged"):
        list(follower.read_new())
