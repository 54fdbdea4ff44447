"""Small annotation folders in the exact official form of every task, for tests to read, alter and break.

Each function gives fresh contents by file name: a list or an object for ``.json``, a list of rows for ``.csv``, a text
for anything else. :func:`write` puts them into a folder.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Files = dict[str, Any]


def write(folder: Path, files: Files) -> Path:
    """Write the files into a folder, which is returned."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            path.write_text(json.dumps(content), encoding="utf-8")
        elif path.suffix == ".csv":
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(content[0]))
                writer.writeheader()
                writer.writerows(content)
        else:
            path.write_text(content, encoding="utf-8")
    return folder


def egoschema() -> Files:
    """Three questions, two of them labelled."""

    def question(q_uid: str, text: str) -> dict[str, str]:
        options = {f"option {number}": f"C does thing {number} of {q_uid}." for number in range(5)}
        return {"q_uid": q_uid, "google_drive_id": f"drive-{q_uid}", "question": text, **options}

    return {
        "questions.json": [
            question("0074f737", "What is C doing overall?"),
            question("00b9a0de", "Why does C go to the shed?"),
            question("00f93e1e", "What comes first?"),
        ],
        "subset_answers.json": {"0074f737": 3, "00f93e1e": 0},
        "uid_to_ego4d.json": {
            "0074f737": {"video_uid": "2fa72a4f", "starting_sec": 240, "ending_sec": 420},
            "00b9a0de": {"video_uid": "2fa72a4f", "starting_sec": 0, "ending_sec": 180},
            "00f93e1e": {"video_uid": "77aa11bb", "starting_sec": 30, "ending_sec": 210},
        },
    }


def qaego4d() -> Files:
    """Two questions, open and closed; the moment of the second has no length."""
    rows: list[dict[str, Any]] = [
        {
            "video_id": "abcdef00",
            "sample_id": "12345678_3",
            "question": "Where did I leave my keys?",
            "answer": "on the table",
            "moment_start_frame": 42.0,
            "moment_end_frame": 53.5,
            "video_uid": "ego4d-a",
            "video_start_sec": 101.4,
            "video_end_sec": 101.8,
        },
        {
            "video_id": "abcdef01",
            "sample_id": "12345678_4",
            "question": "How many cups were on the shelf?",
            "answer": "three",
            "moment_start_frame": 900.0,
            "moment_end_frame": 900.0,
            "video_uid": "ego4d-a",
            "video_start_sec": 30.0,
            "video_end_sec": 30.0,
        },
    ]
    wrong = (["in the drawer", "on the chair", "in my bag"], ["one", "two", "four"])
    return {
        "annotations.QaEgo4D_test.json": rows,
        "annotations.QaEgo4D_test_close.json": [
            {**row, "wrong_answers": list(texts)} for row, texts in zip(rows, wrong, strict=True)
        ],
    }


def egotaskqa() -> Files:
    """Two direct questions, one with the misspelt key, and an indirect one with the id of a direct one."""

    def question(number: int, text: str, answer: str, interval: str, **more: str) -> dict[str, Any]:
        return {
            "question": text,
            "answer": answer,
            "program": "query([status], ...)",
            "type": ["descriptive"],
            "category": ["world"],
            "semantic": "state",
            "reference": "direct",
            "interval": interval,
            "video_id": number,
            "question_id": number,
            **more,
        }

    fork = question(
        17,
        "What is the status of fork after the person put something to something to change it?",
        "on top of plate",
        "27k-22-11-2|P1|4546|4986",
        structural="query",
        reasoning_type="descriptive$world$state$query$direct",
    )
    drawer = question(
        18,
        "Did the attribute of drawer changed because of the action closing something?",
        "yes",
        "28k-12-10-3|P2|5824|6213",
        sturctural="verify",
        reasoning_type="descriptive$world$state$verify$direct",
    )
    return {
        "direct/test_qas.json": [fork, drawer],
        "indirect/test_qas.json": [{**fork, "reference": "indirect"}, {**drawer, "question_id": 40}],
    }


def egotaskqa_flat() -> Files:
    """The flat form of two direct questions."""
    return {
        "egotaskqa.json": [
            {
                "q": "What is the status of fork?",
                "video_path": "27k-22-11-2|P1|4546|4986.mp4",
                "a": "B",
                "option": {"A": "on top of pan", "B": "on top of plate", "C": "in sink", "D": "in pot", "E": "in cup"},
            },
            {
                "q": "Did the drawer change?",
                "video_path": "28k-12-10-3|P2|5824|6213.mp4",
                "a": "D",
                "option": {"A": "poweredness", "B": "edible", "C": "no", "D": "yes", "E": "Close sink"},
            },
        ]
    }


CHARADES_COLUMNS = (
    "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length,egocentric,charades_video"
)


def charades_ego() -> Files:
    """Five videos and 157 classes; one video has no action and one only actions without a length."""

    def video(name: str, actions: str, length: str) -> dict[str, str]:
        row = dict.fromkeys(CHARADES_COLUMNS.split(","), "")
        script = 'A person says "hello, you", and lies down.'
        return {**row, "id": name, "script": script, "actions": actions, "length": length, "egocentric": "Yes"}

    return {
        "CharadesEgo_v1_test_only1st.csv": [
            video("5C4I9EGO", "c005 0.0 9.5;c001 20.0 40.0;c003 2.5 12.25", "28.0"),
            video("AAAAAEGO", "c003 1.0 4.0;c002 5.0 8.0;c002 10.0 13.0", "30.5"),
            video("BBBBBEGO", "", "12.0"),
            video("CCCCCEGO", "c001 12.0 20.0;c002 5.0 5.0", "12.0"),
            video("DDDDDEGO", "c004 3.0 8.5", ""),
        ],
        "Charades_v1_classes.txt": (
            "c000 Holding some clothes\nc001 Putting clothes somewhere\nc002 Taking some clothes\n"
            "c003 Throwing clothes somewhere\nc004 Lying on a bed \nc005 Tidying some clothes\n"
            + "\n".join(f"c{number:03d} Doing thing {number}" for number in range(6, 156))
            + "\nc156 Someone is eating something"
        ),
    }


EPIC_COLUMNS = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes"
)


def epic_kitchens_mir() -> Files:
    """Three clips of two videos; the third caption carries the text of the second, as six do in the real file."""
    cells = (
        "P01_11_0|P01|P01_11|00:00:00.560|00:00:00.00|00:00:01.89|1|113|take plate|take|0|plate|2|['plate']|[2]",
        "P01_11_1|P01|P01_11||00:01:01.56|00:01:02.45|3693|3747|put down plate|put-down|1|plate|2|['plate']|[2]",
        "P22_04_144|P22|P22_04||01:00:00.00|01:00:02.50|1|1|cut slice|cut|7|slice|36|"
        "['slice', 'slice', 'knife']|[36, 36, 4]",
    )
    rows = [dict(zip(EPIC_COLUMNS.split(","), line.split("|"), strict=True)) for line in cells]
    captions = {"P01_11_0": "take plate", "P01_11_1": "put down plate", "P22_04_144": "put down plate"}
    return {
        "EPIC_100_retrieval_test.csv": rows,
        "EPIC_100_retrieval_test_sentence.csv": [
            {"narration_id": name, "narration": text} for name, text in captions.items()
        ],
    }


def egoplan() -> Files:
    """An EPIC-KITCHENS question at 59.94 frames per second, an Ego4D one, and one that nothing precedes."""

    def question(number: int, source: str, video: str, observation: int, progress: list[tuple[int, int, str]]) -> Any:
        return {
            "sample_id": number,
            "video_source": source,
            "video_id": video,
            "task_goal": "store cereal",
            "question": "Considering the progress shown in the video, what action should I take next?",
            "choice_a": "put cereal box into cupboard",
            "choice_b": "take cereal bag",
            "choice_c": "open cupboard",
            "choice_d": "put cereal bag into cereal box",
            "golden_choice_idx": "A",
            "answer": "put cereal box into cupboard",
            "current_observation_frame": observation,
            "task_progress_metadata": [
                {"narration_text": text, "start_frame": start, "stop_frame": stop} for start, stop, text in progress
            ],
        }

    hidden = "narration never to be shown"
    return {
        "EgoPlan_validation.json": [
            question(115, "EpicKitchens", "P01_13", 760, [(36, 105, hidden), (689, 760, hidden)]),
            question(116, "Ego4D", "5f1a2b3c", 900, [(300, 450, hidden)]),
            question(117, "Ego4D", "5f1a2b3c", 45, []),
        ],
        "EPIC_100_video_info.csv": [
            {"video_id": "P01_13", "duration": "300.0", "fps": "59.94", "resolution": "1920x1080"},
            {"video_id": "P02_101", "duration": "300.0", "fps": "50.0", "resolution": "1920x1080"},
        ],
    }


GO_LEFT = (
    'This is a navigation video of an agent following instruction: "Go left through the door." '
    "What is the next action it should take?"
)


def vln_qa() -> Files:
    """Two questions as MVBench has them."""
    moves = ["Turn left and move forward", "Move forward", "Stop", "Turn right and move forward"]
    return {
        "egocentric_navigation.json": [
            {"video": "left/2763_frame73.mp4", "question": GO_LEFT, "candidates": moves, "answer": moves[0]},
            {"video": "forward/11_frame30.mp4", "question": GO_LEFT, "candidates": moves[::-1], "answer": moves[1]},
        ]
    }


def vln_qa_flat() -> Files:
    """The flat form of the same two questions."""

    def text(options: tuple[str, ...]) -> str:
        lettered = "\n".join(f"{letter}: {option}" for letter, option in zip("ABCD", options, strict=True))
        first = "Select the best answer to the following multiple-choice question based on the video."
        return f"{first}\nQuestion: {GO_LEFT}\nOption:\n{lettered}\nOnly give the best option."

    moves = ("Turn left and move forward", "Move forward", "Stop", "Turn right and move forward")
    return {
        "vlnqa.json": [
            {"text": text(moves), "video_path": "left/2763_frame73.mp4", "gt": "A"},
            {"text": text(moves[::-1]), "video_path": "forward/11_frame30.mp4", "gt": "C"},
        ]
    }


def egomcq() -> Files:
    """An inter-video question with numbers, an intra-video one with texts, a negative start and shuffled choices."""

    def clip(video: str, start: float | str, end: float | str, text: str) -> dict[str, Any]:
        tags = {"tag_verb": "[93]", "tag_noun": "[12, 115]"}
        return {"video_uid": video, "clip_start": start, "clip_end": end, "clip_text": text, **tags}

    inter = [clip(f"video-{number}", 10.0 * number, 10.0 * number + 0.5, f"#C C does {number}") for number in range(5)]
    intra = [clip("video-9", str(number), str(number + 1), f"#O man X does {number}") for number in range(5)]
    intra[2] = clip("video-9", "-0.25", "0.75", "#C C picks a  #unsure from the floor")
    return {
        "egomcq.json": {
            "0": {"answer": 4, "types": 1, "query": dict(inter[4]), "choices": {str(n): inter[n] for n in range(5)}},
            "1": {
                "answer": 2,
                "types": 2,
                "query": dict(intra[2]),
                "choices": {str(n): intra[n] for n in (4, 2, 0, 1, 3)},
            },
        }
    }


OFFICIAL: dict[str, Callable[[], Files]] = {
    "egoschema": egoschema,
    "qaego4d": qaego4d,
    "egotaskqa": egotaskqa,
    "charades-ego": charades_ego,
    "epic-kitchens-mir": epic_kitchens_mir,
    "egoplan": egoplan,
    "vln-qa": vln_qa,
    "egomcq": egomcq,
}
"""By task name."""
