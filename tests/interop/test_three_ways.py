"""One checkpoint, one sample set, 16 frames and one system prompt, three ways.

``hf`` is our own adapter; ``lmms-eval:qwen2_vl`` hands lmms-eval's class a lossless clip; the third is the command line
of lmms-eval on the tasks that we write for it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from egobench.evaluate import Result, evaluate
from egobench.interop.lmms_write import TaskOptions, write_tasks
from egobench.model import ModelInfo, Prompt, Reply
from egobench.plugins import load_model
from egobench.prompts import SYSTEM
from egobench.run.spec import Settings
from tests.interop.conftest import Kitchen, logged, numbers, python
from tests.interop.inside_lmms_eval import seen
from tests.interop.taught_qwen import LETTERS

if find_spec("lmms_eval") is None:
    pytest.skip("needs lmms-eval", allow_module_level=True)

pytestmark = pytest.mark.slow

TASKS = {"closed": "egobench_qaego4d_closed", "open": "egobench_qaego4d_open"}
METRICS = {"closed": "mcq/official/acc", "open": "open/official/rouge_l"}


@dataclass(frozen=True)
class Inside:
    """What lmms-eval said and was seen to do, in one process.

    Attributes:
        root: Folder with its outputs, one a command line.
        told: What it printed.
        inputs: What transformers was given, by command line.
        python: Replies of its Python interface, by task and sample.
    """

    root: Path
    told: str
    inputs: dict[str, list[dict[str, Any]]]
    python: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def beginning(kitchen: Kitchen, qwen: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Inside]]:
    """lmms-eval is on its way while the other ways are gone."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(inside_lmms_eval, kitchen, qwen, tmp_path_factory.mktemp("inside"))


@pytest.fixture(scope="module")
def inside(beginning: Future[Inside], hf: Own, wrapped: Own) -> Inside:  # noqa: ARG001 - these are made meanwhile
    """lmms-eval's command line with its own model and with one of ours, and its Python interface."""
    return beginning.result()


def inside_lmms_eval(kitchen: Kitchen, qwen: Path, root: Path) -> Inside:
    """Do all of it in one process."""
    bare = write_tasks(kitchen.data, root, TaskOptions(kitchen.videos, prompt="base", system="model"))
    whole = write_tasks(kitchen.data, root, TaskOptions(kitchen.videos))
    theirs = f"pretrained={qwen},device_map=cpu,max_num_frames=16,system_prompt={SYSTEM['base']}"
    ours = f"model=hf,checkpoint={qwen}"
    commands = {
        "qwen2_vl": ["--model", "qwen2_vl", "--model_args", theirs, "--include_path", str(bare.folder)],
        "egobench": ["--model", "egobench", "--model_args", ours, "--include_path", str(whole.folder)],
    }
    for name, command in commands.items():
        command += ["--tasks", "egobench", "--device", "cpu", "--log_samples", "--output_path", str(root / name)]
    commands["egobench"] += ["--batch_size", "2"]
    asked = {
        "data": str(kitchen.data),
        "videos": str(kitchen.videos),
        "out": str(root),
        "checkpoint": str(qwen),
        "system": SYSTEM["first_person"],
    }
    (root / "wanted.json").write_text(json.dumps({"commands": commands, "python": asked}))
    script = Path(__file__).with_name("inside_lmms_eval.py")
    told = python(script, root / "wanted.json", root / "found.json", cwd=root)
    return Inside(root, told, **json.loads((root / "found.json").read_text()))


@dataclass(frozen=True)
class Watched:
    """A model, and what reached its layers.

    Attributes:
        model: The model.
        evidence: What was seen of its layers in its last call.
        seen: The same of all calls, by the user's turn.
    """

    model: Any
    evidence: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    seen: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    @property
    def info(self) -> ModelInfo:
        """The model's."""
        found: ModelInfo = self.model.info
        return found

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        """Ask it."""
        (prompt,) = prompts
        self.evidence.clear()
        replies: Sequence[Reply] = self.model.generate(prompts)
        self.seen[prompt.text] = self.evidence[-1]
        return replies


@dataclass(frozen=True)
class Own:
    """A run of our own.

    Attributes:
        result: The run.
        seen: What reached the model's layers, by the user's turn.
    """

    result: Result
    seen: dict[str, dict[str, Any]]

    @property
    def predictions(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What was answered, by subset and sample."""
        files = sorted((self.result.path / "predictions").iterdir())
        rows = [(file.name.split(".")[1], json.loads(line)) for file in files for line in file.read_text().splitlines()]
        return {(subset, row["id"]): row for subset, row in rows}

    @property
    def numbers(self) -> dict[str, float | None]:
        """Every number, by protocol id."""
        return {name: entry.value for name, entry in self.result.scores.items()}


def run(kitchen: Kitchen, watched: Watched, out: Path, prompt: str = "base") -> Own:
    result = evaluate(watched, [kitchen.sample_set], kitchen.videos, out, Settings(prompt=prompt))
    return Own(result, watched.seen)


def through_hf(checkpoint: Path, **options: Any) -> Watched:
    """The checkpoint through transformers."""
    watched = Watched(load_model("hf", checkpoint=str(checkpoint), device="cpu", **options))
    generate = watched.model.model.generate

    def watching(**given: Any) -> Any:
        watched.evidence.append(seen(given))
        return generate(**given)

    watched.model.model.generate = watching
    return watched


@pytest.fixture(scope="module")
def hf(kitchen: Kitchen, qwen: Path, tmp_path_factory: pytest.TempPathFactory) -> Own:
    """Through ``hf``; lmms-eval counts text positions after a video as transformers does, so ``hf`` does for once."""
    return run(kitchen, through_hf(qwen, rope_fix="no"), tmp_path_factory.mktemp("hf"))


@pytest.fixture(scope="module")
def wrapped(kitchen: Kitchen, through_worker: Any, tmp_path_factory: pytest.TempPathFactory) -> Own:
    """Through ``lmms-eval:qwen2_vl``."""
    watched, ask = Watched(through_worker), through_worker.worker.ask

    def watching(**request: Any) -> Any:
        answer = ask(**request)
        watched.evidence.append(answer)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(through_worker.worker, "ask", watching)
        return run(kitchen, watched, tmp_path_factory.mktemp("wrapped"))


def test_the_same_16_frames_reach_the_layers_of_the_model_three_ways(inside: Inside, hf: Own, wrapped: Own) -> None:
    assert len(hf.seen) == 10
    assert hf.seen.keys() == wrapped.seen.keys()
    by_tokens = {json.dumps(each["tokens"]): each for each in inside.inputs["qwen2_vl"]}
    for turn, given in hf.seen.items():
        # 8 steps of 2 frames, 6 x 8 patches of 14 x 14 pixels each, three colours.
        assert (given["grid"], given["shape"]) == ([[8, 6, 8]], [8 * 6 * 8, 3 * 2 * 14 * 14])
        there = wrapped.seen[turn]
        assert (there["pixels"]["frames"], there["pixels"]["sha256"]) == (16, given["pixels"]), turn
        assert there["prompt_tokens"] == len(given["tokens"][0])
        assert by_tokens[json.dumps(given["tokens"])] == given
    # Nothing is compared with itself.
    assert len({given["pixels"] for given in hf.seen.values()}) == 5
    # lmms-eval asks about a grey clip for each of the two samples whose video is missing, too.
    assert len(by_tokens) == len(inside.inputs["qwen2_vl"]) == 12


def test_every_reply_is_the_same_three_ways(inside: Inside, hf: Own, wrapped: Own, kitchen: Kitchen) -> None:
    mine, other = hf.predictions, wrapped.predictions
    assert len(mine) == 12
    assert mine.keys() == other.keys()
    for name, prediction in mine.items():
        same = ("reply", "outcome", "choice", "rule", "scores", "receipt", "prompt_tokens", "reply_tokens")
        assert {key: prediction[key] for key in same} == {key: other[name][key] for key in same}, name
    assert_same_inside(hf, inside.root / "qwen2_vl")
    # Not for want of answers: the letters that were learnt come back; one of the six videos is missing.
    letters = [mine["closed", f"q_{number}"]["reply"].strip("(")[:1] for number in (0, 1, 2, 4, 5)]
    assert "".join(letters) == LETTERS
    assert f"{kitchen.missing}: MissingVideoError" in inside.told
    assert "1 media_error" in inside.told


def test_every_number_is_the_same_three_ways(inside: Inside, hf: Own, wrapped: Own) -> None:
    assert hf.numbers == wrapped.numbers
    found = numbers(inside.root / "qwen2_vl")
    for subset, task in TASKS.items():
        stem = f"qaego4d/{subset}/{METRICS[subset].rpartition('/')[0]}"
        ours = {name.split("/")[4]: value for name, value in hf.numbers.items() if name.startswith(stem)}
        theirs = {name: value for name, value in found[task].items() if name in ours}
        assert theirs.keys() == ours.keys()
        assert {name: None if math.isnan(value) else value for name, value in theirs.items()} == ours
    # Three of six: two of the letters that were learnt are wrong, and one video is missing.
    assert found[TASKS["closed"]]["acc"] == 0.5


def test_a_model_of_ours_says_the_same_inside_lmms_eval(
    inside: Inside, kitchen: Kitchen, qwen: Path, tmp_path: Path
) -> None:
    assert_same_inside(run(kitchen, through_hf(qwen), tmp_path, "first_person"), inside.root / "egobench")


def test_the_python_route_gives_the_same_replies(inside: Inside, kitchen: Kitchen, qwen: Path, tmp_path: Path) -> None:
    own = run(kitchen, through_hf(qwen, rope_fix="no"), tmp_path, "first_person")
    said = {name: row["reply"] for name, row in own.predictions.items() if name[1] != kitchen.missing}
    assert len(said) == 10
    assert {(subset, name): inside.python[TASKS[subset]][name] for subset, name in said} == said


def assert_same_inside(own: Own, theirs: Path) -> None:
    """The same replies, outcomes and pixels in a run of ours and in what lmms-eval logged, and the same headlines."""
    rows = {subset: logged(theirs, task) for subset, task in TASKS.items()}
    assert sum(map(len, rows.values())) == len(own.predictions)
    for (subset, name), prediction in own.predictions.items():
        row = rows[subset][name]
        item = row[METRICS[subset].rpartition("/")[2]]
        assert item["outcome"] == prediction["outcome"], name
        if prediction["outcome"] != "media_error":
            assert row["filtered_resps"] == prediction["reply"], name
            assert item["pixels"] == prediction["receipt"]["sha256"], name
    found = numbers(theirs)
    for subset, task in TASKS.items():
        headline = own.result.scores[f"qaego4d/{subset}/{METRICS[subset]}/generate"]
        assert found[task][METRICS[subset].rpartition("/")[2]] == headline.value
        assert found[task]["media_error"] == headline.outcomes["media_error"] / 6 == 1 / 6
