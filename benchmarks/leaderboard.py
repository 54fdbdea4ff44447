"""How long a board of many runs takes to build, and how large it is: made runs of the sizes that the paper prints.

Usage: ``python benchmarks/leaderboard.py FOLDER [RUNS] [DISTINCT]``. Makes sample sets with as many questions and
videos as the paper's Table 2, and RUNS runs over all of them (100), of which DISTINCT have answers of their own (10);
the others share files with one of these, which costs the board as much. Every answer has a receipt of 16 frames. Prints
processor seconds of reading rows, of ranking, of pairwise tests, and of writing pages, the peak of memory, sizes.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from random import Random
from time import process_time

from egobench.dataset.sampleset import Manifest, SampleSet, encode
from egobench.leaderboard.board import make_board, pairs
from egobench.leaderboard.ledger import read_ledger, read_sizes
from egobench.leaderboard.measures import SampleSets
from egobench.leaderboard.runs import open_runs
from egobench.leaderboard.site.build import write_site
from egobench.metrics import OUTCOMES, MeanMetric
from egobench.model import FramePolicy, ModelInfo
from egobench.observer import SilentObserver
from egobench.plugins import load_task
from egobench.run.checksums import sign
from egobench.run.plan import Part, plan
from egobench.run.records import Prediction, encode_rows
from egobench.run.spec import RunSpec, Settings
from egobench.sample import Sample
from egobench.scoring.entry import ProtocolId, ScoreEntry, by_id
from egobench.scoring.score import estimate_fields, score_samples
from egobench.statistics import estimate

RECEIPT = {
    "times": [round(0.25 + 0.5 * frame, 6) for frame in range(16)], "indices": [8 + 15 * frame for frame in range(16)],
    "width": 448, "height": 336, "decoder": "pyav 18.1.0", "resize": "torch bicubic antialias uint8 2.13.0",
    "sha256": "0" * 64,
}  # fmt: skip


def make_sets(data: Path) -> list[SampleSet]:
    """Sample sets of the printed sizes, each under the construction that published rows used."""
    tasks = {number.benchmark: number.id.part.task for number in read_ledger() if number.id}
    sets: list[SampleSet] = []
    for size in read_sizes():
        task = load_task(tasks[size.benchmark])
        subsets = [subset for subset in task.subsets if subset.protocol == "mcq"]
        share = size.questions // len(subsets)
        samples = tuple(
            _sample(task.name, subset.name, number, size.videos) for subset in subsets for number in range(share)
        )
        digest = sha256(encode(samples)).hexdigest()
        figures = dict.fromkeys([subset.name for subset in subsets], 0.4)
        counts = dict.fromkeys(figures, share)
        manifest = Manifest(task.name, 1, {}, task.headline, len(samples), counts, size.videos, 0, 0, {}, None, (), {},
                            digest, None, 0, {}, blind=figures, blind_trained=figures)  # fmt: skip
        sets.append(SampleSet(manifest, samples))
        sets[-1].write(data)
    return sorted(sets, key=lambda sample_set: sample_set.name)


def _sample(task: str, subset: str, number: int, videos: int) -> Sample:
    options = tuple(f"option {(7 * number + place) % 157} of many" for place in range(5))
    target = number * number % 5
    video = f"video-{number % videos:05}"
    name, question = f"{subset}-{number:06}", f"What happens in {number}?"
    return Sample(name, task, subset, f"{video}.mp4", 0.0, 8.0, question, options, target, options[target], None, video,
                  {})  # fmt: skip


def make_run(runs: Path, sets: Sequence[SampleSet], place: int, chances: dict[str, float | None]) -> Path:
    """A run that answers a share of the questions right that grows with its place."""
    settings = Settings()
    info = ModelInfo(f"model-{place:03}", "1", frames=FramePolicy(count=8 + 8 * (place % 3)),
                     settings={"parameters": 1e9 * (1 + place % 9)})  # fmt: skip
    parts = plan(sets, settings)
    spec = RunSpec.of(info, [sample_set.manifest for sample_set in sets], {}, settings)
    folder = runs / info.name / spec.id
    (folder / "predictions").mkdir(parents=True, exist_ok=True)
    recorded = {"data": str(runs.parent / "data"), "name": f"made run {place}"}
    content = {"id": spec.id, "spec": json.loads(spec.canonical()), "recorded": recorded}
    (folder / "run.json").write_text(json.dumps(content, sort_keys=True), encoding="utf-8")
    rng, entries = Random(place), list[ScoreEntry]()  # noqa: S311 - reproducible, not secret
    for part in parts:
        predictions = [_prediction(sample, rng, 0.3 + 0.004 * place) for sample in part.samples]
        (folder / "predictions" / f"{part.name}.main.jsonl").write_bytes(encode_rows(predictions))
        entries += _entries(part, predictions, chances)
    scores = {key: entry.to_json() for key, entry in by_id(entries).items()}
    (folder / "scores.json").write_text(json.dumps(scores, sort_keys=True), encoding="utf-8")
    sign(folder, [folder / "scores.json"])
    return folder


def _prediction(sample: Sample, rng: Random, skill: float) -> Prediction:
    choice = sample.target if rng.random() < skill else rng.randrange(5)
    scores = tuple(float(place == choice) for place in range(5))
    return Prediction(sample.id, "answered", "ABCDE"[choice or 0], choice, "letter", scores, receipt=RECEIPT)


def _entries(part: Part, predictions: Sequence[Prediction], chances: dict[str, float | None]) -> Iterator[ScoreEntry]:
    scored = score_samples(part.samples, {prediction.id: prediction for prediction in predictions})
    ordered = sorted(scored, key=lambda entry: (entry.sample.cluster, entry.sample.id))
    for name, metric in part.task.metrics_of(part.subset).items():
        if name not in {part.subset.headline, *part.subset.beside}:
            continue
        mean = isinstance(metric, MeanMetric)
        # The error of a metric of all samples at once takes a thousand times as long as the metric, and is not timed.
        fields = estimate_fields(estimate(metric, scored) if mean else None)
        if not mean:
            fields["value"] = metric.value(ordered)  # type: ignore[arg-type]
        yield ScoreEntry(
            id=ProtocolId.of(part, name), n=len(scored), n_expected=len(scored),
            outcomes={outcome: len(scored) * (outcome == "answered") for outcome in OUTCOMES},
            clusters=len({entry.sample.cluster for entry in scored}), **fields, answered_only=fields["value"],
            problem=None, chance=chances.setdefault(f"{part.name}/{name}", 0.2), blind=0.4, blind_trained=0.4,
            samples_sha256=part.sample_set.manifest.samples_sha256, orders=1, headline=name == part.subset.headline,
            shown=True,
        )  # fmt: skip


def share_files(folder: Path, runs: Path, place: int) -> None:
    """A run whose files are those of another, under a model's name of its own."""
    content = json.loads((folder / "run.json").read_bytes())
    content["spec"]["model"] |= {"name": f"model-{place:03}"}
    spec = RunSpec.from_json(content["spec"])
    target = runs / f"model-{place:03}" / spec.id
    (target / "predictions").mkdir(parents=True, exist_ok=True)
    content |= {"id": spec.id, "recorded": content["recorded"] | {"name": f"made run {place}"}}
    (target / "run.json").write_text(json.dumps(content, sort_keys=True), encoding="utf-8")
    for file in [*(folder / "predictions").iterdir(), folder / "scores.json"]:
        os.link(file, target / file.relative_to(folder))
    sign(target, [target / "scores.json"])


class Timed(SilentObserver):
    """Notes the processor time at which each stage begins."""

    def __init__(self) -> None:
        object.__setattr__(self, "stages", dict[str, float]())

    def begin(self, stage: str, total: int, done: int) -> None:
        """Note a stage."""
        del total, done
        self.stages.setdefault(stage, process_time())  # type: ignore[attr-defined]


def main(folder: Path, count: int, distinct: int) -> None:
    """Make the runs, unless they are there, and build their site."""
    runs = folder / "runs"
    if not runs.is_dir():
        sets, chances = make_sets(folder / "data"), dict[str, float | None]()
        sys.stdout.write(f"{sum(len(sample_set.samples) for sample_set in sets):,} samples a run\n")
        own = [make_run(runs, sets, place, chances) for place in range(min(count, distinct))]
        for place in range(len(own), count):
            share_files(own[place % len(own)], runs, place)
    observer, begun = Timed(), process_time()
    with open_runs([runs], observer) as opened:
        board = make_board(opened, SampleSets(), observer)
        ranked = process_time()
        for number in board.numbers:
            pairs(number)
        tested = process_time()
        page = write_site(board, folder / "site")
    ended = process_time()
    reading, ranking = observer.stages["reading rows"], observer.stages["ranking"]  # type: ignore[attr-defined]
    rows = sum(entry.n for run in board.runs for entry in run.scores.values() if entry.headline)
    figures = {
        "runs": len(board.runs), "rows": rows, "opening": reading - begun, "reading rows": ranking - reading,
        "ranking": ranked - ranking, "pairwise tests": tested - ranked, "tests again and pages": ended - tested,
        "peak memory in MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "board page in kB": page.stat().st_size / 1000,
        "largest page in kB": max(path.stat().st_size for path in page.parent.rglob("*.html")) / 1000,
        "compare.js in kB": (page.parent / "data" / "compare.js").stat().st_size / 1000,
    }  # fmt: skip
    for name, figure in figures.items():
        sys.stdout.write(f"{name:>22}: {figure:,.1f}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(argument) for argument in [*sys.argv[2:], "100", "10"][:2]))
