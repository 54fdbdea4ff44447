"""Runs benchmarks one after the other and writes what they print, with the machine and the versions it is true of.

Usage::

    python -m benchmarks OUT.json [NAME ...] [--quick] [--lmms-python PYTHON]

NAME is one of :data:`BENCHMARKS`; all of them if none is given, which takes hours. OUT.json holds, for each, the
command, its seconds and what it printed, as JSON where it is JSON. One that fails is noted as failed, and the others go
on. With ``--quick`` all sizes are so small that the whole takes minutes: it shows that everything runs on this machine,
and its figures, which OUT.json marks as ``quick``, say nothing. The comparison with lmms-eval takes the interpreter of
an environment that has it (``docs/lmms_eval.md``), and is left out without.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from tempfile import gettempdir
from time import monotonic
from typing import Any, Final, NamedTuple


class Benchmark(NamedTuple):
    """A script of this folder with its arguments.

    Attributes:
        script: File name of the script.
        arguments: Those of a measurement.
        quick: Those that show in a minute or so that it runs.
    """

    script: str
    arguments: str
    quick: str


BENCHMARKS: Final = {
    "decoding": Benchmark("video.py", "", f"{Path(gettempdir()) / 'barcode-quick'} 60 20 1"),
    "sample-sets": Benchmark("dataset.py", "vln-qa", "vln-qa 200 400"),
    "sample-sets-nearest": Benchmark("dataset.py", "egomcq", "egomcq 240 480"),
    "sample-sets-drawn": Benchmark("dataset.py", "--drawn vln-qa", "--drawn vln-qa 500 1000"),
    "sample-sets-nearest-drawn": Benchmark("dataset.py", "--drawn egomcq", "--drawn egomcq 480 960"),
    "option-scoring": Benchmark("scoring.py", "--json", "--json --prefix 64 --rounds 1"),
    "harness": Benchmark("harness.py", "run", "run 500"),
    "resume": Benchmark("harness.py", "resume", "resume 500"),
    "statistics": Benchmark("harness.py", "compare", "compare 3 500"),
    "lmms-eval": Benchmark("harness.py", "lmms {lmms_python}", "lmms {lmms_python} 50"),
    "frame-store": Benchmark("engines.py", "store", "store 16"),
    "two-workers": Benchmark("engines.py", "speed", "speed 16"),
    "kills": Benchmark("engines.py", "kills", "kills 2000 2"),
    "soak": Benchmark("engines.py", "soak", "soak 2000"),
    "training-clips": Benchmark("clips.py", "", "--takes 20"),
}
"""What is run, by name; the page ``docs/benchmarks.md`` says what each measures."""

VERSIONS: Final = ("egobench-eval", "av", "decord", "numpy", "pydantic", "scikit-learn", "scipy",
                   "sentence-transformers", "torch", "transformers")  # fmt: skip


def machine() -> dict[str, Any]:
    """What the figures depend on beside the code."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor()
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Versions of what is measured and of what it stands on."""
    return {package.name: package.version for package in distributions() if package.name.lower() in VERSIONS}


def run(script: str, arguments: Sequence[str]) -> dict[str, Any]:
    """What a benchmark printed, and how long it took by the clock."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    started = monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own scripts
    report = {"command": " ".join(["python", f"benchmarks/{script}", *arguments]), "exit_code": done.returncode}
    if done.returncode:
        return {**report, "error": done.stderr[-2000:]}
    try:
        printed: Any = json.loads(done.stdout)
    except ValueError:
        printed = done.stdout
    return {**report, "wall_seconds": round(monotonic() - started, 1), "result": printed}


def main(out: Path, names: Sequence[str], *, quick: bool, lmms_python: str | None) -> int:
    """Run benchmarks and write their report; returns how many failed."""
    report: dict[str, Any] = {"quick": quick, "machine": machine(), "versions": versions(), "benchmarks": {}}
    for name in names or BENCHMARKS:
        script, arguments, quick_arguments = BENCHMARKS[name]
        chosen = (quick_arguments if quick else arguments).split()
        if "{lmms_python}" in chosen and lmms_python is None:
            sys.stderr.write(f"{name} is left out: it takes --lmms-python\n")
            report["benchmarks"][name] = {"exit_code": 0, "left_out": "no --lmms-python"}
            continue
        sys.stderr.write(f"{name} ...\n")
        report["benchmarks"][name] = run(script, [part.format(lmms_python=lmms_python) for part in chosen])
        # After each one, so that nothing is lost of hours.
        out.write_text(json.dumps(report, indent=2) + "\n")
    failed = [name for name, benchmark in report["benchmarks"].items() if benchmark["exit_code"]]
    sys.stderr.write(f"failed: {', '.join(failed)}\n" if failed else "all ran\n")
    return len(failed)


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m benchmarks", description="Measures EgoBench by itself.")
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="tiny sizes: whether all runs, not how fast")
    parser.add_argument("--lmms-python", help="interpreter of an environment with lmms-eval")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - BENCHMARKS.keys())
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    sys.exit(main(options.out, options.names, quick=options.quick, lmms_python=options.lmms_python))
