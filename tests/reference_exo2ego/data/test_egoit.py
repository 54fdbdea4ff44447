"""EgoIT: five official forms to questions, answers and instructions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import AnnotationFileError, EndpointError, RecordError, TrainingDataError
from reference_exo2ego.data.egoit.build import PAPER, InstructionRule, SourceCount, build_instructions
from reference_exo2ego.data.egoit.wording import read_instructions, shipped_instructions
from reference_exo2ego.data.egoit.writing import ABOUT, TEMPLATE, instructions_in, write_instructions
from reference_exo2ego.data.samples import TrainingSample, read_samples
from tests.reference_exo2ego.data import egoit_files
from tests.scripted_server import chat, serving


def build(
    folder: Path, source: str, files: egoit_files.Files | None = None, **rule: Any
) -> tuple[list[TrainingSample], SourceCount]:
    """What one source gives."""
    egoit_files.write(folder, files or egoit_files.SOURCES[source]())
    out = folder / "out.jsonl"
    counts = build_instructions({source: folder}, out, shipped_instructions(), InstructionRule(**rule))
    return list(read_samples(out)), counts[0]


def without_instruction(sample: TrainingSample) -> str:
    """What is asked, less the tag and the instruction."""
    tag, instruction, rest = sample.turns[0].partition("\n")[0], sample.facts["instruction"], sample.turns[0]
    assert tag == "<video>"
    return rest.removeprefix(f"<video>\n{instruction}").removeprefix("\n")


def test_ten_different_instructions_a_source_are_shipped() -> None:
    shipped = shipped_instructions()
    assert set(shipped) == set(ABOUT) == {*PAPER, "egotimeqa-closed"}
    assert all(len(set(texts)) == 10 for texts in shipped.values())
    everything = [text for texts in shipped.values() for text in texts]
    assert len(set(everything)) == len(everything)


def test_egtea_from_its_raw_annotations(tmp_path: Path) -> None:
    samples, count = build(tmp_path, "egtea")
    assert [(sample.media, sample.start, sample.end, sample.turns[1]) for sample in samples] == [
        ("egtea/videos/OP01-R01-PastaSalad.mp4", 1002.316, 1004.005, "Take eating utensil."),
        ("egtea/videos/OP01-R01-PastaSalad.mp4", 1004.11, 1021.11, "Mix pasta."),
    ]
    assert without_instruction(samples[0]) == "What activities am I engaged in?"
    assert (count.samples, count.paper, count.videos) == (2, 15_000, 1)


def test_egtea_from_a_split_of_clips(tmp_path: Path) -> None:
    samples, _ = build(tmp_path, "egtea", egoit_files.egtea_splits())
    assert [(sample.media, sample.turns[1]) for sample in samples] == [
        (
            "egtea/cropped_clips/OP01-R01-PastaSalad/OP01-R01-PastaSalad-1002316-1004005-F024051-F024101.mp4",
            "Take eating utensil.",
        ),
        (
            "egtea/cropped_clips/OP01-R02-TurkeySandwich/OP01-R02-TurkeySandwich-10320-12340-F000247-F000296.mp4",
            "Mix pasta,condiment.",
        ),
    ]
    both, _ = build(tmp_path, "egtea", egoit_files.egtea_splits(), splits=("train", "test"))
    assert len(both) == 3


def test_something_something_and_its_splits(tmp_path: Path) -> None:
    samples, _ = build(tmp_path, "something-something-v2")
    assert [sample.media for sample in samples] == [
        "something-something-v2/20bn-something-something-v2/78687.webm",
        "something-something-v2/20bn-something-something-v2/42326.webm",
    ]
    assert samples[0].turns[1] == "Holding potato next to vicks vaporub bottle."
    every, count = build(tmp_path, "something-something-v2", splits=("train", "val", "test"))
    assert [sample.turns[1] for sample in every][2:] == ["Throwing keys.", "Throwing something."]
    assert (count.samples, count.paper) == (4, 221_000)


def test_egotimeqa_is_half_open_and_half_closed(tmp_path: Path) -> None:
    samples, count = build(tmp_path, "egotimeqa")
    forms = Counter(sample.id.rpartition("_")[2] for sample in samples)
    # 40 coins: between 11 and 29 heads but for one seed in two hundred.
    assert sum(forms.values()) == 40 == count.samples
    assert 11 <= forms["closed"] <= 29
    assert samples[0].media == "egotimeqa/clip-0.mp4"
    assert (samples[0].start, samples[0].end, samples[0].facts["moment"]) == (None, None, [10.5, 12.0])


def test_a_closed_question_lists_its_options_and_its_answer_has_the_letter(tmp_path: Path) -> None:
    samples, _ = build(tmp_path, "egotimeqa", form="closed")
    for sample in samples:
        options, target = sample.facts["options"], sample.facts["target"]
        lines = without_instruction(sample).splitlines()
        assert lines[1:] == ["Options:", *(f"({letter}) {text}" for letter, text in zip("ABCD", options, strict=True))]
        assert sample.turns[1] == f"({'ABCD'[target]}) on the table"
        assert sorted(options) == ["in the bag", "in the sink", "on the floor", "on the table"]
    assert set(Counter(sample.facts["target"] for sample in samples)) == {0, 1, 2, 3}


def test_questions_can_be_put_both_ways(tmp_path: Path) -> None:
    assert len(build(tmp_path, "egotimeqa", form="both")[0]) == 80
    assert len(build(tmp_path, "egotimeqa", form="open")[0]) == 40


@pytest.mark.parametrize("wrong", [None, ["on the table", "in the sink", "on the floor"]])
def test_a_question_without_fit_wrong_answers_stays_open(tmp_path: Path, wrong: list[str] | None) -> None:
    files = egoit_files.egotimeqa()
    for row in next(iter(files.values())):
        row["wrong_answers"] = wrong
    samples, count = build(tmp_path, "egotimeqa", files)
    assert {sample.id.rpartition("_")[2] for sample in samples} == {"open"}
    assert len(samples) == 40
    assert all("cannot be asked with options" in row["reason"] for row in count.left_out)
    with pytest.raises(TrainingDataError, match="egotimeqa gives no sample"):
        build(tmp_path, "egotimeqa", files, form="closed")


def test_openeqa_asks_about_folders_of_frames(tmp_path: Path) -> None:
    samples, count = build(tmp_path, "open-eqa")
    assert samples[0].media == "open-eqa/data/frames/hm3d-v0/000-hm3d-BFRyYbPCCPE"
    assert samples[0].turns[1] == "Air conditioning unit"
    assert without_instruction(samples[0]) == "What is the white object on the wall above the TV?"
    assert samples[1].facts["extra_answers"] == ["It is", "Yes, wide"]
    assert list(count.sources) == ["data/open-eqa-v0.json"]


def test_egoexolearn_is_the_wearers_view_told_by_its_narration(tmp_path: Path) -> None:
    samples, _ = build(tmp_path, "egoexolearn")
    assert [(sample.media, sample.start, sample.end) for sample in samples] == [("egoexolearn/videos/v1.mp4", 1.5, 3.0)]
    assert samples[0].turns[1] == "Use your left hand to hold the bowl, firmly."
    assert samples[0].facts["step"] == "Hold the bowl, firmly."
    assert without_instruction(samples[0]) == ""
    assert len(build(tmp_path, "egoexolearn", splits=("train", "val"))[0]) == 2


def test_films_of_fixed_cameras_are_read_where_they_are(tmp_path: Path) -> None:
    samples, _ = build(tmp_path, "egoexolearn", view="exo")
    assert [(sample.media, sample.start, sample.end) for sample in samples] == [("egoexolearn/videos/v1.mp4", 3.0, 4.0)]
    with pytest.raises(ValueError, match="open-eqa has no exocentric films; there are some of egoexolearn"):
        build(tmp_path, "open-eqa", view="exo")


def test_the_seed_alone_chooses_instructions_and_orders(tmp_path: Path) -> None:
    first, _ = build(tmp_path, "egotimeqa", form="closed", seed=1)
    again, _ = build(tmp_path, "egotimeqa", form="closed", seed=1)
    other, _ = build(tmp_path, "egotimeqa", form="closed", seed=2)
    assert first == again
    assert first != other
    assert len({sample.facts["instruction"] for sample in first}) > 5
    # A sample keeps its instruction whatever stands before it in the file.
    files = egoit_files.egoexolearn()
    name = next(iter(files))
    kept = build(tmp_path, "egoexolearn", files, splits=("val",))[0]
    assert kept[0] in build(tmp_path, "egoexolearn", files, splits=("train", "val"))[0]
    assert name.endswith(".csv")


def change(name: str, old: str, new: str) -> Callable[[egoit_files.Files], None]:
    """Exchange a text within a file."""

    def alter(files: egoit_files.Files) -> None:
        text = files[name] if isinstance(files[name], str) else json.dumps(files[name])
        assert old in text
        files[name] = text.replace(old, new, 1)

    return alter


RAW, SPLIT, FINE = (
    "raw_annotations/action_labels.csv",
    "action_annotation/train_split1.txt",
    "annotations/fine_annotation_trainval_en.csv",
)
CLASSES = "action_annotation/action_idx.txt"
TRAIN, TIME, EQA = "labels/train.json", "data/unified/annotations.EgoTimeQA.json", "data/open-eqa-v0.json"


FORMS = {
    "raw": ("egtea", egoit_files.egtea_raw),
    "clips": ("egtea", egoit_files.egtea_splits),
    "things": ("something-something-v2", egoit_files.something_something),
    "time": ("egotimeqa", egoit_files.egotimeqa),
    "homes": ("open-eqa", egoit_files.openeqa),
    "hands": ("egoexolearn", egoit_files.egoexolearn),
}
"""Source and files by a short name."""


@pytest.mark.parametrize(
    ("form", "alter", "row", "field"),
    [
        ("raw", change(RAW, "1004005; Take", "1002316; Take"), "line 2", "Ending Time (ms)"),
        ("raw", change(RAW, "; 1002316; 1004005", "; soon; 1004005"), "line 2", "Starting Time (ms)"),
        ("raw", change(RAW, "; Mix; pasta", ""), "line 3", ""),
        ("clips", change(SPLIT, " 1 2 6", " 107 2 6"), "line 1", "action"),
        ("clips", change(SPLIT, " 1 2 6", " one 2 6"), "line 1", "action"),
        ("clips", change(SPLIT, " 1 2 6", ""), "line 1", ""),
        ("clips", change(SPLIT, "-F024051", ""), "line 1", "clip"),
        ("clips", change(CLASSES, "condiment 2\n", f"condiment 2\nCut onion {'9' * 5001}\n"), "line 3", ""),
        ("things", change(TRAIN, "Throwing [", "Eating ["), "row 2", "template"),
        ("things", change(TRAIN, '"label": "throwing a pen",', ""), "row 2", "label"),
        ("time", change(TIME, '"answer": "on the table"', '"answer": " "'), "row 1", "answer"),
        ("time", change(TIME, ', "in the bag"]', "]"), "row 1", "wrong_answers"),
        ("time", change(TIME, "10.5", "-1"), "row 1", "start_sec"),
        ("homes", change(EQA, '"question_id"', '"id"'), "row 1", "question_id"),
        ("homes", change(EQA, '"extra_answers": [', '"extra_answers": [7, '), "row 2", "extra_answers.0"),
        ("hands", change(FINE, "1.5,3.0", "3.0,3.0"), "line 2", "end_sec"),
        ("hands", change(FINE, "1.5,3.0", "nan,3.0"), "line 2", "start_sec"),
        ("hands", change(FINE, "train,ego", "test,ego"), "line 2", "subset"),
        ("hands", change(FINE, "a2,train,exo", "a2,train,above"), "line 3", "view"),
    ],
)  # fmt: skip
def test_a_malformed_row_is_named_or_left_out(
    tmp_path: Path, form: str, alter: Callable[[egoit_files.Files], None], row: str, field: str
) -> None:
    source, content = FORMS[form][0], FORMS[form][1]()
    alter(content)
    splits = ("train", "val") if source == "egoexolearn" else ("train",)
    with pytest.raises(RecordError) as error:
        build(tmp_path, source, content, splits=splits)
    assert (error.value.row, error.value.field.partition(".")[0]) == (row, field.partition(".")[0])
    assert error.value.file.is_file()
    assert not (tmp_path / "out.jsonl").exists()
    _, count = build(tmp_path, source, content, splits=splits, skip_bad=True)
    assert len(count.left_out) == 1
    assert row in count.left_out[0]["id"]


@pytest.mark.parametrize("source", list(PAPER))
def test_a_folder_of_something_else_is_named(tmp_path: Path, source: str) -> None:
    with pytest.raises(AnnotationFileError, match=r"no (such )?file"):
        build(tmp_path, source, {"readme.txt": "Nothing here."})


def test_a_split_that_no_source_has_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="no source has a split 'dev'; there are something-something-v2: train, val, test"
    ):
        build(tmp_path, "something-something-v2", splits=("train", "dev"))
    with pytest.raises(ValueError, match="no source 'ucf'"):
        build(tmp_path, "ucf", {"a": "b"})


def test_each_source_gives_the_splits_that_it_has(tmp_path: Path) -> None:
    folder = egoit_files.write_all(tmp_path)
    names = ("something-something-v2", "egoexolearn", "open-eqa")
    rule, out = InstructionRule(splits=("val", "test")), tmp_path / "o.jsonl"
    counts = build_instructions({name: folder / name for name in names}, out, shipped_instructions(), rule)
    assert [count.samples for count in counts] == [2, 1, 2]
    with pytest.raises(ValueError, match="egoexolearn has none of the splits test; it has train, val"):
        rule = InstructionRule(splits=("test",))
        build_instructions({name: folder / name for name in names}, out, shipped_instructions(), rule)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "not JSON"),
        ("[]", "expected an object"),
        ('{"egtea": ["a", "a"]}', "'egtea': expected a list"),
    ],
)
def test_a_file_of_instructions_that_is_none_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "wording.json").write_text(content)
    with pytest.raises(AnnotationFileError, match=rf"wording\.json.*{message}"):
        read_instructions(tmp_path / "wording.json")


def test_instructions_that_lack_a_source_are_named(tmp_path: Path) -> None:
    folder = egoit_files.write(tmp_path, egoit_files.openeqa())
    with pytest.raises(AnnotationFileError, match="no instructions for 'open-eqa'; there are some for egtea"):
        build_instructions({"open-eqa": folder}, tmp_path / "o.json", {"egtea": ["Look."]}, InstructionRule())


# --- A model that writes instructions --------------------------------------------------------------------------------


def test_a_reply_may_be_a_list_in_a_fence_or_lines() -> None:
    assert instructions_in('Sure:\n```json\n["Look  here.", "Look there."]\n```') == ["Look here.", "Look there."]
    assert instructions_in('1. "Look here."\n2) Look there.\n- And here.') == ["Look here.", "Look there.", "And here."]
    assert instructions_in("I cannot do that.") == []


def test_a_model_is_asked_again_until_there_are_enough_different_ones() -> None:
    replies = [json.dumps(["One.", "Two.", "An example."]), json.dumps(["Two.", "Three."])]
    with serving(lambda number: chat(replies[number])) as server:
        texts = write_instructions(server.url, "any", "egtea", count=3, example="An example.")
    assert texts == ["One.", "Two.", "Three."]
    prompts = [body["messages"][0]["content"] for body in server.asked]
    assert prompts[0] == TEMPLATE.format(about=ABOUT["egtea"], count=3, example="An example.")
    assert "Write 1 different instructions" in prompts[1]


def test_a_model_that_writes_too_few_is_an_error_that_quotes_it() -> None:
    with serving(lambda _: chat("I cannot do that.")) as server, pytest.raises(EndpointError) as error:
        write_instructions(server.url, "any", "egtea", count=2, example="")
    assert "any wrote 0 of 2 different instructions for egtea in 3 tries" in str(error.value)
    assert "I cannot do that." in str(error.value)


def test_an_unknown_list_is_refused_before_anybody_is_asked() -> None:
    with pytest.raises(ValueError, match="no instructions for 'ucf' are known; there are egtea"):
        write_instructions("http://127.0.0.1:9/v1", "any", "ucf", count=2, example="")
