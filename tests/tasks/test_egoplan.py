"""EgoPlan: frame numbers of two sources, and what must not leak."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.errors import RecordError
from egobench.evaluate import evaluate
from egobench.model import Method, ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.plugins import load_task
from egobench.run.spec import Settings
from egobench.sample import Record
from tests.conftest import NoEmbedder
from tests.tasks.official_files import egoplan, write

QUESTIONS = "EgoPlan_validation.json"


def read(folder: Path) -> list[Record]:
    return list(load_task("egoplan").read(Annotations(folder)))


def test_frames_count_from_one_at_the_rate_of_the_epic_video(tmp_path: Path) -> None:
    record = read(write(tmp_path, egoplan()))[0]
    # (36 - 1) / 59.94 and (760 - 1) / 59.94
    assert record.clip.video == "P01/P01_13.MP4"
    assert (record.clip.start, record.clip.end) == pytest.approx((0.583917, 12.662663), abs=1e-6)


def test_frames_of_ego4d_count_from_zero_at_thirty_a_second(tmp_path: Path) -> None:
    record = read(write(tmp_path, egoplan()))[1]
    assert (record.clip.video, record.clip.start, record.clip.end) == ("5f1a2b3c.mp4", 10.0, 30.0)


def test_frame_rates_of_the_annotation_lie_beside_the_samples_for_the_doctor(tmp_path: Path) -> None:
    built = build(load_task("egoplan"), Annotations(write(tmp_path, egoplan())), NoEmbedder())
    rates = json.loads((built.write(tmp_path) / "videos.json").read_text())
    assert rates["P01/P01_13.MP4"] == {"seconds": 300.0, "fps": pytest.approx(59.94, abs=0.01)}
    assert rates["5f1a2b3c.mp4"] == {"fps": 30.0}


def test_without_progress_the_clip_is_the_observation(tmp_path: Path) -> None:
    record = read(write(tmp_path, egoplan()))[2]
    assert (record.clip.start, record.clip.end) == (1.5, 1.5)


def test_a_record_holds_question_and_choices_and_no_narration(tmp_path: Path) -> None:
    record = read(write(tmp_path, egoplan()))[0]
    assert record == Record(
        id="115",
        clip=record.clip,
        question="Considering the progress shown in the video, what action should I take next?",
        answer="put cereal box into cupboard",
        cluster="P01_13",
        options=(
            "put cereal box into cupboard",
            "take cereal bag",
            "open cupboard",
            "put cereal bag into cereal box",
        ),
        target=0,
        tags={"source": "EpicKitchens"},
    )
    assert "narration never to be shown" not in repr(record)


def test_the_last_frame_shown_is_the_observation() -> None:
    assert load_task("egoplan").frames.last


def test_ego4d_questions_need_no_table_of_frame_rates(tmp_path: Path) -> None:
    files = egoplan()
    assert len(read(write(tmp_path, {QUESTIONS: files[QUESTIONS][1:]}))) == 2


def test_an_epic_video_without_a_frame_rate_is_refused(tmp_path: Path) -> None:
    files = egoplan()
    with pytest.raises(RecordError, match=r"row 1, field 'video_id': no frame rate of 'P01_13'"):
        read(write(tmp_path, {QUESTIONS: files[QUESTIONS]}))


class Likelihoods:
    """Gives choice A the best mean and choice B the best sum of log-probabilities."""

    info = ModelInfo("likelihoods", "1")

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        return [Reply("C")] * len(prompts)

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> Sequence[OptionScores]:
        assert form == "text"
        return [OptionScores((-6.0, -4.0, -9.0, -12.0), (6, 3, 2, 6))] * len(prompts)


def test_official_scoring_takes_the_choice_that_is_likeliest_a_token(tmp_path: Path) -> None:
    """By hand: means -1, -4/3, -9/2, -2, and A is right everywhere; by sums B would be chosen."""
    held = build(load_task("egoplan"), Annotations(write(tmp_path / "a", egoplan())), NoEmbedder())

    def accuracy(method: Method) -> float:
        settings = Settings(method, "blind")
        scores = evaluate(Likelihoods(), [held], tmp_path, tmp_path / "runs", settings).scores
        value = scores[f"egoplan/all/mcq/official/acc/{method}/blind"].value
        assert value is not None
        return value

    assert (accuracy("likelihood-mean"), accuracy("likelihood-sum"), accuracy("generate")) == (1.0, 0.0, 0.0)
