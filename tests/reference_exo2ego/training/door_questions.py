"""A sample set of eight questions about real videos of one colour each, four options a question."""

from __future__ import annotations

import json
from pathlib import Path

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.plugins import load_task
from tests.conftest import ANSWERS, NoEmbedder, write_video


def write_questions(sets: Path, videos: Path) -> SampleSet:
    """Write videos and the sample set ``vln-qa`` about them."""
    rows: list[dict[str, object]] = []
    options = [text for text, _ in ANSWERS.values()]
    for number in range(8):
        folder, (answer, colour) = list(ANSWERS.items())[number % 4]
        video = f"{folder}/{number}_frame24.mp4"
        write_video(videos / video, colour)
        rows.append({"video": video, "question": "Which way now?", "candidates": options, "answer": answer})
    annotations = sets.parent / "annotations"
    annotations.mkdir()
    (annotations / "egocentric_navigation.json").write_text(json.dumps(rows))
    built = build(load_task("vln-qa"), Annotations(annotations), NoEmbedder())
    built.write(sets)
    return built
