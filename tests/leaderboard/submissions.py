"""Honest runs over MiniEgo with videos of plain colours, their bundles, and bundles that somebody has altered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.evaluate import evaluate
from egobench.leaderboard.bundle import pack
from egobench.miniego import generate
from egobench.model import FramePolicy, ModelInfo, Prompt, Reply
from egobench.orders import shown_at
from egobench.plugins import load_model, load_task
from egobench.run.spec import Settings
from egobench.sample import Sample
from tests.conftest import NoEmbedder, write_video

SETS = (
    ("vln-qa", "official"),
    ("qaego4d", "official"),
    ("egoplan", "official"),
    ("epic-kitchens-mir", "gallery"),
)
SECONDS = 48
"""Length of the long videos, more than any clip's end."""

VLN = "vln-qa.all.mcq.official"
CLOSED = "qaego4d.closed.mcq.official"
OPEN = "qaego4d.open.open.official"
VLN_ROWS = f"predictions/{VLN}.main.jsonl"
OPEN_ROWS = f"predictions/{OPEN}.main.jsonl"
VLN_ACC = "vln-qa/all/mcq/official/acc/generate"

Members = dict[str, bytes]
Edit = Callable[[Members, "World"], None]
Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """MiniEgo's questions with videos of plain colours.

    Attributes:
        root: Where everything is.
        sets: Sample sets by task.
    """

    root: Path
    sets: Mapping[str, SampleSet]

    @property
    def data(self) -> Path:
        """Folder of the sample sets."""
        return self.root / "data"

    @property
    def videos(self) -> Path:
        """Folder of one folder of videos per task."""
        return self.root / "videos"

    def samples(self, task: str, subset: str = "all") -> dict[str, Sample]:
        """Samples of a subset by id."""
        return {sample.id: sample for sample in self.sets[task].samples if sample.subset == subset}

    def run(self, model: Any, *tasks: str, out: str = "runs", **settings: Any) -> Path:
        """The folder of a run over some tasks."""
        sets = [self.sets[task] for task in tasks]
        recorded = {"data": str(self.data), "command": ["egobench", "run"], "python": "3.11"}
        return evaluate(model, sets, self.videos, self.root / out, Settings(**settings), recorded=recorded).path

    def bundle(self, run: Path) -> Path:
        """The bundle of a run."""
        return pack(run, self.root / "bundles" / f"{'-'.join(run.relative_to(self.root).parts)}.zip")


def make_world(root: Path) -> World:
    """Generate the questions, build the sample sets, and write a video of one colour for each that is named."""
    generate(root, "small", videos=False)
    sets: dict[str, SampleSet] = {}
    for task, construction in SETS:
        files = Annotations(root / "annotations" / task)
        sets[task] = build(load_task(task), files, NoEmbedder(), construction=construction)
        sets[task].write(root / "data")
        for number, video in enumerate(sorted({sample.video for sample in sets[task].samples})):
            colour = (number * 37 % 200, number * 91 % 200, number * 53 % 200)
            path = root / "videos" / task / video
            frames, fps = (8, 4) if task == "vln-qa" else (SECONDS, 1)
            write_video(path, colour, frames=frames, fps=fps)
    return World(root, sets)


class Talker:
    """Replies in the words of an option, in a sentence of its own, or refuses: by the question's seed."""

    info = ModelInfo("talker", "1", frames=FramePolicy(count=4, short_side=32))

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        return [Reply(self._words(prompt)) for prompt in prompts]

    def _words(self, prompt: Prompt) -> str:
        if not prompt.options:
            return f"On thing {prompt.seed % 7}. \u27e6 <b>&amp;</b> \x1b[31m \u202e"
        option = prompt.options[prompt.seed % len(prompt.options)]
        return (
            f"{option}.",
            f"The answer is ({'ABCDEFGHIJ'[prompt.seed % len(prompt.options)]}) {option.upper()}",
            "I cannot tell from this video.",
            f"You ask: {prompt.question} I say {option.capitalize()}!",
        )[prompt.seed % 4]


class Encoder:
    """Embeds a clip by its mean colour and a text by its letters."""

    info = ModelInfo("letters", "1", frames=FramePolicy(count=2, short_side=32))

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        raise AssertionError(f"nothing should be generated for {len(prompts)} prompts")

    def encode_clips(self, prompts: Sequence[Prompt]) -> np.ndarray:
        return np.array([_unit(prompt.frames.mean(axis=(0, 1, 2))) for prompt in prompts], np.float32)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([_unit(np.frombuffer(sha256(text.encode()).digest()[:3], np.uint8)) for text in texts])


def _unit(values: np.ndarray) -> np.ndarray:
    vector = np.asarray(values, np.float32) + 1
    return vector / np.linalg.norm(vector)


def guesser() -> Any:
    """The built-in model that draws an option, shown four frames."""
    return load_model("random", frames=4)


def read_members(path: Path) -> Members:
    """What a bundle holds, by name."""
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(path: Path, members: Mapping[str, bytes], *, sign: bool = True) -> Path:
    """Write a bundle as somebody would who knows how; with checksums that fit, unless told otherwise."""
    if sign:
        lines = [
            f"{sha256(content).hexdigest()}  {name}"
            for name, content in sorted(members.items())
            if name != "checksums.txt"
        ]
        members = {**members, "checksums.txt": ("\n".join(lines) + "\n").encode()}
    stream = BytesIO()
    with ZipFile(stream, "w", ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    path.write_bytes(stream.getvalue())
    return path


def rows(members: Members, name: str = VLN_ROWS) -> list[Row]:
    """The rows of a file of JSON lines."""
    return [json.loads(line) for line in members[name].splitlines()]


def put_rows(members: Members, changed: Sequence[Row], name: str = VLN_ROWS) -> None:
    """Replace the rows of a file of JSON lines."""
    members[name] = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in changed).encode()


def change_json(members: Members, name: str, change: Callable[[Any], None]) -> None:
    """Change a JSON file."""
    content = json.loads(members[name])
    change(content)
    members[name] = json.dumps(content).encode()


def answer(row: Row, position: int, n_options: int) -> Row:
    """A row that chooses a position of the sample's own order, by the letter that was shown there, as a run does."""
    letter = "ABCDEFGHIJ"[shown_at(position, row["order"], n_options)]
    scores = [float(number == position) for number in range(n_options)]
    return {**row, "outcome": "answered", "reply": letter, "choice": position, "scores": scores, "rule": "letter"}
