"""Small folders in the official form of the five sources of EgoIT, for tests to read, alter and break."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Files = dict[str, Any]


def egtea_raw() -> Files:
    """The raw annotations: cells apart by a semicolon and a blank, the header begins with a mark."""
    return {
        "raw_annotations/action_labels.csv": (
            "# Clip ID; Clip Prefix; Video Session; Starting Time (ms); Ending Time (ms); Action Label; Verb Label; "
            "Noun Label(s)\n"
            "0; OP01-R01-PastaSalad-1002316-1004005; OP01-R01-PastaSalad; 1002316; 1004005; Take eating_utensil; "
            "Take; eating_utensil\n"
            "1; OP01-R01-PastaSalad-1004110-1021110; OP01-R01-PastaSalad; 1004110; 1021110; Mix pasta; Mix; pasta\n"
        )
    }


def egtea_splits() -> Files:
    """The classes and the first split of clips cut out beforehand."""
    return {
        "action_annotation/action_idx.txt": "Take eating_utensil 1\nMix pasta,condiment 2\n",
        "action_annotation/train_split1.txt": (
            "OP01-R01-PastaSalad-1002316-1004005-F024051-F024101 1 2 6\n"
            "OP01-R02-TurkeySandwich-10320-12340-F000247-F000296 2 5 7 9\n"
        ),
        "action_annotation/test_split1.txt": "P07-R01-Pizza-5-900-F000001-F000022 1 2 6\n",
    }


def something_something() -> Files:
    """Labels, train and validation, and the test set with its answers."""
    label = "holding potato next to vicks vaporub bottle"
    template = "Holding [something] next to [something]"
    return {
        "labels/labels.json": {"Holding something next to something": "0", "Throwing something": "1"},
        "labels/train.json": [
            {"id": "78687", "label": label, "template": template, "placeholders": ["potato", "vicks vaporub bottle"]},
            {"id": "42326", "label": "throwing a pen", "template": "Throwing [something]", "placeholders": ["a pen"]},
        ],
        "labels/validation.json": [
            {"id": "7", "label": "throwing keys", "template": "Throwing [something]", "placeholders": ["keys"]}
        ],
        "labels/test.json": [{"id": "1420"}],
        "labels/test-answers.csv": "1420;Throwing something\n",
    }


def egotimeqa() -> Files:
    """Questions as GroundVQA's scripts write them."""

    def row(number: int, answer: str, wrong: list[str] | None) -> dict[str, Any]:
        return {
            "video_id": f"clip-{number % 2}",
            "sample_id": None,
            "question": f"Where did I put thing {number}?",
            "answer": answer,
            "start_sec": 10.5,
            "end_sec": 12.0,
            "moment_start_frame": 400.0,
            "moment_end_frame": 460.0,
            "narrations": ["C puts the thing down."],
            "wrong_answers": wrong,
        }

    wrong = ["in the sink", "on the floor", "in the bag"]
    return {"data/unified/annotations.EgoTimeQA.json": [row(number, "on the table", wrong) for number in range(40)]}


def openeqa() -> Files:
    """Two questions, the second with further answers."""
    return {
        "data/open-eqa-v0.json": [
            {
                "question": "What is the white object on the wall above the TV?",
                "answer": "Air conditioning unit",
                "category": "object recognition",
                "question_id": "f2e82760-5c3c-41b1-88b6-85921b9e7b32",
                "episode_history": "hm3d-v0/000-hm3d-BFRyYbPCCPE",
            },
            {
                "question": "Is the door open?",
                "answer": "Yes",
                "category": "object state recognition",
                "question_id": "7447d782-d1a7-4c87-86dc-b5eafc5a0f76",
                "episode_history": "scannet-v0/002-scannet-scene0709_00",
                "extra_answers": ["It is", "Yes, wide"],
            },
        ]
    }


def egoexolearn() -> Files:
    """Fine annotations: both subsets, both views."""
    return {
        "annotations/fine_annotation_trainval_en.csv": (
            "video_uid,annotation_uid,subset,view,scene,start_sec,end_sec,narration_en,narration_en_hand_prompt,"
            "narration_en_no_hand_prompt\n"
            'v1,a1,train,ego,kitchen,1.5,3.0,"Use your left hand to hold the bowl, firmly.",left,'
            '"Hold the bowl, firmly."\n'
            "v1,a2,train,exo,kitchen,3.0,4.0,Use both hands to wash the bowl.,both,Wash the bowl.\n"
            "v2,a3,val,ego,lab,0,2,Use your right hand to lift the pipette.,right,Lift the pipette.\n"
        )
    }


SOURCES = {
    "egtea": egtea_raw,
    "something-something-v2": something_something,
    "egotimeqa": egotimeqa,
    "open-eqa": openeqa,
    "egoexolearn": egoexolearn,
}


def write(folder: Path, files: Files) -> Path:
    """Write the files into a folder, which is returned."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder


def write_all(folder: Path) -> Path:
    """Write all sources, a folder each."""
    for source, files in SOURCES.items():
        write(folder / source, files())
    return folder
