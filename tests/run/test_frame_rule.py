"""Which frames are shown: the run's, else the model's, else the task's."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from egobench.model import FramePolicy, ModelInfo
from egobench.plugins import load_task
from egobench.run.media import MOST_FRAMES, frame_rule
from egobench.run.spec import RunSpec, Settings

TASK = load_task("egoschema")
SLOW = ModelInfo("slow", "1", frames=FramePolicy(count=32, short_side=96, fps=3.0))


def test_a_model_may_ask_for_a_rate() -> None:
    rule = frame_rule(TASK, SLOW, Settings())
    assert rule is not None
    assert (rule.count, rule.fps, rule.short_side) == (32, 3.0, 96)
    # Two seconds at 3 a second are 6 frames; a minute would be 180, and 32 are the most.
    assert [len(rule.moments(0.0, seconds, 60.0)) for seconds in (2.0, 60.0)] == [6, 32]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [(Settings(frames=8), (8, None)), (Settings(fps=1.0), (MOST_FRAMES, 1.0)), (Settings(fps=1.0, frames=4), (4, 1.0))],
)
def test_what_the_run_says_comes_first(settings: Settings, expected: tuple[int, float | None]) -> None:
    rule = frame_rule(TASK, SLOW, settings)
    assert rule is not None
    assert (rule.count, rule.fps) == expected


def test_a_model_without_a_rate_is_known_as_before_there_were_rates() -> None:
    plain = ModelInfo("plain", "1", frames=FramePolicy(count=8))
    content = RunSpec.of(plain, [], {}, Settings()).model
    assert content["frames"] == {"count": 8, "short_side": None}
    assert RunSpec.of(SLOW, [], {}, Settings()).model["frames"] == asdict(SLOW.frames)
