"""The command: ``python -m tests.fuzz --inputs 100000``. Exit code 0 where nothing was found, else 1."""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
from collections.abc import Sequence
from time import monotonic, process_time

from tests.fuzz.readers import READERS
from tests.fuzz.run import fuzz


def main() -> int:
    """Fuzz, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="Number of the first input.")
    parser.add_argument(
        "--only", default="", help="Readers whose names hold one of these texts, with commas between them."
    )
    options = parser.parse_args()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    readers = [reader for reader in READERS if any(text in reader.name for text in options.only.split(","))]
    started, last, printed = monotonic(), 0.0, 0

    def progress(done: int, findings: Sequence[str]) -> None:
        nonlocal last, printed
        for finding in findings[printed:]:
            sys.stdout.write(f"FOUND {finding}\n")
            sys.stdout.flush()
        printed = len(findings)
        if monotonic() - last > 30:
            last = monotonic()
            left = (last - started) / done * (options.inputs - done)
            sys.stderr.write(f"{done:,} of {options.inputs:,} inputs, {left:.0f} s left\n")

    faulthandler.enable()
    report = fuzz(options.inputs, options.seed, readers=readers, first=options.first, progress=progress)
    for name in (reader.name for reader in readers):
        sys.stdout.write(f"{name}: {report.accepted[name]:,} accepted, {report.refused[name]:,} refused\n")
    sys.stdout.write(f"{report.inputs:,} inputs, {len(report.findings)} findings, {process_time():.0f} CPU s\n")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
