"""The leak guard: overlaps by hand, clocks that differ, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from egobench.errors import LeakError, RecordError
from egobench.sample import Sample
from reference_exo2ego.data.leaks import (
    Leak,
    Origin,
    Origins,
    TrainedFootage,
    find_leaks,
    read_origins,
    require_no_leak,
    uid_of,
)
from reference_exo2ego.data.samples import SyncedView, TrainingSample

TURNS = ("<video>\nWhat?", "A cup.")


def trained(media: str, start: float | None = None, end: float | None = None, **facts: str) -> TrainingSample:
    return TrainingSample("t", media, "video", TURNS, start, end, facts=facts)


def evaluated(video: str, start: float = 0.0, end: float | None = None, cluster: str = "") -> Sample:
    return Sample(
        id=f"{video} {start:g}", task="egomcq", subset="all", video=video, start=start, end=end, question="",
        options=(), target=None, answer="", relevance=None, cluster=cluster or uid_of(video), tags={},
    )  # fmt: skip


def leak(training: list[TrainingSample], samples: list[Sample], origins: Origins | None = None) -> Leak:
    footage = TrainedFootage(origins or {})
    for sample in training:
        footage.add(sample)
    return find_leaks(footage, [("egomcq/paper", samples)])[0]


def counts(result: Leak) -> tuple[int, int, int]:
    return result.overlapping, result.undecided, result.same_video


def test_clips_of_one_video_overlap_or_do_not() -> None:
    training = [trained("ego4d/a.mp4", 10, 20), trained("ego4d/a.mp4", 40, 50)]
    samples = [
        evaluated("a.mp4", 19, 21),
        evaluated("a.mp4", 20, 40),
        evaluated("a.mp4", 0, 100),
        evaluated("b.mp4", 10, 20),
    ]
    result = leak(training, samples)
    assert counts(result) == (2, 0, 1)
    assert result.videos == 1
    assert result.examples[0] == "sample 'a.mp4 19': a.mp4, 19 s to 21 s, overlaps footage that is trained on"


def test_a_whole_file_overlaps_all_of_it() -> None:
    assert counts(leak([trained("a.mp4")], [evaluated("x/a.webm", 500, 501)])) == (1, 0, 0)
    assert counts(leak([trained("a.mp4", 3, 4)], [evaluated("a.mp4")])) == (1, 0, 0)


def test_a_clip_cut_out_nobody_knows_where_is_undecided() -> None:
    training = [trained("uid.mp4", 0, 10, video_uid="uid")]
    result = leak(training, [evaluated("0074f737.mp4", cluster="uid")])
    assert counts(result) == (0, 1, 0)
    assert "which is trained on as uid, on another clock" in result.examples[0]


def test_origins_decide(tmp_path: Path) -> None:
    path = tmp_path / "origins.csv"
    path.write_text("clip,video,start\n0074f737.mp4,uid,240\n00b9a0de,uid,5\n", encoding="utf-8")
    samples = [evaluated("0074f737.mp4", 0, 180, cluster="uid"), evaluated("00b9a0de.mp4", 0, 180, cluster="uid")]
    assert counts(leak([trained("uid.mp4", 0, 10)], samples, read_origins(path))) == (1, 0, 1)


def test_egoschemas_own_file_of_origins_is_read(tmp_path: Path) -> None:
    path = tmp_path / "uid_to_ego4d.json"
    path.write_text('{"0074f737": {"video_uid": "2fa7", "starting_sec": 240, "ending_sec": 420}}', encoding="utf-8")
    assert read_origins(path) == {"0074f737": Origin("2fa7", 240.0)}


def test_an_origin_that_is_no_time_is_named(tmp_path: Path) -> None:
    path = tmp_path / "origins.csv"
    path.write_text("clip,video,start\na,uid,later\n", encoding="utf-8")
    with pytest.raises(RecordError, match=r"origins\.csv, line 2, field 'start'"):
        read_origins(path)


def test_exocentric_views_count_and_all_cameras_of_a_take_are_on_one_clock() -> None:
    root = "takes/cmu_bike01_2/frame_aligned_videos"
    views = (SyncedView("cam01", "gopro/x.mp4", 5.0, 6.0), SyncedView("cam02", f"{root}/downscaled/448/cam02.mp4"))
    sample = TrainingSample("t", f"{root}/aria01_214-1.mp4", "video", TURNS, 1.0, 2.0, exo=views)
    samples = [
        evaluated(f"{root}/cam03.mp4", 1.5, 3), evaluated(f"{root}/cam03.mp4", 2, 3), evaluated("x.mp4", 5.5, 7),
        evaluated("takes/other/frame_aligned_videos/aria01_214-1.mp4", 1, 2),
    ]  # fmt: skip
    assert counts(leak([sample], samples)) == (2, 0, 1)


def test_text_alone_shows_nothing() -> None:
    footage = TrainedFootage()
    footage.add(TrainingSample("t", "", "text", ("Hello.", "Good day.")))
    assert (footage.samples, footage.text_only) == (1, 1)
    assert counts(find_leaks(footage, [("a/b", [evaluated("a.mp4")])])[0]) == (0, 0, 0)


def test_a_leak_is_refused_unless_the_set_or_its_task_is_named() -> None:
    result = leak([trained("a.mp4")], [evaluated("a.mp4")])
    with pytest.raises(LeakError, match=r"egomcq/paper \(1 of 1\); for example sample 'a.mp4 0'"):
        require_no_leak([result], ())
    require_no_leak([result], ["egomcq/paper"])
    require_no_leak([result], ["egomcq"])
    with pytest.raises(ValueError, match="no sample set is called 'egoplan'"):
        require_no_leak([result], ["egoplan"])


def test_another_stretch_of_the_same_video_is_reported_and_not_refused() -> None:
    require_no_leak([leak([trained("a.mp4", 0, 1)], [evaluated("a.mp4", 2, 3)])], ())


INTERVALS = some.tuples(some.integers(0, 40), some.integers(1, 9)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(some.lists(INTERVALS, min_size=1, max_size=12), INTERVALS)
def test_overlaps_are_those_of_a_naive_comparison(known: list[tuple[int, int]], other: tuple[int, int]) -> None:
    result = leak([trained("a.mp4", start, end) for start, end in known], [evaluated("a.mp4", *other)])
    expected = any(start < other[1] and other[0] < end for start, end in known)
    assert result.overlapping == expected
