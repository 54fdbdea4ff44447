"""A run through a frame store: the same predictions, and nothing decoded twice."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from egobench.errors import FrameStoreVersionError
from egobench.evaluate import Result, evaluate
from egobench.model import FramePolicy, ModelInfo, Prompt, Reply
from egobench.observer import SilentObserver
from egobench.run.spec import Settings
from egobench.video import ClipRequest, DecodedClip, FrameRule, FrameStore, ReadThrough, read_clips
from egobench.video.frame_store import read_through
from egobench.video.frame_store.claims import try_claim
from egobench.video.frame_store.filling import CLAIMS
from tests.cli import egobench
from tests.conftest import Navigation

RULE = FrameRule(count=8, short_side=32)


class Reddest:
    """Answers by the colour of the frames."""

    info = ModelInfo("reddest", "1", frames=FramePolicy(count=8, short_side=32))

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        return [Reply("ABCD"[int(prompt.frames.mean()) % 4]) for prompt in prompts]


@dataclass(frozen=True)
class Warnings(SilentObserver):
    """Keeps warnings."""

    messages: list[str] = field(default_factory=list[str])

    def warn(self, message: str) -> None:
        self.messages.append(message)


@contextmanager
def decoding() -> Generator[list[str]]:
    """Keys of the clips that are decoded on the way to a frame store."""
    decoded: list[str] = []

    def spy(path: Path, requests: Sequence[ClipRequest], **options: Any) -> Any:
        decoded.extend(request.key for request in requests)
        return read_clips(path, requests, **options)

    patch = pytest.MonkeyPatch()
    patch.setattr(read_through, "read_clips", spy)
    try:
        yield decoded
    finally:
        patch.undo()


def run(world: Navigation, out: str, **settings: Any) -> Result:
    return evaluate(Reddest(), [world.sample_set], world.videos, world.root / out, Settings(**settings))


def predictions(result: Result) -> list[dict[str, Any]]:
    """Lines of the predictions without what only clocks decide."""
    (file,) = (result.path / "predictions").iterdir()
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_predictions_and_receipts_are_the_same_with_an_empty_store_a_full_one_and_none(navigation: Navigation) -> None:
    store = navigation.root / "frames"
    plain = run(navigation, "plain")
    with decoding() as decoded:
        filled = run(navigation, "filled", frame_store=store)
        # The twelve videos are copies of four.
        assert len(decoded) == 4
        decoded.clear()
        read = run(navigation, "read", frame_store=store, workers=2)
        other_control = run(navigation, "reversed", frame_store=store, control="reversed")
        assert decoded == []
    assert predictions(plain) == predictions(filled) == predictions(read)
    assert {name.read_bytes() for result in (plain, filled, read) for name in result.path.glob("scores.json")} == {
        (plain.path / "scores.json").read_bytes()
    }
    assert [row["receipt"]["sha256"] for row in predictions(other_control)] == [
        row["receipt"]["sha256"] for row in predictions(plain)
    ]


def test_a_store_that_was_filled_ahead_serves_the_run(navigation: Navigation) -> None:
    folder = navigation.root / "frames"
    command = ("frames", navigation.data, "--videos", navigation.videos, "--out", folder, "--frames", "8")
    assert egobench(*command, "--short-side", "32").returncode == 0
    with decoding() as decoded:
        run(navigation, "runs", frame_store=folder)
    assert decoded == []


def test_a_store_of_another_version_is_refused_before_anything_is_asked(navigation: Navigation) -> None:
    folder = navigation.root / "frames"
    run(navigation, "first", frame_store=folder)
    (folder / "store.json").write_text('{"version": 99}')
    with pytest.raises(FrameStoreVersionError, match="99"):
        run(navigation, "second", frame_store=folder)
    arguments = ("--data", navigation.data, "--videos", navigation.videos, "--out", navigation.root / "third")
    process = egobench("run", "random", *arguments, "--frame-store", folder)
    assert process.returncode == 1
    assert str(folder) in process.stderr
    assert not (navigation.root / "third").exists()


def requests(world: Navigation) -> list[ClipRequest]:
    """A clip of every video."""
    return [ClipRequest(sample.id, world.videos / sample.video, 0.0, None, RULE) for sample in world.sample_set.samples]


def read_all(reader: ReadThrough, clips: Sequence[ClipRequest]) -> dict[str, str]:
    """Hash of the pixels of clips, by key; the error's name where there are none."""
    read = [clip for request in clips for clip in reader(request.path, [request], stop=Event())]
    return {
        clip.key: clip.receipt.sha256 if isinstance(clip, DecodedClip) else type(clip.error).__name__ for clip in read
    }


def test_a_video_that_another_process_is_putting_there_is_decoded_and_not_kept(navigation: Navigation) -> None:
    folder, clips = navigation.root / "frames", requests(navigation)
    store = FrameStore(folder)
    expected = read_all(ReadThrough(FrameStore(navigation.root / "other"), Warnings()), clips)
    with ReadThrough(store, Warnings()) as reader:
        busy = store.catalogue.content(clips[0].path).video
        with try_claim(folder / CLAIMS, busy) as claimed:
            assert claimed
            assert read_all(reader, clips) == expected
    # Videos of one colour are copies of one another, so three of the twelve are the busy one.
    assert FrameStore(folder).estimate(clips).stored == 9


def test_a_full_disk_is_warned_of_once_and_the_run_goes_on(navigation: Navigation) -> None:
    observer, clips = Warnings(), requests(navigation)
    expected = read_all(ReadThrough(FrameStore(navigation.root / "other"), Warnings()), clips)
    with ReadThrough(FrameStore(navigation.root / "frames"), observer, reserve=1 << 60) as reader:
        assert read_all(reader, clips) == expected
    assert len(observer.messages) == 1
    assert "frames are not kept any more" in observer.messages[0]


def test_a_store_that_cannot_be_written_is_warned_of_once_and_the_run_goes_on(navigation: Navigation) -> None:
    observer, clips = Warnings(), requests(navigation)
    folder = Path("/proc/egobench-frames")
    if not folder.parent.is_dir():
        pytest.skip("this system has no /proc, where nobody may write")
    with ReadThrough(FrameStore(folder), observer) as reader:
        read = read_all(reader, clips)
    assert len(observer.messages) == 1
    assert all(len(digest) == 64 for digest in read.values())


def test_a_video_that_disappears_is_a_media_error_whether_its_frames_are_stored_or_not(navigation: Navigation) -> None:
    folder = navigation.root / "frames"
    run(navigation, "first", frame_store=folder)
    navigation.video(3).unlink()
    rows = predictions(run(navigation, "second", frame_store=folder))
    assert [row["outcome"] for row in rows].count("media_error") == 1
