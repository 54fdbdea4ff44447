"""Readers of run folders: of one writer, of several that share the work, and packed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import copytree

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.errors import BundleError
from egobench.evaluate import evaluate, rescore
from egobench.leaderboard.archive import unpack, write_archive
from egobench.leaderboard.bundle import pack
from egobench.leaderboard.checks import check_submission
from egobench.model import ModelInfo, Prompt, Reply
from egobench.plugins import load_model, load_task
from egobench.run.checksums import CHECKSUMS, sign, verify_run
from egobench.run.spec import Settings, Shard
from egobench.scoring.overview import list_runs
from tests.conftest import NoEmbedder
from tests.fuzz.inputs import Reader, Seed, seeds_of
from tests.tasks.official_files import OFFICIAL, write

SETTINGS = Settings(control="blind", orders=2)
SHARED = Settings(control="blind", orders=2, shard=Shard(0, 2))


def _run_seeds(root: Path) -> Iterator[Seed]:
    folder = _finished(root, SETTINGS)
    for seed in seeds_of(folder):
        yield Seed(root / "world", (folder / seed.file).relative_to(root / "world").as_posix())


def _finished(root: Path, settings: Settings) -> Path:
    """The folder of a run below ``world``, whose sample set lies there too."""
    annotations = Annotations(write(root / "annotations", OFFICIAL["vln-qa"]()))
    sample_set = build(load_task("vln-qa"), annotations, NoEmbedder())
    sample_set.write(root / "world" / "data")
    recorded = {"data": str(root / "world" / "data")}
    return evaluate(
        load_model("first-choice"), [sample_set], root, root / "world" / "runs", settings, recorded=recorded
    ).path


def _read_run(seed: Seed) -> object:
    overviews = list(list_runs(seed.folder / "runs"))
    (folder,) = (seed.folder / "runs").glob("*/*")
    if "checksums" in seed.file:
        return verify_run(folder)
    return overviews, rescore(folder, seed.folder / "data", accept_changes=True)


def _shared_seeds(root: Path) -> Iterator[Seed]:
    """A run of two writers, once finished and signed, once as killed processes leave it."""
    for state in ("signed", "killed"):
        world = root / state / "world"
        folder = _finished(root / state, SHARED)
        first = next((folder / "predictions").glob("*.worker-0.jsonl"))
        lines = first.read_text().splitlines(keepends=True)
        first.write_text("".join(lines[::2]))
        second = first.with_name(first.name.replace("worker-0", "worker-1"))
        second.write_text("".join(lines[1::2]))
        (folder / "events.worker-1.jsonl").write_text(
            '{"part": "vln-qa.all.mcq.official", "what": "a smaller batch"}\n'
        )
        if state == "signed":
            sign(folder, [folder / "scores.json", folder / "usage.json"])
        else:
            second.write_text("".join(lines[1::3]) + lines[-1][:9])
            (folder / CHECKSUMS).unlink()
        copytree(folder, world / "as it was")
        for seed in seeds_of(folder, hidden=True):
            yield Seed(world, (folder / seed.file).relative_to(world).as_posix())


def _read_shared(seed: Seed) -> object:
    """Join the run and finish it; a row that was signed and has changed is refused, one that is missing asked again."""
    (folder,) = (seed.folder / "runs").glob("*/*")
    name = seed.path.relative_to(folder).as_posix()
    before = (seed.folder / "as it was" / name).read_bytes()
    is_signed = (folder / CHECKSUMS).exists() and name in (folder / CHECKSUMS).read_text(errors="replace")
    is_changed = seed.path.exists() and seed.path.read_bytes() != before
    sample_set = SampleSet.read(seed.folder / "data" / "vln-qa" / "official")
    result = evaluate(load_model("first-choice"), [sample_set], seed.folder, seed.folder / "runs", SHARED)
    if is_signed and is_changed and name not in {"scores.json", "usage.json"}:
        raise AssertionError(f"{name} was signed, is altered, and is accepted")
    if problems := verify_run(folder):
        raise AssertionError(f"the finished run is not as it was signed: {problems}")
    for protocol_id, entry in result.scores.items():
        if entry.n != entry.n_expected:
            raise AssertionError(f"{protocol_id} of {entry.n} samples instead of {entry.n_expected}")
    return result


class _Words:
    """Answers in the words of the last option."""

    info = ModelInfo("words", "1")

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        return [Reply(f"I say: {prompt.options[-1]}.") for prompt in prompts]


def _bundle_seeds(root: Path) -> Iterator[Seed]:
    """A bundle, and what it holds, which is packed again after it was altered."""
    annotations = Annotations(write(root / "annotations", OFFICIAL["vln-qa"]()))
    sample_set = build(load_task("vln-qa"), annotations, NoEmbedder())
    sample_set.write(root / "world" / "data")
    recorded = {"data": str(root / "world" / "data")}
    run = evaluate(_Words(), [sample_set], root, root / "runs", SETTINGS, recorded=recorded).path
    pack(run, root / "world" / "packed.zip")
    unpack(root / "world" / "packed.zip", root / "world" / "bundle")
    yield Seed(root / "world", "packed.zip")
    for seed in seeds_of(root / "world" / "bundle"):
        yield Seed(root / "world", f"bundle/{seed.file}")


def _read_bundle(seed: Seed) -> object:
    path, folder = seed.folder / "packed.zip", seed.folder / "bundle"
    if seed.file != path.name:
        names = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
        sign(folder, [folder / name for name in names if name != "checksums.txt"])
        write_archive(path, {name: folder / name for name in names})
    record = check_submission(path, seed.folder / "data")
    if record.failed:
        raise BundleError(f"{path}: {record.failed}")
    return record


RUN_READERS: tuple[Reader, ...] = (
    Reader("run folder", _run_seeds, _read_run, deletes=True),
    Reader("shared run", _shared_seeds, _read_shared, deletes=True),
    Reader("bundle", _bundle_seeds, _read_bundle),
)
