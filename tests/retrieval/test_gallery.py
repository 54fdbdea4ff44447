"""Tables of gallery scores: built, read and scored, with numbers by hand."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.galleries import gallery_advice
from egobench.dataset.sampleset import SampleSet
from egobench.errors import AnnotationFileError, ModelError, RecordError, SampleSetError, ScoreFileError
from egobench.evaluate import evaluate
from egobench.plugins import load_model, load_task
from egobench.request import RunRequest
from egobench.retrieval.gallery import read_scores, score_gallery
from egobench.run.plan import plan
from egobench.run.spec import Rerank, Settings
from tests.cli import egobench
from tests.conftest import Navigation, NoEmbedder
from tests.tasks.official_files import OFFICIAL, Files, write

EPIC = Path(__file__).parents[2] / "shared" / "data" / "epic_kitchens_mir"
MAP = "epic-kitchens-mir/all/gallery/gallery/mAP/scores"
NDCG = "epic-kitchens-mir/all/gallery/gallery/nDCG/scores"


def built(folder: Path, task: str, construction: str, files: Files | None = None) -> SampleSet:
    annotations = Annotations(write(folder, files or OFFICIAL[task]()))
    return build(load_task(task), annotations, NoEmbedder(), construction=construction)


@pytest.fixture
def epic(tmp_path: Path) -> SampleSet:
    """Three clips and their captions: the second shares its noun with the first, the third nothing with either."""
    return built(tmp_path / "files", "epic-kitchens-mir", "gallery")


@pytest.fixture
def charades(tmp_path: Path) -> SampleSet:
    """Five videos, six classes; the classes of the videos are 135, 23, none, 12 and 4."""
    return built(tmp_path / "files", "charades-ego", "gallery157")


def test_captions_come_in_the_published_order_with_the_text_of_their_own_clip(epic: SampleSet) -> None:
    assert [(item.id, item.text) for item in epic.gallery] == [
        ("P01_11_0", "take plate"), ("P01_11_1", "put down plate"), ("P22_04_144", "cut slice")
    ]  # fmt: skip
    assert [(sample.id, sample.options, sample.target) for sample in epic.samples[:1]] == [("P01_11_0", (), None)]
    assert (epic.manifest.protocol, epic.manifest.captions, epic.manifest.texts) == ({"all": "gallery"}, 3, 3)


def test_scores_of_captions_give_the_official_numbers(epic: SampleSet) -> None:
    """By hand: relevances are 1 .5 0 / .5 1 0 / 0 0 1. The first clip ranks its caption second, below a half."""
    scores = np.array([[1.0, 2.0, 0.0], [0.0, 5.0, 1.0], [0.0, 0.0, 9.0]])
    entries = score_gallery(scores, epic)
    assert list(entries) == [MAP, NDCG]
    assert entries[MAP].value == pytest.approx(((0.5 + 1) / 2 + 1 + 1) / 3, abs=1e-12)
    log3 = np.log2(3)
    ideal = 1 + 0.5 / log3
    assert entries[NDCG].value == pytest.approx(((0.5 + 1 / log3) / ideal + 1 / ideal + 1) / 3, abs=1e-12)
    gallery = entries[MAP].gallery
    assert gallery is not None
    assert (entries[MAP].n, gallery.items, entries[MAP].clusters) == (3, 3, 2)
    assert entries[MAP].headline
    low, value, high = entries[MAP].low, entries[MAP].value, entries[MAP].high
    assert low is not None
    assert value is not None
    assert high is not None
    assert low < value < high


def test_chance_is_what_equal_scores_get(epic: SampleSet, charades: SampleSet) -> None:
    for held in (epic, charades):
        tied = np.zeros((len(held.samples), len(held.gallery)), np.float32)
        for entry in score_gallery(tied, held).values():
            assert entry.value == pytest.approx(entry.chance, abs=1e-12)


def test_the_order_of_a_classes_file_does_not_matter_and_every_class_is_a_column(tmp_path: Path) -> None:
    files = OFFICIAL["charades-ego"]()
    files["Charades_v1_classes.txt"] = "\n".join(reversed(files["Charades_v1_classes.txt"].splitlines()))
    sample_set = built(tmp_path, "charades-ego", "gallery157", files)
    assert [item.id for item in sample_set.gallery] == [f"c{number:03d}" for number in range(157)]
    assert sample_set.gallery[4].text == "Lying on a bed"


def test_every_video_is_a_row_with_all_of_its_classes(charades: SampleSet) -> None:
    assert [sample.tags["class"] for sample in charades.samples] == [
        ("c001", "c003", "c005"), ("c002", "c003"), (), ("c001", "c002"), ("c004",)
    ]  # fmt: skip
    assert all((sample.start, sample.end) == (0.0, None) for sample in charades.samples)


def test_scores_of_classes_give_the_official_numbers(charades: SampleSet) -> None:
    """By hand. The unlabelled third video has the top scores and ranks last; class 0 has no positive.

    Class 1: videos 1 and 4 are positive, ranked first: 1. Class 2: 2 and 4, ranked after 1: (1/2 + 2/3) / 2. Class 3:
    1 and 2, ranked first: 1. Class 4: video 5, ranked second: 1/2. Class 5: video 1, ranked first: 1.
    """
    scores = np.array(
        [
            [0, 9, 9, 9, 1, 9],
            [0, 2, 8, 8, 0, 0],
            [99, 99, 99, 99, 99, 99],
            [0, 8, 7, 0, 9, 0],
            [0, 1, 0, 0, 8, 0],
        ]
    )
    entries = score_gallery(np.pad(scores, ((0, 0), (0, 151))), charades)
    second = (1 / 2 + 2 / 3) / 2
    mean = entries["charades-ego/all/gallery/gallery157/mAP/scores"]
    assert mean.value == pytest.approx((1 + second + 1 + 1 / 2 + 1) / 5, abs=1e-12)
    assert mean.gallery is not None
    assert (mean.gallery.items, mean.gallery.items_with_positives) == (157, 5)
    weighted = entries["charades-ego/all/gallery/gallery157/wAP/scores"].value
    assert weighted == pytest.approx((2 * 1 + 2 * second + 2 * 1 + 1 / 2 + 1) / 8, abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros((3, 4)), r"shape \(3, 4\); expected \(samples, gallery\) = \(3, 3\)"),
        (np.zeros(9), r"shape \(9,\)"),
        (np.array([[0, 0, 0], [0, 0, np.nan], [0, 0, 0]]), "sample 'P01_11_1' and item 'P22_04_144' is not a number"),
        (np.array([[0, 0, 0], [0, 0, np.inf], [0, 0, 0]]), r"scores\[1, 2\] is not a finite number"),
        (np.full((3, 3), "x"), "expected numbers"),
    ],
)
def test_scores_that_do_not_fit_are_named(epic: SampleSet, scores: np.ndarray, message: str) -> None:
    with pytest.raises(ScoreFileError, match=message):
        score_gallery(scores, epic)


def test_a_transposed_table_is_told_from_others(charades: SampleSet) -> None:
    with pytest.raises(ScoreFileError, match="is the table transposed"):
        score_gallery(np.zeros((157, 5)), charades)


def test_a_file_that_lists_its_rows_and_columns_is_held_to_them(epic: SampleSet, tmp_path: Path) -> None:
    rows, columns = [sample.id for sample in epic.samples], [item.id for item in epic.gallery]
    scores, file = np.arange(9.0).reshape(3, 3), tmp_path / "scores.npz"
    np.savez(file, scores=scores, samples=rows, gallery=columns)
    assert read_scores(file, epic).tolist() == scores.tolist()
    np.savez(file, scores=scores, samples=rows, gallery=[columns[1], columns[0], columns[2]])
    with pytest.raises(ScoreFileError, match="another order: position 0 is 'P01_11_1', expected 'P01_11_0'"):
        read_scores(file, epic)
    np.savez(file, scores=scores, samples=[*rows[:2], "P99"], gallery=columns)
    with pytest.raises(ScoreFileError, match=r"3 ids, which are not the 3 of the sample set; e\.g\. \['P22_04_144'\]"):
        read_scores(file, epic)
    np.savez(file, scores=scores)
    with pytest.raises(ScoreFileError, match="needs the arrays scores, samples and gallery"):
        read_scores(file, epic)


@pytest.mark.parametrize("content", [b"", b"1,2,3\n", b"\x93NUMPY\x01\x00"])
def test_a_file_that_holds_no_table_is_named(epic: SampleSet, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "scores.npy"
    file.write_bytes(content)
    with pytest.raises(ScoreFileError, match=r"not a file of numbers as numpy\.save writes them"):
        read_scores(file, epic)


def test_a_gallery_that_was_put_in_another_order_is_refused(epic: SampleSet, tmp_path: Path) -> None:
    folder = epic.write(tmp_path / "data")
    assert SampleSet.read(folder) == epic
    file = folder / "gallery.json"
    file.write_text(json.dumps(json.loads(file.read_text())[::-1]))
    with pytest.raises(SampleSetError, match="its texts or their order were changed; build it again"):
        SampleSet.read(folder)
    file.unlink()
    with pytest.raises(SampleSetError, match="no sample set in"):
        SampleSet.read(folder)


def test_a_caption_of_an_unknown_clip_and_a_class_named_twice_end_the_build(tmp_path: Path) -> None:
    files = OFFICIAL["epic-kitchens-mir"]()
    files["EPIC_100_retrieval_test_sentence.csv"][1]["narration_id"] = "P99_1"
    with pytest.raises(
        AnnotationFileError, match=r"1 captions have no clip in EPIC_100_retrieval_test\.csv, e\.g\. 'P99_1'"
    ):
        built(tmp_path / "a", "epic-kitchens-mir", "gallery", files)
    files = OFFICIAL["charades-ego"]()
    files["Charades_v1_classes.txt"] = files["Charades_v1_classes.txt"].replace("Taking", "Holding")
    with pytest.raises(RecordError, match=r"line 3: class 'Holding some clothes' was named already; expected once"):
        built(tmp_path / "b", "charades-ego", "gallery157", files)


def test_a_gallery_is_not_asked_question_by_question(epic: SampleSet, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot score the gallery of epic-kitchens-mir/gallery; .* --rerank RUN"):
        evaluate(load_model("first-choice"), [epic], tmp_path, tmp_path / "runs")


def test_a_set_without_a_gallery_takes_no_table(navigation: Navigation) -> None:
    with pytest.raises(SampleSetError, match="vln-qa/official has no gallery to score"):
        score_gallery(np.zeros((12, 4)), navigation.sample_set)


@pytest.mark.parametrize(
    ("task", "advice"),
    [
        ("charades-ego", "build one with egobench build charades-ego --construction gallery157"),
        ("egoschema", "no gallery can be built of egoschema; egobench tasks lists what each task is built as"),
    ],
)
def test_who_has_no_gallery_is_sent_to_the_constructions_that_are_one(
    navigation: Navigation, task: str, advice: str
) -> None:
    manifest = replace(navigation.sample_set.manifest, task=task)
    without = replace(navigation.sample_set, manifest=manifest)
    expected = f"{task}/official has no gallery to score; {advice}"
    with pytest.raises(SampleSetError, match=f"^{re.escape(expected)}$"):
        score_gallery(np.zeros((12, 12)), without)
    rerank = Rerank(3, {without.name: "0" * 64})
    with pytest.raises(SampleSetError, match=f"^{re.escape(expected)}$"):
        plan([without], Settings("likelihood-sum", rerank=rerank))


def test_a_folder_without_galleries_is_sent_to_those_of_its_tasks(navigation: Navigation, tmp_path: Path) -> None:
    request = RunRequest(model="random", data=navigation.data, videos=tmp_path, out=tmp_path, rerank=tmp_path / "runs")
    with pytest.raises(SampleSetError, match="holds no gallery to score; no gallery can be built of vln-qa; "):
        request.load()
    assert gallery_advice(map(load_task, ("vln-qa", "epic-kitchens-mir", "charades-ego"))) == (
        "build one with egobench build charades-ego --construction gallery157 or "
        "egobench build epic-kitchens-mir --construction gallery"
    )


def test_a_metric_that_is_younger_than_its_set_has_its_chance_computed(epic: SampleSet) -> None:
    manifest = replace(epic.manifest, chance={"all/mAP": epic.manifest.chance["all/mAP"]})
    entries = score_gallery(np.eye(3), replace(epic, manifest=manifest))
    assert entries[NDCG].chance == epic.manifest.chance["all/nDCG"]
    assert entries[MAP].chance == epic.manifest.chance["all/mAP"]


def test_a_table_is_scored_in_two_commands(tmp_path: Path) -> None:
    folder = write(tmp_path / "files", OFFICIAL["epic-kitchens-mir"]())
    arguments = ("--annotations", folder, "--construction", "gallery", "--out", tmp_path / "data")
    assert egobench("build", "epic-kitchens-mir", *arguments).returncode == 0
    np.save(tmp_path / "s.npy", np.eye(3))
    data = tmp_path / "data" / "epic-kitchens-mir" / "gallery"
    done = egobench("score", tmp_path / "s.npy", "--data", data, "--json")
    assert json.loads(done.stdout)[MAP]["value"] == pytest.approx(1.0)
    assert "chance" in egobench("score", tmp_path / "s.npy", "--data", data).stdout
    lost = egobench("score", tmp_path / "s.npy")
    assert (lost.returncode, "give --data DATA/<task>/<construction>" in lost.stderr) == (1, True)
    refused = egobench("run", "first-choice", "--data", tmp_path / "data", "--out", tmp_path / "runs")
    assert (refused.returncode, "holds galleries alone" in refused.stderr) == (1, True)


@pytest.mark.slow
@pytest.mark.skipif(not EPIC.is_dir(), reason="needs the EPIC-KITCHENS-100 annotations beside the checkout")
def test_the_real_gallery_has_the_published_columns(tmp_path: Path) -> None:
    task = load_task("epic-kitchens-mir")
    sample_set = build(task, Annotations(EPIC), NoEmbedder(), construction="gallery")
    assert (len(sample_set.samples), len(sample_set.gallery), sample_set.manifest.texts) == (9668, 3842, 3835)
    assert sample_set.manifest.chance["all/mAP"] == pytest.approx(0.0569, abs=1e-4)
    assert sample_set.manifest.chance["all/nDCG"] == pytest.approx(0.1080, abs=1e-4)
    for name in ("EPIC_100_retrieval_test.csv", "EPIC_100_retrieval_test_sentence.csv"):
        lines = (EPIC / name).read_text().splitlines()
        moved = [lines[0], lines[2], lines[1], *lines[3:]] if "sentence" in name else lines
        (tmp_path / name).write_text("\n".join(moved) + "\n")
    with pytest.raises(AnnotationFileError, match="not in the published order"):
        build(task, Annotations(tmp_path), NoEmbedder(), construction="gallery")
