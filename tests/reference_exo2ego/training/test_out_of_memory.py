"""Too little memory: said as what to lower, and told from errors that speak of memory otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from egobench.errors import TrainingError  # noqa: E402
from reference_exo2ego.training.out_of_memory import out_of_memory_explained  # noqa: E402
from tests.reference_exo2ego.training.tiny_training import tiny_recipe, write_data  # noqa: E402

ROOM = """
import resource, sys
from pathlib import Path

import torch

torch.set_num_threads(1)
from egobench.torchvision_ops import ensure_torchvision

ensure_torchvision()

from egobench.errors import TrainingError
from reference_exo2ego.training.loop import LoopSettings
from reference_exo2ego.training.run import Training, own_folder
from tests.reference_exo2ego.training.tiny_training import tiny_recipe

data, out = map(Path, sys.argv[1:])


def train(name, size):
    recipe = tiny_recipe(("stage2",), batch=size, micro=size, steps=1)
    training = Training(recipe=recipe, folder=out / name, data=data, settings=LoopSettings(workers=0, save_every=0))
    with own_folder(training):
        training.run()


train("small", 4)
used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize:")) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, -1))
try:
    train("large", 512)
except TrainingError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="address space can be limited on Linux alone")
def test_a_batch_that_is_too_large_says_what_to_lower(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", ROOM, str(data), str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("stage2: out of memory (")
    assert "lower stage2.micro, now 512" in done.stdout


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError("Unable to allocate 2.00 GiB for an array with shape (512,)"),
    ],
)
def test_running_out_of_memory_is_known_by_what_is_said(error: Exception) -> None:
    stage = tiny_recipe().stage("stage1")
    message = r"stage1: out of memory .*lower stage1.micro, now 2"
    with pytest.raises(TrainingError, match=message), out_of_memory_explained(stage):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("required rank 4 tensor to use channels_last memory format"),
        ValueError("out of memory"),
    ],
)
def test_another_error_that_speaks_of_memory_stays_itself(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, out_of_memory_explained(tiny_recipe().stage("stage1")):
        raise error
    assert raised.value is error
