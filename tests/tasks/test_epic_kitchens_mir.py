"""EPIC-KITCHENS-100 retrieval: made-up rows, and the real files where they are at hand."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest

from egobench.annotations import Annotations
from egobench.plugins import load_task
from egobench.sample import Clip, Record
from tests.tasks.official_files import epic_kitchens_mir, write

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "epic_kitchens_mir"


def test_a_clip_is_cut_by_its_timestamps(tmp_path: Path) -> None:
    records = list(load_task("epic-kitchens-mir").read(Annotations(write(tmp_path, epic_kitchens_mir()))))
    assert records[0] == Record(
        id="P01_11_0",
        clip=Clip("P01/P01_11.MP4", 0.0, 1.89),
        # PROTOCOL 2.5: the paper's question, Table 12.
        question="Given a query video segment, how can captions be ranked so that those with a higher rank are more "
        "semantically relevant to the action in the query video segment?",
        answer="take plate",
        cluster="P01_11",
        tags={"verb": "0", "noun": ("2",)},
    )
    assert records[1].clip == Clip("P01/P01_11.MP4", 61.56, 62.45)
    assert records[2].clip == Clip("P22/P22_04.MP4", 3600.0, 3602.5)


def test_noun_classes_are_a_set(tmp_path: Path) -> None:
    records = list(load_task("epic-kitchens-mir").read(Annotations(write(tmp_path, epic_kitchens_mir()))))
    assert records[2].tags == {"verb": "7", "noun": ("4", "36")}


def test_texts_of_captions_come_from_the_clip_file(tmp_path: Path) -> None:
    annotations = Annotations(write(tmp_path, epic_kitchens_mir()))
    list(load_task("epic-kitchens-mir").read(annotations))
    # The sentence file has two distinct texts for its three rows; by narration id they are three.
    assert annotations.facts == {"captions": 3, "texts": 3}


def test_lengths_and_rates_are_noted_where_the_table_of_videos_is_there(tmp_path: Path) -> None:
    annotations = Annotations(write(tmp_path, epic_kitchens_mir()))
    (tmp_path / "EPIC_100_video_info.csv").write_text(
        "video_id,duration,fps,resolution\nP01_11,902.5,59.94,1920x1080\nP99_01,1,50,1920x1080\n"
    )
    list(load_task("epic-kitchens-mir").read(annotations))
    assert annotations.videos == {"P01/P01_11.MP4": {"seconds": 902.5, "fps": 59.94}}


@pytest.mark.skipif(not REAL.is_dir(), reason="the EPIC-KITCHENS-100 annotations are not beside the checkout")
def test_the_real_files_hold_what_was_counted_in_them() -> None:
    annotations = Annotations(REAL)
    records = list(load_task("epic-kitchens-mir").read(annotations))
    lengths = [record.clip.end - record.clip.start for record in records if record.clip.end is not None]
    assert len(records) == len(lengths) == 9668
    assert len({record.clip.video for record in records}) == 138
    assert annotations.facts == {"captions": 3842, "texts": 3835}
    assert len({record.answer for record in records}) == 3835
    assert fmean(lengths) == pytest.approx(3.683, abs=5e-4)
    assert annotations.dropped == []
