"""Our tasks for lmms-eval, as functions: the same prompts, readings and numbers as a run of our own."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from egobench.cli import app
from egobench.dataset.sampleset import SampleSet, encode
from egobench.errors import MissingVideoError, SampleSetError
from egobench.evaluate import evaluate
from egobench.interop import lmms_tasks
from egobench.interop.clips import read_clip
from egobench.interop.lmms_documents import decode_clip, documents, prompt_of
from egobench.interop.lmms_write import TaskOptions, write_tasks
from egobench.model import ModelInfo, Prompt, Reply
from egobench.plugins import TASKS, load_task, names
from egobench.prompts import SYSTEM
from egobench.run.spec import Settings
from egobench.video import DecodedClip
from tests.interop.conftest import Kitchen, write_moving
from tests.interop.put_tasks import CLOSED, OPEN, put_in


def written(kitchen: Kitchen, out: Path, **wanted: Any) -> Path:
    return write_tasks(kitchen.data, out, TaskOptions(kitchen.videos, **wanted)).folder


def rows(kitchen: Kitchen, out: Path, task: str, **wanted: Any) -> list[dict[str, Any]]:
    return documents(put_in(written(kitchen, out, **wanted), task))


class Scripted:
    """Says one text a question, by its text, and keeps what it was asked."""

    info = ModelInfo("scripted", "1")

    def __init__(self) -> None:
        self.asked: dict[str, Prompt] = {}

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        self.asked |= {prompt.text: prompt for prompt in prompts}
        return [Reply(said(prompt.text)) for prompt in prompts]


def said(turn: str) -> str:
    """Right, wrong, unreadable and wordy answers, by what is asked."""
    number = int(turn.split("step ")[1][0])
    texts = ["(A)", "So the answer is B.", "C picks up the mug, so the answer is B.", "D", "I see nothing.", "(C) tap"]
    return texts[number] if "Options:" in turn else ["the red mug", "a mug", "red", "x", "", "the onion"][number]


def test_every_metric_is_the_number_of_a_run_of_our_own(kitchen: Kitchen, tmp_path: Path) -> None:
    model = Scripted()
    own = evaluate(model, [kitchen.sample_set], kitchen.videos, tmp_path / "runs", Settings()).scores
    for task, subset in ((CLOSED, "closed"), (OPEN, "open")):
        document_rows = rows(kitchen, tmp_path / "tasks", task)
        assert [row["id"] for row in document_rows] == [f"q_{number}" for number in range(6)]
        items = [lmms_tasks.results(row, [said(lmms_tasks.text(row))]) for row in document_rows]
        protocol = "mcq" if subset == "closed" else "open"
        task_metrics = load_task("qaego4d").metrics
        for name in (name for name, metric in task_metrics.items() if metric.protocol == protocol):
            expected = own[f"qaego4d/{subset}/{protocol}/official/{name}/generate"]
            score = lmms_tasks.score([item[name] for item in items])
            assert (math.isnan(score) and expected.value is None) or score == expected.value, name
        for share in lmms_tasks.SHARES:
            expected = own[
                f"qaego4d/{subset}/{protocol}/official/{'acc' if subset == 'closed' else 'rouge_l'}/generate"
            ]
            assert lmms_tasks.share([item[share] for item in items]) == expected.outcomes[share] / 6, share


def test_every_prompt_is_that_of_a_run_of_our_own(kitchen: Kitchen, tmp_path: Path) -> None:
    model = Scripted()
    evaluate(model, [kitchen.sample_set], kitchen.videos, tmp_path / "runs", Settings(prompt="task"))
    document_rows = [
        row
        for task in (CLOSED, OPEN)
        for row in rows(kitchen, tmp_path / "tasks", task, prompt="task", system="model")
        if row["id"] != kitchen.missing
    ]
    assert len(document_rows) == len(model.asked) == 10
    for row in document_rows:
        clip = decode_clip(row)
        assert isinstance(clip, DecodedClip)
        own, ours = model.asked[lmms_tasks.text(row)], prompt_of(row, clip)
        np.testing.assert_array_equal(own.frames, ours.frames)
        np.testing.assert_array_equal(own.times, ours.times)
        words = ("system", "question", "options", "text", "max_new_tokens", "seed")
        assert [getattr(own, name) for name in words] == [getattr(ours, name) for name in words]
        # And what other models of lmms-eval get: the same pixels as a file, the same texts.
        (path,) = lmms_tasks.visual(row)
        np.testing.assert_array_equal(read_clip(Path(path)), own.frames)
        (user,) = lmms_tasks.messages(row)
        assert user["content"] == [{"type": "video", "url": path}, {"type": "text", "text": own.text}]


def test_a_model_that_was_not_told_gets_the_system_prompt(kitchen: Kitchen, tmp_path: Path) -> None:
    row = rows(kitchen, tmp_path, CLOSED, prompt="base")[0]
    bare = rows(kitchen, tmp_path, CLOSED, prompt="base", system="model")[0]
    assert lmms_tasks.text(row) == f"{SYSTEM['base']}\n{lmms_tasks.text(bare)}"
    assert lmms_tasks.text(bare).startswith("Question: ")
    system, user = lmms_tasks.messages(row)
    assert system == {"role": "system", "content": [{"type": "text", "text": SYSTEM["base"]}]}
    assert lmms_tasks.messages(bare) == [user]


def test_a_sample_without_its_video_is_a_media_error_whatever_was_said(kitchen: Kitchen, tmp_path: Path) -> None:
    row = next(row for row in rows(kitchen, tmp_path, CLOSED) if row["id"] == kitchen.missing)
    (path,) = lmms_tasks.visual(row)
    assert np.unique(read_clip(Path(path))).tolist() == [128], "a grey clip, for nobody is asked blind"
    items = lmms_tasks.results(row, [f"({row['target']})"])
    assert (items["acc"]["outcome"], items["acc"]["score"]) == ("media_error", 0.0)
    assert "MissingVideoError" in items["acc"]["error"]
    assert (items["media_error"]["score"], items["answered"]["score"]) == (1.0, 0.0)


def test_a_text_that_lmms_eval_puts_in_place_of_an_answer_is_a_request_error(kitchen: Kitchen, tmp_path: Path) -> None:
    row = rows(kitchen, tmp_path, CLOSED)[0]
    items = lmms_tasks.results(row, ["[LMMS_EVAL_REQUEST_FAILED after 5 retries] Bad request: A"])
    assert items["acc"]["outcome"] == "request_error"
    assert (items["acc"]["choice"], items["request_error"]["score"]) == (None, 1.0)


def test_items_say_which_pixels_were_shown_and_to_which_cluster_they_belong(kitchen: Kitchen, tmp_path: Path) -> None:
    row = rows(kitchen, tmp_path, CLOSED)[0]
    clip = decode_clip(row)
    assert isinstance(clip, DecodedClip)
    item = lmms_tasks.results(row, ["A"])["acc"]
    assert (item["pixels"], item["cluster"]) == (clip.receipt.sha256, "uid-0")


def test_answers_that_are_private_have_no_number(kitchen: Kitchen, tmp_path: Path) -> None:
    hidden = tuple(
        replace(sample, target=None, answer="") if sample.subset == "closed" else sample
        for sample in kitchen.sample_set.samples
    )
    manifest = replace(kitchen.sample_set.manifest, samples_sha256=_sha(hidden))
    SampleSet(manifest, hidden).write(tmp_path / "data")
    folder = write_tasks(tmp_path / "data", tmp_path / "tasks", TaskOptions(kitchen.videos)).folder
    document_rows = documents(put_in(folder, CLOSED))
    items = [lmms_tasks.results(row, ["A"])["acc"] for row in document_rows]
    assert math.isnan(lmms_tasks.score(items))
    assert all("score" not in item for item in items)
    assert {lmms_tasks.target(row) for row in document_rows} == {""}


def test_a_set_that_was_built_again_must_be_written_again(kitchen: Kitchen, tmp_path: Path) -> None:
    put = put_in(written(kitchen, tmp_path), CLOSED)
    with pytest.raises(SampleSetError, match="egobench lmms-path again"):
        documents(replace(put, sha256="0" * 64))


def test_fewer_and_smaller_frames_are_shown_where_they_were_asked_for(kitchen: Kitchen, tmp_path: Path) -> None:
    row = rows(kitchen, tmp_path, CLOSED, frames=4, short_side=42)[0]
    assert read_clip(Path(lmms_tasks.visual(row)[0])).shape == (4, 42, 56, 3)


def test_tasks_that_are_put_in_two_ways_never_mix(kitchen: Kitchen, tmp_path: Path) -> None:
    # Two jobs call egobench lmms-path, and lmms-eval reads what it wrote some seconds later.
    first, second = (written(kitchen, tmp_path, frames=frames) for frames in (4, 16))
    assert [put_in(folder, CLOSED).frames for folder in (first, second)] == [4, 16]
    assert put_in(first, CLOSED).clips == put_in(second, CLOSED).clips == str(tmp_path / "clips")
    assert written(kitchen, tmp_path, frames=4) == first
    assert sorted(path for path in tmp_path.iterdir() if path.name != "clips") == sorted([first, second])


def test_ranks_that_write_the_same_tasks_and_clips_at_once_do_not_disturb_one_another(
    kitchen: Kitchen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(_: int) -> list[str]:
        return [*lmms_tasks.visual(rows(kitchen, tmp_path, CLOSED)[0]), str(written(kitchen, tmp_path))]

    monkeypatch.setattr("egobench.interop.lmms_documents._shown_clips", {})
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(shown, range(8)))
    assert paths == [paths[0]] * 8
    assert len(list((tmp_path / "clips").iterdir())) == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_a_video_that_has_changed_since_gets_another_clip(
    kitchen: Kitchen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(kitchen.videos, tmp_path / "videos")
    folder = write_tasks(kitchen.data, tmp_path, TaskOptions(tmp_path / "videos")).folder
    row = documents(put_in(folder, CLOSED))[0]
    (before,) = lmms_tasks.visual(row)
    write_moving(tmp_path / "videos" / "v0.mp4", 100)
    # lmms-eval is another process the next time.
    monkeypatch.setattr("egobench.interop.lmms_documents._shown_clips", {})
    (after,) = lmms_tasks.visual(row)
    assert before != after


def test_the_command_writes_a_task_a_subset_and_prints_only_the_folder(kitchen: Kitchen, tmp_path: Path) -> None:
    places = ["--data", str(kitchen.data), "--videos", str(kitchen.videos), "--out", str(tmp_path)]
    done = CliRunner().invoke(app, ["lmms-path", *places])
    (folder,) = tmp_path.iterdir()
    assert (done.exit_code, done.stdout) == (0, f"{folder}\n")
    assert sorted(path.name for path in folder.glob("*.yaml")) == ["egobench.yaml", f"{CLOSED}.yaml", f"{OPEN}.yaml"]
    assert (folder / "egobench.yaml").read_text() == f"group: egobench\ntask:\n  - {CLOSED}\n  - {OPEN}\n"
    surroundings = {"EGOBENCH_DATA": str(kitchen.data), "EGOBENCH_VIDEOS": str(kitchen.videos)}
    done = CliRunner().invoke(app, ["lmms-path", "--out", str(tmp_path), "--json"], env=surroundings)
    assert json.loads(done.stdout) == {"folder": str(folder), "tasks": [CLOSED, OPEN]}


def test_the_command_needs_folders_that_exist(kitchen: Kitchen, tmp_path: Path) -> None:
    places = ["--data", str(kitchen.data), "--out", str(tmp_path)]
    assert CliRunner().invoke(app, ["lmms-path", *places]).exit_code == 2
    done = CliRunner().invoke(app, ["lmms-path", *places, "--videos", str(tmp_path / "none")])
    assert (done.exit_code, type(done.exception)) == (1, MissingVideoError)
    assert not list(tmp_path.iterdir())


def test_a_written_task_names_functions_that_exist_and_every_metric_of_its_subset(
    kitchen: Kitchen, tmp_path: Path
) -> None:
    folder = written(kitchen, tmp_path)
    for task, metrics in ((CLOSED, ["acc"]), (OPEN, ["rouge_l", "exact", "normalised", "meteor", "similarity"])):
        lines = (folder / f"{task}.yaml").read_text().splitlines()
        functions = [line.split("!function ")[1] for line in lines if "!function " in line]
        assert {name.rpartition(".")[0] for name in functions} == {"egobench.interop.lmms_tasks"}
        assert all(callable(getattr(lmms_tasks, name.rpartition(".")[2])) for name in functions)
        listed = [line.removeprefix("  - metric: ") for line in lines if line.startswith("  - metric: ")]
        assert listed == [*metrics, *lmms_tasks.SHARES]


def test_no_two_tasks_of_ours_share_a_name() -> None:
    # A construction other than the default one stands between task and subset.
    task_names = [
        "_".join(["egobench", task.name, *([made] if made != task.default_construction else []), subset.name])
        for task in map(load_task, names(TASKS))
        for made in task.constructions
        for subset in task.subsets
    ]
    assert len(task_names) == len({name.replace("-", "_") for name in task_names}) >= 8


@pytest.mark.parametrize(
    ("wanted", "problem"), [({"prompt": "none"}, "no prompt 'none'"), ({"frames": 0}, "expected at least 1")]
)
def test_what_cannot_be_put_is_refused(kitchen: Kitchen, tmp_path: Path, wanted: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        written(kitchen, tmp_path / "tasks", **wanted)
    assert not (tmp_path / "tasks").exists()


def _sha(samples: tuple[Any, ...]) -> str:
    from hashlib import sha256

    return sha256(encode(samples)).hexdigest()
