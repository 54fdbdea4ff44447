"""What EgoBench itself takes of a run: questions, records, readings and scores of models that take no time.

Usage::

    python benchmarks/harness.py run [QUESTIONS ...]           (default 5000 40000)
    python benchmarks/harness.py resume [QUESTIONS]            (default 40000)
    python benchmarks/harness.py compare [RUNS [QUESTIONS]]    (defaults 30 and 40000)
    python benchmarks/harness.py lmms PYTHON [QUESTIONS]       (default 5000)

Questions of EgoMCQ's form with five options out of 1,440 texts, 48 a video, are written to a temporary folder. Printed
as JSON: processor seconds (user and system), imports and the reading of the sample set left out of none of them.

* ``run``: samples a second through run, store and score: ``letters`` and ``texts`` are replies, ``likelihood`` a score
  for every option. ``scores_sha256`` tells whether two versions score the same.
* ``resume``: the command ``egobench run`` of a built-in model, and the same once more on the finished run.
* ``compare``: :func:`egobench.compare.compare` of runs with answers of their own, and the peak of memory.
* ``lmms``: the command ``egobench run first-choice`` against lmms-eval with its model ``dummy``, which says A to
  everything, on the same questions, without videos. PYTHON is the interpreter of an environment with lmms-eval
  (``docs/lmms_eval.md``). Each command is also given for one question: what it takes is its start.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any, Final

from egobench.compare import compare as compare_runs
from egobench.dataset.sampleset import Manifest, SampleSet, encode
from egobench.evaluate import evaluate
from egobench.model import FramePolicy, ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.prompts import user_turn
from egobench.run.plan import plan, spec_of_parts
from egobench.run.records import Prediction
from egobench.run.spec import Settings
from egobench.run.store import open_run
from egobench.sample import Sample

VERBS: Final = ("picks up", "puts down", "washes", "cuts", "opens", "closes", "moves", "wipes", "folds", "pours")
THINGS: Final = ("cup", "plate", "knife", "door", "towel", "bottle", "box", "bag", "phone", "spoon", "pan", "lid")
PLACES: Final = ("table", "sink", "floor", "shelf", "stove", "bench", "drawer", "wall", "chair", "window", "bed", "car")


class Answers:
    """A model whose answers depend on the prompt's seed alone, or not even on that.

    Attributes:
        info: Its identity.

    Args:
        form: ``letters`` or ``texts``: how it replies.
        seed: Which answers it gives; the first option always for 0.
    """

    def __init__(self, form: str, seed: int = 0) -> None:
        self.info = ModelInfo(f"{form}-{seed}", "1", frames=FramePolicy(count=0))
        self._form, self._seed = form, seed

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Name an option."""
        return [Reply(self._reply(prompt)) for prompt in prompts]

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> list[OptionScores]:
        """Find an option likelier than the others."""
        del form
        return [OptionScores(self._scores(prompt), (1,) * len(prompt.options)) for prompt in prompts]

    def _reply(self, prompt: Prompt) -> str:
        choice = self._choice(prompt)
        return "ABCDEFGHIJ"[choice] if self._form == "letters" else f"The answer is {prompt.options[choice]}."

    def _scores(self, prompt: Prompt) -> tuple[float, ...]:
        choice = self._choice(prompt)
        return tuple(-1.5 if place == choice else -4.25 for place in range(len(prompt.options)))

    def _choice(self, prompt: Prompt) -> int:
        return (prompt.seed >> self._seed) % len(prompt.options) if self._seed else 0


def make_set(data: Path, questions: int) -> SampleSet:
    """Questions of EgoMCQ's form, written to a folder."""
    draw = Random(7)  # noqa: S311 - questions need no secret
    texts = [f"C {verb} the {thing} near the {place}" for verb in VERBS for thing in THINGS for place in PLACES]
    samples = tuple(_samples(draw, texts, questions))
    manifest = Manifest("egomcq", 1, {"inter": "mcq"}, "official", questions, {"inter": questions}, questions // 48, 0,
                        0, {}, None, (), {}, sha256(encode(samples)).hexdigest(), None, 0, {})  # fmt: skip
    sample_set = SampleSet(manifest, samples)
    sample_set.write(data)
    return sample_set


def _samples(draw: Random, texts: Sequence[str], questions: int) -> Iterator[Sample]:
    for number in range(questions):
        options, target = tuple(draw.sample(texts, 5)), draw.randrange(5)
        video, start = f"video-{number // 48:05}", float(number % 48)
        yield Sample(str(number), "egomcq", "inter", f"{video}.mp4", start, start + 1, "What does C do?", options,
                     target, options[target], None, video, {"verb": ("1",), "noun": ("2",)})  # fmt: skip


def run(folder: Path, *counts: str) -> dict[str, Any]:
    """Samples a second through run, store and score."""
    report: dict[str, Any] = {}
    for questions in map(int, counts or ("5000", "40000")):
        data = folder / str(questions)
        make_set(data, questions)
        for form, method in (("letters", "generate"), ("texts", "generate"), ("likelihood", "likelihood-sum")):
            started = process_time()
            sets = [SampleSet.read(data / "egomcq" / "official")]
            result = evaluate(Answers(form), sets, folder, folder / f"runs{questions}", Settings(method=method))
            seconds = process_time() - started
            report[f"{form} {questions}"] = {
                "cpu_seconds": round(seconds, 3),
                "samples_per_second": round(questions / seconds),
                "scores_sha256": sha256((result.path / "scores.json").read_bytes()).hexdigest(),
            }
    return report


def resume(folder: Path, questions: str = "40000") -> dict[str, Any]:
    """The same command once more."""
    make_set(folder / "data", int(questions))
    command = egobench_run(folder)
    return {
        "questions": int(questions),
        "first_cpu_seconds": round(cpu_seconds(command, folder), 3),
        "cpu_seconds": round(cpu_seconds(command, folder), 3),
    }


def egobench_run(folder: Path, *more: str) -> list[str]:
    """The command that has the first option of every question chosen."""
    folders = ("--data", str(folder / "data"), "--videos", str(folder), "--out", str(folder / "runs"))
    return [sys.executable, "-m", "egobench", "run", "first-choice", *folders, *more]


def cpu_seconds(command: Sequence[str], folder: Path) -> float:
    """Processor seconds of a command.

    Raises:
        RuntimeError: If it fails.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(  # noqa: S603 - our own command, and that of an environment that was named
        command, cwd=folder, env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {(done.stderr or done.stdout)[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(folder: Path, runs: str = "30", questions: str = "40000") -> dict[str, Any]:
    """Runs against one another."""
    sample_set = make_set(folder, int(questions))
    paths = [write_run(folder / "runs", sample_set, seed) for seed in range(1, int(runs) + 1)]
    del sample_set
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = process_time()
    compare_runs(paths, folder)
    return {
        "runs": int(runs),
        "questions": int(questions),
        "cpu_seconds": round(process_time() - started, 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "peak_mb_before": round(before / 1024),
    }


def write_run(runs: Path, sample_set: SampleSet, seed: int) -> Path:
    """A run of replies drawn by lot, of which a share is right that grows with the seed."""
    (part,) = plan([sample_set], Settings())
    draw = Random(seed)  # noqa: S311 - as above
    predictions: list[Prediction] = []
    for sample in part.samples:
        choice = sample.target if draw.random() < 0.3 + 0.01 * seed else draw.randrange(5)
        scores = tuple(float(place == choice) for place in range(5))
        predictions.append(Prediction(sample.id, "answered", "ABCDE"[choice or 0], choice, "letter", scores))
    with open_run(runs, spec_of_parts(Answers("letters", seed).info, [part], Settings()), {}) as run:
        run.append(part.name, predictions)
    return run.path


LMMS_TASK: Final = """
task: harness
dataset_path: json
dataset_kwargs:
  data_files:
    test: {documents}
test_split: test
output_type: generate_until
doc_to_visual: !function lmms_functions.visual
doc_to_text: "{{{{turn}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs:
  max_new_tokens: 16
process_results: !function lmms_functions.results
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1
"""

LMMS_FUNCTIONS: Final = """
def visual(doc):
    return []

def results(doc, results):
    return {"acc": float(results[0].strip()[:1] == doc["answer"])}
"""


def write_lmms_task(folder: Path, samples: Sequence[Sample]) -> None:
    """The questions as a task of lmms-eval, as somebody writes it who knows nothing of EgoBench."""
    folder.mkdir()
    lines = [
        json.dumps({"turn": user_turn(sample.question, sample.options), "answer": "ABCDE"[sample.target or 0]})
        for sample in samples
    ]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "lmms_functions.py").write_text(LMMS_FUNCTIONS)
    (folder / "harness.yaml").write_text(LMMS_TASK.format(documents=folder / "questions.jsonl"))


def lmms(folder: Path, python: str, questions: str = "5000") -> dict[str, Any]:
    """Both commands on the same questions."""
    sample_set = make_set(folder / "data", int(questions))
    write_lmms_task(folder / "task", sample_set.samples)
    theirs = [python, "-m", "egobench.interop", "--tasks", "harness", "--include_path", str(folder / "task"),
              "--model", "dummy", "--model_args", "response=A", "--batch_size", "1",
              "--output_path", str(folder / "out")]  # fmt: skip
    report: dict[str, Any] = {"questions": int(questions)}
    for name, command in (("egobench", egobench_run(folder)), ("lmms_eval", theirs)):
        report[name] = {
            "start_cpu_seconds": round(cpu_seconds([*command, "--limit", "1"], folder), 3),
            "cpu_seconds": round(cpu_seconds(command, folder), 3),
        }
    ours, other = report["egobench"], report["lmms_eval"]
    own = {name: report[name]["cpu_seconds"] - report[name]["start_cpu_seconds"] for name in ("egobench", "lmms_eval")}
    report["scores"] = [
        next(iter(json.loads(next(folder.glob("runs/*/*/scores.json")).read_bytes()).values()))["value"],
        json.loads(max(folder.rglob("out/**/*results.json")).read_bytes())["results"]["harness"]["acc,none"],
    ]
    report["times_faster"] = round(other["cpu_seconds"] / ours["cpu_seconds"], 2)
    report["times_faster_without_start"] = round(own["lmms_eval"] / own["egobench"], 2)
    return report


PARTS: Final = {"run": run, "resume": resume, "compare": compare, "lmms": lmms}

if __name__ == "__main__":
    with TemporaryDirectory() as name:
        sys.stdout.write(json.dumps(PARTS[sys.argv[1]](Path(name), *sys.argv[2:]), indent=2) + "\n")
