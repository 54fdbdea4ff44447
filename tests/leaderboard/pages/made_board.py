"""A small board of made runs over all eight tasks, among them one whose every text would like to run as a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from egobench.dataset.sampleset import Manifest, SampleSet, encode
from egobench.evaluate import evaluate
from egobench.model import FramePolicy, ModelInfo, Prompt, Reply
from egobench.plugins import load_model, load_task
from egobench.run.spec import Settings
from egobench.sample import Sample

HEADLINE = (
    ("charades-ego", "paper"), ("egomcq", "paper"), ("egoplan", "official"), ("egoschema", "official"),
    ("egotaskqa", "paper"), ("epic-kitchens-mir", "paper"), ("qaego4d", "official"), ("vln-qa", "official"),
)  # fmt: skip
N, CLUSTERS = 10, 5
OPTIONS = ("cup", "pan", "knife <b>bowl</b>", "plate", "spoon")
EVIL_MODEL = "<img src=x onerror=hacked()>"
EVIL_NAME = "\u202etxt.exe\x1b[31m </script><script>hacked()</script>"
EVIL_REPLY = "</script><script>hacked()</script> \u202e\x1b]0;x\x07 The answer is (A)."


@dataclass(frozen=True)
class Guesser:
    """Answers a share of the questions right, by the number in their text; ``says`` replaces its words.

    Attributes:
        name: Its name.
        skill: How many of ten questions it answers right.
        says: What it replies instead.
    """

    name: str
    skill: int
    says: str = ""

    @property
    def info(self) -> ModelInfo:
        settings = {"parameters": 1e9 * (1 + self.skill)}
        return ModelInfo(self.name, "1", frames=FramePolicy(count=0), settings={**settings})

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        return [Reply(self.says or self._letter(prompt)) for prompt in prompts]

    def _letter(self, prompt: Prompt) -> str:
        number = int(prompt.question.split()[-1])
        right = target_of(number)
        if not prompt.options:
            return f"the {OPTIONS[right]}"
        return "ABCDE"[right if number * 7 % 10 < self.skill else (right + 1) % 5]


@dataclass(frozen=True)
class MadeBoard:
    """Runs and what they are about.

    Attributes:
        root: Where everything is.
        runs: Folder of runs.
        data: Folder of sample sets.
        by_name: Run folders by the name that the run was given.
    """

    root: Path
    runs: Path
    data: Path
    by_name: dict[str, Path]


def target_of(number: int) -> int:
    """Where the right option of a question stands."""
    return number * number % 5


def made_set(task: str, construction: str) -> SampleSet:
    """A set of a task, with texts that would like to be markup, and with blind figures."""
    subsets = load_task(task).subsets
    samples = tuple(
        Sample(f"q{number}", task, subset.name, f"{number % CLUSTERS}.mp4", 0.0, 2.0,
               f"Which <i>thing</i>, {number}", OPTIONS if subset.protocol == "mcq" else (),
               target_of(number) if subset.protocol == "mcq" else None, OPTIONS[target_of(number)], None,
               f"video{number % CLUSTERS}", {"__proto__": "<u>odd</u>" if number % 2 else "even"})
        for subset in subsets
        for number in range(N)
    )  # fmt: skip
    digest = sha256(encode(samples)).hexdigest()
    names = [subset.name for subset in subsets]
    manifest = Manifest(task, 1, {}, construction, len(samples), dict.fromkeys(names, N), CLUSTERS, 0, 0, {}, None, (),
                        {}, digest, None, 0, {})  # fmt: skip
    blind, trained = dict.fromkeys(names, 0.4), dict.fromkeys(names, 0.55)
    return SampleSet(replace(manifest, blind=blind, blind_trained=trained), samples)


def make_board(root: Path) -> MadeBoard:
    """Make the runs."""
    sets = [made_set(task, construction) for task, construction in HEADLINE]
    data, runs = root / "data", root / "runs"
    for sample_set in sets:
        sample_set.write(data)
    kinds = {
        "strong": (Guesser("strong-9b", 9), Settings()),
        "middle": (Guesser("middle-6b", 6), Settings()),
        "weak": (Guesser("weak-2b", 2), Settings()),
        "middle, blind": (Guesser("middle-6b", 6), Settings(control="blind")),
        "a part": (Guesser("strong-9b", 9), Settings(limit=4)),
        "scored": (load_model("random"), Settings(method="likelihood-sum")),
        EVIL_NAME: (Guesser(EVIL_MODEL, 5, EVIL_REPLY), Settings()),
    }
    by_name = {
        name: evaluate(model, sets, root / "none", runs, settings, recorded={"data": str(data), "name": name}).path
        for name, (model, settings) in kinds.items()
    }
    return MadeBoard(root, runs, data, by_name)
