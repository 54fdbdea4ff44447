"""The other process of an lmms-eval model: it holds the model, asks it, and tells what reached its layers.

It is run by its path, with the Python of the environment that has lmms-eval, where EgoBench need not be. A request is a
line of JSON on a socket, so is its answer; whatever lmms-eval prints goes elsewhere.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import random
import re
import shutil
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from hashlib import sha256
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from queue import SimpleQueue
from typing import Any

CHECKPOINT = ("pretrained", "model_version", "model_path", "model_name", "model")
"""What lmms-eval's models call the argument that names a checkpoint."""

FRAMES = (
    "max_num_frames",
    "max_frames_num",
    "num_frames",
    "num_frame",
    "nframes",
    "max_frames",
    "max_frame_num",
    "num_segments",
)
"""What they call the argument that says how many frames to take of a video."""

MESSAGE_LENGTH = 500
"""Characters of an error's message that are told."""

TASK, SPLIT = "egobench", "test"

LMMS_EVAL = "0.7"
"""The version that this is written for: what is called of it has other names in others."""


class ModelTrace:
    """Trace of what went through a model since it was last emptied."""

    def __init__(self) -> None:
        self.pixels: dict[int, list[Any]] = {}
        self.steps: list[int] = []
        self.frames: int | None = None
        self.prompts: list[Any] = []
        self.replies: list[Any] = []
        self._watched_layers: set[str] = set()

    def empty(self) -> None:
        """Forget it."""
        self.pixels, self.steps, self.frames, self.prompts, self.replies = {}, [], None, [], []

    def watch(self) -> None:
        """Look at what every first layer of a vision encoder gets: a convolution over colours.

        And at the tokens that transformers generates from, and those it generates. Call this before each prompt: only
        what the model has imported by then is looked at, and nothing is imported for it.
        """
        for module, name, method, look in (
            ("torch.nn", "Conv2d", "forward", self._watched),
            ("torch.nn", "Conv3d", "forward", self._watched),
            ("transformers.generation.utils", "GenerationMixin", "generate", self._recorded),
        ):
            kind = getattr(sys.modules.get(module), name, None)
            if kind is not None and name not in self._watched_layers:
                setattr(kind, method, look(getattr(kind, method)))
                self._watched_layers.add(name)

    def evidence(self, prompt: Mapping[str, Any], tokenizer: Any) -> dict[str, Any]:
        """Evidence of what arrived: tokens read and written, how often each text was read, and the pixels."""
        evidence: dict[str, Any] = {"pixels": self._pixel_evidence(int(prompt.get("levels", 0)))}
        if not self.prompts:
            return evidence
        tokens = self.prompts[-1][0].tolist()
        evidence["prompt_tokens"] = len(tokens)
        if len(self.replies) == 1:
            written = getattr(self.replies[0], "sequences", self.replies[0])[0].tolist()
            # A model that is called with embeddings returns the new tokens alone.
            evidence["reply_tokens"] = len(written[len(tokens) :] if written[: len(tokens)] == tokens else written)
        if hasattr(tokenizer, "decode"):
            read = _dense(tokenizer.decode([token for token in tokens if token >= 0]))
            evidence |= {f"{part}_read": read.count(_dense(prompt[part])) for part in ("system", "text")}
        return evidence

    def _watched(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        def forward(layer: Any, input: Any) -> Any:
            if layer.in_channels == 3:
                self.pixels.setdefault(id(layer), []).append(input.detach())
                self.steps.append(layer.kernel_size[0] if len(layer.kernel_size) == 3 else 1)
            return plain(layer, input)

        return forward

    def _recorded(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        def generate(model: Any, *positional: Any, **named: Any) -> Any:
            written = plain(model, *positional, **named)
            tokens = named.get("input_ids", named.get("inputs", positional[0] if positional else None))
            grid = named.get("video_grid_thw")
            if grid is not None and self.steps:
                self.frames = int(grid[:, 0].sum()) * self.steps[0]
            if tokens is not None:
                self.prompts.append(tokens)
                self.replies.append(written)
            return written

        return generate

    def _pixel_evidence(self, levels: int) -> dict[str, Any] | None:
        if not self.pixels:
            return None
        digest = sha256()
        every = [pixels for parts in self.pixels.values() for pixels in parts]
        for pixels in every:
            digest.update(pixels.float().cpu().contiguous().numpy().tobytes())
        shapes = [list(pixels.shape) for pixels in every]
        evidence: dict[str, Any] = {"shapes": shapes, "sha256": digest.hexdigest(), "frames": self.frames}
        if levels:
            evidence["levels"] = max(_levels(parts, levels) for parts in self.pixels.values())
        return evidence


def _levels(parts: Sequence[Any], n_shown: int) -> int:
    """How many frames of a ladder arrived at a layer: each is of one red of its own, and most pixels are of its green.

    What a model pads with has another green, whatever it is. Pixels of one frame differ by rounding alone, even in half
    precision less than half a step between two of 64 frames, however a model scales them.
    """
    import numpy as np

    red, green = (np.concatenate([part[:, each].float().cpu().numpy().ravel() for part in parts]) for each in (0, 1))
    reds = np.unique(red[np.abs(green - np.median(green)) < 0.05])
    if not len(reds):
        return 0
    step = float(reds[-1] - reds[0]) / max(1, n_shown - 1)
    return 1 + int((np.diff(reds) > max(0.005, step / 2)).sum())


def _dense(text: str) -> str:
    return "".join(text.split())


class LoadedModel:
    """A model of lmms-eval, and how prompts are put to it."""

    def __init__(self, request: Mapping[str, Any], seen: ModelTrace) -> None:
        kind: Any = _lmms_eval("models").get_model(request["model"], force_simple=request["force_simple"])
        parameters, takes_others = _parameters(kind)
        arguments = dict(request["args"])
        unknown = sorted(set(arguments) - parameters)
        if unknown and not takes_others:
            raise TypeError(f"{kind.__name__} has no argument {unknown[0]!r}; it has {', '.join(sorted(parameters))}")
        arguments = {**_usual(request, parameters), **arguments}
        self.seen, self.asked = seen, 0
        self.model = kind(**arguments)
        self.frames = next((name for name in FRAMES if name in parameters and hasattr(self.model, name)), None)
        source = sys.modules[kind.__module__]
        steps = hasattr(source, "process_vision_info") or hasattr(source, "fetch_video")
        self.facts = {
            "interface": "simple" if self.model.is_simple else "chat",
            "system_as": self._system_as(),
            "frames_as": self.frames,
            "frame_factor": _frame_factor() if steps else 1,
            "dtype": str(getattr(getattr(self.model, "model", None), "dtype", "")).removeprefix("torch."),
            "versions": {name: _version(name) for name in ("lmms-eval", "transformers", "torch")},
        }

    def generate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one prompt."""
        settings = {"until": [], "max_new_tokens": request["max_new_tokens"], "temperature": 0, "do_sample": False}
        context, show = self._prepare(request)
        rest = (settings, show) if self.model.is_simple else (show, settings)
        (output,) = self.model.generate_until([self._instance("generate_until", (context, *rest))])
        text, counts = _lmms_eval("api.instance").unwrap_generation_output(output)
        known = {
            "prompt_tokens": getattr(counts, "input_tokens", None),
            "reply_tokens": getattr(counts, "output_tokens", None),
        }
        return {"text": str(text), **known, **self._evidence(request)}

    def score(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What the model says of each of several continuations of a prompt, and how many tokens they have."""
        if not self.model.is_simple:
            raise NotImplementedError("lmms-eval asks chat models for no likelihoods")
        values: list[float] = []
        for continuation in request["continuations"]:
            context, show = self._prepare(request)
            instance = self._instance("loglikelihood", (context, continuation, show))
            ((value, _),) = self.model.loglikelihood([instance])
            values.append(float(value))
        words = self.model.tokenizer
        tokens = [len(words.encode(each, add_special_tokens=False)) for each in request["continuations"]]
        return {"values": values, "tokens": tokens, **self._evidence(request)}

    def _prepare(self, request: Mapping[str, Any]) -> tuple[str, Callable[[Any], Any]]:
        """A document of its own for every request, so that nothing kept by its number can answer the next one."""
        system, text, clip = request["system"], request["text"], request["clip"]
        place = request["system_as"]
        if place == "argument":
            self.model.system_prompt = system
        if self.frames is not None and clip:
            setattr(self.model, self.frames, request["frames"])
        if place == "user":
            text = f"{system}\n{text}"
        turns: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": text}]}]
        if clip:
            turns[0]["content"].insert(0, {"type": "video", "url": clip})
        if place == "message":
            turns.insert(0, {"role": "system", "content": [{"type": "text", "text": system}]})
        self.asked += 1
        self.model.task_dict = {TASK: {SPLIT: {self.asked: {"clip": clip}}}}
        self.seen.watch()
        self.seen.empty()
        _seed(request["seed"])
        if not self.model.is_simple:
            return text, lambda _: turns
        return text, lambda document: [document["clip"]] if document["clip"] else []

    def _instance(self, kind: str, arguments: tuple[Any, ...]) -> Any:
        about = {"task": TASK, "doc_id": self.asked, "repeats": 1, "split": SPLIT}
        return _lmms_eval("api.instance").Instance(kind, (*arguments, self.asked, TASK, SPLIT), idx=0, metadata=about)

    def _evidence(self, request: Mapping[str, Any]) -> dict[str, Any]:
        evidence = self.seen.evidence(request, getattr(self.model, "tokenizer", None))
        self.seen.empty()
        return evidence

    def _system_as(self) -> list[str]:
        """Where a system prompt may go: some chat models put one of their own before the messages they are given."""
        argument = ["argument"] if hasattr(self.model, "system_prompt") else []
        return [*argument, "user"] if self.model.is_simple else [*argument, "message", "user"]


def _lmms_eval(module: str) -> Any:
    return import_module(f"lmms_eval.{module}")


def _known(name: str) -> None:
    """Raises if there is no lmms-eval, or no such model: before the libraries are loaded that most of them need."""
    if importlib.util.find_spec("lmms_eval") is None:
        raise LookupError(
            f"{sys.executable} has no lmms-eval; -o python=... names a Python that has, see docs/lmms_eval.md"
        )
    installed = _version("lmms-eval")
    if installed and not installed.startswith(f"{LMMS_EVAL}."):
        raise LookupError(f"{sys.executable} has lmms-eval {installed}, expected {LMMS_EVAL}; see docs/lmms_eval.md")
    names = _lmms_eval("models").list_available_models(include_aliases=True)
    if name not in names:
        near = ", ".join(get_close_matches(name, names, n=5)) or "not that"
        raise LookupError(f"no lmms-eval model {name!r}; of its {len(names)} names the nearest: {near}")


def _parameters(kind: type) -> tuple[set[str], bool]:
    """Arguments of a class, and of those above it that it hands others on to; and whether it makes use of any others.

    Most take others and ignore or refuse them; those that start an engine (vllm) look through them and pass them on.
    """
    names: set[str] = set()
    for ancestor in kind.__mro__[:-1]:
        if "__init__" not in vars(ancestor):
            continue
        build: Any = vars(ancestor)["__init__"]
        parameters = inspect.signature(build).parameters.values()
        others = [one.name for one in parameters if one.kind is one.VAR_KEYWORD]
        names |= {one.name for one in parameters if one.kind is not one.VAR_KEYWORD}
        if not others:
            break
        if re.search(rf"\b{others[0]}\.(items|get|pop)\(", inspect.getsource(build)):
            return names, True
    return names - {"self"}, False


def _usual(request: Mapping[str, Any], parameters: set[str]) -> dict[str, Any]:
    """Arguments that most models have, under the names that this one has for them."""
    device = request["device"]
    if device == "auto":
        device = _device()
    usual: dict[str, Any] = {"device": device, "device_map": device, "batch_size": 1}
    if request["checkpoint"]:
        name = next((name for name in CHECKPOINT if name in parameters), None)
        if name is None:
            raise TypeError(f"model {request['model']!r} has no argument for a checkpoint; see -o args=...")
        usual[name] = request["checkpoint"]
    usual |= dict.fromkeys(FRAMES, request["frames"])
    return {name: value for name, value in usual.items() if name in parameters}


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _frame_factor() -> int:
    """Frames of which qwen-vl-utils takes a multiple."""
    return int(getattr(sys.modules.get("qwen_vl_utils.vision_process"), "FRAME_FACTOR", 1))


def _seed(seed: int) -> None:
    """Greedy answers need none; some of the models sample whatever they are told."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _load(request: Mapping[str, Any]) -> LoadedModel:
    _known(request["model"])
    where = importlib.util.spec_from_file_location("torchvision_ops", request["torchvision_ops"])
    if where is not None and where.loader is not None:
        remedy = importlib.util.module_from_spec(where)
        sys.modules[where.name] = remedy
        where.loader.exec_module(remedy)
        remedy.ensure_torchvision()
    return LoadedModel(request, ModelTrace())


def _serve(requests: SimpleQueue[str], connected: socket.socket) -> None:
    model: LoadedModel | None = None
    while True:
        request = json.loads(requests.get())
        number = {"request": request["request"]}
        try:
            if model is None:
                model = _load(request)
                answer = json.dumps({**model.facts, **number})
            else:
                ask = {"generate": model.generate, "score": model.score}[request["do"]]
                answer = json.dumps({**ask(request), **number})
        except Exception as error:  # noqa: BLE001 - whatever others' code raises is for the asking process to judge
            traceback.print_exc()
            message = " ".join(str(error).split())[:MESSAGE_LENGTH]
            answer = json.dumps({"error": f"{type(error).__name__}: {message}", **number})
        # Where nobody takes it, the other thread ends the process.
        with suppress(OSError):
            connected.sendall(f"{answer}\n".encode())


def _listen(connected: socket.socket, requests: SimpleQueue[str], folder: str) -> None:
    """Take requests while there is somebody who asks; then end, with all that was started here."""
    with suppress(OSError), connected.makefile("r", encoding="utf-8") as lines:
        for line in lines:
            requests.put(line)
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    channel, folder = int(sys.argv[2]), sys.argv[3]
    os.set_inheritable(channel, False)  # noqa: FBT003 - its own name says it
    waiting: SimpleQueue[str] = SimpleQueue()
    asking = socket.socket(fileno=channel)
    threading.Thread(target=_listen, args=[asking, waiting, folder], daemon=True).start()
    _serve(waiting, asking)
