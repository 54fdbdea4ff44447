"""Clips that several samples are about are decoded once, and no two different clips as one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from egobench.plugins import load_task
from egobench.run.media import VideoFolder
from egobench.sample import Clip
from egobench.video import FrameRule
from tests.conftest import Navigation


def test_clips_that_differ_by_a_frame_late_in_a_long_video_are_two(navigation: Navigation, tmp_path: Path) -> None:
    """At 12345 seconds six digits tell no tenth of a second."""
    spans = [(12345.61, 12347.2), (12345.64, 12347.2), (12345.61, 12347.24), (12345.61, None), (5, 6.5), (5.0, 6.5)]
    samples = [replace(sample, video="long.mp4") for sample in navigation.sample_set.samples[: len(spans)]]
    clips = {sample.id: Clip("long.mp4", *span) for sample, span in zip(samples, spans, strict=True)}
    shared = VideoFolder(tmp_path, load_task("vln-qa")).share(samples, clips, FrameRule(4))
    assert {key: [sample.id for sample in clip.samples] for key, clip in shared.items()} == {
        "long.mp4 from 12345.61 to 12347.2 seconds": [samples[0].id],
        "long.mp4 from 12345.64 to 12347.2 seconds": [samples[1].id],
        "long.mp4 from 12345.61 to 12347.24 seconds": [samples[2].id],
        "long.mp4 from 12345.61 seconds to its end": [samples[3].id],
        "long.mp4 from 5 to 6.5 seconds": [samples[4].id, samples[5].id],
    }
    assert [(clip.request.start, clip.request.end) for clip in shared.values()] == [*map(tuple, spans[:-1])]
