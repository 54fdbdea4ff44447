"""The official files: names, columns, keys and types as ``PROTOCOL.md`` section 2 describes them."""

from __future__ import annotations

import ast
import csv
import json
import math
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from egobench.annotations import Annotations
from egobench.miniego.world import log
from egobench.miniego.world.episode import Episode
from egobench.plugins import TASKS, load_task, names


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _csv(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def _seconds(timestamp: str) -> float:
    hours, minutes, seconds = timestamp.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def _episodes(written: Path) -> dict[int, Episode]:
    return {episode.number: episode for episode in log.read(written / "log.jsonl")}


@pytest.mark.parametrize("task", names(TASKS))
def test_every_task_reads_at_least_100_records_of_each_subset(written: Path, task: str) -> None:
    records = list(load_task(task).read(Annotations(written / "annotations" / task)))
    subsets = {subset.name for subset in load_task(task).subsets}
    assert {record.subset for record in records} == subsets
    assert all(sum(record.subset == name for record in records) >= 100 for name in subsets)
    assert len({(record.subset, record.id) for record in records}) == len(records)


def test_egoschema_has_options_with_a_space_in_the_key_and_labels_as_numbers(written: Path) -> None:
    folder = written / "annotations/egoschema"
    rows, labels, spans = (_json(folder / f"{name}.json") for name in ("questions", "subset_answers", "uid_to_ego4d"))
    keys = {"q_uid", "google_drive_id", "question", *(f"option {number}" for number in range(5))}
    assert all(set(row) == keys and all(isinstance(value, str) for value in row.values()) for row in rows)
    assert set(labels) == set(spans) == {row["q_uid"] for row in rows}
    assert all(type(label) is int and 0 <= label <= 4 for label in labels.values())
    assert all(set(span) == {"video_uid", "starting_sec", "ending_sec"} for span in spans.values())
    assert all(str(UUID(uid)) == uid for uid in spans)
    assert len({span["video_uid"] for span in spans.values()}) < len(spans)


def test_qaego4d_asks_the_same_open_and_closed_with_three_wrong_answers(written: Path) -> None:
    folder = written / "annotations/qaego4d"
    closed, opened = (_json(folder / f"annotations.QaEgo4D_test{end}.json") for end in ("_close", ""))
    assert [{key: row[key] for key in row if key != "wrong_answers"} for row in closed] == opened
    for row in closed:
        assert len({*row["wrong_answers"], row["answer"]}) == 4
        assert row["moment_start_frame"] == pytest.approx(30 * row["video_start_sec"], abs=0.01)
        assert row["moment_start_frame"] < row["moment_end_frame"]
        assert re.fullmatch(r"[0-9a-f-]{36}_\d", row["sample_id"])


@pytest.mark.parametrize("split", ["direct", "indirect"])
def test_egotaskqa_tags_every_question(written: Path, split: str) -> None:
    folder = written / "annotations/egotaskqa" / split
    rows, intervals = _json(folder / "test_qas.json"), _json(folder / "vid_intervals.json")
    for row in rows:
        assert set(row) == {
            "question", "answer", "program", "type", "category", "semantic", "structural", "reference", "interval",
            "video_id", "question_id", "reasoning_type",
        }  # fmt: skip
        tags = [*row["type"], *row["category"], row["semantic"], row["structural"], row["reference"]]
        assert row["reasoning_type"] == "$".join(tags)
        assert row["structural"] in {"query", "verify"}
        assert row["interval"] == intervals[row["video_id"]]
        assert re.fullmatch(r"[0-9a-f]{8}\|P1\|0\|\d+", row["interval"])
        assert row["question"].endswith("?")
    references = {row["reference"] for row in rows}
    assert references == ({"direct", "indirect"} if split == "direct" else {"indirect"})


def test_charades_has_157_classes_and_segments_inside_its_videos(written: Path) -> None:
    folder = written / "annotations/charades-ego"
    classes = (folder / "Charades_v1_classes.txt").read_text().split("\n")
    assert len(classes) == 157
    assert all(line.startswith(f"c{number:03d} ") for number, line in enumerate(classes))
    rows = _csv(folder / "CharadesEgo_v1_test_only1st.csv")
    assert list(rows[0]) == [
        "id",
        "subject",
        "scene",
        "quality",
        "relevance",
        "verified",
        "script",
        "objects",
        "descriptions",
        "actions",
        "length",
        "egocentric",
        "charades_video",
    ]
    for row in rows:
        assert row["id"] == f"{row['charades_video']}EGO"
        segments = [(name, float(start), float(end)) for name, start, end in map(str.split, row["actions"].split(";"))]
        assert all(0 <= start < end <= float(row["length"]) for _, start, end in segments)
    assert any("," in row["script"] for row in rows)


def test_epic_has_15_columns_with_python_lists_and_nominal_frames(written: Path) -> None:
    folder = written / "annotations/epic-kitchens-mir"
    rows, sentences = (_csv(folder / f"EPIC_100_retrieval_test{end}.csv") for end in ("", "_sentence"))
    verbs, nouns = (_csv(folder / f"EPIC_100_{kind}_classes.csv") for kind in ("verb", "noun"))
    frames = {row["video_id"]: float(row["fps"]) for row in _csv(folder / "EPIC_100_video_info.csv")}
    assert len(rows[0]) == 15
    for row in rows:
        all_nouns = ast.literal_eval(row["all_nouns"])
        assert [nouns[number]["key"] for number in ast.literal_eval(row["all_noun_classes"])] == all_nouns
        assert verbs[int(row["verb_class"])]["key"] == row["verb"]
        assert nouns[int(row["noun_class"])]["key"] == row["noun"] == all_nouns[0]
        assert int(row["start_frame"]) == max(1, math.floor(round(60 * _seconds(row["start_timestamp"]), 6)))
        assert _seconds(row["start_timestamp"]) < _seconds(row["stop_timestamp"])
        assert row["narration_id"].startswith(f"{row['video_id']}_")
        assert frames[row["video_id"]] == pytest.approx(15000 / 1001)
    texts = {row["narration_id"]: row["narration"] for row in rows}
    assert all(texts[row["narration_id"]] == row["narration"] for row in sentences)
    assert [row["narration"] for row in sentences] == list(dict.fromkeys(texts.values()))


def test_egoplan_counts_frames_in_the_rate_of_the_source(written: Path) -> None:
    folder = written / "annotations/egoplan"
    rows = _json(folder / "EgoPlan_validation.json")
    rates = {row["video_id"]: float(row["fps"]) for row in _csv(folder / "EPIC_100_video_info.csv")}
    assert {row["video_source"] for row in rows} == {"EpicKitchens", "Ego4D"}
    assert [row["sample_id"] for row in rows] == list(range(len(rows)))
    shortest = min(episode.seconds for episode in _episodes(written).values() if episode.kind == "activity")
    for row in rows:
        assert (row["video_id"] in rates) == (row["video_source"] == "EpicKitchens")
        assert row[f"choice_{row['golden_choice_idx'].lower()}"] == row["answer"]
        steps = row["task_progress_metadata"]
        ends = [frame for step in steps for frame in (step["start_frame"], step["stop_frame"])]
        assert ends == sorted(ends)
        assert ends[-1] <= row["current_observation_frame"]
        assert row["current_observation_frame"] / rates.get(row["video_id"], 30.0) < 60
        assert steps[0]["start_frame"] / rates.get(row["video_id"], 30.0) < shortest
        assert row["question"].endswith(f"in order to {row['task_goal']}?")


def test_vln_qa_has_each_answer_equally_often_in_the_folder_of_its_name(written: Path) -> None:
    rows = _json(written / "annotations/vln-qa/egocentric_navigation.json")
    folders = {"left": "Turn left", "right": "Turn right", "forward": "Move forward", "stop": "Stop"}
    for row in rows:
        folder, name = row["video"].split("/")
        assert row["answer"].startswith(folders[folder])
        assert re.fullmatch(r"\d+_frame\d+\.mp4", name)
        assert len(row["candidates"]) == 4
    assert all(4 * sum(row["video"].startswith(f"{folder}/") for row in rows) == len(rows) for folder in folders)


def test_egomcq_keeps_ids_times_and_tags_as_its_readers_expect(written: Path) -> None:
    rows = _json(written / "annotations/egomcq/egomcq.json")
    assert list(rows) == [str(number) for number in range(len(rows))]
    for row in rows.values():
        assert sorted(row["choices"]) == [str(number) for number in range(5)]
        assert row["query"] == row["choices"][str(row["answer"])]
        videos = {clip["video_uid"] for clip in row["choices"].values()}
        assert len(videos) == {1: 5, 2: 1}[row["types"]]
        for clip in row["choices"].values():
            assert 0.7 <= float(clip["clip_end"]) - float(clip["clip_start"]) <= 2.001
            assert clip["clip_text"].startswith("#C C ")
            assert all(isinstance(ast.literal_eval(clip[key]), list) for key in ("tag_verb", "tag_noun"))
    kinds = {type(row["query"]["clip_start"]) for row in rows.values()}
    assert kinds == {str, float}
