"""Readers of what is trained on."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from egobench.annotations import Annotations
from reference_exo2ego.data.camera_offsets import read_offsets
from reference_exo2ego.data.captioned_pairs import PairColumns, PairFile
from reference_exo2ego.data.clip_rule import ClipRule
from reference_exo2ego.data.ego_exo_clip import build_clips
from reference_exo2ego.data.egoclip import read_egoclip
from reference_exo2ego.data.egoit.build import SPLITS, InstructionRule, build_instructions
from reference_exo2ego.data.egoit.wording import read_instructions, shipped_instructions
from reference_exo2ego.data.samples import SampleWriter, TrainingSample, read_samples
from tests.fuzz.inputs import Reader, Seed, seeds_of
from tests.reference_exo2ego.data import ego_exo4d_files, egoclip_table, egoit_files
from tests.reference_exo2ego.data.training_samples import SAMPLES

CAPTIONS = (("clips/a.mp4", "A man, who cooks."), ("b.JPG", "A  dog."))


def _sample_seeds(root: Path) -> Iterator[Seed]:
    for name in ("samples.json", "samples.jsonl"):
        _write_samples(root / name, SAMPLES)
    yield from seeds_of(root)


def _write_samples(path: Path, samples: Iterable[TrainingSample]) -> None:
    with SampleWriter(path) as writer:
        for sample in samples:
            writer.write(sample)


def _read_samples(seed: Seed) -> object:
    """Read samples, with and without malformed rows; written anew they come back as they are."""
    list(read_samples(seed.path, skip_bad=True))
    samples = list(read_samples(seed.path))
    _check_kept(seed.path.with_name(f"again{seed.path.suffix}"), samples)
    return samples


def _check_kept(path: Path, samples: list[TrainingSample]) -> None:
    if samples:
        _write_samples(path, samples)
        if list(read_samples(path)) != samples:
            raise AssertionError(f"{path}: samples come back otherwise than they were written")


def _take_seeds(root: Path) -> Iterator[Seed]:
    takes = [ego_exo4d_files.take("t1"), ego_exo4d_files.take("t2", duration=20.0, cameras=("cam01",))]
    descriptions = [ego_exo4d_files.description(time) for time in (1.0, 2.5, 4.0)]
    narrated = {
        "t1": [ego_exo4d_files.annotator_pass("p1", descriptions), ego_exo4d_files.annotator_pass("p2", [])],
        "t2": [ego_exo4d_files.annotator_pass("p3", descriptions[1:])],
    }
    yield from seeds_of(ego_exo4d_files.write(root / "takes", takes, narrated))


def _read_takes(seed: Seed) -> object:
    out = seed.folder / "clips.jsonl"
    build_clips(Annotations(seed.folder), out, ClipRule(), check=None)
    _check_kept(seed.folder / "again.jsonl", list(read_samples(out)))
    return out


def _egoclip_seeds(root: Path) -> Iterator[Seed]:
    (root / "egoclip").mkdir(parents=True)
    egoclip_table.table(root / "egoclip", egoclip_table.FIRST, egoclip_table.SECOND)
    yield from seeds_of(root / "egoclip")


def _read_egoclip(seed: Seed) -> object:
    samples = list(read_egoclip(seed.path)[1])
    _check_kept(seed.folder / "again.jsonl", samples)
    return samples


def _pair_seeds(root: Path) -> Iterator[Seed]:
    folder = root / "pairs"
    folder.mkdir(parents=True)
    rows = [f'{path},"{caption}"' for path, caption in CAPTIONS]
    (folder / "pairs.csv").write_text("\n".join(("video,caption", *rows)) + "\n")
    (folder / "pairs.tsv").write_text("\n".join(("video\tcaption", *map("\t".join, CAPTIONS))) + "\n")
    lines = [f'{{"video": "{path}", "caption": "{caption}"}}' for path, caption in CAPTIONS]
    (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n")
    members = {"1.mp4": b"bytes", "1.txt": b"A man.", "2.png": b"pixels", "2.json": b'{"caption": "A dog."}'}
    with tarfile.open(folder / "pairs.tar", "w") as plain, tarfile.open(folder / "pairs.tar.gz", "w:gz") as packed:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            plain.addfile(info, io.BytesIO(content))
            packed.addfile(info, io.BytesIO(content))
    yield from seeds_of(folder)


def _read_pairs(seed: Seed) -> object:
    media = seed.folder / "media" if ".tar" in seed.file else None
    samples = list(PairFile(seed.path, media, PairColumns(media="video")).samples())
    outside = [
        path for path in seed.folder.parent.iterdir() if path.stat().st_mtime_ns > seed.folder.stat().st_mtime_ns
    ]
    if any(".." in sample.media for sample in samples if media) or any(path.name == "1.mp4" for path in outside):
        raise AssertionError("a member was written outside the folder of media")
    _check_kept(seed.folder / "again.jsonl", samples)
    return samples


def _instruction_seeds(source: str) -> Callable[[Path], Iterator[Seed]]:
    def seeds(root: Path) -> Iterator[Seed]:
        yield from seeds_of(egoit_files.write(root / source, egoit_files.SOURCES[source]()))
        if source == "egtea":
            yield from seeds_of(egoit_files.write(root / "splits", egoit_files.egtea_splits()))

    return seeds


def _read_instructed(source: str) -> Callable[[Seed], object]:
    def read(seed: Seed) -> object:
        out = seed.folder / "egoit.jsonl"
        rule = InstructionRule(splits=SPLITS.get(source, ("train",)))
        build_instructions({source: seed.folder}, out, shipped_instructions(), rule)
        _check_kept(seed.folder / "again.jsonl", list(read_samples(out)))
        return out

    return read


def _table_seeds(root: Path) -> Iterator[Seed]:
    (root / "tables").mkdir(parents=True)
    (root / "tables" / "offsets.csv").write_text("take_uid,camera,seconds\nt1,ego,0.166667\nt1,cam01,-2\n")
    (root / "tables" / "instructions.json").write_text('{"egtea": ["What do I do?", "Say it."], "open-eqa": ["Look."]}')
    yield from seeds_of(root / "tables")


def _read_table(seed: Seed) -> object:
    return read_offsets(seed.path) if seed.file.endswith(".csv") else read_instructions(seed.path)


TRAINING_DATA_READERS: tuple[Reader, ...] = (
    Reader("training samples", _sample_seeds, _read_samples, deletes=True),
    Reader("Ego-Exo4D", _take_seeds, _read_takes, deletes=True),
    Reader("EgoClip", _egoclip_seeds, _read_egoclip, deletes=True),
    Reader("captioned pairs", _pair_seeds, _read_pairs, deletes=True),
    *(
        Reader(f"EgoIT of {source}", _instruction_seeds(source), _read_instructed(source), deletes=True)
        for source in egoit_files.SOURCES
    ),
    Reader("tables for training", _table_seeds, _read_table, deletes=True),
)
