"""From MiniEgo to retrieval numbers by the command line: a tiny CLIP on both galleries, a tiny Qwen2-VL on its best."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch: Any = pytest.importorskip("torch")
pytest.importorskip("transformers")

from typer.testing import CliRunner  # noqa: E402

from egobench.cli import app  # noqa: E402
from egobench.dataset.sampleset import SampleSet  # noqa: E402
from egobench.miniego import generate  # noqa: E402
from egobench.model import Prompt  # noqa: E402
from egobench.plugins import load_model  # noqa: E402
from egobench.video import ClipRequest, DecodedClip, FrameRule, stream_clips  # noqa: E402
from tests.models.tiny_dual_encoders import clip  # noqa: E402

GALLERIES = {"epic-kitchens-mir": "gallery", "charades-ego": "gallery157"}


def egobench(*arguments: str | Path) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*tokens are cut")
def test_a_tiny_clip_and_a_tiny_qwen_get_retrieval_numbers(tmp_path: Path, checkpoint: Callable[[str], Path]) -> None:
    world, data, runs = tmp_path / "miniego", tmp_path / "data", tmp_path / "runs"
    generate(world, "small", videos=tuple(GALLERIES), workers=1)
    for task, construction in GALLERIES.items():
        arguments = ("--annotations", world / "annotations", "--construction", construction, "--out", data)
        CliRunner().invoke(app, ["build", task, *map(str, arguments)], catch_exceptions=False)
    common = ("--data", data, "--videos", world / "videos", "--out", runs)
    encoder = ("run", "dual-encoder", "-o", f"checkpoint={clip(tmp_path / 'clip')}", "--device", "cpu")
    first = egobench(*encoder, *common)
    assert sorted(first["scores"]) == [
        "charades-ego/all/gallery/gallery157/mAP/embedding",
        "charades-ego/all/gallery/gallery157/wAP/embedding",
        "epic-kitchens-mir/all/gallery/gallery/mAP/embedding",
        "epic-kitchens-mir/all/gallery/gallery/nDCG/embedding",
    ]
    for entry in first["scores"].values():
        assert entry["outcomes"]["answered"] == entry["n"] == entry["n_expected"] >= 100
        # A model that has learnt nothing is not far from chance.
        assert abs(entry["value"] - entry["chance"]) < 4 * entry["se"]
    run = Path(first["run"])
    assert json.loads((run / "run.json").read_text())["spec"]["model"]["settings"]["pooling"] == "mean"
    before = (run / "scores.json").read_bytes()
    assert egobench("score", run) == first["scores"]
    assert (run / "scores.json").read_bytes() == before
    _check_a_row(run, data, world, tmp_path / "clip")
    mllm = ("run", "hf", "-o", f"checkpoint={checkpoint('qwen2-vl')}", "-o", "frames=4", "--device", "cpu")
    second = egobench(
        *mllm, *common, "--rerank", run, "--top", "30", "--method", "likelihood-sum", "--limit", "12",
        "--tasks", "epic-kitchens-mir",
    )  # fmt: skip
    name, entry = next(iter(second["scores"].items()))
    assert name.startswith("epic-kitchens-mir/all/rerank/gallery/mAP/likelihood-sum@top30@")
    assert (entry["n"], entry["partial"], entry["outcomes"]["answered"]) == (12, True, 12)


def _check_a_row(run: Path, data: Path, world: Path, folder: Path) -> None:
    """A row of the table is what the encoder itself says of that clip and the captions."""
    held = SampleSet.read(data / "epic-kitchens-mir" / "gallery")
    table = np.load(run / "predictions" / "epic-kitchens-mir.all.gallery.gallery.main.npy")
    sample = held.samples[17]
    video = world / "videos" / "epic-kitchens-mir" / sample.video
    with stream_clips([ClipRequest("17", video, sample.start, sample.end, FrameRule())]) as stream:
        (seen,) = stream
    assert isinstance(seen, DecodedClip)
    model: Any = load_model("dual-encoder", checkpoint=str(folder), device="cpu")
    prompt = Prompt(seen.frames, seen.times, "", "", (), "", max_new_tokens=0, seed=0)
    expected = model.encode_clips([prompt])[0] @ model.encode_texts([item.text for item in held.gallery]).T
    assert table[17] == pytest.approx(expected, abs=1e-6)
