"""What a long run meets: decoders that hang, files that go away, clocks that jump, disks that are full."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from egobench.errors import StoreError, StuckVideoError
from egobench.evaluate import Result, evaluate
from egobench.loop import ask
from egobench.model import ModelInfo, Prompt, Reply
from egobench.run.spec import Settings
from egobench.video import ClipRequest, ClipStream, DecodedClip, FailedClip, FrameRule, read_clips
from tests.conftest import Navigation

RULE = FrameRule(count=4, short_side=48)


class First:
    """Answers A, and calls back before every answer."""

    info = ModelInfo("first", "1")

    def __init__(self, before: Any = None) -> None:
        self.before = before
        self.asked = 0

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        self.asked += len(prompts)
        if self.before is not None:
            self.before()
        return [Reply("A")] * len(prompts)


def run(world: Navigation, model: First, out: str = "runs", **settings: Any) -> Result:
    return evaluate(model, [world.sample_set], world.videos, world.root / out, Settings(**settings))


def outcomes(result: Result) -> dict[str, int]:
    """How often there was which outcome."""
    (entry, *_) = result.scores.values()
    return {name: count for name, count in entry.outcomes.items() if count}


class HangingReader:
    """Reads clips, and hangs at some videos until it is released.

    Args:
        stuck: Videos that it hangs at.
    """

    def __init__(self, stuck: set[Path]) -> None:
        self.stuck, self.release = stuck, Event()

    def __call__(
        self, path: Path, requests: Sequence[ClipRequest], *, stop: Event
    ) -> Generator[DecodedClip | FailedClip, None, None]:
        if path in self.stuck:
            self.release.wait()
        yield from read_clips(path, requests, stop=stop)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_decoder_that_hangs_fails_its_clips_and_the_others_come(navigation: Navigation, workers: int) -> None:
    reader = HangingReader({navigation.video(2), navigation.video(3)})
    groups = [
        [ClipRequest(f"{number} {start}", navigation.video(number), start, None, RULE) for start in (0.0, 0.5)]
        for number in range(6)
    ]
    with ClipStream(groups, reader, workers=workers, timeout=0.5) as stream:
        clips = list(stream)
        reader.release.set()
    assert [clip.key for clip in clips] == [request.key for group in groups for request in group]
    errors = {clip.key: clip.error for clip in clips if isinstance(clip, FailedClip)}
    assert list(errors) == ["2 0.0", "2 0.5", "3 0.0", "3 0.5"]
    assert {type(error) for error in errors.values()} == {StuckVideoError}
    assert "not decoded within 0.5 seconds" in str(errors["2 0.0"])


def test_a_run_with_a_decoder_that_hangs_ends_and_the_next_one_asks_what_is_left(
    navigation: Navigation, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = HangingReader({navigation.video(4)})
    monkeypatch.setattr("egobench.engines.local.read_clips", reader)
    hung, model = run(navigation, First(), clip_timeout=0.5), First()
    assert outcomes(hung) == {"answered": 11, "media_error": 1}
    reader.release.set()
    assert outcomes(run(navigation, model)) == {"answered": 12}
    assert model.asked == 1


def test_a_slow_model_lets_no_clip_time_out(navigation: Navigation) -> None:
    # Six clips wait for the model for longer than a clip may take; nothing is being decoded then.
    result = run(navigation, First(lambda: time.sleep(0.3)), clip_timeout=0.8, limit=6)
    assert outcomes(result) == {"answered": 6}


def test_a_video_that_disappears_during_the_run_is_a_media_error_and_asked_when_it_is_back(
    navigation: Navigation,
) -> None:
    video = navigation.video(11)
    content, model = video.read_bytes(), First()
    model.before = lambda: video.unlink(missing_ok=True)
    assert outcomes(run(navigation, model, in_flight=1)) == {"answered": 11, "media_error": 1}
    video.write_bytes(content)
    again = First()
    assert outcomes(run(navigation, again)) == {"answered": 12}
    assert again.asked == 1


def test_a_clock_that_jumps_changes_nothing(navigation: Navigation, monkeypatch: pytest.MonkeyPatch) -> None:
    calm = (run(navigation, First(), "calm").path / "scores.json").read_bytes()
    times = iter(range(10**9, 0, -86_400))
    monkeypatch.setattr(time, "time", lambda: float(next(times)))
    jumping = run(navigation, First(), "jumping")
    assert (jumping.path / "scores.json").read_bytes() == calm
    again = First()
    run(navigation, again, "jumping")
    assert again.asked == 0


def test_a_disk_that_is_full_ends_the_run_and_the_next_one_asks_the_rest(
    navigation: Navigation, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    whole = (run(navigation, First(), "whole").path / "scores.json").read_bytes()
    model, record = First(), ask.PartRun.record

    def fill_up(work: Any, predictions: Any) -> None:
        if model.asked == 5:
            (file,) = work.run._files.values()
            file.close()
            work.run._files = {name: full.open("wb", buffering=0) for name in work.run._files}
        record(work, predictions)

    with monkeypatch.context() as patch:
        patch.setattr(ask.PartRun, "record", fill_up)
        with pytest.raises(StoreError, match="No space left on device"):
            run(navigation, model, "full")
    again = First()
    assert (run(navigation, again, "full").path / "scores.json").read_bytes() == whole
    # Four were written, and the fifth was lost with the disk.
    assert again.asked == 8
