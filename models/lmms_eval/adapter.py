"""A model of lmms-eval as one of ours."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from egobench import torchvision_ops
from egobench.errors import ModelError, ModelOptionError, PromptError
from egobench.model import FramePolicy, Model, ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.prompts import LETTERS, user_turn

from .._local.checkpoint import safetensors_files
from .._local.fingerprint import checkpoint_fingerprint
from .process import Worker, find_python
from .route import FRAMES, Route, ladder, prove

SENTINELS = ("[LMMS_EVAL_", "Error:")
"""How texts begin that lmms-eval puts in place of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LmmsEvalOptions:
    """Options of :func:`egobench.models.lmms_eval.load`, which says what they mean."""

    model: str
    checkpoint: str
    args: str
    python: str
    device: str
    frames: int | None
    short_side: int | None
    interface: str


@dataclass(frozen=True)
class LmmsEvalModel:
    """A model of lmms-eval, asked one prompt at a time.

    Attributes:
        info: What identifies it.
        worker: The process that holds it; it ends with this object.
        route: How prompts reach it.
    """

    info: ModelInfo
    worker: Worker
    route: Route

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Answer prompts; one that failed, or whose video did not arrive, has an error in place of a text.

        Raises:
            ModelError: If the process has ended.
        """
        return [self._reply(self.route.ask(self.worker, prompt, "generate")) for prompt in prompts]

    def close(self) -> None:
        """End the process; there is no asking after it."""
        self.worker.close()

    def _reply(self, answer: dict[str, Any]) -> Reply:
        text = str(answer.get("text", "")).strip()
        if text.startswith(SENTINELS):
            return Reply("", error=f"lmms-eval says {text[:200]!r}")
        if "error" in answer:
            return Reply("", error=answer["error"])
        read, written = answer["prompt_tokens"], answer["reply_tokens"]
        if not text and not written:
            return Reply("", error="lmms-eval says nothing, as it does where a request has failed")
        return Reply(text, prompt_tokens=read, reply_tokens=written)


@dataclass(frozen=True)
class ScoringLmmsEvalModel(LmmsEvalModel):
    """A model of lmms-eval that also tells how likely a continuation is."""

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> list[OptionScores]:
        """Score every option of every prompt.

        ``letter``: the user's turn as it is generated from, answered with the letter. ``text``: the question alone,
        answered with each option's text. lmms-eval's models give the mean loss of a continuation's tokens, at least
        0; a number below 0 is taken for a log-probability.

        Raises:
            PromptError: If the model cannot score a prompt, or its video did not arrive.
            ModelError: If the process has ended, or the end of a reply is to be scored, which lmms-eval does not do.
        """
        if form == "enclosed-text":
            raise ModelError(
                f"model {self.info.name!r}: lmms-eval scores a continuation alone, not the tokens around it; "
                "use --method likelihood-mean"
            )
        return [self._scores(prompt, form) for prompt in prompts]

    def _scores(self, prompt: Prompt, form: OptionForm) -> OptionScores:
        letters = form == "letter"
        answers = list(LETTERS[: len(prompt.options)]) if letters else [option.strip() for option in prompt.options]
        turn = prompt.text if letters else user_turn(prompt.question, ())
        answer = self.route.ask(self.worker, prompt, "score", text=turn, continuations=answers)
        if "error" in answer:
            raise PromptError(f"model {self.info.name!r}: {answer['error']}")
        tokens = [max(1, count) for count in answer["tokens"]]
        pairs = zip(answer["values"], tokens, strict=True)
        return OptionScores(tuple(-value * count if value >= 0 else value for value, count in pairs), tuple(tokens))


def open_model(options: LmmsEvalOptions) -> Model:
    """Start the process, load the model there, and prove that videos reach it.

    Raises:
        ModelError: If lmms-eval or the model cannot be had, or a video does not reach it.
        ModelOptionError: If its further arguments cannot be read, or frames are fewer than none.
    """
    arguments = parse(options.args)
    folder = Path(options.checkpoint).expanduser()
    if options.checkpoint and folder.is_dir():
        options = replace(options, checkpoint=str(folder.resolve()))
    frames = FRAMES if not options.frames else options.frames
    if frames < 0:
        raise ModelOptionError(f"model 'lmms-eval', option 'frames': {frames}; expected 0 or more")
    with ExitStack() as failed:
        worker = Worker(find_python(options.python))
        failed.callback(worker.close)
        facts = worker.ask(
            model=options.model,
            checkpoint=options.checkpoint,
            args=arguments,
            device=options.device,
            frames=frames,
            force_simple=options.interface == "simple",
            torchvision_ops=torchvision_ops.__file__,
        )
        if "error" in facts:
            raise ModelError(f"lmms-eval cannot load {options.model!r}: {facts['error']}")
        route = prove(worker, facts, frames)
        kind = ScoringLmmsEvalModel if _scores_options(worker, route, frames) else LmmsEvalModel
        info = _info(options, folder, facts, route)
        failed.pop_all()
    return kind(info, worker, route)


def parse(args: str) -> dict[str, Any]:
    """Arguments ``name=value`` with commas; a value is what JSON makes of it, else a text.

    Raises:
        ModelOptionError: If one has no name or no value, or is a key: arguments are written down with a run.
    """
    arguments: dict[str, Any] = {}
    for part in filter(None, args.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ModelOptionError(f"model 'lmms-eval', option 'args': {part!r}; expected name=value,name=value")
        if name.strip().endswith("api_key"):
            raise ModelOptionError(
                f"model 'lmms-eval', option 'args': {name.strip()} would be written down with the run; "
                "lmms-eval's models read keys from the environment, e.g. OPENAI_API_KEY"
            )
        try:
            arguments[name.strip()] = json.loads(value)
        except (ValueError, RecursionError):
            arguments[name.strip()] = {"True": True, "False": False, "None": None}.get(value, value)
    return arguments


def _info(options: LmmsEvalOptions, folder: Path, facts: dict[str, Any], route: Route) -> ModelInfo:
    weights = ""
    if options.checkpoint and any(folder.glob("*.safetensors")):
        weights = checkpoint_fingerprint([folder], safetensors_files(folder))
    versions = facts["versions"]
    return ModelInfo(
        name="-".join(filter(None, ["lmms-eval", options.model, options.checkpoint and folder.resolve().name])),
        revision=versions["lmms-eval"],
        weights=weights,
        dtype=facts["dtype"],
        frames=FramePolicy(options.frames, options.short_side),
        settings={
            "checkpoint": "" if weights else options.checkpoint,
            "args": json.dumps(parse(options.args), sort_keys=True),
            "interface": facts["interface"],
            "system_as": route.system_as,
            "frames_as": facts["frames_as"],
            "clip_rate": "true" if route.true_rate else "1 a second",
            "proof": route.proof,
            "torch": versions["torch"],
            "transformers": versions["transformers"],
        },
    )


def _scores_options(worker: Worker, route: Route, frames: int) -> bool:
    """Whether a model tells likelihoods: most of lmms-eval's refuse, and some say 0 to everything."""
    if route.proof != "pixels":
        return False
    prompt = replace(ladder(frames, 1.0), options=("yellow", "a dark room"))
    answer = route.ask(worker, prompt, "score", continuations=list(prompt.options))
    values = answer.get("values", [])
    return "error" not in answer and len(set(values)) == 2 and all(map(math.isfinite, values))
