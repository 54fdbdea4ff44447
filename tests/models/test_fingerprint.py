"""The fingerprint of a checkpoint: whatever can change an answer is in it, and it is computed once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from egobench.cache_folder import cache_folder
from egobench.errors import ModelError
from egobench.plugins import load_model
from tests.models.hf_asking import Checkpoint, load

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

digest_cache: Any = import_module("egobench.models._local.digest_cache")
fingerprint: Any = import_module("egobench.models._local.fingerprint")


def weights_of(folder: Path) -> str:
    return str(load(folder).info.weights)


def changed_json(folder: Path, name: str, **entries: object) -> None:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | entries))


def rope_theta(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["rope_parameters"]["rope_theta"] = 20000.0
    (folder / "config.json").write_text(json.dumps(config))


def norm_eps(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["rms_norm_eps"] = 1e-3
    (folder / "config.json").write_text(json.dumps(config))


def merges(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["merges"].pop()
    (folder / "tokenizer.json").write_text(json.dumps(content))


def image_mean(folder: Path) -> None:
    content = json.loads((folder / "processor_config.json").read_text())
    content["video_processor"]["image_mean"] = [0.4, 0.4, 0.4]
    (folder / "processor_config.json").write_text(json.dumps(content))


def blank_in_template(folder: Path) -> None:
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|im_start|>", "<|im_start|> "))


def last_number(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        (byte,) = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([byte ^ 1]))


def first_number(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        file.seek(start)
        (byte,) = file.read(1)
        file.seek(start)
        file.write(bytes([byte ^ 1]))


def end_of_reply(folder: Path) -> None:
    changed_json(folder, "generation_config.json", eos_token_id=2)


@pytest.mark.parametrize(
    "change",
    [rope_theta, norm_eps, merges, image_mean, blank_in_template, first_number, last_number, end_of_reply],
    ids=lambda change: change.__name__,
)
def test_two_checkpoints_that_answer_otherwise_have_two_fingerprints(
    change: Callable[[Path], None], checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "changed"))
    assert weights_of(folder) == weights_of(checkpoint("qwen2-vl"))
    change(folder)
    assert weights_of(folder) != weights_of(checkpoint("qwen2-vl"))


def test_what_no_loader_reads_and_where_the_folder_lies_is_not_in_it(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("qwen2-vl"), tmp_path / "moved"))
    (folder / "trainer_state.json").write_text("{}")
    (folder / "README.txt").write_text("notes")
    (folder / "README.md").write_text("notes")
    assert weights_of(folder) == weights_of(checkpoint("qwen2-vl"))


def test_dual_encoders_that_differ_in_their_tokenizer_alone_are_told_apart(tmp_path: Path) -> None:
    from tests.models.tiny_dual_encoders import clip

    folder = clip(tmp_path / "clip")
    before = load_model("dual-encoder", checkpoint=str(folder)).info.weights
    merges(folder)
    assert load_model("dual-encoder", checkpoint=str(folder)).info.weights != before


@pytest.mark.parametrize("part", ["config.json", "language/config.json", "tower-clip/config.json"])
def test_each_part_of_a_videollama2_is_in_its_fingerprint(part: str, tmp_path: Path) -> None:
    from tests.reference_exo2ego.published_layout import tiny_checkpoint

    folder = tiny_checkpoint(tmp_path / "videollama2", base=True)
    before = load_model("videollama2", checkpoint=str(folder)).info.weights
    changed_json(folder, part, note="another")
    assert load_model("videollama2", checkpoint=str(folder)).info.weights != before


@pytest.mark.parametrize("part", ["config.json", "language/config.json", "vocabulary/tokenizer.json"])
def test_each_part_of_a_videochat2_is_in_its_fingerprint(part: str, tmp_path: Path) -> None:
    from tests.models.tiny_videochat2 import tiny_videochat2

    file = tiny_videochat2(tmp_path / "videochat2")
    parts = {name: str(file.parent / name) for name in ("language", "vocabulary")}
    before = load_model("videochat2", checkpoint=str(file), **parts).info.weights
    if part.endswith("tokenizer.json"):
        merges(file.parent / "vocabulary")
    else:
        changed_json(file.parent, part, note="another")
    assert load_model("videochat2", checkpoint=str(file), **parts).info.weights != before


def test_a_pickle_is_hashed_whole(tmp_path: Path) -> None:
    # A flipped bit inside a record, which the archive's own list of check sums does not show.
    file = tmp_path / "weights.pth"
    torch.save({"weight": torch.arange(4096.0)}, file)
    before = fingerprint.checkpoint_fingerprint([], [file])
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert fingerprint.checkpoint_fingerprint([], [file]) != before


# --- Once ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is worth remembering, last changed a while ago; its digests go to a folder of the test."""
    monkeypatch.setenv("EGOBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(digest_cache, "SETTLED", -1)
    file = tmp_path / "weights.pth"
    file.write_bytes(bytes(range(256)) * 8192)
    return file


def entries(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "digests").iterdir())


def forge(entry: Path, digest: str = "f" * 64) -> None:
    """Put another digest into an entry: who sees it has not read the file."""
    entry.write_text(json.dumps(json.loads(entry.read_text()) | {"sha256": digest}))


def test_a_file_is_hashed_once(large: Path, tmp_path: Path) -> None:
    digest = digest_cache.file_digests([large])[large]
    (entry,) = entries(tmp_path)
    forge(entry)
    assert digest_cache.file_digests([large])[large] == "f" * 64
    # Touched, moved or written again it is hashed again.
    os.utime(large, (1, 1))
    assert digest_cache.file_digests([large])[large] == digest


def test_a_change_that_keeps_size_and_time_is_seen(large: Path) -> None:
    digest, status = digest_cache.file_digests([large])[large], large.stat()
    with large.open("r+b") as file:
        file.write(b"x")
    os.utime(large, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert large.stat().st_mtime_ns == status.st_mtime_ns
    assert digest_cache.file_digests([large])[large] != digest


def test_a_file_that_was_written_just_now_is_not_remembered(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest_cache, "SETTLED", 2_000_000_000)
    digest_cache.file_digests([large])
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"state": 1, "sha256": 2}', "[" * 100_000, '{"sha256": "x"}'])
def test_a_damaged_entry_is_made_again(content: str, large: Path, tmp_path: Path) -> None:
    digest = digest_cache.file_digests([large])[large]
    (entry,) = entries(tmp_path)
    whole = entry.read_text()
    entry.write_text(content)
    assert digest_cache.file_digests([large])[large] == digest
    assert entry.read_text() == whole


def test_a_cache_that_cannot_be_written_costs_time_alone(large: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the place of the folder")
    first = digest_cache.file_digests([large])
    assert digest_cache.file_digests([large]) == first


def test_the_cache_lies_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("EGOBENCH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "egobench"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "egobench"
    monkeypatch.setenv("EGOBENCH_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def test_several_processes_at_once_find_the_same(large: Path, tmp_path: Path) -> None:
    code = (
        "import importlib, pathlib, sys; cache = importlib.import_module('egobench.models._local.digest_cache'); "
        "cache.SETTLED = -1; path = pathlib.Path(sys.argv[1]); print(cache.file_digests([path])[path])"
    )
    command = [sys.executable, "-P", "-c", code, str(large)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert {process.communicate()[0].strip() for process in running} == set(digest_cache.file_digests([large]).values())
    # Entries appear whole: no part of one is left.
    assert [entry.suffix for entry in entries(tmp_path)] == [".json"]


def test_the_digest_is_that_of_the_digests_of_its_chunks(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hashlib import sha256

    monkeypatch.setattr(digest_cache, "CHUNK", 1_000_000)
    steps: list[tuple[int, int]] = []
    found = digest_cache.file_digests([large], lambda done, total: steps.append((done, total)))[large]
    content = large.read_bytes()
    parts = [sha256(content[start : start + 1_000_000]).digest() for start in range(0, len(content), 1_000_000)]
    assert found == sha256(b"".join(parts)).hexdigest()
    assert steps == [(done, 2_097_152) for done in (0, 1_000_000, 2_000_000, 2_097_152)]


def test_a_file_that_is_gone_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.pth: cannot be read \(No such file or directory\)"):
        digest_cache.file_digests([tmp_path / "gone.pth"])
