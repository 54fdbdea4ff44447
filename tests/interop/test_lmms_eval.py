"""lmms-eval's own command line and its Python interface on our tasks, against a run of our own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from egobench.asking import Settings
from egobench.evaluate import Result, evaluate
from egobench.interop.lmms_write import Wanted, write_tasks
from egobench.plugins import load_model
from egobench.prompts import SYSTEM
from tests.interop.conftest import Kitchen, logged, numbers, python

if find_spec("lmms_eval") is None:
    pytest.skip("needs lmms-eval", allow_module_level=True)

pytestmark = pytest.mark.slow

TASKS = {"closed": "egobench_qaego4d_closed", "open": "egobench_qaego4d_open"}
HEADLINES = {"closed": "qaego4d/closed/mcq/official/acc", "open": "qaego4d/open/open/official/rouge_l"}
PIXELS = {"shortest_edge": 3136, "longest_edge": 602112}
"""Least and most pixels of a frame: what lmms-eval's ``qwen2_vl`` sets where nobody says anything."""


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2-VL whose template takes a plain text as a system prompt, as the published one does."""
    from egobench.torchvision_ops import ensure_torchvision

    ensure_torchvision()
    from tests.models.tiny_qwen import qwen2_vl

    folder = qwen2_vl(tmp_path_factory.mktemp("qwen") / "tiny-qwen2-vl")
    template = folder / "chat_template.jinja"
    parts = "([{'type': 'text', 'text': m['content']}] if m['content'] is string else m['content'])"
    text = template.read_text().replace("in m['content'] %}", f"in {parts} %}}")
    assert parts in text
    template.write_text(text)
    processor = json.loads((folder / "processor_config.json").read_text())
    for part in ("image_processor", "video_processor"):
        processor[part]["size"] = PIXELS
    (folder / "processor_config.json").write_text(json.dumps(processor))
    return folder


def own_run(kitchen: Kitchen, checkpoint: Path, out: Path, prompt: str, **options: Any) -> Result:
    model = load_model("hf", checkpoint=str(checkpoint), device="cpu", **options)
    return evaluate(model, [kitchen.sample_set], kitchen.videos, out, Settings(prompt=prompt))


def predictions(result: Result, subset: str) -> dict[str, dict[str, Any]]:
    """A run's predictions of a subset, by sample."""
    (file,) = (result.path / "predictions").glob(f"qaego4d.{subset}.*.jsonl")
    return {row["id"]: row for row in map(json.loads, file.read_text().splitlines())}


def assert_same(own: Result, theirs: Path) -> None:
    """The same replies, outcomes, pixels and numbers in a run of ours and in lmms-eval's results."""
    found = numbers(theirs)
    for subset, task in TASKS.items():
        mine, rows = predictions(own, subset), logged(theirs, task)
        assert mine.keys() == rows.keys()
        for name, prediction in mine.items():
            item = rows[name]["acc" if subset == "closed" else "rouge_l"]
            assert item["outcome"] == prediction["outcome"], name
            if prediction["outcome"] == "media_error":
                continue
            assert rows[name]["filtered_resps"].strip() == prediction["reply"].strip(), name
            assert item["pixels"] == prediction["receipt"]["sha256"], name
        for metric, value in found[task].items():
            if metric in {"acc", "rouge_l", "exact", "normalised", "meteor"}:
                stem = HEADLINES[subset].rpartition("/")[0]
                assert value == own.scores[f"{stem}/{metric}/generate"]["value"], metric
        outcomes = own.scores[f"{HEADLINES[subset]}/generate"]["outcomes"]
        assert found[task]["media_error"] == outcomes["media_error"] / 6 == 1 / 6


def command(model: str, arguments: str, tasks: Path, out: Path) -> str:
    """Run lmms-eval's command line on all our tasks of a folder."""
    said = ["--model", model, "--model_args", arguments, "--tasks", "egobench", "--include_path", str(tasks)]
    rest = ["--device", "cpu", "--batch_size", "1", "--log_samples", "--output_path", str(out)]
    return python("-m", "egobench.interop", *said, *rest, cwd=tasks.parent)


def test_qwen2_vl_of_lmms_eval_says_what_it_says_to_us(kitchen: Kitchen, qwen: Path, tmp_path: Path) -> None:
    write_tasks(kitchen.data, tmp_path / "tasks", Wanted(kitchen.videos, prompt="base", system="model"))
    arguments = f"pretrained={qwen},device_map=cpu,max_num_frames=16,system_prompt={SYSTEM['base']}"
    told = command("qwen2_vl", arguments, tmp_path / "tasks", tmp_path / "out")
    assert f"{kitchen.missing}: MissingVideoError" in told
    assert "1 media_error" in told
    # lmms-eval's class counts text positions after a video as transformers does, so ours does for once.
    assert_same(own_run(kitchen, qwen, tmp_path / "runs", "base", rope_fix="no"), tmp_path / "out")


def test_a_model_of_ours_says_the_same_inside_lmms_eval(kitchen: Kitchen, qwen: Path, tmp_path: Path) -> None:
    write_tasks(kitchen.data, tmp_path / "tasks", Wanted(kitchen.videos))
    command("egobench", f"model=hf,checkpoint={qwen}", tmp_path / "tasks", tmp_path / "out")
    assert_same(own_run(kitchen, qwen, tmp_path / "runs", "first_person"), tmp_path / "out")


def test_the_python_route_gives_the_same_tensors_and_replies(kitchen: Kitchen, qwen: Path, tmp_path: Path) -> None:
    write_tasks(kitchen.data, tmp_path / "tasks", Wanted(kitchen.videos, system="model"))
    script, out = Path(__file__).with_name("simple_evaluate.py"), tmp_path / "found.json"
    python(script, qwen, tmp_path / "tasks", SYSTEM["first_person"], out, cwd=tmp_path)
    found = json.loads(out.read_text())
    model = load_model("hf", checkpoint=str(qwen), device="cpu", rope_fix="no")
    inputs = watch(model)
    own = evaluate(model, [kitchen.sample_set], kitchen.videos, tmp_path / "runs", Settings())
    for subset, task in TASKS.items():
        said = {name: row["reply"] for name, row in predictions(own, subset).items() if name != kitchen.missing}
        assert {name: found["replies"][task][name] for name in said} == said
    # lmms-eval asks in an order of its own, and about the grey clip, too.
    theirs = {json.dumps(each["input_ids"]): each for each in found["inputs"]}
    assert len(inputs) == 10
    for ours in inputs:
        same: Mapping[str, Any] = theirs[json.dumps(ours["input_ids"])]
        assert same["video_grid_thw"] == ours["video_grid_thw"] == [[8, 6, 8]]
        assert same["pixel_values_videos"] == ours["pixel_values_videos"]


def watch(model: Any) -> list[dict[str, Any]]:
    """Keep what a transformers model of ours is given."""
    inputs: list[dict[str, Any]] = []
    generate: Callable[..., Any] = model.model.generate

    def watched(**given: Any) -> Any:
        inputs.append({key: given[key].tolist() for key in ("input_ids", "pixel_values_videos", "video_grid_thw")})
        return generate(**given)

    model.model.generate = watched
    return inputs
