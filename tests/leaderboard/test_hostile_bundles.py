"""A bundle is a stranger's file: what may do harm is refused by name, everything else is text."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from stat import S_IFLNK
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import pytest

from egobench.errors import BundleError
from egobench.leaderboard import archive
from egobench.leaderboard.archive import copy_run, unpack
from egobench.leaderboard.checks import check_submission
from egobench.leaderboard.submission import record_path
from tests.leaderboard.submissions import (
    VLN_ACC,
    VLN_ROWS,
    Members,
    World,
    change_json,
    put_rows,
    read_members,
    rows,
    write_members,
)


def refused(path: Path, world: World) -> dict[str, str]:
    """What a bundle is refused for; nothing but itself and its folder was touched."""
    before = sorted(path.parent.rglob("*"))
    record = check_submission(path, world.data)
    assert sorted(path.parent.rglob("*")) == before
    assert record.level is None
    return dict(record.failed)


def with_member(
    guessed: Path, path: Path, info: ZipInfo | str, content: bytes = b"x", method: int = ZIP_DEFLATED
) -> Path:
    path.write_bytes(guessed.read_bytes())
    with ZipFile(path, "a", method) as file:
        file.writestr(info, content, compress_type=method)
    return path


@pytest.mark.parametrize("name", [
    "../evil.txt", "/etc/evil", "predictions/../../evil.jsonl", "C:\\evil.txt", "..\\evil", "predictions\\a.jsonl",
    "evil.py", "predictions/", "predictions/a/b.jsonl", "judge./../evil.jsonl", "run.json\x00.txt", "\u202enosj.nur",
    "predictions/.hidden.jsonl", "checksums.txt ", "x" * 300, "__pycache__/sitecustomize.pyc", "",
])  # fmt: skip
def test_a_name_that_no_bundle_has_is_refused(guessed: Path, world: World, tmp_path: Path, name: str) -> None:
    info = ZipInfo("placeholder")
    info.filename = info.orig_filename = name
    problems = refused(with_member(guessed, tmp_path / "b.zip", info), world)
    assert problems.keys() == {"archive"}
    assert "no file of that name" in problems["archive"] or "longer than" in problems["archive"]


def test_a_link_is_refused(guessed: Path, world: World, tmp_path: Path) -> None:
    info = ZipInfo("predictions/vln-qa.all.mcq.official.other.jsonl")
    info.create_system, info.external_attr = 3, (S_IFLNK | 0o777) << 16
    problems = refused(with_member(guessed, tmp_path / "b.zip", info, b"/etc/passwd"), world)
    assert "a link or a device" in problems["archive"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_comes_twice_is_refused(guessed: Path, world: World, tmp_path: Path) -> None:
    assert "it comes twice" in refused(with_member(guessed, tmp_path / "b.zip", "run.json"), world)["archive"]


def test_another_compression_is_refused(guessed: Path, world: World, tmp_path: Path) -> None:
    path = with_member(guessed, tmp_path / "b.zip", "judge.x.jsonl", method=ZIP_BZIP2)
    assert "another way than deflate" in refused(path, world)["archive"]


def test_an_encrypted_file_is_refused(guessed: Path, world: World, tmp_path: Path) -> None:
    content = bytearray(guessed.read_bytes())
    # The flags of the first entry of the central directory, 8 bytes after its signature.
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "b.zip").write_bytes(content)
    assert "encrypted" in refused(tmp_path / "b.zip", world)["archive"]


def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    guessed: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 2**22)
    bomb = b"0" * 2**23
    path = with_member(guessed, tmp_path / "b.zip", "predictions/vln-qa.all.mcq.official.other.npy", bomb)
    assert path.stat().st_size < 2**17
    assert "bytes when unpacked" in refused(path, world)["archive"]


def test_a_bomb_that_says_it_is_small_is_cut_off(guessed: Path, world: World, tmp_path: Path) -> None:
    name = b"judge.bomb.jsonl"
    path = with_member(guessed, tmp_path / "b.zip", name.decode(), b"0" * 2**22)
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    assert name in content[entry:]
    content[entry + 24 : entry + 28] = struct.pack("<L", 5)  # the size when unpacked
    path.write_bytes(content)
    assert refused(path, world).keys() == {"archive"}


def test_too_many_files_are_refused(guessed: Path, world: World, tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(guessed.read_bytes())
    with ZipFile(path, "a") as file:
        for number in range(archive.MAX_MEMBERS):
            file.writestr(f"judge.{number}.jsonl", b"")
    assert "files in it" in refused(path, world)["archive"]


@pytest.mark.parametrize("content", [b"", b"PK", b"<html>", b"PK\x05\x06" + b"\0" * 18, b"\x1f\x8b\x08" + b"\0" * 30])
def test_what_is_no_archive_is_refused(world: World, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.zip").write_bytes(content)
    assert refused(tmp_path / "b.zip", world).keys() & {"archive", "schema"}


def test_an_archive_that_was_cut_or_flipped_is_refused(guessed: Path, world: World, tmp_path: Path) -> None:
    content = guessed.read_bytes()
    (tmp_path / "cut.zip").write_bytes(content[:-200])
    assert refused(tmp_path / "cut.zip", world).keys() == {"archive"}
    flipped = bytearray(content)
    flipped[200] ^= 0xFF
    (tmp_path / "flipped.zip").write_bytes(flipped)
    assert refused(tmp_path / "flipped.zip", world).keys() == {"archive"}


def test_nothing_at_the_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle and no finished run"):
        check_submission(tmp_path / "nothing.zip")
    with pytest.raises(BundleError, match="cannot be read or unpacked"):
        unpack(tmp_path / "nothing.zip", tmp_path)


def replace_text(name: str, before: bytes, after: bytes) -> Callable[[Members], None]:
    def edit(members: Members) -> None:
        assert before in members[name]
        members[name] = members[name].replace(before, after, 1)

    return edit


BAD_JSON: dict[str, Callable[[Members], None]] = {
    "NaN": replace_text("scores.json", b'"chance": 0.25', b'"chance": NaN'),
    "infinity": replace_text(VLN_ROWS, b'"seconds": ', b'"seconds": 1e999, "cost": '),
    "a key twice": replace_text("run.json", b'"limit": null', b'"limit": null, "limit": 3'),
    "a key twice in a row": replace_text(VLN_ROWS, b'"order": 0', b'"order": 0, "order": 0'),
    "UTF-16": lambda members: members.update({"run.json": members["run.json"].decode().encode("utf-16")}),
    "Latin-1": replace_text(VLN_ROWS, b'"reply": "', b'"reply": "\xe9'),
    "half a character": replace_text(VLN_ROWS, b'"reply": "', b'"reply": "\\ud800'),
    "endless digits": replace_text(VLN_ROWS, b'"order": 0', b'"order": ' + b"9" * 5000),
    "deep": lambda members: members.update({"run.json": b"[" * 100_000 + b"]" * 100_000}),
    "no object": lambda members: members.update({"run.json": b"[1, 2]"}),
    "a text for what is recorded": lambda members: change_json(
        members, "run.json", lambda content: content.update(recorded=" ")
    ),
    "a list for the spec": lambda members: change_json(members, "run.json", lambda content: content.update(spec=[1])),
    "no scores": lambda members: members.update({"scores.json": b"[1, 2]"}),
    "a long text": replace_text(VLN_ROWS, b'"reply": "', b'"reply": "' + b"x" * 10 * 2**20),
    "a long name": replace_text("run.json", b'"name": "random"', b'"name": "' + b"x" * 10 * 2**20 + b'"'),
    "an object for a text": replace_text(VLN_ROWS, b'"rule": "letter"', b'"rule": {"a": 1}'),
    "true for a number": replace_text("run.json", b'"task_version": 1', b'"task_version": true'),
    "a text for a number": replace_text("run.json", b'"orders": 1', b'"orders": "1"'),
    "no order": replace_text("run.json", b'"orders": 1', b'"orders": 0'),
    "a limit of none": replace_text("run.json", b'"limit": null', b'"limit": 0'),
    "endless frames": replace_text("run.json", b'"count": 4', b'"count": 4000000000'),
    "control codes in a name": replace_text("run.json", b'"name": "random"', b'"name": "\\u001b[2Jrandom"'),
    "a name from right to left": replace_text("run.json", b'"name": "random"', b'"name": "\\u202emodnar"'),
    "a name that leads elsewhere": replace_text("run.json", b'"name": "random"', b'"name": "\\u0000/etc"'),
    "no metric of ours": replace_text("scores.json", VLN_ACC.encode(), b"vln-qa"),
}


@pytest.mark.parametrize("fault", BAD_JSON)
def test_json_beyond_its_limits_is_refused_with_its_place(
    guessed: Path, world: World, tmp_path: Path, fault: str
) -> None:
    members = read_members(guessed)
    BAD_JSON[fault](members)
    problems = refused(write_members(tmp_path / "b.zip", members), world)
    assert problems.keys() == {"schema"}
    assert any(name in problems["schema"] for name in ("run.json", "scores.json", "official.main.jsonl", "name"))
    assert len(problems["schema"]) < 1_000


SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)> \u202e\x1b]0;owned\x07 {{7*7}} %s {0} ../../x"


def test_script_and_control_codes_in_replies_are_text(guessed: Path, world: World, tmp_path: Path) -> None:
    members = read_members(guessed)
    changed = rows(members)
    changed[0] |= {"reply": SCRIPT, "outcome": "unparsed", "choice": None, "scores": None}
    put_rows(members, changed)
    problems = refused(write_members(tmp_path / "b.zip", members), world)
    # Only the numbers no longer fit; the text itself is nothing to refuse.
    assert problems.keys() <= {"counts", "replies", "scores"}


def test_script_in_a_model_s_name_is_text(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    change_json(members, "run.json", lambda content: content["spec"]["model"].update(name="<script>alert(1)</script>"))
    problems = dict(check_submission(write_members(tmp_path / "b.zip", members)).failed)
    assert problems.keys() == {"run id"}


class Evil:
    """Touches a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("evil"),))


@pytest.mark.parametrize("kind", ["pickle", "object array", "huge header", "long header", "archive"])
def test_a_table_is_never_unpickled_and_never_larger_than_its_file(
    embedded: Path, world: World, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stream = BytesIO()
    if kind == "pickle":
        stream.write(pickle.dumps(Evil()))
    elif kind == "object array":
        np.save(stream, np.array([[Evil()]], object), allow_pickle=True)
    elif kind == "archive":
        np.savez(stream, scores=np.zeros(3))
    else:
        shape = (10**9, 10**9) if kind == "huge header" else tuple([1] * 20_000)
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
        stream.write(b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header)
    members = read_members(embedded)
    members["predictions/epic-kitchens-mir.all.gallery.gallery.main.npy"] = stream.getvalue()
    assert refused(write_members(tmp_path / "b.zip", members), world).keys() & {"schema", "scores"}
    assert not (tmp_path / "evil").exists()


def test_messages_of_a_refusal_are_short(guessed: Path, world: World, tmp_path: Path) -> None:
    members = read_members(guessed)
    put_rows(members, [{**row, "id": json.dumps(row["id"]) * 1_000} for row in rows(members)])
    assert max(map(len, refused(write_members(tmp_path / "b.zip", members), world).values())) < 2_000


def test_a_run_folder_with_a_pipe_in_it_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "run" / "predictions").mkdir(parents=True)
    (tmp_path / "run" / "checksums.txt").write_text("")
    os.mkfifo(tmp_path / "run" / "predictions" / "rows.jsonl")
    with pytest.raises(BundleError, match=r"cannot be copied \(`.*rows\.jsonl` is a named pipe\); expected"):
        copy_run(tmp_path / "run", tmp_path / "copy")
    record = check_submission(tmp_path / "run")
    assert (record.level, [failed.check for failed in record.failed]) == (None, ["archive"])


def test_a_run_is_checked_from_within_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs" / "one").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "runs" / "one")
    assert record_path(Path()) == tmp_path / "runs" / "one.check.json"
    assert record_path(Path("..")) == tmp_path / "runs.check.json"
    assert record_path(Path("a.zip")) == Path("a.zip.check.json")
