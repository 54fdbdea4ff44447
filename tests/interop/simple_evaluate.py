"""Run by :mod:`tests.interop.test_lmms_eval` in a process of its own: the Python route, with an eye on the inputs.

Usage: simple_evaluate.py CHECKPOINT TASKS SYSTEM OUT
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from egobench.torchvision_ops import ensure_torchvision

ensure_torchvision()


def main(checkpoint: str, tasks: str, system: str, out: str) -> None:
    """Evaluate a Qwen2-VL on all tasks of a folder and write its replies, inputs and numbers."""
    evaluator: Any = import_module("lmms_eval.evaluator")
    manager: Any = import_module("lmms_eval.tasks").TaskManager
    qwen: Any = import_module("lmms_eval.models").get_model("qwen2_vl")
    lm = qwen(pretrained=checkpoint, device="cpu", device_map="cpu", max_num_frames=16, system_prompt=system)
    inputs: list[dict[str, Any]] = []
    generate = lm.model.generate

    def watched(**given: Any) -> Any:
        inputs.append({key: given[key].tolist() for key in ("input_ids", "pixel_values_videos", "video_grid_thw")})
        return generate(**given)

    lm.model.generate = watched
    found = evaluator.simple_evaluate(
        model=lm,
        tasks=["egobench"],
        task_manager=manager(include_path=tasks, include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
    )
    replies = {
        task: {row["answered"]["id"]: row["filtered_resps"][0] for row in rows}
        for task, rows in found["samples"].items()
    }
    Path(out).write_text(json.dumps({"replies": replies, "inputs": inputs, "results": found["results"]}, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
