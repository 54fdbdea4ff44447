"""Files of samples as batches: the right words at the right frames, whoever computes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("ijson")

from egobench.errors import AnnotationFileError, MissingFramesError, TrainingDataError  # noqa: E402
from egobench.video import ClipRequest, FrameRule, FrameStore  # noqa: E402
from reference_exo2ego.training.batches import ClipBatch, MicroBatch  # noqa: E402
from reference_exo2ego.training.clip_rows import View  # noqa: E402
from reference_exo2ego.training.recipe import Recipe  # noqa: E402
from reference_exo2ego.training.sample_source import FrameReader, SampleSource  # noqa: E402
from reference_exo2ego.training.sources import frame_requests, open_source  # noqa: E402
from tests.reference_exo2ego.training.tiny_training import (  # noqa: E402
    LIVELY,
    recipe_values,
    tiny_recipe,
    tokenizer,
    write_data,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def source_of(data: Path, recipe: Recipe, store: Path | None = None) -> SampleSource:
    source = open_source(recipe, recipe.stages[0], data, store, tokenizer())
    assert isinstance(source, SampleSource)
    return source


def clips(micro: MicroBatch) -> ClipBatch:
    assert isinstance(micro.batch, ClipBatch)
    return micro.batch


def said(micro: MicroBatch) -> list[str]:
    words = clips(micro).inputs.words
    return [tokenizer().decode(row[row >= 0], skip_special_tokens=True) for row in words.labels]


def rows_of(data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (data / "clips.jsonl").read_text().splitlines()]


def first_pixel(folder: Path, frame: int) -> list[int]:
    return [int(value) for value in np.asarray(Image.open(folder / f"frame_{frame:010d}.png"))[0, 0]]


def test_words_stand_with_their_own_frames(data: Path) -> None:
    source = source_of(data, tiny_recipe(("stage2",)))
    texts = {row["conversations"][1]["value"]: row for row in rows_of(data)}
    for step in range(5):
        for micro in source.micro_batches(step, 0, 1):
            batch = clips(micro).inputs
            assert batch.ego is not None and batch.exo is not None and batch.ego.dtype == torch.uint8
            for text, ego, exo in zip(said(micro), batch.ego, batch.exo, strict=True):
                row = texts[text]
                # Four frames of a second at four a second: each of them.
                first = 1 + 4 * int(row["start"])
                assert ego[:, :, 0, 0].tolist() == [
                    first_pixel(data / row["video"], frame) for frame in range(first, first + 4)
                ]
                assert exo[0, :, 0, 0].tolist() == first_pixel(data / row["exo"][0]["video"], first)


def test_processes_share_what_a_single_one_computes(data: Path) -> None:
    source = source_of(data, tiny_recipe(("stage1",)))
    alone = [text for micro in source.micro_batches(3, 0, 1) for text in said(micro)]
    shared = [[text for micro in source.micro_batches(3, rank, 2) for text in said(micro)] for rank in (0, 1)]
    assert len(alone) == 4 and sorted(shared[0] + shared[1]) == sorted(alone)


def test_the_initialization_shows_a_view_a_step(data: Path) -> None:
    source = source_of(data, tiny_recipe(("init",)))
    views = []
    for step in range(6):
        batches = [clips(micro).inputs for micro in source.micro_batches(step, 0, 1)]
        views.append({"ego" if batch.exo is None else "exo" for batch in batches})
    # As many clips of either view, so they take turns.
    assert views in ([{"exo"}, {"ego"}] * 3, [{"ego"}, {"exo"}] * 3)
    assert source.steps_per_epoch == 20 / 4


def test_a_caption_stands_behind_the_video_and_a_question_in_the_chat(data: Path) -> None:
    words = tokenizer()
    caption = clips(source_of(data, tiny_recipe(("stage1",))).micro_batches(0, 0, 1)[0]).inputs.words
    # <s> VIDEO C takes ...: the line's end is no word of this tokenizer.
    assert caption.ids[0, 0] == words.bos_token_id and caption.ids[0, 1] < 0
    assert caption.labels[0, 2] == words.convert_tokens_to_ids("C")
    assert (caption.labels == words.eos_token_id).sum(1).tolist() == [1, 1]
    question = clips(source_of(data, tiny_recipe(("stage3",))).micro_batches(0, 0, 1)[0]).inputs.words
    row = question.ids[0]
    assert words.decode(row[row >= 0]).startswith("<s> [INST] what is it [/INST] C")


def test_later_turns_are_predicted_from_all_before(tmp_path: Path) -> None:
    data = write_data(tmp_path, takes=2)
    turns = ["<video>\nwhat is it", "the red cup", "is it red", "it is", "what is the cup", "red"]
    conversation = [{"from": ("human", "gpt")[n % 2], "value": text} for n, text in enumerate(turns)]
    row = {"id": "long", "video": "takes/ego0", "conversations": conversation}
    (data / "questions.json").write_text(json.dumps([row]))
    words = clips(source_of(data, tiny_recipe(("stage3",))).micro_batches(0, 0, 1)[0]).inputs.words
    assert words.segments is not None
    third = words.ids[0][words.segments[0] == 3]
    # What stands before the video, [INST], is shared by all turns.
    expected = "what is it [/INST] the red cup </s> [INST] is it red [/INST] it is </s> [INST] what is the cup"
    assert tokenizer().decode(third) == f"{expected} [/INST] red </s>"
    predicted = words.labels[0][words.segments[0] == 3]
    assert tokenizer().decode(predicted[predicted >= 0]) == "red </s>"


def test_whole_videos_are_held_out_and_the_same_in_every_stage(data: Path) -> None:
    held_out, trained = {}, {}
    for stage in ("stage1", "stage2"):
        source = source_of(data, tiny_recipe((stage,)))
        held_out[stage] = {text for micro in source.held_out() for text in said(micro)}
        trained[stage] = {
            text for step in range(10) for micro in source.micro_batches(step, 0, 1) for text in said(micro)
        }
        assert len(held_out[stage]) == 2 and not held_out[stage] & trained[stage]
        assert len(trained[stage]) == 10
    assert held_out["stage1"] == held_out["stage2"]


def broken(tmp_path: Path) -> Path:
    data = write_data(tmp_path / "broken")
    for take in range(2):
        for file in (data / "takes" / f"exo{take}").glob("*.png"):
            file.write_bytes(b"no picture")
    return data


def test_a_clip_that_cannot_be_read_gives_its_place_to_another(tmp_path: Path) -> None:
    source = source_of(broken(tmp_path), tiny_recipe(("stage1",)))
    epoch = [micro for step in range(5) for micro in source.micro_batches(step, 0, 1)]
    assert [micro.batch.clips for micro in epoch] == [2] * 10
    messages = [message for micro in epoch for message in micro.unreadable]
    assert messages and all("cam01: " in message and "takes/exo" in message for message in messages)
    assert not any("red" in text or "green" in text for micro in epoch for text in said(micro))
    # A resumed training replaces it by the very same.
    again = source_of(tmp_path / "broken", tiny_recipe(("stage1",)))
    assert [said(micro) for micro in again.micro_batches(3, 0, 1)] == [
        said(micro) for micro in source.micro_batches(3, 0, 1)
    ]


def test_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    data = write_data(tmp_path, takes=3)
    for file in (data / "takes").rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(TrainingDataError, match=r"20 clips in a row cannot be read"):
        source_of(data, tiny_recipe(("stage1",))).micro_batches(0, 0, 1)


def test_no_samples_are_an_error(tmp_path: Path) -> None:
    data = write_data(tmp_path, takes=2)
    (data / "questions.json").write_text("[]")
    with pytest.raises((TrainingDataError, AnnotationFileError), match=r"questions.json"):
        source_of(data, tiny_recipe(("stage3",)))
    (data / "questions.json").unlink()
    with pytest.raises(AnnotationFileError, match=r"questions.json: no such file"):
        source_of(data, tiny_recipe(("stage3",)))


def test_files_of_other_views_are_refused(data: Path) -> None:
    values = recipe_values(("stage1",))
    values["stages"][0]["source"]["files"][0]["view"] = "ego"
    from reference_exo2ego.training.recipe import recipe_of

    with pytest.raises(TrainingDataError, match=r"stage1: files with view ego; expected exo"):
        source_of(data, recipe_of(values, "test"))


def test_stage_2_needs_both_views(tmp_path: Path) -> None:
    data = write_data(tmp_path, takes=2)
    rows = rows_of(data)
    rows[1].pop("exo")
    (data / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(TrainingDataError, match="sample '0_1' has no exocentric view"):
        source_of(data, tiny_recipe(("stage2",)))


def test_pictures_and_texts_are_shown_as_clips(tmp_path: Path) -> None:
    data = write_data(tmp_path, takes=2)
    Image.new("RGB", (80, 64), (250, 10, 20)).save(data / "still.png")
    said_of = [{"from": "human", "value": "what is it"}, {"from": "gpt", "value": "the red cup"}]
    rows = [{"id": "still", "image": "still.png", "conversations": said_of}, {"id": "text", "conversations": said_of}]
    (data / "questions.json").write_text(json.dumps(rows))
    values = recipe_values(("stage3",))
    values["stages"][0]["source"]["held_out"] = 0
    from reference_exo2ego.training.recipe import recipe_of

    batch = clips(source_of(data, recipe_of(values, "test")).micro_batches(0, 0, 1)[0]).inputs
    assert batch.ego is not None and batch.ego.shape == (2, 4, 3, 64, 64)
    colours = sorted(clip.flatten(2)[:, :, 0].tolist() for clip in batch.ego)
    assert colours == [[[0, 0, 0]] * 4, [[250, 10, 20]] * 4]


def test_frames_are_fitted_as_the_configuration_says(tmp_path: Path) -> None:
    """An eighth of the picture, at its left, is red: the square in its middle lacks it."""
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[:, :16, 0] = 255
    Image.fromarray(picture).save(tmp_path / "wide.png")
    red = {}
    for fit in ("crop", "squeeze"):
        config = tiny_recipe(model=LIVELY | {"fit": fit}).model
        frames = FrameReader(config, 64, None)(View(tmp_path / "wide.png", "image"))
        red[fit] = float(frames[0, 0].float().mean() / 255)
    assert red == {"crop": 0.0, "squeeze": pytest.approx(16 / 128, abs=0.01)}


def test_frames_come_at_the_rate_that_the_configuration_says() -> None:
    request = FrameReader(tiny_recipe(model=LIVELY | {"fps": 2.0}).model, 64, None).request(
        View(Path("a.mp4"), "video")
    )
    assert request is not None
    assert request.rule.fps == 2.0


def test_a_store_of_a_recipe_has_what_its_stages_show(tmp_path: Path) -> None:
    """A clip that cannot be decoded is in no store, and is unreadable with one as it is without."""
    data = write_data(tmp_path / "data")
    recipe = tiny_recipe(("stage1", "stage3"))
    for frame in (data / "takes" / "ego0").glob("*.png"):
        frame.write_bytes(b"no picture")
    requests = frame_requests(recipe, data)
    assert len(requests) == 24, "two clips of six takes, seen by each camera"
    report = FrameStore(tmp_path / "store").fill(requests)
    assert {failed.key for failed in report.failed} == {request.key for request in requests if "ego0" in request.key}
    source = open_source(recipe, recipe.stage("stage3"), data, tmp_path / "store", tokenizer())
    unreadable = [
        message for step in range(5) for micro in source.micro_batches(step, 0, 1) for message in micro.unreadable
    ]
    assert unreadable and all("ego0" in message for message in unreadable)


def test_a_frame_store_gives_the_same_batches(data: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(("stage1",))
    with pytest.raises(MissingFramesError):
        source_of(data, recipe, tmp_path / "store").micro_batches(0, 0, 1)
    rows = rows_of(data)
    requests = [
        ClipRequest(row["id"], data / row["exo"][0]["video"], row["start"], row["end"], FrameRule(4, short_side=64))
        for row in rows
    ]
    FrameStore(tmp_path / "store").fill(requests)
    decoded, stored = (source_of(data, recipe, store).micro_batches(0, 0, 1) for store in (None, tmp_path / "store"))
    for first, second in zip(decoded, stored, strict=True):
        assert torch.equal(clips(first).inputs.exo, clips(second).inputs.exo)
