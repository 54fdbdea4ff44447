"""Runs over whole galleries: an encoder's scores, row by row, with numbers by hand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import encode_gallery
from egobench.errors import ModelError, SampleSetError, StoreError
from egobench.evaluate import Result, evaluate, rescore
from egobench.model import ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.plugins import load_model, load_task
from egobench.request import LoadedRun, best_method, forecast
from egobench.retrieval.embeddings import score_texts
from egobench.retrieval.gallery import read_scores, score_gallery
from egobench.run.spec import Settings
from tests.cli import EGOBENCH, egobench
from tests.coloured import Coloured, Planted
from tests.conftest import NoEmbedder, write_video
from tests.tasks.official_files import CHARADES_COLUMNS, write

MAP = "epic-kitchens-mir/all/gallery/gallery/mAP/embedding"
NDCG = "epic-kitchens-mir/all/gallery/gallery/nDCG/embedding"
TABLE = "epic-kitchens-mir.all.gallery.gallery.main.npy"


def run(world: Coloured, model: object, out: str = "runs", **settings: object) -> Result:
    assert isinstance(model, Planted)
    return evaluate(model, [world.sample_set], world.videos, world.root / out, Settings(**settings))  # type: ignore[arg-type]


def outcomes(result: Result) -> dict[str, int]:
    return {name: count for name, count in result.scores[MAP].outcomes.items() if count}


def test_an_encoder_whose_embeddings_are_the_truth_is_always_right(coloured: Coloured) -> None:
    result = run(coloured, Planted())
    assert list(result.scores) == [MAP, NDCG]
    for entry in result.scores.values():
        assert (entry.value, entry.n, entry.n_expected, entry.partial) == (1.0, 8, 8, False)
    assert outcomes(result) == {"answered": 8}
    # By hand: eight tied captions, one of them right: (1 + 1/2 + ... + 1/8) / 8.
    assert result.scores[MAP].chance == pytest.approx(sum(1 / rank for rank in range(1, 9)) / 8)


def test_rows_are_kept_as_numbers_beside_lines_with_a_receipt_each(coloured: Coloured) -> None:
    result = run(coloured, Planted())
    table = result.path / "predictions" / TABLE
    assert read_scores(table, coloured.sample_set).tolist() == np.eye(8).tolist()
    assert np.load(table).dtype == np.float32
    lines = [json.loads(line) for line in table.with_suffix(".jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [sample.id for sample in coloured.sample_set.samples]
    assert all(line["scores"] is None and line["rule"] == "embedding" for line in lines)
    assert {len(line["receipt"]["times"]) for line in lines} == {4}
    assert TABLE in (result.path / "checksums.txt").read_text()
    # The table is that of any file of scores.
    assert score_gallery(np.load(table), coloured.sample_set, method="embedding")[MAP] == result.scores[MAP]


@pytest.mark.parametrize("batch_size", [3, 8])
def test_batches_change_no_byte(coloured: Coloured, batch_size: int) -> None:
    singly, batched = run(coloured, Planted()), run(coloured, Planted(), out="batched", batch_size=batch_size)
    assert (batched.path / "scores.json").read_bytes() == (singly.path / "scores.json").read_bytes()
    assert (batched.path / "predictions" / TABLE).read_bytes() == (singly.path / "predictions" / TABLE).read_bytes()


def test_a_clip_that_cannot_be_seen_is_never_an_answer_and_is_tried_again(coloured: Coloured) -> None:
    kept = coloured.video(2).read_bytes()
    coloured.video(2).unlink()
    first = run(coloured, Planted())
    assert outcomes(first) == {"answered": 7, "media_error": 1}
    assert first.scores[MAP].value == pytest.approx(7 / 8)
    assert first.scores[NDCG].value == pytest.approx(7 / 8)
    assert first.scores[MAP].answered_only == 1.0
    assert np.isnan(np.load(first.path / "predictions" / TABLE)[2]).all()
    again = (first.path / "scores.json").read_bytes()
    scores = rescore(first.path, coloured.data).scores
    assert (first.path / "scores.json").read_bytes() == again
    assert scores == first.scores
    coloured.video(2).write_bytes(kept)
    model = Planted()
    second = run(coloured, model)
    assert (second.path, model.asked, outcomes(second)) == (first.path, [2], {"answered": 8})
    assert second.scores[MAP].value == 1.0


def test_a_class_ranks_a_video_that_cannot_be_seen_last(tmp_path: Path) -> None:
    """By hand. Classes 0 and 1 have two videos each; the second of class 0 is missing and ranks last of four.

    Class 0: its first video leads, the missing one comes fourth: (1 + 2/4) / 2. Class 1: both lead: 1.
    """

    class Hue(Planted):
        def encode_clips(self, prompts: Sequence[Prompt]) -> np.ndarray:
            return np.eye(2, dtype=np.float32)[[int(prompt.frames[..., 0].mean() < 100) for prompt in prompts]]

        def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
            return np.eye(2, dtype=np.float32)[[min(place, 1) for place in range(len(texts))]]

    rows = []
    for number, label in enumerate((0, 0, 1, 1)):
        row = dict.fromkeys(CHARADES_COLUMNS.split(","), "")
        rows.append({**row, "id": f"V{number}EGO", "actions": f"c00{label} 0.0 1.0", "length": "2.0"})
        write_video(tmp_path / "videos" / f"V{number}EGO.mp4", (200, 20, 20) if label == 0 else (20, 20, 200))
    classes = "\n".join(f"c{number:03d} Doing thing {number}" for number in range(157))
    files = {"CharadesEgo_v1_test_only1st.csv": rows, "Charades_v1_classes.txt": classes}
    annotations = Annotations(write(tmp_path / "files", files))
    sample_set = build(load_task("charades-ego"), annotations, NoEmbedder(), construction="gallery157")
    (tmp_path / "videos" / "V1EGO.mp4").unlink()
    result = evaluate(Hue(), [sample_set], tmp_path / "videos", tmp_path / "runs")
    entry = result.scores["charades-ego/all/gallery/gallery157/mAP/embedding"]
    assert entry.value == pytest.approx(((1 + 2 / 4) / 2 + 1) / 2)
    assert entry.outcomes["media_error"] == 1
    assert entry.answered_only == 1.0


def test_other_texts_or_another_order_of_them_make_another_run(coloured: Coloured) -> None:
    first = run(coloured, Planted())
    turned = coloured.sample_set.gallery[::-1]
    manifest = replace(coloured.sample_set.manifest, gallery_sha256=sha256(encode_gallery(turned)).hexdigest())
    other = replace(coloured.sample_set, manifest=manifest, gallery=turned)
    second = evaluate(Planted(), [other], coloured.videos, coloured.root / "runs")
    assert second.path != first.path
    assert np.load(second.path / "predictions" / TABLE).tolist() == np.eye(8)[::-1].tolist()
    with pytest.raises(SampleSetError, match="epic-kitchens-mir/gallery is missing or differs"):
        rescore(second.path, coloured.data)


def test_a_limit_asks_some_rows_and_says_so(coloured: Coloured) -> None:
    model = Planted()
    result = run(coloured, model, limit=3)
    entry = result.scores[MAP]
    assert (entry.n, entry.n_expected, entry.partial, entry.value, len(model.asked)) == (3, 8, True, 1.0, 3)
    assert np.load(result.path / "predictions" / TABLE).shape == (3, 8)


def test_with_other_videos_the_same_encoder_puts_a_wrong_caption_first(coloured: Coloured) -> None:
    """By hand: the caption of another clip leads, and the right one is tied with the six others on ranks 2 to 8."""
    result = run(coloured, Planted(), control="other-video")
    entry = result.scores[MAP + "/other-video"]
    assert entry.value == pytest.approx(sum(1 / rank for rank in range(2, 9)) / 7)


@pytest.mark.parametrize("control", ["first-frame", "shuffled", "reversed"])
def test_controls_of_frames_have_ids_of_their_own(coloured: Coloured, control: str) -> None:
    assert run(coloured, Planted(), control=control).scores[f"{MAP}/{control}"].value == 1.0


@pytest.mark.parametrize("settings", [{"control": "blind"}, {"frames": 0}])
def test_a_gallery_cannot_be_scored_blind(coloured: Coloured, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a clip without frames has no embedding: blind is impossible"):
        run(coloured, Planted(), **settings)
    assert not (coloured.root / "runs").exists()


def test_lost_rows_and_broken_lines_are_asked_again_and_the_scores_are_the_same_bytes(coloured: Coloured) -> None:
    first = run(coloured, Planted())
    scores, table = first.path / "scores.json", first.path / "predictions" / TABLE
    before, rows = scores.read_bytes(), table.read_bytes()
    lost_rows = np.load(table, mmap_mode="r+")
    lost_rows[3] = np.nan
    lost_rows[5, 4] = np.nan
    lost_rows.flush()
    lines = table.with_suffix(".jsonl").read_bytes()
    table.with_suffix(".jsonl").write_bytes(lines[:-20])
    (first.path / "checksums.txt").unlink()
    model = Planted()
    run(coloured, model)
    assert sorted(model.asked) == [3, 5, 7]
    assert (scores.read_bytes(), table.read_bytes()) == (before, rows)
    table.unlink()
    with pytest.raises(StoreError, match=r"the scores of sample 'P01_00_0' are gone; run the command again"):
        rescore(first.path, coloured.data, accept_changes=True)
    model = Planted()
    run(coloured, model)
    assert (len(model.asked), table.read_bytes()) == (8, rows)
    table.write_bytes(rows[:-40])
    (first.path / "checksums.txt").unlink()
    with pytest.raises(StoreError, match=r"not a whole table of scores .* delete it to ask again"):
        run(coloured, Planted())


class Wrong(Planted):
    """Breaks the contract of an encoder in a way of its choice."""

    def __init__(self, clips: np.ndarray, texts: np.ndarray | None = None) -> None:
        super().__init__()
        self._clips, self._texts = clips, texts

    def encode_clips(self, prompts: Sequence[Prompt]) -> np.ndarray:
        assert len(prompts) == 1
        return self._clips

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return super().encode_texts(texts) if self._texts is None else self._texts


ONE = np.eye(8, dtype=np.float32)[:1]


@pytest.mark.parametrize(
    ("clips", "texts", "message"),
    [
        (ONE * 2, None, "gave clips of length 2.0000; expected rows of length 1"),
        (ONE.astype(np.float64), None, r"gave float64 \(1, 8\) for 1 clips; expected float32 \(1, dim\)"),
        (np.repeat(ONE, 2, axis=0), None, r"gave float32 \(2, 8\) for 1 clips"),
        (ONE[:, :4], None, "embeds clips in 4 dimensions and texts in 8"),
        (ONE, np.zeros((8, 8), np.float32), "gave texts of length 0.0000"),
        (ONE, np.full((8, 8), np.nan, np.float32), "an embedding of a text is not a number"),
    ],
)
def test_an_encoder_that_breaks_its_contract_is_told_so(
    coloured: Coloured, clips: np.ndarray, texts: np.ndarray | None, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        run(coloured, Wrong(clips, texts))


def test_an_embedding_that_is_no_number_is_no_answer(coloured: Coloured) -> None:
    class Sometimes(Planted):
        def encode_clips(self, prompts: Sequence[Prompt]) -> np.ndarray:
            embeddings = super().encode_clips(prompts)
            embeddings[[number == 4 for number in self.asked[-len(prompts) :]]] = np.nan
            return embeddings

    result = run(coloured, Sometimes(), batch_size=8)
    assert outcomes(result) == {"answered": 7, "request_error": 1}
    assert result.scores[MAP].value == pytest.approx(7 / 8)


def test_random_embeddings_are_at_chance() -> None:
    """1,000 clips of 20 captions: single-positive, so 20 tied captions give (1 + 1/2 + ... + 1/20) / 20 = 0.1799."""
    rng = np.random.default_rng(0)

    class Noise(Planted):
        def encode_clips(self, prompts: Sequence[Prompt]) -> np.ndarray:
            return _unit(rng.standard_normal((len(prompts), 32)))

    blank = Prompt(np.zeros((1, 1, 1, 3), np.uint8), np.zeros(1), "", "", (), "", max_new_tokens=0, seed=0)
    rows = np.array(score_texts(Noise(), [blank] * 1000, _unit(rng.standard_normal((20, 32)))))
    truth = np.arange(1000) % 20
    ranks = (rows >= rows[np.arange(1000), truth][:, None]).sum(axis=1)
    chance = sum(1 / rank for rank in range(1, 21)) / 20
    # The standard error of a mean of 1,000 such values is 0.0076.
    assert float((1 / ranks).mean()) == pytest.approx(chance, abs=0.03)


def _unit(rows: np.ndarray) -> np.ndarray:
    unit: np.ndarray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def test_who_embeds_nothing_leaves_galleries_out_and_says_so(coloured: Coloured) -> None:
    class Words:
        info = ModelInfo("words", "1")

        def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
            return [Reply("A")] * len(prompts)

    with pytest.raises(ModelError, match=r"'words' does not embed clips and texts, .* --rerank RUN"):
        evaluate(Words(), [coloured.sample_set], coloured.videos, coloured.root / "runs")
    assert not (coloured.root / "runs").exists()


def test_the_command_line_names_the_galleries_it_leaves_out(coloured: Coloured) -> None:
    options = ["Stop", "Move forward", "Turn left", "Turn right"]
    rows = [{"video": "left/0_frame24.mp4", "question": "Where?", "candidates": options, "answer": "Stop"}]
    files = {"egocentric_navigation.json": rows}
    annotations = Annotations(write(coloured.root / "vln", files))
    build(load_task("vln-qa"), annotations, NoEmbedder()).write(coloured.data)
    done = egobench("run", "first-choice", "--data", coloured.data, "--out", coloured.root / "runs", "--json")
    assert done.returncode == 0, done.stderr
    assert "left out: epic-kitchens-mir/gallery: 'first-choice' does not embed clips and texts; see --rerank" in (
        done.stderr
    )
    assert [name.split("/")[0] for name in json.loads(done.stdout)["scores"]] == ["vln-qa"]


def test_the_best_method_of_an_encoder_compares_texts_and_no_letters() -> None:
    class Chooses(Planted):
        def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> list[OptionScores]:
            raise AssertionError(f"nobody is asked: {prompts}, {form}")

    assert [best_method(model) for model in (Planted(), Chooses(), load_model("random"))] == [
        "generate", "likelihood-sum", "likelihood-letter"
    ]  # fmt: skip


def test_a_forecast_counts_the_texts_of_a_gallery_once(coloured: Coloured) -> None:
    """By hand: three of eight clips take 0.3 s, so eight take 0.8 s; the texts take 3 s for any number of clips."""

    class Slow(Planted):
        def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
            sleep(3)
            return super().encode_texts(texts)

        def encode_clips(self, prompts: Sequence[Prompt]) -> np.ndarray:
            sleep(0.1)
            return super().encode_clips(prompts)

    loaded = LoadedRun(Slow(), [coloured.sample_set], Settings())
    row = forecast(loaded, coloured.sample_set, coloured.videos)
    # Not 8.8, as if the texts were embedded for each clip.
    assert 3.8 / 60 <= row.minutes < 7.5 / 60


ENCODER = '''
"""A slow encoder that writes down every clip it is asked, at once."""

import os, time
import numpy as np
from egobench.model import FramePolicy, ModelInfo

class Slow:
    info = ModelInfo("slow", "1", frames=FramePolicy(count=4))

    def generate(self, prompts):
        raise AssertionError("nothing is asked in words")

    def encode_clips(self, prompts):
        rows = []
        for prompt in prompts:
            colour = prompt.frames.astype(float).mean(axis=(0, 1, 2))
            rows.append(np.r_[colour, 40.0, colour[0] * colour[1] / 99])
            log = os.open(os.environ["ASKED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(log, b".")
            os.close(log)
            time.sleep(0.2)
        return unit(np.array(rows))

    def encode_texts(self, texts):
        return unit(np.array([[len(text), *map(ord, text[:4])] for text in texts], float))

def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

def load():
    return Slow()
'''


@pytest.mark.slow
def test_a_killed_gallery_run_ends_with_the_same_bytes(coloured: Coloured) -> None:
    plugins = coloured.root / "plugins"
    (plugins / "slow-1.0.dist-info").mkdir(parents=True)
    (plugins / "slow.py").write_text(ENCODER)
    (plugins / "slow-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    (plugins / "slow-1.0.dist-info" / "entry_points.txt").write_text("[egobench.models]\nslow = slow:load\n")
    log = coloured.root / "asked"
    environment = {**os.environ, "PYTHONPATH": str(plugins), "ASKED": str(log)}
    arguments = [*EGOBENCH, "run", "slow", "--data", str(coloured.data)]
    arguments += ["--videos", str(coloured.videos), "--out"]
    subprocess.run([*arguments, str(coloured.root / "whole")], env=environment, check=True, capture_output=True)
    log.unlink()
    for enough in (1, 3, 6):
        process = subprocess.Popen(
            [*arguments, str(coloured.root / "broken")], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        while process.poll() is None and (not log.exists() or log.stat().st_size < enough):
            sleep(0.002)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    subprocess.run([*arguments, str(coloured.root / "broken")], env=environment, check=True, capture_output=True)
    (whole,), (broken,) = ((coloured.root / each).glob("slow/*") for each in ("whole", "broken"))
    for name in ("scores.json", f"predictions/{TABLE}"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
    # Each kill costs at most the clip in flight.
    assert 8 <= log.stat().st_size <= 8 + 3
