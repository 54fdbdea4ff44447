"""Training samples of every kind: a clip seen by four cameras, a picture with two questions, words alone."""

from __future__ import annotations

from reference_exo2ego.data.samples import SyncedView, TrainingSample

SAMPLES = (
    TrainingSample(
        id="a",
        media="v.mp4",
        modality="video",
        turns=("<video>\nWhat?", "A cup."),
        start=1.0,
        end=2.5,
        exo=(
            SyncedView("cam01", "e.mp4"),
            SyncedView("cam02", "f.mp4", 1.5, 3.0),
            SyncedView("cam03", "g.mp4", end=2.0),
        ),
        source="here",
        facts={"text": "é", "target": 2},
    ),
    TrainingSample("b", "p.png", "image", ("<image>\nWhat?", "A cat.", "Where?", "There.")),
    TrainingSample("c", "", "text", ("Hello.", "Good day.")),
)
