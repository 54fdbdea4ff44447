"""Several processes at one store, killed ones, half-written files, other versions: nothing made before is lost."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from egobench.errors import FrameStoreError, FrameStoreVersionError, MissingFramesError
from egobench.video.frame_store.shards import check_version
from tests.video.frame_store.clips import (
    assert_holds_all,
    assert_same,
    decode,
    open_store,
    requests,
    shard_bytes,
    start_filling,
)


@pytest.fixture(scope="module")
def whole_bytes(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Bytes of a store that one process filled with all clips, undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    open_store(folder).fill(requests())
    return shard_bytes(folder)


def test_two_processes_fill_one_store_and_none_decodes_what_the_other_does(tmp_path: Path, whole_bytes: int) -> None:
    folder = tmp_path / "store"
    processes = [start_filling(folder, advance="time.sleep(0.05)") for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    reader, expected, read_early = open_store(folder), {clip.key: decode(clip) for clip in requests()}, 0
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    while any(process.poll() is None for process in processes):
        for request in requests():
            try:
                clip = reader.read(request, check=True)
            except MissingFramesError:
                continue
            assert_same(clip, expected[request.key])
            read_early += 1
        time.sleep(0.05)
    outputs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    counts = [tuple(map(int, output.split())) for output, _ in outputs]
    assert read_early > 0
    assert sum(added for _, added, _ in counts) == 30
    assert all(added > 0 and stored + added == 30 for stored, added, _ in counts)
    assert shard_bytes(folder) == whole_bytes
    assert len(list(folder.glob("*.frames"))) == 2
    assert not list((folder / "claims").iterdir())
    assert_holds_all(folder, requests())


@pytest.mark.parametrize("clips_before", [1, 8, 29])
def test_a_killed_process_loses_no_clip_that_was_on_disk(tmp_path: Path, whole_bytes: int, clips_before: int) -> None:
    kill = f"STATE[0] += 1; STATE[0] == {clips_before} and os.kill(os.getpid(), 9)"
    # A group of one byte: every clip is put on disk at once.
    process = start_filling(tmp_path, advance=kill, prepare="STATE = [0]; shards.GROUP_BYTES = 1")
    output, error = process.communicate("\n")
    assert process.returncode == -signal.SIGKILL, (output, error)
    assert open_store(tmp_path).estimate(requests()).stored >= clips_before
    report = open_store(tmp_path).fill(requests())
    assert report.stored >= clips_before
    assert report.stored + report.added == 30
    assert shard_bytes(tmp_path) == whole_bytes
    assert_holds_all(tmp_path, requests())


@pytest.mark.parametrize("call", [2, 5, 9])
def test_a_process_killed_in_the_middle_of_a_frame_leaves_nothing_behind(
    tmp_path: Path, whole_bytes: int, call: int
) -> None:
    prepare = f"""
whole, STATE = shards._write_all, [0]
def half(descriptor, data, offset):
    STATE[0] += 1
    if STATE[0] == {call}:
        whole(descriptor, data[: len(data) // 2], offset)
        os.kill(os.getpid(), 9)
    whole(descriptor, data, offset)
shards._write_all, shards.GROUP_BYTES = half, 1
"""
    process = start_filling(tmp_path, prepare=prepare)
    process.communicate("\n")
    assert process.returncode == -signal.SIGKILL
    report = open_store(tmp_path).fill(requests())
    assert report.stored + report.added == 30
    assert shard_bytes(tmp_path) == whole_bytes
    assert_holds_all(tmp_path, requests())


def test_a_full_disk_is_a_clear_error_and_what_was_written_stays(tmp_path: Path, whole_bytes: int) -> None:
    # The system refuses to let a file grow beyond half of what is needed, as a full disk would.
    prepare = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({whole_bytes // 2}, resource.RLIM_INFINITY))"
    )
    process = start_filling(tmp_path, prepare=prepare)
    _, error = process.communicate("\n")
    assert process.returncode == 1
    assert "FrameStoreError" in error
    assert "cannot be written" in error
    report = open_store(tmp_path).fill(requests())
    assert report.stored > 5
    assert report.stored + report.added == 30
    assert_holds_all(tmp_path, requests())


def test_a_torn_last_line_and_pixels_without_a_line_are_cut_off(tmp_path: Path, whole_bytes: int) -> None:
    open_store(tmp_path).fill(requests()[:12])
    with (tmp_path / "00000.jsonl").open("ab") as rows, (tmp_path / "00000.frames").open("ab") as frames:
        rows.write(b'{"video": "12ab", "decoder": "py')
        frames.write(b"\x55" * 1000)
    assert_holds_all(tmp_path, requests()[:12])
    assert open_store(tmp_path).fill(requests()).stored == 12
    assert shard_bytes(tmp_path) == whole_bytes
    assert_holds_all(tmp_path, requests())


def test_a_shard_that_was_copied_in_part_is_made_up_for_in_another(tmp_path: Path) -> None:
    open_store(tmp_path).fill(requests())
    shard = tmp_path / "00000.frames"
    with shard.open("r+b") as frames:
        frames.truncate(shard.stat().st_size // 2)
    left = shard.read_bytes()
    lost = requests()[-1]
    with pytest.raises(MissingFramesError, match="rows speak of bytes that are not in their shards"):
        open_store(tmp_path).read(lost)
    report = open_store(tmp_path).fill(requests())
    assert report.added > 0
    assert report.stored > 0
    assert shard.read_bytes() == left
    assert_holds_all(tmp_path, requests())


@pytest.mark.parametrize(
    ("written", "damage"),
    [
        (b'"kind": "clip"', b'"kind": "clop"'),
        (b'"width": ', b'"width": -'),
        (b'"sha256": "', b'"sha512": "'),
        (b'"crc32": [', b'"crc32": [1, '),
        (b'"video": "', b'"video": "../'),
        (b"}", b"]"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, written: bytes, damage: bytes) -> None:
    open_store(tmp_path).fill(requests())
    rows = tmp_path / "00000.jsonl"
    lines = rows.read_bytes().splitlines(keepends=True)
    lines[-2] = lines[-2].replace(written, damage)
    rows.write_bytes(b"".join(lines))
    with pytest.raises(FrameStoreError, match=r"00000\.jsonl: a damaged line .*delete it and 00000\.frames"):
        open_store(tmp_path)
    rows.unlink()
    (tmp_path / "00000.frames").unlink()
    assert open_store(tmp_path).fill(requests()).added == 30


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps({"content": "egobench frame store", "version": 99}), "version 99; this EgoBench reads version 2"),
        ("[" * 100_000, "damaged"),
        ("{", "damaged"),
        ("[]", "version"),
        (None, "no store.json"),
    ],
)
def test_a_store_of_another_version_is_refused_and_not_touched(
    tmp_path: Path, content: str | None, message: str
) -> None:
    open_store(tmp_path).fill(requests()[:2])
    file = tmp_path / "store.json"
    file.unlink() if content is None else file.write_text(content)
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(FrameStoreVersionError, match=message):
        open_store(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_file_is_no_frame_store(tmp_path: Path) -> None:
    file = tmp_path / "frames"
    file.touch()
    with pytest.raises(FrameStoreError, match="frames: is a file; expected the folder of a frame store"):
        open_store(file)


def test_a_store_that_another_process_begins_between_two_looks_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Path.glob

    def begin(folder: Path, pattern: str) -> Iterator[Path]:
        monkeypatch.setattr(Path, "glob", look)
        open_store(tmp_path).fill(requests()[:2])
        return look(folder, pattern)

    monkeypatch.setattr(Path, "glob", begin)
    assert check_version(tmp_path)


def test_a_store_whose_version_changes_while_it_is_open_is_not_written(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.fill(requests()[:2])
    (tmp_path / "store.json").write_text(json.dumps({"content": "egobench frame store", "version": 3}))
    before = shard_bytes(tmp_path)
    with pytest.raises(FrameStoreVersionError):
        store.fill(requests())
    assert shard_bytes(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(FrameStoreError, match="file"):
        open_store(blocked / "store").fill(requests()[:2])
