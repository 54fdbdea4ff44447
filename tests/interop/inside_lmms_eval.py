"""Run in a process of its own: lmms-eval's command line, several times, then its Python interface.

Usage: inside_lmms_eval.py WANTED OUT, both JSON. WANTED holds command lines, and what is asked in Python; OUT gets what
each of them handed to transformers, and what the Python interface found.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from runpy import run_module
from typing import Any

from egobench.torchvision_ops import ensure_torchvision


def main(wanted: str, out: str) -> None:
    """Do what is wanted."""
    asked = json.loads(Path(wanted).read_text())
    given: list[dict[str, Any]] = []
    ensure_torchvision()
    _watch(given)
    found: dict[str, Any] = {"inputs": {}}
    for name, arguments in asked["commands"].items():
        given.clear()
        sys.argv = ["lmms-eval", *arguments]
        with suppress(SystemExit):
            run_module("egobench.interop", run_name="__main__", alter_sys=True)
        found["inputs"][name] = list(given)
    found["python"] = _in_python(**asked["python"])
    Path(out).write_text(json.dumps(found, default=str))


def seen(given: dict[str, Any]) -> dict[str, Any]:
    """What ``generate`` of a Qwen2-VL is given, with a hash of the pixels."""
    return {
        "tokens": given["input_ids"].tolist(),
        "pixels": sha256(given["pixel_values_videos"].numpy().tobytes()).hexdigest(),
        "shape": list(given["pixel_values_videos"].shape),
        "grid": given["video_grid_thw"].tolist(),
    }


def _watch(given: list[dict[str, Any]]) -> None:
    kind: Any = import_module("transformers.generation.utils").GenerationMixin
    generate = kind.generate

    def watching(model: Any, **named: Any) -> Any:
        given.append(seen(named))
        return generate(model, **named)

    kind.generate = watching


def _in_python(data: str, videos: str, out: str, checkpoint: str, system: str) -> dict[str, Any]:
    """The way of docs/lmms_eval.md."""
    from egobench.interop.lmms_write import TaskOptions, write_tasks

    evaluator: Any = import_module("lmms_eval.evaluator")
    manager: Any = import_module("lmms_eval.tasks").TaskManager
    qwen: Any = import_module("lmms_eval.models").get_model("qwen2_vl")
    written = write_tasks(Path(data), Path(out), TaskOptions(Path(videos), system="model"))
    lm = qwen(pretrained=checkpoint, device="cpu", device_map="cpu", max_num_frames=16, system_prompt=system)
    found = evaluator.simple_evaluate(
        model=lm,
        tasks=["egobench"],
        task_manager=manager(include_path=str(written.folder), include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
    )
    return {
        task: {row["answered"]["id"]: row["filtered_resps"][0] for row in rows}
        for task, rows in found["samples"].items()
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
