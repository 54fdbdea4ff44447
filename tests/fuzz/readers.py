"""Everything that reads what comes from outside. Whoever writes a new reader adds it to :data:`READERS`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.llm_judge.rubric import read_verdict
from egobench.plugins import TASKS, load_task, names
from egobench.replies import read_reply
from tests.conftest import NoEmbedder
from tests.fuzz.frame_readers import FRAME_READERS
from tests.fuzz.inputs import Reader, Seed, seeds_of
from tests.fuzz.run_readers import RUN_READERS
from tests.fuzz.training_data_readers import TRAINING_DATA_READERS
from tests.fuzz.training_readers import TRAINING_READERS
from tests.tasks.official_files import OFFICIAL, write

OPTIONS = ("opens the fridge", "closes the door", "washes a cup", "picks up a knife", "walks away")
REPLIES = (
    "B", "(B) closes the door", "The answer is B.", '{"answer": "B", "reason": "the door"}', "<think>A?</think>\n**B**",
    "I think C closes the door, so not A but B.", "\\boxed{B}", "A. No wait, B.", "\u56de\u7b54\uff1aB",
    "It cannot be B.",
)  # fmt: skip
VERDICTS = ('{"correct": "yes", "score": 4}', '<think>hm</think>{"correct": "no", "score": 0}')


def _annotation_seeds(task: str) -> Callable[[Path], Iterator[Seed]]:
    return lambda root: seeds_of(write(root / task, OFFICIAL[task]()))


def _read_annotations(task: str) -> Callable[[Seed], object]:
    def read(seed: Seed) -> object:
        loaded = load_task(task)
        readers = {loaded.read, *loaded.readers.values()}
        return [list(read_records(Annotations(seed.folder))) for read_records in readers]

    return read


def _set_seeds(root: Path) -> Iterator[Seed]:
    for task, construction in (("vln-qa", "official"), ("epic-kitchens-mir", "gallery"), ("qaego4d", "official")):
        annotations = Annotations(write(root / f"annotations-{task}", OFFICIAL[task]()))
        sample_set = build(load_task(task), annotations, NoEmbedder(), construction=construction)
        yield from seeds_of(sample_set.write(root / "data"))


def _text_seeds(texts: tuple[str, ...]) -> Callable[[Path], Iterator[Seed]]:
    def seeds(root: Path) -> Iterator[Seed]:
        for number, text in enumerate(texts):
            (root / f"{number}").mkdir(parents=True)
            (root / f"{number}" / "text").write_text(text, encoding="utf-8")
            yield Seed(root / f"{number}", "text")

    return seeds


def _read_text(read: Callable[[str], object]) -> Callable[[Seed], object]:
    return lambda seed: read((seed.folder / seed.file).read_bytes().decode("utf-8", "surrogateescape"))


def _completion_seeds(root: Path) -> Iterator[Seed]:
    message = {"role": "assistant", "content": [{"type": "text", "text": "B"}, {"type": "text", "text": "."}]}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": {"content": []}}
    usage = {"prompt_tokens": 12, "completion_tokens": 1}
    root.mkdir(parents=True, exist_ok=True)
    (root / "answer.json").write_text(json.dumps({"model": "toy", "choices": [choice], "usage": usage}))
    yield Seed(root, "answer.json")


def _read_completion(seed: Seed) -> object:
    from egobench.errors import EgoBenchError
    from egobench.json_input import read_json
    from egobench.server.completion import read_completion

    answer: Any = read_json((seed.folder / seed.file).read_bytes(), "answer.json")
    try:
        return read_completion(answer)
    except (LookupError, TypeError, AttributeError) as error:
        # How the endpoint is told, see its docstring.
        raise EgoBenchError(f"answer.json: {error}") from error


READERS: tuple[Reader, ...] = (
    *(Reader(f"annotations of {task}", _annotation_seeds(task), _read_annotations(task)) for task in names(TASKS)),
    Reader("sample set", _set_seeds, lambda seed: SampleSet.read(seed.folder)),
    *RUN_READERS,
    Reader("reply", _text_seeds(REPLIES), _read_text(lambda text: read_reply(text, OPTIONS))),
    Reader("verdict", _text_seeds(VERDICTS), _read_text(read_verdict)),
    Reader("chat completion", _completion_seeds, _read_completion),
    *FRAME_READERS,
    *TRAINING_DATA_READERS,
    *TRAINING_READERS,
)
