"""Rows of questions as a source: a function of the step, shared by processes, asked form by form."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random
from shutil import copyfile
from typing import Any

import pytest

from egobench.errors import EgoBenchError, RecipeError, TrainingDataError
from egobench.video import FrameStore

pytest.importorskip("transformers")

import torch

from reference_exo2ego.commands.frames import frames
from reference_exo2ego.data.samples import TrainingSample
from reference_exo2ego.model.exo2ego import Exo2Ego
from reference_exo2ego.model.words import VIDEO as VIDEO_PLACE
from reference_exo2ego.training.question_recipe import QuestionFile, QuestionRows, RowKind, Transcripts
from reference_exo2ego.training.question_rows import DrawnRow, question_of, read_rows
from reference_exo2ego.training.question_source import open_question_source
from reference_exo2ego.training.question_words import QuestionWords
from reference_exo2ego.training.recipe import load_recipe, override
from reference_exo2ego.training.recipes.tiny import MODEL
from reference_exo2ego.training.sources import frame_requests
from reference_exo2ego.training.word_tokenizer import word_tokenizer
from tests.reference_exo2ego.training.tiny_training import recipe_file

VIDEO = Path(__file__).parents[2] / "fixtures" / "video" / "ok.mp4"
COLOURS = ("red", "green", "blue", "white", "black", "orange")


def _write(folder: Path, *, video: str = "{number}.mp4") -> None:
    rows = [
        {
            "id": f"{number}-{form}",
            "video": video.format(number=number),
            "conversations": [{"from": "human", "value": "<video>\nlook"}, {"from": "gpt", "value": colour}],
            "start": number / 10,
            "end": 1 + number / 10,
            "source": "doors",
            "question": question,
            "answer": colour,
        }
        for number, colour in enumerate(COLOURS)
        for form, question in enumerate(("Which door is left?", "Which door is right?", "What colour is it?"))
    ]
    folder.mkdir(exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def _kind(**named: Any) -> RowKind:
    values = {"name": "door", "files": (QuestionFile(path="rows.jsonl"),), "batch": 4, "frames": 4, "telling": "facts"}
    return RowKind.model_validate(values | named)


def _tokenizer(folder: Path) -> Any:
    texts = [text for row in read_rows(_kind(), folder, 0) for question in row.questions for text in question.texts]
    return word_tokenizer([*texts, "answer briefly question a b c d e f g h"], 320)


def _open(folder: Path, source: QuestionRows | Transcripts, stage: Any = "language") -> Any:
    tokenizer = _tokenizer(folder)
    return open_question_source(stage, source, MODEL, data=folder, store=None, tokenizer=tokenizer, seed=3)


def _transcripts(**named: Any) -> Transcripts:
    return Transcripts(rows=(_kind(**named),), turns=(("door",),), held_out=1)


def test_samples_of_one_video_are_one_row(tmp_path: Path) -> None:
    _write(tmp_path)
    rows = read_rows(_kind(), tmp_path, 0)
    assert len(rows) == len(COLOURS)
    assert {len(row.questions) for row in rows} == {3}


def test_the_clips_of_a_stage_are_those_of_its_own_rows(tmp_path: Path) -> None:
    _write(tmp_path)
    early = QuestionRows(rows=(_kind(files=(QuestionFile(path="rows.jsonl", asks="colour"),)),), turns=(("door",),))
    late = QuestionRows(rows=(_kind(frames=8),), turns=(("door",),))
    stages = load_recipe("tiny").stages
    names = {"init": early, "stage3": late}
    recipe = load_recipe("tiny").model_copy(
        update={
            "stages": tuple(
                stage.model_copy(update={"source": names[stage.name]}) for stage in stages if stage.name in names
            )
        }
    )
    by_stage = {name: {request.key for request in frame_requests(recipe, tmp_path, name)} for name in names}
    assert {name: len(keys) for name, keys in by_stage.items()} == {"init": 6, "stage3": 6}
    assert {request.key for request in frame_requests(recipe, tmp_path)} == by_stage["init"] | by_stage["stage3"]
    assert frame_requests(recipe, tmp_path, "stage1") == []


def test_a_clip_without_a_video_ends_the_filling_with_an_error_and_the_others_stay(tmp_path: Path) -> None:
    _write(tmp_path)
    for number in range(5):
        copyfile(VIDEO, tmp_path / f"{number}.mp4")
    early = QuestionRows(rows=(_kind(),), turns=(("door",),))
    stage = load_recipe("tiny").stage("init").model_copy(update={"source": early, "batch": 4, "micro": 4})
    recipe = load_recipe("tiny").model_copy(update={"stages": (stage,)})
    file = recipe_file(tmp_path, recipe.model_dump(mode="json"))
    with pytest.raises(EgoBenchError, match=r"1 of 6 clips have no frames, the first of them .*5\.mp4"):
        frames(str(file), data=tmp_path, out=tmp_path / "frames", workers=1)
    estimate = FrameStore(tmp_path / "frames").estimate(frame_requests(recipe, tmp_path))
    assert (estimate.stored, len(estimate.failed)) == (5, 1)


def test_steps_of_rows_are_counted_without_a_tokenizer(tmp_path: Path) -> None:
    """What a dry run does. By hand: of 6 rows 1 is held out, and each step takes 4."""
    _write(tmp_path)
    source = open_question_source("language", _transcripts(), MODEL, data=tmp_path, store=None, tokenizer=None, seed=3)
    assert source.steps_per_epoch == 5 / 4


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"moment": [3.0, None]}, r"moment \[3.0, None\]; expected seconds"),
        ({"moment": "soon"}, "moment 'soon'; expected seconds"),
        ({"narrations": "C opens a door"}, "narrations 'C opens a door'; expected a list"),
        ({"narrations": [3]}, r"narrations \[3\]; expected a list"),
    ],
)
def test_a_malformed_fact_is_named(facts: dict[str, Any], message: str) -> None:
    sample = TrainingSample("a", "a.mp4", "video", ("<video>\nwhat", "a door"), facts=facts)
    with pytest.raises(TrainingDataError, match=rf"rows.jsonl: sample 'a': {message}"):
        question_of(sample, QuestionFile(path="rows.jsonl"))


def test_an_expression_that_is_none_is_refused_with_the_recipe() -> None:
    with pytest.raises(RecipeError, match=r"'\(' is no regular expression"):
        override(load_recipe("tiny"), ["stage3.source.rows.0.files.0.asks=("])


def test_only_questions_that_are_asked_for_are_read(tmp_path: Path) -> None:
    _write(tmp_path)
    file = QuestionFile(path="rows.jsonl", asks="^What")
    assert {len(row.questions) for row in read_rows(_kind(files=(file,)), tmp_path, 0)} == {1}


def test_a_source_that_no_sample_has_is_an_error(tmp_path: Path) -> None:
    _write(tmp_path)
    with pytest.raises(TrainingDataError, match="rows door: nothing"):
        read_rows(_kind(files=(QuestionFile(path="rows.jsonl", sources=("windows",)),)), tmp_path, 0)


def test_another_field_of_a_sample_may_be_the_answer(tmp_path: Path) -> None:
    _write(tmp_path)
    files = [QuestionFile(path="rows.jsonl", question="Ask!", answer=field) for field in ("question", "weather")]
    row = read_rows(_kind(files=files[:1]), tmp_path, 0)[0]
    texts = [(question.question, question.answer) for question in row.questions]
    assert texts == [("Ask!", text) for text in ("Which door is left?", "Which door is right?", "What colour is it?")]
    with pytest.raises(TrainingDataError, match="sample '0-0' has no field 'weather'"):
        read_rows(_kind(files=files[1:]), tmp_path, 0)


def test_answers_are_put_in_other_words(tmp_path: Path) -> None:
    _write(tmp_path)
    file = QuestionFile(path="rows.jsonl", asks="^What", reword=((r"^(\w)", r"a \1"), (r"a (red|green)", "a colour")))
    answers = [row.questions[0].answer for row in read_rows(_kind(files=(file,)), tmp_path, 0)]
    assert answers == ["a colour", "a colour", "a blue", "a white", "a black", "a orange"]


def test_a_share_keeps_the_same_videos_every_time(tmp_path: Path) -> None:
    _write(tmp_path)
    half = _kind(files=(QuestionFile(path="rows.jsonl", share=0.5),))
    first, second = ([row.id for row in read_rows(half, tmp_path, 1)] for _ in range(2))
    assert first == second
    assert 0 < len(first) < len(COLOURS)


def test_a_step_is_the_same_whenever_it_is_asked_for(tmp_path: Path) -> None:
    _write(tmp_path)
    source = _open(tmp_path, _transcripts())
    (first,), (again,), (other,) = (source.micro_batches(step, 0, 1) for step in (5, 5, 6))
    assert torch.equal(first.batch.words.ids, again.batch.words.ids)
    assert torch.equal(first.batch.ids, again.batch.ids)
    assert not torch.equal(first.batch.words.ids, other.batch.words.ids)


def test_processes_share_the_rows_of_a_step(tmp_path: Path) -> None:
    _write(tmp_path)
    source = _open(tmp_path, _transcripts())
    (whole,) = source.micro_batches(2, 0, 1)
    parts = [source.micro_batches(2, rank, 2)[0].batch for rank in range(2)]
    answers = [Counter(part.words.labels[part.words.labels >= 0].tolist()) for part in (whole.batch, *parts)]
    assert answers[0] == answers[1] + answers[2]


def test_more_processes_than_rows_are_refused(tmp_path: Path) -> None:
    _write(tmp_path)
    with pytest.raises(TrainingDataError, match="cannot be shared by 5 processes"):
        _open(tmp_path, _transcripts()).micro_batches(0, 0, 5)


def test_what_is_held_out_is_never_trained_on(tmp_path: Path) -> None:
    _write(tmp_path)
    (kind,) = _open(tmp_path, _transcripts())._rows.values()
    assert len(kind.held_out) == 1
    assert not {row.id for row in kind.held_out} & {row.id for row in kind.trained}


def test_rare_forms_of_questions_are_drawn_as_often_as_frequent_ones(tmp_path: Path) -> None:
    _write(tmp_path)
    kind = _kind(questions=1)
    row = read_rows(kind, tmp_path, 0)[0]
    words = QuestionWords(_tokenizer(tmp_path))
    texts = [tuple(words.pack(kind, [DrawnRow(row, seed)]).ids[0].tolist()) for seed in range(300)]
    whole = (*words.before, VIDEO_PLACE, *sum(map(tuple, words("What colour is it?", row.questions[0].answer)), ()))
    drawn = [text == whole for text in texts]
    # Two questions begin with "Which door is" and a single one with "What colour is": by form they are drawn alike.
    assert sum(drawn) == pytest.approx(150, abs=40)  # 4.6 standard deviations of a fair coin


def test_narrow_transcripts_come_first(tmp_path: Path) -> None:
    _write(tmp_path)
    source = _open(tmp_path, Transcripts(rows=(_kind(),), turns=(("door",),), twice=0, narrow=2, narrow_steps=3))
    tokens = [source.micro_batches(step, 0, 1)[0].batch.ids.shape[1] for step in (0, 2, 3)]
    assert tokens == [2 * 2, 2 * 2, 2 * MODEL.token_places]


def test_a_turn_of_a_kind_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="window; expected each of the rows door"):
        Transcripts(rows=(_kind(),), turns=(("window",),))


def test_the_stage_language_reads_transcripts_and_others_do_not(tmp_path: Path) -> None:
    _write(tmp_path)
    with pytest.raises(TrainingDataError, match="stage3 does not train on transcripts"):
        _open(tmp_path, _transcripts(), "stage3")


def test_frames_of_a_row_are_the_clips_own(tmp_path: Path) -> None:
    _write(tmp_path, video=str(VIDEO))
    source = _open(tmp_path, QuestionRows(rows=(_kind(batch=1),), turns=(("door",),), held_out=1), "stage3")
    (batch,) = source.micro_batches(0, 0, 1)
    assert batch.batch.inputs.ego.shape == (1, 4, 3, 96, 96)
    assert batch.batch.inputs.ego.float().std() > 1
    assert batch.group == "door"


def test_an_unreadable_clip_gives_its_place_to_another_and_is_named(tmp_path: Path) -> None:
    _write(tmp_path, video=str(VIDEO))
    source = _open(tmp_path, QuestionRows(rows=(_kind(batch=1),), turns=(("door",),), held_out=1), "stage3")
    (kind,) = source._rows.values()
    broken = kind.trained[0]
    broken.ego = broken.ego._replace(path=tmp_path / "gone.mp4")
    micro = source._make_batch(kind, [DrawnRow(broken, 1)], Random(0), 0)
    assert micro.batch.clips == 1
    assert "gone.mp4" in micro.unreadable[0]


@pytest.mark.parametrize("stage", ["init", "stage3"])
def test_rows_that_leave_the_encoder_alone_teach_what_reads_it(tmp_path: Path, stage: Any) -> None:
    _write(tmp_path, video=str(VIDEO))
    rows = QuestionRows(rows=(_kind(batch=1, still=True),), turns=(("door",),), held_out=1)
    (micro,) = _open(tmp_path, rows, stage).micro_batches(0, 0, 1)
    model = Exo2Ego(MODEL)
    micro.batch.losses(model).total.backward()
    assert all(parameter.grad is None for parameter in model.ego_encoder.parameters())
    assert any(parameter.grad is not None for parameter in model.connector.parameters())
