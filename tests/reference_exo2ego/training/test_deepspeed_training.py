"""DeepSpeed in two real processes: the curve of a single one, the same weights after an interruption, the way back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("ijson")

from reference_exo2ego.training.tracking import LOG, read_log  # noqa: E402
from tests.reference_exo2ego.training.tiny_training import recipe_file, recipe_values, write_data  # noqa: E402

pytestmark = pytest.mark.slow
CURVES = Path(__file__).with_name("curves.py")
ENVIRONMENT = os.environ | {"PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def start(command: Sequence[str]) -> None:
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def in_processes(count: int, work: dict[str, Any], folder: Path) -> None:
    path = folder / f"work-{count}.json"
    path.write_text(json.dumps(work))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = (
        ["-m", "torch.distributed.run", f"--nproc_per_node={count}", f"--master_port={port}"] if count > 1 else []
    )
    start([sys.executable, *launcher, str(CURVES), str(path)])


def curve(folder: Path) -> dict[int, float]:
    return {record["step"]: record["loss"] for record in read_log(folder / LOG) if record["kind"] == "step"}


def weights(folder: Path) -> dict[str, Any]:
    from reference_exo2ego.model.checkpoint import load

    return dict(load(folder / "stage2" / "model").state_dict())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stage 2 on one process with torch alone, and on two with ZeRO."""
    pytest.importorskip("deepspeed")
    folder = tmp_path_factory.mktemp("trained")
    data = write_data(folder / "data")
    recipe = recipe_values(("stage2",), steps=50, rate=1e-4)
    work: dict[str, Any] = {"recipe": recipe, "data": str(data), "out": str(folder)}
    whole = [{"name": f"zero{stage}", "zero": stage} for stage in (1, 2, 3)]
    half = {"name": "half", "zero": 2, "changes": {"dtype": "bfloat16"}}
    parts = [{"name": "resumed", "zero": 2, "stops": [7, 11]}, {"name": "left", "zero": 2, "stops": [20, "leave"]}]
    in_processes(2, work | {"jobs": [*whole, half, *parts]}, folder)
    in_processes(1, work | {"jobs": [{"name": "alone", "zero": None}, {"name": "left", "zero": 2}]}, folder)
    return folder


@pytest.mark.parametrize("zero", [1, 2, 3])
def test_two_processes_give_the_curve_of_one(zero: int, trained: Path) -> None:
    alone, two = curve(trained / "alone"), curve(trained / f"zero{zero}")
    assert len(alone) == 50 and alone.keys() == two.keys()
    assert max(abs(alone[step] - two[step]) for step in alone) < 1e-4
    assert alone[1] - alone[50] > 0.1


def test_two_processes_that_are_interrupted_end_with_the_same_weights(trained: Path) -> None:
    whole, resumed = weights(trained / "zero2"), weights(trained / "resumed")
    assert max(float((whole[name] - resumed[name]).abs().max()) for name in whole) <= 1e-6


def test_another_number_of_processes_goes_on(trained: Path) -> None:
    alone, left = curve(trained / "alone"), curve(trained / "left")
    assert len(left) == 50
    assert max(abs(alone[step] - left[step]) for step in alone) < 1e-4


def test_weights_of_three_ways_to_spread_them_load_in_the_adapter(trained: Path) -> None:
    from egobench.plugins import load_model

    for name in ("zero1", "zero3", "half"):
        model = load_model("exo2ego", checkpoint=str(trained / name / "stage2" / "model"), device="cpu")
        assert model.info.settings["stage"] == "stage2"
        assert model.info.dtype == ("bfloat16" if name == "half" else "float32")


def test_half_precision_learns_what_the_full_one_does(trained: Path) -> None:
    alone, half = curve(trained / "alone"), curve(trained / "half")
    assert len(half) == 50
    # bfloat16 has 8 bits of a number: a loss of about 4 is known to 1 / 64 at best.
    assert max(abs(alone[step] - half[step]) for step in alone) < 0.1
    assert half[1] - half[50] > 0.1


def test_deepspeed_s_own_launcher_trains_the_same(trained: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path, recipe_values(("stage2",), steps=50, rate=1e-4))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = ["-m", "deepspeed.launcher.runner", "--num_gpus", "2", "--master_port", str(port)]
    paths = ["--data", str(trained / "data"), "--out", str(tmp_path / "run"), "--deepspeed", "2"]
    options = ["--workers", "0", "--log-every", "1"]
    module = ["--module", "reference_exo2ego", "train", str(recipe), *paths, *options]
    start([sys.executable, *launcher, *module])
    alone, launched = curve(trained / "alone"), curve(tmp_path / "run")
    assert max(abs(alone[step] - launched[step]) for step in alone) < 1e-4


def test_a_training_that_is_asked_to_stop_goes_on_where_it_was(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    recipe = recipe_file(tmp_path, recipe_values(("stage1",), steps=400))
    out = tmp_path / "run"
    command = [sys.executable, "-m", "reference_exo2ego", "train", str(recipe), "--data", str(data), "--out", str(out)]
    command += ["--engine", "torch", "--save-every", "0", "--log-every", "1"]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 300
        while not curve(out) and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 143
    (checkpoint,) = (out / "stage1" / "checkpoints").iterdir()
    assert 0 < int(checkpoint.name.removeprefix("step-")) < 400
    start(command)
    assert len(curve(out)) == 400 and (out / "stage1" / "model" / "config.json").is_file()
    start([sys.executable, "-m", "reference_exo2ego", "report", str(out)])
    page = (out / "report.html").read_text()
    assert f"<pre>python -m reference_exo2ego train {recipe} --data" in page
    assert "400 of 400" in page and "<svg" in page and "http" not in page.replace("http://www.w3.org/2000/svg", "")
