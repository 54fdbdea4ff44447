"""Ego-Exo4D's files to Ego-ExoClip: filters, cameras, both annotators, and Eq. 1 all the way through."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from egobench.annotations import Annotations
from egobench.errors import TrainingDataError
from egobench.miniego.official import takes
from egobench.miniego.official.files import Films
from egobench.miniego.rendering import render
from egobench.miniego.world.simulate import simulate
from reference_exo2ego.data.clip_rule import ClipRule
from reference_exo2ego.data.ego_exo_clip import ClipReport, build_clips
from reference_exo2ego.data.samples import read_samples
from reference_exo2ego.data.take_videos import VideoCheck
from tests.reference_exo2ego.data.ego_exo4d_files import annotator_pass, description, take, write
from tests.reference_exo2ego.data.naive_bounds import naive_bounds

ROOM = 1e-5
"""Bounds are written with six digits."""


def made(
    folder: Path, rule: ClipRule | None = None, *, skip_bad: bool = False, **more: Any
) -> tuple[list[dict[str, Any]], ClipReport]:
    """The rows of Ego-ExoClip, and what is said of them; the videos are not looked at."""
    out = folder / "clips.jsonl"
    files = Annotations(folder, skip_bad=skip_bad)
    report = build_clips(files, out, rule or ClipRule(), check=None, **more)
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()], report


def check_eq_1(rows: list[dict[str, Any]], duration_of: dict[str, float]) -> None:
    """Every bound against the naive implementation, with alpha computed anew from the rows."""
    passes: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        passes[row["annotation_uid"]].append(row)
    gaps = [
        sum(later["timestamp"] - earlier["timestamp"] for earlier, later in pairwise(rows_of_pass))
        / (len(rows_of_pass) - 1)
        for rows_of_pass in passes.values()
        if len(rows_of_pass) > 1
    ]
    alpha = sum(gaps) / len(gaps) if sum(gaps) else 0.0
    for rows_of_pass in passes.values():
        times = [row["timestamp"] for row in rows_of_pass]
        beta = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 and alpha else None
        bounds = naive_bounds(times, beta, alpha or 1.0, duration_of[rows_of_pass[0]["take_uid"]])
        for row, (start, end) in zip(rows_of_pass, bounds, strict=True):
            assert row["start"] == pytest.approx(start, abs=ROOM)
            assert row["end"] == pytest.approx(end, abs=ROOM)


def test_a_row_has_what_training_needs(tmp_path: Path) -> None:
    narrated = {"t1": [annotator_pass("a", [description(4.0), description(2.0, "C takes  a cup.")])]}
    rows, report = made(write(tmp_path, [take("t1")], narrated))
    # By hand: beta and alpha are 2 s, so clips reach half a second to either side.
    assert report.alpha == 2.0
    assert rows[0] == {
        "id": "a_1",
        "video": "takes/cmu_t1/frame_aligned_videos/aria01_214-1.mp4",
        "conversations": [{"from": "human", "value": "<video>\n"}, {"from": "gpt", "value": "C takes a cup."}],
        "start": 1.5,
        "end": 2.5,
        "exo": [
            {"camera": "cam01", "video": "takes/cmu_t1/frame_aligned_videos/cam01.mp4"},
            {"camera": "cam02", "video": "takes/cmu_t1/frame_aligned_videos/cam02.mp4"},
        ],
        "source": "ego-exoclip",
        "take_uid": "t1",
        "annotation_uid": "a",
        "timestamp": 2.0,
        "text": "C takes a cup.",
        "best_exo": "cam01",
        "scenario": "Bike Repair",
        "task": "Remove a Wheel",
        "institution": "cmu",
    }


def test_alpha_is_the_mean_over_passes_and_beta_is_of_its_own(tmp_path: Path) -> None:
    narrated = {
        "t1": [annotator_pass("a", map(description, (10, 12, 14))), annotator_pass("b", map(description, (10, 20)))],
        "t2": [annotator_pass("c", map(description, (5, 8)))],
    }
    rows, report = made(write(tmp_path, [take("t1"), take("t2")], narrated))
    # By hand: betas 2, 10 and 3 s, alpha 5 s; half widths 0.2, 1.0 and 0.3 s.
    assert report.alpha == pytest.approx(5.0)
    assert [(row["annotation_uid"], row["start"], row["end"]) for row in rows] == [
        ("a", 9.8, 10.2), ("a", 11.8, 12.2), ("a", 13.8, 14.2), ("b", 9.0, 11.0), ("b", 19.0, 21.0),
        ("c", 4.7, 5.3), ("c", 7.7, 8.3),
    ]  # fmt: skip


def test_narrations_of_a_take_bound_one_another_where_that_is_wanted(tmp_path: Path) -> None:
    narrated = {
        "t1": [annotator_pass("a", map(description, (10, 12))), annotator_pass("b", map(description, (10.1, 14)))]
    }
    rows, report = made(write(tmp_path, [take("t1")], narrated), ClipRule(group="take"))
    # By hand: the times 10, 10.1, 12, 14 have a mean gap of 4/3 s, which is alpha too.
    assert report.alpha == pytest.approx(4 / 3)
    assert [(row["start"], row["end"]) for row in rows] == [(9.5, 10.1), (10.0, 10.6), (11.5, 12.5), (13.5, 14.5)]


def test_the_papers_alpha_can_be_used(tmp_path: Path) -> None:
    narrated = {"t1": [annotator_pass("a", map(description, (10, 13.84)))]}
    rows, report = made(write(tmp_path, [take("t1")], narrated), ClipRule(alpha=1.92))
    assert report.alpha == 1.92
    assert (rows[0]["start"], rows[0]["end"]) == (9.0, 11.0)


@given(
    passes=some.lists(
        some.lists(some.floats(0, 60, allow_nan=False).map(lambda x: round(x, 3)), min_size=1, max_size=9, unique=True),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_narrations_out_of_order_get_the_bounds_of_eq_1(passes: list[list[float]], tmp_path: Path) -> None:
    narrated = {
        f"t{number}": [annotator_pass(f"p{number}", map(description, times))] for number, times in enumerate(passes)
    }
    rows, _ = made(write(tmp_path, [take(uid) for uid in narrated], narrated))
    assert len(rows) == sum(map(len, passes))
    check_eq_1(rows, dict.fromkeys(narrated, 60.0))


@pytest.fixture(scope="module")
def miniego(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rendered takes of the split train and a third of val, as MiniEgo writes them."""
    folder = tmp_path_factory.mktemp("egoexo4d")
    world, films = simulate("small", seed=5), Films(folder)
    train = world.train.takes[:2]
    takes.write(folder, [*train, *world.val.takes[:1]], films)
    for episode in train:
        render(episode, [film for film in films.of(episode) if "takes" in film.path.parts], timecode=False)
    return folder


@pytest.mark.slow
def test_miniegos_takes_become_clips_whose_every_bound_is_that_of_eq_1(miniego: Path) -> None:
    files = Annotations(miniego)
    out = miniego / "clips.json"
    report = build_clips(files, out, ClipRule(), check=VideoCheck(miniego / "checks.jsonl"))
    rows = json.loads(out.read_text(encoding="utf-8"))
    durations = {row["take_uid"]: row["duration_sec"] for row in json.loads((miniego / "takes.json").read_text())}
    check_eq_1(rows, durations)
    official = json.loads((miniego / "annotations" / "atomic_descriptions_train.json").read_text(encoding="utf-8"))
    described = [
        row for passes in official["annotations"].values() for annotated in passes for row in annotated["descriptions"]
    ]
    lost = report.exclusions.counts["clip without length"]
    assert len(rows) == len(described) - lost == report.statistics.seconds.n
    assert {row["institution"] for row in rows} <= {
        row["university_name"] for row in json.loads((miniego / "takes.json").read_text())
    }
    assert report.statistics.groups == 2
    files_of_train = [path for path in (miniego / "takes").rglob("*.mp4") if path.stat().st_size]
    assert report.statistics.videos == len(files_of_train) >= 6
    assert report.statistics.pairs == sum(len(row["exo"]) for row in rows) >= 2 * len(rows)
    assert report.exclusions.counts["take of another split"] == 1
    assert all((miniego / row["video"]).is_file() for row in rows)
    assert [sample.to_json() for sample in read_samples(out)] == rows


@pytest.mark.slow
def test_missing_empty_and_broken_videos_are_left_out_and_named(miniego: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    first, second = json.loads((miniego / "takes.json").read_text(encoding="utf-8"))[:2]
    (folder / "takes").mkdir(parents=True)
    for name in ("takes.json", "annotations"):
        (folder / name).symlink_to(miniego / name)
    for row in (first, second):
        views = folder / row["root_dir"] / "frame_aligned_videos"
        views.mkdir(parents=True)
        for video in (miniego / row["root_dir"] / "frame_aligned_videos").iterdir():
            (views / video.name).symlink_to(video)
    exo = sorted((folder / first["root_dir"] / "frame_aligned_videos").glob("cam*.mp4"))
    exo[0].unlink()
    exo[0].write_bytes(b"")
    (folder / second["root_dir"] / "frame_aligned_videos" / "aria01_214-1.mp4").unlink()
    out = folder / "clips.jsonl"
    report = build_clips(Annotations(folder), out, ClipRule(), check=VideoCheck(folder / "checks.jsonl"))
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {row["take_uid"] for row in rows} == {first["take_uid"]}
    assert {view["camera"] for row in rows for view in row["exo"]} == {path.stem for path in exo[1:]}
    reasons = report.exclusions.examples["video that cannot be used"]
    assert len(reasons) == 2
    assert any(exo[0].name in words and "UnreadableVideoError" in words for words in reasons)
    assert any("aria01_214-1.mp4: no such video" in words for words in reasons)
    assert report.exclusions.counts["take whose videos cannot be used"] == 1


def test_one_best_view_is_the_annotators_or_else_the_takes(tmp_path: Path) -> None:
    narrated = {
        "t1": [
            annotator_pass(
                "a", [description(1), description(3, best_exo=None), description(5, best_exo={"cam_id": "x"})]
            )
        ]
    }
    rows, _ = made(write(tmp_path, [take("t1")], narrated), ClipRule(views="best"))
    assert [[view["camera"] for view in row["exo"]] for row in rows] == [["cam01"], ["cam02"], ["cam02"]]


def test_files_of_448_lines_are_named_where_they_are_wanted(tmp_path: Path) -> None:
    narrated = {"t1": [annotator_pass("a", [description(1)])]}
    rows, _ = made(write(tmp_path, [take("t1")], narrated), ClipRule(resolution="448"))
    assert rows[0]["video"] == "takes/cmu_t1/frame_aligned_videos/downscaled/448/aria01_214-1.mp4"


def test_the_wearers_camera_is_known_by_the_capture_not_by_its_name(tmp_path: Path) -> None:
    row = take("t1", capture=None)
    row["frame_aligned_videos"]["aria02"] = row["frame_aligned_videos"].pop("aria01")
    cameras = [
        {"cam_id": "aria02", "is_ego": "1"},
        {"cam_id": "cam02", "is_ego": True},
        {"cam_id": "cam01", "is_ego": "0"},
    ]
    folder = write(tmp_path, [row], {"t1": [annotator_pass("a", [description(1)])]})
    (folder / "captures.json").write_text(json.dumps([{"capture_uid": "capture-t1", "cameras": cameras}]))
    rows, _ = made(folder)
    assert rows[0]["video"].endswith("aria01_214-1.mp4")
    assert [view["camera"] for view in rows[0]["exo"]] == ["cam01"]


def test_a_late_camera_is_read_later(tmp_path: Path) -> None:
    narrated = {"t1": [annotator_pass("a", [description(1), description(3)])]}
    offsets = {("t1", "ego"): 0.25, ("t1", "cam02"): 0.5}
    rows, _ = made(write(tmp_path, [take("t1")], narrated), offsets=offsets)
    assert (rows[0]["start"], rows[0]["end"]) == (0.75, 1.75)
    assert rows[0]["exo"] == [
        {"camera": "cam01", "video": "takes/cmu_t1/frame_aligned_videos/cam01.mp4", "start": 0.5, "end": 1.5},
        {"camera": "cam02", "video": "takes/cmu_t1/frame_aligned_videos/cam02.mp4", "start": 1.0, "end": 2.0},
    ]


def test_filters_leave_out_and_count(tmp_path: Path) -> None:
    described = [
        description(1), description(2, subject="O"), description(3, unsure=True), description(4, ego_visible="0"),
        description(5, "  "), description(60.5),
    ]  # fmt: skip
    passes = [annotator_pass("a", described), annotator_pass("b", [description(9)], rejected="1")]
    folder = write(tmp_path, [take("t1")], {"t1": passes})
    rows, report = made(folder)
    assert [row["timestamp"] for row in rows] == [1, 2, 3, 4]
    assert report.exclusions.counts == {
        "rejected pass": 1,
        "narration without words": 1,
        "narration after the end of its take": 1,
    }
    assert "take 't1', pass 'a', description 5" in report.exclusions.examples["narration without words"][0]
    rows, report = made(folder, ClipRule(subject="C", keep_unsure=False, keep_unseen=False))
    assert [row["timestamp"] for row in rows] == [1]


def test_the_word_for_the_wearer_can_be_chosen(tmp_path: Path) -> None:
    narrated = {"t1": [annotator_pass("a", [description(1, "C hands C's CD to a man.")])]}
    rows, _ = made(write(tmp_path, [take("t1")], narrated), ClipRule(wearer="The wearer"))
    assert rows[0]["text"] == "The wearer hands The wearer's CD to a man."


def test_the_three_filters_of_the_paper(tmp_path: Path) -> None:
    rows = [take("t1"), take("t2"), take("t3"), take("t4", cameras=()), take("t5", is_dropped=True)]
    passes = [annotator_pass("a", [description(1)])]
    narrated = {"t1": passes, "t2": [annotator_pass("b", [description(1)])], "unknown": passes}
    made_rows, report = made(write(tmp_path, rows, narrated, splits={"t2": "val"}))
    assert {row["take_uid"] for row in made_rows} == {"t1"}
    assert report.exclusions.counts == {
        "take of another split": 1,
        "take without synchronised cameras": 1,
        "take dropped by its authors": 1,
        "narrated take that is not among the chosen": 2,
        "take without narrations": 1,
    }


def test_statistics_by_hand(tmp_path: Path) -> None:
    rows = [take("t1", duration=1800.0), take("t2", duration=3600.0, university_name="utokyo", cameras=("cam01",))]
    narrated = {
        "t1": [annotator_pass("a", [description(10, "C turns the wheel."), description(14, " ".join("abcdefghij"))])],
        "t2": [annotator_pass("b", [description(20, "C sits."), description(20.5, "C rises.")])],
    }
    _, report = made(write(tmp_path, rows, narrated))
    numbers = report.statistics.numbers()
    # By hand: betas 4 and 0.5, alpha 2.25, half widths 8/9 and 1/9; durations 16/9, 16/9, 2/9, 2/9.
    assert report.alpha == pytest.approx(2.25)
    assert numbers["groups"] == 2
    assert numbers["videos"] == 5
    assert numbers["narrations"] == 4
    assert numbers["pairs"] == 6
    assert numbers["hours"] == pytest.approx(1.5)
    assert numbers["mean_seconds"] == pytest.approx(1.0)
    assert numbers["sd_seconds"] == pytest.approx(7 / 9)
    assert numbers["share_below_1s"] == 0.5
    assert numbers["longest"] == pytest.approx(16 / 9)
    assert numbers["mean_words"] == pytest.approx((4 + 10 + 2 + 2) / 4)
    assert numbers["share_10_to_20_words"] == 0.25
    assert numbers["institutions"] == numbers["countries"] == 2
    assert report.statistics.breakdown()["country"] == {
        "Japan": {"takes": 1, "hours": 1.0, "narrations": 2},
        "United States": {"takes": 1, "hours": 0.5, "narrations": 2},
    }


def test_nothing_left_is_an_error_that_says_why_and_keeps_the_earlier_file(tmp_path: Path) -> None:
    folder = write(tmp_path, [take("t1", cameras=())], {"t1": [annotator_pass("a", [description(1)])]})
    (folder / "clips.jsonl").write_text("an earlier one\n")
    with pytest.raises(TrainingDataError, match=r"no clip is left; .*no file of an exocentric camera"):
        made(folder)
    assert (folder / "clips.jsonl").read_text() == "an earlier one\n"
    assert not list(folder.glob("*.part"))
