"""Everything that reads what comes from outside. Whoever writes a new reader adds it to :data:`READERS`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any

from egobench.leaderboard.archive import unpack, write_archive
from egobench.leaderboard.bundle import pack
from egobench.leaderboard.checks import check_submission

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.errors import BundleError
from egobench.evaluate import evaluate, rescore
from egobench.llm_judge.rubric import read_verdict
from egobench.model import ModelInfo, Prompt, Reply
from egobench.plugins import TASKS, load_model, load_task, names
from egobench.replies import read_reply
from egobench.run.checksums import sign, verify_run
from egobench.run.spec import Settings
from egobench.scoring.overview import list_runs
from egobench.video import ClipRequest, FailedClip, FrameRule, fingerprint, read_clips
from tests.conftest import NoEmbedder
from tests.tasks.official_files import OFFICIAL, write

OPTIONS = ("opens the fridge", "closes the door", "washes a cup", "picks up a knife", "walks away")
REPLIES = (
    "B", "(B) closes the door", "The answer is B.", '{"answer": "B", "reason": "the door"}', "<think>A?</think>\n**B**",
    "I think C closes the door, so not A but B.", "\\boxed{B}", "A. No wait, B.", "\u56de\u7b54\uff1aB",
    "It cannot be B.",
)  # fmt: skip
VERDICTS = ('{"correct": "yes", "score": 4}', '<think>hm</think>{"correct": "no", "score": 0}')


@dataclass(frozen=True, slots=True)
class Seed:
    """A valid input.

    Attributes:
        folder: Folder of the files that belong together; copied before one of them is altered.
        file: The file that is altered, below the folder.
    """

    folder: Path
    file: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Something that reads files from outside.

    Attributes:
        name: What it is called in reports.
        make_seeds: Writes valid inputs below a folder.
        read: Reads a copy of such an input, in which one file is altered.
    """

    name: str
    make_seeds: Callable[[Path], Iterator[Seed]]
    read: Callable[[Seed], object]


def _seeds_of(folder: Path) -> Iterator[Seed]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.name.startswith("."):
            yield Seed(folder, file.relative_to(folder).as_posix())


def _annotation_seeds(task: str) -> Callable[[Path], Iterator[Seed]]:
    return lambda root: _seeds_of(write(root / task, OFFICIAL[task]()))


def _read_annotations(task: str) -> Callable[[Seed], object]:
    def read(seed: Seed) -> object:
        loaded = load_task(task)
        readers = {loaded.read, *loaded.readers.values()}
        return [list(read_records(Annotations(seed.folder))) for read_records in readers]

    return read


def _set_seeds(root: Path) -> Iterator[Seed]:
    for task, construction in (("vln-qa", "official"), ("epic-kitchens-mir", "gallery"), ("qaego4d", "official")):
        annotations = Annotations(write(root / f"annotations-{task}", OFFICIAL[task]()))
        sample_set = build(load_task(task), annotations, NoEmbedder(), construction=construction)
        yield from _seeds_of(sample_set.write(root / "data"))


def _run_seeds(root: Path) -> Iterator[Seed]:
    annotations = Annotations(write(root / "annotations", OFFICIAL["vln-qa"]()))
    sample_set = build(load_task("vln-qa"), annotations, NoEmbedder())
    sample_set.write(root / "world" / "data")
    model, settings = load_model("first-choice"), Settings(control="blind", orders=2)
    recorded = {"data": str(root / "world" / "data")}
    folder = evaluate(model, [sample_set], root, root / "world" / "runs", settings, recorded=recorded).path
    for seed in _seeds_of(folder):
        yield Seed(root / "world", (folder / seed.file).relative_to(root / "world").as_posix())


def _read_run(seed: Seed) -> object:
    overviews = list(list_runs(seed.folder / "runs"))
    folder = next((seed.folder / "runs").rglob("run.json")).parent
    if "checksums" in seed.file:
        return verify_run(folder)
    return overviews, rescore(folder, seed.folder / "data", accept_changes=True)


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
    settings = Settings(control="blind", orders=2)
    recorded = {"data": str(root / "world" / "data")}
    run = evaluate(_Words(), [sample_set], root, root / "runs", settings, recorded=recorded).path
    pack(run, root / "world" / "packed.zip")
    unpack(root / "world" / "packed.zip", root / "world" / "bundle")
    yield Seed(root / "world", "packed.zip")
    for seed in _seeds_of(root / "world" / "bundle"):
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


def _text_seeds(texts: tuple[str, ...]) -> Callable[[Path], Iterator[Seed]]:
    def seeds(root: Path) -> Iterator[Seed]:
        for number, text in enumerate(texts):
            (root / f"{number}").mkdir(parents=True)
            (root / f"{number}" / "text").write_text(text, encoding="utf-8")
            yield Seed(root / f"{number}", "text")

    return seeds


def _read_text(read: Callable[[str], object]) -> Callable[[Seed], object]:
    return lambda seed: read((seed.folder / seed.file).read_bytes().decode("utf-8", "surrogateescape"))


def _video_seeds(root: Path) -> Iterator[Seed]:
    fixtures = Path(__file__).parents[1] / "fixtures" / "video"
    copytree(fixtures, root / "videos")
    for seed in _seeds_of(root / "videos"):
        if (root / "videos" / seed.file).suffix in {".mp4", ".mkv", ".avi", ".ts"}:
            yield Seed(root / "videos", seed.file)


def _read_video(seed: Seed) -> object:
    path = seed.folder / seed.file
    fingerprint(path)
    for clip in read_clips(path, [ClipRequest("clip", path, 0.1, 1.0, FrameRule(count=4))]):
        if isinstance(clip, FailedClip):
            raise clip.error
    return path


def _completion_seeds(root: Path) -> Iterator[Seed]:
    message = {"role": "assistant", "content": [{"type": "text", "text": "B"}, {"type": "text", "text": "."}]}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": {"content": []}}
    usage = {"prompt_tokens": 12, "completion_tokens": 1}
    root.mkdir(parents=True, exist_ok=True)
    (root / "answer.json").write_text(json.dumps({"model": "toy", "choices": [choice], "usage": usage}))
    yield Seed(root, "answer.json")


def _read_completion(seed: Seed) -> object:
    from egobench.errors import EgoBenchError
    from egobench.json_input import read_json
    from egobench.server.completion import read_completion

    answer: Any = read_json((seed.folder / seed.file).read_bytes(), "answer.json")
    try:
        return read_completion(answer)
    except (LookupError, TypeError, AttributeError) as error:
        # How the endpoint is told, see its docstring.
        raise EgoBenchError(f"answer.json: {error}") from error


READERS: tuple[Reader, ...] = (
    *(Reader(f"annotations of {task}", _annotation_seeds(task), _read_annotations(task)) for task in names(TASKS)),
    Reader("sample set", _set_seeds, lambda seed: SampleSet.read(seed.folder)),
    Reader("run folder", _run_seeds, _read_run),
    Reader("bundle", _bundle_seeds, _read_bundle),
    Reader("reply", _text_seeds(REPLIES), _read_text(lambda text: read_reply(text, OPTIONS))),
    Reader("verdict", _text_seeds(VERDICTS), _read_text(read_verdict)),
    Reader("chat completion", _completion_seeds, _read_completion),
    Reader("video", _video_seeds, _read_video),
)
