"""The files to train on: names, columns, keys and types of the official ones, and what they say is what happens."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from egobench.miniego.generate import write_both_splits, write_split
from egobench.miniego.official import egotimeqa, openeqa
from egobench.miniego.official.egtea import session
from egobench.miniego.official.files import Film, Films
from egobench.miniego.official.takes import take_uid
from egobench.miniego.world.episode import Episode
from egobench.miniego.world.simulate import TrainingEpisodes, World
from tests.miniego.oracle import Seen, answer

Json = dict[str, Any]


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _csv(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def _films(films: Films, episodes: list[Episode]) -> dict[str, tuple[Episode, Film]]:
    """Episode and film by the path below the folder of the training data."""
    return {
        film.path.relative_to(films.root).as_posix(): (episode, film)
        for episode in episodes
        for film in films.of(episode)
    }


@pytest.fixture(scope="module")
def rendered(small: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Episode, Film]]:
    """What would be rendered below ``train``, by path."""
    out = tmp_path_factory.mktemp("films")
    films = Films(out)
    write_both_splits(out, small, films)
    write_split(out, small.train, films, 0)
    return _films(films, [*small.train.episodes, *small.val.episodes])


def test_takes_name_their_cameras_and_both_narrators_tell_all_of_them(
    written: Path, rendered: dict[str, tuple[Episode, Film]]
) -> None:
    takes = _json(written / "train/takes.json")
    splits = _json(written / "train/annotations/splits.json")["take_uid_to_split"]
    for take in takes:
        cameras = {row["cam_id"]: row["is_ego"] for row in take["capture"]["cameras"]}
        assert [name for name, is_ego in cameras.items() if is_ego] == ["aria01"]
        assert len(cameras) == 3
        assert set(cameras) <= {"aria01", "cam01", "cam02", "cam03", "cam04"}
        assert take["best_exo"] in cameras
        assert take["frame_aligned_videos"]["aria01"]["rgb"]["relative_path"].endswith("aria01_214-1.mp4")
        for camera, streams in take["frame_aligned_videos"].items():
            for stream in streams.values():
                _, film = rendered[f"{take['root_dir']}/{stream['relative_path']}"]
                assert film.view == ("ego" if camera == "aria01" else f"exo{camera[-1]}")
        descriptions = _json(written / f"train/annotations/atomic_descriptions_{splits[take['take_uid']]}.json")
        passes = descriptions["annotations"][take["take_uid"]]
        assert len({row["annotator_id"] for row in passes}) == 2
        texts = [[row["text"] for row in narration_pass["descriptions"]] for narration_pass in passes]
        assert texts[0] != texts[1]
        for narration_pass in passes:
            times = [row["timestamp"] for row in narration_pass["descriptions"]]
            assert times == sorted(times)
            assert 0 <= times[0] <= times[-1] <= take["duration_sec"]
    assert {"train", "val"} == set(splits.values())
    assert _json(written / "train/captures.json") == [take["capture"] for take in takes]


def test_scenario_institution_and_cameras_vary(training: TrainingEpisodes, tmp_path: Path) -> None:
    world = World([], [], [], [], [], training, TrainingEpisodes([], [], []))
    write_both_splits(tmp_path, world, Films(tmp_path))
    takes = _json(tmp_path / "takes.json")
    assert len({take["parent_task_name"] for take in takes}) == 5
    assert len({take["university_name"] for take in takes}) == 3
    assert {take["best_exo"] for take in takes} == {"cam01", "cam02", "cam03", "cam04"}
    parents = {(take["parent_task_id"], take["parent_task_name"]) for take in takes}
    assert len(parents) == 5
    assert all(take["task_id"] // 1000 == take["parent_task_id"] // 1000 for take in takes)


def test_egoclip_is_tab_separated_and_of_training_episodes_only(written: Path) -> None:
    rows = _csv(written / "train/egoclip.csv", delimiter="\t")
    splits = _json(written / "train/annotations/splits.json")["take_uid_to_split"]
    assert list(rows[0]) == [
        "clip_idx",
        "video_uid",
        "video_dur",
        "narration_source",
        "narration_ind",
        "narration_time",
        "clip_start",
        "clip_end",
        "clip_text",
        "tag_verb",
        "tag_noun",
    ]
    for row in rows:
        assert splits[row["video_uid"]] == "train"
        assert float(row["clip_start"]) <= float(row["narration_time"]) <= float(row["clip_end"])
        assert row["narration_source"] in {"narration_pass_1", "narration_pass_2"}
        assert row["clip_text"].startswith("#C C ")


def test_egtea_numbers_its_classes_from_1_and_names_clips_by_time_and_frame(
    written: Path, small: World, rendered: dict[str, tuple[Episode, Film]]
) -> None:
    folder = written / "train/egtea"
    classes: dict[str, list[str]] = {}
    for kind in ("action", "verb", "noun"):
        lines = (folder / f"action_annotation/{kind}_idx.txt").read_text().splitlines()
        classes[kind] = [line.rpartition(" ")[0] for line in lines]
        assert [line.rpartition(" ")[2] for line in lines] == [str(number) for number in range(1, len(lines) + 1)]
    table = (folder / "raw_annotations/action_labels.csv").read_text().splitlines()
    assert table[0] == (
        "Clip ID; Clip Prefix; Video Session; Starting Time (ms); Ending Time (ms); Action Label; Verb Label; "
        "Noun Label(s)"
    )
    labels = {row[1]: row for row in (line.split("; ") for line in table[1:])}
    sessions = {split: {session(take) for take in small.takes if take.split == split} for split in ("train", "val")}
    for name, split in (("train", "train"), ("test", "val")):
        lines = (folder / f"action_annotation/{name}_split1.txt").read_text().splitlines()
        assert lines
        for line in lines:
            clip, *numbers = line.split()
            prefix, first, last = clip.rsplit("-", 2)
            recording, start, end = prefix.rsplit("-", 2)
            assert (first, last) == (f"F{round(int(start) * 0.024):06d}", f"F{round(int(end) * 0.024):06d}")
            assert recording in sessions[split]
            assert rendered[f"egtea/videos/{recording}.mp4"][1].start == 0
            action, verb, *nouns = (int(number) - 1 for number in numbers)
            row = labels[prefix]
            assert row[2:5] == [recording, start, end]
            assert row[5] == classes["action"][action]
            assert row[6] == classes["verb"][verb]
            assert row[7] == ", ".join(classes["noun"][noun] for noun in nouns)
            episode, film = rendered[f"egtea/cropped_clips/{recording}/{clip}.mp4"]
            step = next(step for step in episode.steps if step.start == film.start)
            assert (step.verb.capitalize(), step.room, film.end) == (row[6], "kitchen", step.end)
            assert (round(1000 * step.start), round(1000 * step.end)) == (int(start), int(end))


def test_something_something_fills_the_blanks_of_its_templates(
    written: Path, rendered: dict[str, tuple[Episode, Film]]
) -> None:
    folder = written / "train/something-something-v2/labels"
    classes = _json(folder / "labels.json")
    assert sorted(map(int, classes.values())) == list(range(len(classes)))
    assert not any("[" in name for name in classes)
    for name, split in (("train", "train"), ("validation", "val")):
        rows: list[Json] = _json(folder / f"{name}.json")
        assert rows
        for row in rows:
            assert set(row) == {"id", "label", "template", "placeholders"}
            assert row["template"].replace("[something]", "something") in classes
            pattern = re.escape(row["template"]).replace(r"\[something\]", "(.+)").lower()
            match = re.fullmatch(pattern, row["label"])
            assert match
            assert list(match.groups()) == row["placeholders"]
            episode, film = rendered[f"something-something-v2/20bn-something-something-v2/{row['id']}.webm"]
            assert episode.split == split
            step = next(step for step in episode.steps if (step.start, step.end) == (film.start, film.end))
            nouns = {thing.id: thing.noun for thing in episode.things}
            nouns |= {fixture.id: fixture.noun for fixture in episode.fixtures}
            blanks = [nouns[name] for name in (step.thing, step.other) if name is not None]
            assert all(word.endswith(noun) for word, noun in zip(row["placeholders"], blanks, strict=False))
            assert step.verb.split()[0][:3] == row["label"][:3]


def test_egotimeqa_has_three_wrong_answers_or_none_and_a_clip_of_the_right_length(
    training: TrainingEpisodes, tmp_path: Path
) -> None:
    films = Films(tmp_path)
    egotimeqa.write(tmp_path, training, Random(0), films)
    rows: list[Json] = _json(tmp_path / "annotations.EgoTimeQA.json")
    films_by_path = _films(films, [*training.takes, *training.walks])
    for row in rows:
        assert set(row) == {
            "video_id", "sample_id", "question", "answer", "start_sec", "end_sec", "moment_start_frame",
            "moment_end_frame", "narrations", *(() if row["answer"] in {"yes", "no"} else ("wrong_answers",)),
        }  # fmt: skip
        assert len({row["answer"], *row.get("wrong_answers", ())}) in {1, 4}
        _, film = films_by_path[f"egotimeqa/{row['video_id']}.mp4"]
        assert film.start == 0 <= row["start_sec"] <= row["end_sec"] <= film.end
        assert row["moment_start_frame"] == pytest.approx(30 * row["start_sec"], abs=0.01)
        assert row["moment_end_frame"] == pytest.approx(30 * row["end_sec"], abs=0.01)


def test_egotimeqa_asks_what_the_tests_ask(training: TrainingEpisodes, tmp_path: Path) -> None:
    egotimeqa.write(tmp_path, training, Random(0), Films(tmp_path))
    texts = [row["question"] for row in _json(tmp_path / "annotations.EgoTimeQA.json")]
    for words in (
        "Where did I put", "Where was ", "What will the person do next", "what action should I take next",
        "what has changed its place", "in which order does C pick things up", "overall goal of C", "What colour",
        "How many times", "Which hand", "right after", "What is the next action it should take",
    ):  # fmt: skip
        assert sum(words in text for text in texts) >= 4, words


def test_the_simulators_log_gives_the_same_answers_to_egotimeqa(training: TrainingEpisodes, tmp_path: Path) -> None:
    films = Films(tmp_path)
    egotimeqa.write(tmp_path, training, Random(0), films)
    films_by_path = _films(films, [*training.takes, *training.walks])
    counts: Counter[str] = Counter()
    for row in _json(tmp_path / "annotations.EgoTimeQA.json"):
        episode, film = films_by_path[f"egotimeqa/{row['video_id']}.mp4"]
        question = row["question"]
        options = [row["answer"], *row["wrong_answers"]] if "wrong_answers" in row else ["yes", "no"]
        if "which door is" in question:
            side, _ = _door(episode, row["answer"].split(" ")[1])
            assert question == f"At the end of the video, which door is {SIDES[side]}?"
        elif episode.kind == "walk" and question.startswith("Where is the"):
            side, distance = _door(episode, question.split("the ")[1].split(" ")[0])
            far = ", close by" if distance < 0.2 else ", far away"
            assert row["answer"] == SIDES[side] + (far if side == "ahead" else "")
        elif episode.kind == "walk":
            assert _move_to(episode, question.split("the ")[1].split(" ")[0]) == row["answer"]
        else:
            middles = tuple((number + 0.5) * film.end / 64 for number in range(64))
            times = (*middles[:-1], film.end) if question.startswith("Considering") else middles
            assert answer(Seen(episode, times), question, options) == row["answer"], question
        counts[episode.kind] += 1
    assert min(counts.values()) >= 40


SIDES = {"left": "to the left", "ahead": "straight ahead", "right": "to the right"}


def _door(episode: Episode, colour: str) -> tuple[str, float]:
    """Side of the door of a colour and the wearer's last distance, from the changes alone."""
    door = next(thing.id for thing in episode.things if thing.colour == colour)
    side = next(str(change.value) for change in episode.changes if (change.subject, change.key) == (door, "place"))
    distances = [float(change.value) for change in episode.changes if change.key == "distance"]
    return side.removeprefix("hall/"), distances[-1]


def _move_to(episode: Episode, colour: str) -> str:
    side, distance = _door(episode, colour)
    if side == "ahead":
        return "Stop" if distance < 0.2 else "Move forward"
    return f"Turn {side} and move forward"


def test_openeqa_asks_about_folders_of_frames(training: TrainingEpisodes, tmp_path: Path) -> None:
    films = Films(tmp_path)
    count = openeqa.write(tmp_path, training, Random(0), films)
    rows: list[Json] = _json(tmp_path / "data/open-eqa-v0.json")
    films_by_path = _films(films, [*training.takes, *training.walks])
    assert len(rows) == len({row["question_id"] for row in rows}) == count
    assert films.count == 0  # folders, not videos
    for row in rows:
        assert set(row) == {"question", "answer", "category", "question_id", "episode_history"}
        kind = row["episode_history"].partition("/")[0]
        episode, film = films_by_path[f"open-eqa/data/frames/{row['episode_history']}"]
        assert kind == {"walk": "hm3d-v0", "activity": "scannet-v0"}[episode.kind]
        assert film.png_fps == {"walk": 6.0, "activity": 1.0}[episode.kind]
    assert {row["category"] for row in rows} == set(openeqa.CATEGORIES.values())


def test_the_simulators_log_gives_the_same_answers_to_openeqa(training: TrainingEpisodes, tmp_path: Path) -> None:
    films = Films(tmp_path)
    openeqa.write(tmp_path, training, Random(0), films)
    films_by_path = _films(films, [*training.takes, *training.walks])
    for row in _json(tmp_path / "data/open-eqa-v0.json"):
        episode, _ = films_by_path[f"open-eqa/data/frames/{row['episode_history']}"]
        question = row["question"]
        if question.startswith("Where is the"):
            side, distance = _door(episode, question.split("the ")[1].split(" ")[0])
            far = ", close by" if distance < 0.2 else ", far away"
            assert row["answer"] == SIDES[side] + (far if side == "ahead" else "")
        elif "which door is" in question:
            side, _ = _door(episode, row["answer"].split(" ")[1])
            assert question == f"At the end of the video, which door is {SIDES[side]}?"
        else:
            times = tuple((number + 0.5) * episode.seconds / 64 for number in range(64))
            assert answer(Seen(episode, times), question, ["yes", "no"]) == row["answer"], question


def test_egoexolearn_tells_both_views_of_each_step(written: Path, rendered: dict[str, tuple[Episode, Film]]) -> None:
    rows = _csv(written / "train/egoexolearn/annotations/fine_annotation_trainval_en.csv")
    assert list(rows[0]) == [
        "video_uid", "annotation_uid", "subset", "view", "scene", "start_sec", "end_sec", "narration_en",
        "narration_en_hand_prompt", "narration_en_no_hand_prompt",
    ]  # fmt: skip
    assert len({row["annotation_uid"] for row in rows}) == len(rows)
    counts = Counter((row["subset"], row["view"]) for row in rows)
    assert counts["train", "ego"] == counts["train", "exo"] > 0
    assert counts["val", "ego"] == counts["val", "exo"] > 0
    for row in rows:
        episode, film = rendered[f"egoexolearn/videos/{row['video_uid']}.mp4"]
        assert (film.view == "ego") == (row["view"] == "ego")
        step = next(step for step in episode.steps if step.start == float(row["start_sec"]))
        assert row["subset"] == episode.split
        assert row["scene"] == ("kitchen" if step.room == "kitchen" else "lab")
        assert row["narration_en_no_hand_prompt"].lower() == f"{step.text}."
        hand = "both hands" if step.hand == "both" else f"your {step.hand} hand"
        assert row["narration_en"] == f"Use {hand} to {step.text}."


@pytest.mark.parametrize("kind", ["ego", "exo"])
def test_pairs_caption_the_clip_of_a_step(written: Path, rendered: dict[str, tuple[Episode, Film]], kind: str) -> None:
    rows = _csv(written / f"train/pairs/{kind}.csv")
    assert list(rows[0]) == ["path", "caption"]
    subject = {"ego": "C ", "exo": "A person "}[kind]
    for row in rows:
        episode, film = rendered[f"pairs/{row['path']}"]
        assert film.view.startswith(kind)
        step = next(step for step in episode.steps if (step.start, step.end) == (film.start, film.end))
        assert row["caption"].startswith(subject)
        assert step.text.split()[-1] in row["caption"]
    assert len({row["caption"].removeprefix(subject).split()[0] for row in rows}) >= 12


def test_walks_to_train_on_come_in_the_format_of_vln_qa(
    written: Path, rendered: dict[str, tuple[Episode, Film]]
) -> None:
    rows: list[Json] = _json(written / "train/vln-qa/egocentric_navigation.json")
    assert len(rows) == 24
    for row in rows:
        episode, _ = rendered[f"vln-qa/{row['video']}"]
        assert (episode.split, episode.kind) == ("train", "walk")
        assert row["answer"] == _move_to(episode, row["question"].split("the ")[1].split(" ")[0])


def test_the_folder_val_is_made_of_val_episodes_alone(written: Path, small: World) -> None:
    val, train = ({take_uid(take) for take in split.takes} for split in (small.val, small.train))
    assert {row["video_uid"] for row in _csv(written / "val/egoclip.csv", "\t")} <= val
    assert {row["video_uid"] for row in _csv(written / "train/egoclip.csv", "\t")} <= train
    clips = [
        {row["video_id"] for row in _json(written / split / "egotimeqa/annotations.EgoTimeQA.json")}
        for split in ("train", "val")
    ]
    assert not clips[0] & clips[1]


@pytest.mark.slow
def test_every_video_that_the_training_files_name_is_there(filmed: Path) -> None:
    videos = [path for path in filmed.rglob("*") if path.suffix in {".mp4", ".MP4", ".webm"}]
    assert _json(filmed / "summary.json")["videos"] == len(videos)
    for split in ("train", "val"):
        folder = filmed / split
        for row in _json(folder / "egotimeqa/annotations.EgoTimeQA.json"):
            assert (folder / f"egotimeqa/{row['video_id']}.mp4").stat().st_size > 1000
        for row in _json(folder / "open-eqa/data/open-eqa-v0.json"):
            frames = sorted((folder / "open-eqa/data/frames" / row["episode_history"]).glob("*-rgb.png"))
            assert [frame.name for frame in frames] == [f"{number:05d}-rgb.png" for number in range(len(frames))]
            assert len(frames) >= 20
