"""How long sample sets of growing size take to be made and audited.

Usage::

    python benchmarks/dataset.py [--drawn] [TASK [QUESTIONS ...]]      (default vln-qa 5000 10000 20000 40000)

TASK is ``vln-qa``, with four published options and a question of its own for each sample, or ``egomcq``, widened to ten
options by the nearest of twice as many texts as there are samples. Annotation files of that form are written to a
temporary folder. Printed as JSON, in processor seconds (user and system) without imports: ``construction`` and
``audit``, both without what the embedder takes; ``embedding``, with the number of ``texts`` that were embedded; and
``again``, the same set made once more with the vectors that the first one left on the disk. With ``--drawn`` vectors
are drawn by lot, one per text, so that what the embedder does not take is known in a tenth of the time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any, Final, NamedTuple

import numpy as np

from egobench.annotations import Annotations
from egobench.dataset.audit import audit_set
from egobench.dataset.build import build
from egobench.embedding import SentenceEmbedder, VectorStore
from egobench.plugins import load_task

VERBS: Final = (
    "picks up",
    "puts down",
    "washes",
    "cuts",
    "opens",
    "closes",
    "moves",
    "holds",
    "turns",
    "pours",
    "lifts",
)
LOOKS: Final = ("red", "blue", "small", "large", "wooden", "metal", "white", "black", "green", "old", "wet", "broken")
THINGS: Final = (
    "cup",
    "plate",
    "knife",
    "door",
    "towel",
    "bottle",
    "box",
    "bag",
    "phone",
    "spoon",
    "pan",
    "lid",
    "rope",
)
WAYS: Final = ("Turn left and move forward", "Move forward", "Stop", "Turn right and move forward")


def drawn_vectors(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors that depend on the text alone, ``(n_texts, 384)``."""
    seeds = (int.from_bytes(sha256(text.encode()).digest()[:8], "little") for text in texts)
    vectors = np.array([np.random.default_rng(seed).standard_normal(384, np.float32) for seed in seeds])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Timed:
    """An embedder whose processor time is counted.

    Attributes:
        name: Name of the embedder.
        seconds: Processor seconds so far.
        texts: Number of texts that its model has embedded.

    Args:
        store: Where vectors are kept; ``None`` for vectors drawn by lot.
    """

    def __init__(self, store: VectorStore | None) -> None:
        self.name, self.seconds, self.texts, self._done = "drawn", 0.0, 0, 0
        self._embed: Callable[[Sequence[str]], np.ndarray] = drawn_vectors
        if store is not None:
            embedder = SentenceEmbedder(store=store, progress=self._count)
            self.name, self._embed = embedder.name, embedder

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts: ``(n_texts, dim)``."""
        started, self._done = process_time(), 0
        vectors = self._embed(texts)
        self.seconds += process_time() - started
        self.texts += self._done
        return vectors

    def _count(self, done: int, total: int) -> None:
        del total
        self._done = done


def vln_qa(folder: Path, questions: int) -> None:
    """Questions of VLN-QA's form."""
    draw = Random(5)  # noqa: S311 - questions need no secret
    rows = [
        {
            "video": f"stop/{number}_frame7.mp4",
            "question": f"Walk past the {draw.choice(LOOKS)} {draw.choice(THINGS)}, {number}. What comes next?",
            "candidates": WAYS,
            "answer": draw.choice(WAYS),
        }
        for number in range(questions)
    ]
    (folder / "egocentric_navigation.json").write_text(json.dumps(rows))


def egomcq(folder: Path, questions: int) -> None:
    """Questions of EgoMCQ's form: five narrations each, of one video or of several."""
    draw = Random(6)  # noqa: S311 - as above
    videos = [[_narration(draw, f"video-{video}", number) for number in range(100)] for video in range(questions // 48)]
    content: dict[str, Any] = {}
    for number in range(questions):
        intra = number % 2
        own = draw.choice(videos)
        choices = draw.sample(own, 5) if intra else [draw.choice(draw.choice(videos)) for _ in range(5)]
        answer = draw.randrange(5)
        content[str(number)] = {
            "answer": answer,
            "types": 1 + intra,
            "query": choices[answer],
            "choices": {str(place): choice for place, choice in enumerate(choices)},
        }
    (folder / "egomcq.json").write_text(json.dumps(content))


def _narration(draw: Random, video: str, number: int) -> dict[str, Any]:
    first, second = (f"the {draw.choice(LOOKS)} {draw.choice(THINGS)}" for _ in range(2))
    verb = draw.randrange(len(VERBS))
    return {
        "video_uid": video,
        "clip_start": str(4.0 * number),
        "clip_end": str(4.0 * number + 2),
        "clip_text": f"#C C {VERBS[verb]} {first} with {second}, {draw.choice(LOOKS)} as it is",
        "tag_verb": f"[{verb}]",
        "tag_noun": "[0]",
    }


class Form(NamedTuple):
    """How a task is measured.

    Attributes:
        write: Writes its annotation files.
        construction: How options are made.
    """

    write: Callable[[Path, int], None]
    construction: str


FORMS: Final = {"vln-qa": Form(vln_qa, "official"), "egomcq": Form(egomcq, "paper")}


def measure(task_name: str, questions: int, *, drawn: bool) -> dict[str, Any]:
    """Make and audit a set of some size; twice, unless vectors are drawn and so never kept."""
    form, task = FORMS[task_name], load_task(task_name)
    with TemporaryDirectory() as name:
        folder = Path(name)
        form.write(folder, questions)
        seconds: list[dict[str, float]] = []
        for _ in range(1 if drawn else 2):
            embedder = Timed(None if drawn else VectorStore(folder / "vectors.sqlite"))
            started = process_time()
            sample_set = build(task, Annotations(folder), embedder, construction=form.construction)
            built, embedded = process_time(), embedder.seconds
            audit_set(sample_set, embedder)
            seconds.append(
                {
                    "construction": round(built - started - embedded, 2),
                    "audit": round(process_time() - built - (embedder.seconds - embedded), 2),
                    "embedding": round(embedder.seconds, 2),
                    "texts": embedder.texts,
                }
            )
        own = seconds[0]["construction"] + seconds[0]["audit"]
        report = {**seconds[0], "milliseconds_a_question": round(1000 * own / questions, 3)}
        return report if drawn else {**report, "again": seconds[1]}


def main(task_name: str, counts: Sequence[int], *, drawn: bool) -> None:
    """Measure sets of growing size; a small one goes before, for what is loaded once."""
    measure(task_name, 200, drawn=drawn)
    report = {str(count): measure(task_name, count, drawn=drawn) for count in counts}
    sys.stdout.write(json.dumps({task_name: report}, indent=2) + "\n")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--drawn"]
    sizes = [int(count) for count in arguments[1:]] or [5000, 10_000, 20_000, 40_000]
    main(arguments[0] if arguments else "vln-qa", sizes, drawn="--drawn" in sys.argv)
