"""MiniEgo's training files, in nine official forms: every row is read, and none shows what the tests show."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.miniego.generate import write_both_splits, write_split, write_tasks
from egobench.miniego.official.files import Films
from egobench.miniego.world.simulate import simulate
from egobench.plugins import load_task
from reference_exo2ego.data.captioned_pairs import PairColumns, PairFile
from reference_exo2ego.data.clip_rule import ClipRule
from reference_exo2ego.data.ego_exo_clip import build_clips
from reference_exo2ego.data.egoclip import read_egoclip
from reference_exo2ego.data.egoit.build import PAPER, InstructionRule, build_instructions
from reference_exo2ego.data.egoit.wording import shipped_instructions
from reference_exo2ego.data.leaks import TrainedFootage, find_leaks
from reference_exo2ego.data.samples import SampleWriter, TrainingSample, read_samples
from tests.conftest import NoEmbedder

SOURCES = tuple(PAPER)


class Training:
    """The training files of a small world, and those of its tests."""

    def __init__(self, folder: Path) -> None:
        world = simulate("small", seed=3)
        self.folder, self.films = folder / "train", Films(folder / "train")
        write_both_splits(self.folder, world, self.films)
        write_split(self.folder, world.train, self.films, 3)
        self.annotations = folder / "annotations"
        write_tasks(self.annotations, world, 104, Films(folder / "videos"), 3)
        self.paths = {film.path for episode in world.episodes for film in self.films.of(episode)}

    def rendered(self, sample: TrainingSample) -> bool:
        """Whether the files of a sample are among those that MiniEgo renders."""
        media = [sample.media, *(view.video for view in sample.exo)]
        return all(self.folder / path in self.paths for path in media)


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    return Training(tmp_path_factory.mktemp("miniego"))


def clips(training: Training) -> list[TrainingSample]:
    out = training.folder / "clips.jsonl"
    report = build_clips(Annotations(training.folder), out, ClipRule(), check=None)
    assert set(report.exclusions.counts) <= {"take of another split", "clip without length"}
    assert len(report.statistics.slices["institution"]) > 1
    return list(read_samples(out))


def test_takes_become_clips_whose_files_are_rendered(training: Training) -> None:
    samples = clips(training)
    splits = json.loads((training.folder / "annotations" / "splits.json").read_text(encoding="utf-8"))
    assert {sample.facts["take_uid"] for sample in samples} == set(splits["split_to_take_uids"]["train"])
    assert all(map(training.rendered, samples))


def test_egoclip_is_read_whole(training: Training) -> None:
    path = training.folder / "egoclip.csv"
    rows = path.read_text(encoding="utf-8").splitlines()[1:]
    samples = list(read_egoclip(path, pattern="egoclip/{video_uid}.mp4")[1])
    assert len(samples) == len(rows)
    assert all(sample.turns[1].startswith("C ") and training.rendered(sample) for sample in samples)


@pytest.mark.parametrize("view", ["ego", "exo"])
def test_captioned_pairs_are_read_whole(training: Training, view: str) -> None:
    path = training.folder / "pairs" / f"{view}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    samples = list(PairFile(path, None, PairColumns()).samples())
    assert [(sample.media, sample.turns[1]) for sample in samples] == [(row["path"], row["caption"]) for row in rows]


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_of_egoit_is_read_without_a_malformed_row(training: Training, source: str) -> None:
    out = training.folder / f"{source}.jsonl"
    rule = InstructionRule()
    (count,) = build_instructions({source: training.folder / source}, out, shipped_instructions(), rule)
    assert count.left_out == []
    samples = list(read_samples(out))
    assert len(samples) == count.samples > 40
    missing = [sample.media for sample in samples if not training.rendered(sample)]
    folders = {path.parent for path in training.paths}
    assert [media for media in missing if training.folder / media not in folders] == []


def test_no_training_sample_shows_what_a_test_shows(training: Training) -> None:
    footage = TrainedFootage()
    out = training.folder / "egoit.jsonl"
    folders = {source: training.folder / source for source in SOURCES}
    build_instructions(folders, out, shipped_instructions(), InstructionRule())
    with SampleWriter(training.folder / "egoclip.jsonl") as writer:
        for sample in read_egoclip(training.folder / "egoclip.csv")[1]:
            writer.write(sample)
    clips(training)
    for name in ("egoit", "egoclip", "clips"):
        for sample in read_samples(training.folder / f"{name}.jsonl"):
            footage.add(sample)
    sets: list[SampleSet] = []
    for task in ("egoschema", "qaego4d", "egoplan", "vln-qa"):
        sets.append(build(load_task(task), Annotations(training.annotations / task), NoEmbedder()))
    leaks = find_leaks(footage, [(sample_set.name, sample_set.samples) for sample_set in sets])
    assert [leak.sample_set for leak in leaks if leak.leaks or leak.same_video] == []
    assert sum(leak.samples for leak in leaks) > 400
