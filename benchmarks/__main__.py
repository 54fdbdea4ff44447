"""Runs benchmarks one after the other and writes what they print, with the machine and the versions it is true of.

Usage::

    python -m benchmarks OUT.json [NAME ...]

NAME is one of :data:`COMMANDS`; all of them if none is given, which takes hours. OUT.json holds, for each, the command,
its seconds and what it printed, as JSON where it is JSON. One that fails is noted as failed, and the others go on.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from time import monotonic
from typing import Any, Final

COMMANDS: Final = {
    "decoding": ("video.py",),
    "sample-sets": ("dataset.py", "vln-qa"),
    "sample-sets-nearest": ("dataset.py", "egomcq"),
    "option-scoring": ("scoring.py", "--json"),
    "harness": ("harness.py", "run"),
    "resume": ("harness.py", "resume"),
    "statistics": ("harness.py", "compare"),
    "frame-store": ("engines.py", "store"),
    "two-workers": ("engines.py", "speed"),
    "kills": ("engines.py", "kills"),
    "soak": ("engines.py", "soak"),
    "training-clips": ("clips.py",),
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
    return {each.name: each.version for each in distributions() if each.name.lower() in VERSIONS}


def run(script: str, *arguments: str) -> dict[str, Any]:
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


def main(out: Path, names: list[str]) -> int:
    """Run benchmarks and write their report; returns how many failed."""
    unknown = sorted(set(names) - COMMANDS.keys())
    if unknown:
        sys.stderr.write(f"no benchmark {unknown[0]!r}; there are {', '.join(COMMANDS)}\n")
        return 2
    report: dict[str, Any] = {"machine": machine(), "versions": versions(), "benchmarks": {}}
    for name in names or COMMANDS:
        sys.stderr.write(f"{name} ...\n")
        report["benchmarks"][name] = run(*COMMANDS[name])
        # After each one, so that nothing is lost of hours.
        out.write_text(json.dumps(report, indent=2) + "\n")
    return sum(benchmark["exit_code"] != 0 for benchmark in report["benchmarks"].values())


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.stderr.write(f"{__doc__}\n")
        sys.exit(2)
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
