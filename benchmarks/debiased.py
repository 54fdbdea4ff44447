"""How near the options of shared sets are when some samples may stay out: the frontier of coverage against similarity.

python benchmarks/debiased.py epic-kitchens-mir ANNOTATIONS
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import numpy as np

from egobench.annotations import Annotations
from egobench.distractors import shared_sets
from egobench.embedding import SentenceEmbedder
from egobench.plugins import load_task
from egobench.task import Tools

SIZE = 5
LEFT_OUT = (0, 0.01, 0.02, 0.05, 0.1, 0.2)


def main() -> None:
    """Print a line for each share that may stay out."""
    name, folder = sys.argv[1:]
    task, annotations = load_task(name), Annotations(Path(folder))
    records = list(task.read(annotations))
    embedder = Remembering(sorted({record.answer for record in records}))
    say = sys.stdout.write
    say("| may stay out | placed | similarity ratio | CPU seconds without embedding |\n|---|---|---|---|\n")
    for left_out in LEFT_OUT:
        tools = Tools(task.name, 0, annotations, embedder)
        start = process_time()
        list(shared_sets(SIZE, true_of=task.true_of, left_out=left_out)(records, tools))
        report, seconds = tools.report, process_time() - start
        say(f"| {left_out:.0%} | {report['placed']:.2%} | {report['similarity_ratio']:.3f} | {seconds:.0f} |\n")


class Remembering:
    """An embedder that has embedded its texts already."""

    def __init__(self, texts: Sequence[str]) -> None:
        embedder = SentenceEmbedder()
        self.name = embedder.name
        self._vectors = dict(zip(texts, embedder(texts), strict=True))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of known texts: ``(n_texts, dim)``."""
        return np.stack([self._vectors[text] for text in texts])


if __name__ == "__main__":
    main()
