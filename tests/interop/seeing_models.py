"""Models for lmms-eval that decode the clip they are handed and look at it through one layer.

They do what lmms-eval's own were seen to do: take some frames alone, drop a file without a word, put a text in place of
an answer, print, and end the process. What a test wants is written into its question.
"""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module
from typing import Any, ClassVar

import av
import numpy as np
import torch

lmms: Any = import_module("lmms_eval.api.model").lmms


def decoded(visuals: list[str]) -> np.ndarray:
    """Frames of a clip; as Qwen2-VL's model there, none of a file that is missing, broken or ``.MP4``."""
    if not visuals or not visuals[0].endswith(".mp4"):
        return np.zeros((0, 1, 1, 3), np.uint8)
    try:
        with av.open(visuals[0]) as container:
            return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    except (OSError, ValueError):
        return np.zeros((0, 1, 1, 3), np.uint8)


def two_a_second(visuals: list[str]) -> np.ndarray:
    """As many frames as there are half seconds, spread evenly."""
    frames = decoded(visuals)
    if not len(frames):
        return frames
    with av.open(visuals[0]) as container:
        rate = float(container.streams.video[0].average_rate or 1)
    taken = min(len(frames), max(1, round(2 * len(frames) / rate)))
    places: np.ndarray = np.linspace(0, len(frames) - 1, taken).round().astype(int)
    picked: np.ndarray = frames[places]
    return picked


def every_other(visuals: list[str]) -> np.ndarray:
    """The first frame, the third, and so on."""
    return decoded(visuals)[::2]


def grey(_: list[str]) -> np.ndarray:
    """One grey frame, whatever there is, as some models look at in training where there is none."""
    return np.full((1, 56, 56, 3), 128, np.uint8)


class Likeless(lmms):  # type: ignore[misc]
    """Tells the mean colour of each frame. It has no system prompt, and no likelihoods, as most of lmms-eval's."""

    pick: ClassVar[Any] = staticmethod(decoded)

    def __init__(self, pretrained: str = "") -> None:
        super().__init__()
        self.pretrained = pretrained
        self.eyes = torch.nn.Conv2d(3, 1, 8, 8)

    def generate_until(self, requests: list[Any]) -> list[Any]:
        """Answer."""
        return [self.answer(*request.args) for request in requests]

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        """There are none."""
        raise NotImplementedError("no likelihoods")

    def generate_until_multi_round(self, requests: list[Any]) -> list[Any]:
        """Nothing asks for it."""
        raise NotImplementedError

    def answer(self, *given: Any) -> str:
        """What to say."""
        text, settings, show, number, task, split = given
        settings.pop("until")
        assert settings == {"max_new_tokens": settings["max_new_tokens"], "temperature": 0, "do_sample": False}
        sys.stdout.write('noise\n{}\n{"error": "noise"}\n')
        seen = self.look(show(self.task_dict[task][split][number]))
        return said(text) or f"{text}: {seen}"

    def look(self, visuals: list[str]) -> list[list[int]]:
        """Mean colours of the frames it takes, 20 at most where nobody can say how many."""
        frames = type(self).pick(visuals)[: getattr(self, "max_num_frames", 20)]
        if len(frames):
            self.eyes(torch.from_numpy(frames).permute(0, 3, 1, 2) / 255)
        return [[round(float(channel)) for channel in frame.mean(axis=(0, 1))] for frame in frames]


class Letters:
    """A tokenizer: a character a token."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """The characters' numbers."""
        return [2] * add_special_tokens + [ord(letter) for letter in text]


class Seeing(Likeless):
    """Has a system prompt, a number of frames to take, and likelihoods."""

    def __init__(
        self,
        pretrained: str = "",
        max_num_frames: int = 4,
        system_prompt: str = "none",
        batch_size: int = 1,
        **kwargs: Any,
    ) -> None:
        assert not kwargs, f"Unexpected kwargs: {kwargs}"
        assert batch_size == 1
        super().__init__(pretrained)
        self.max_num_frames, self.system_prompt, self.tokenizer = max_num_frames, system_prompt, Letters()

    def answer(self, *given: Any) -> str:
        """What to say, after the system prompt."""
        return f"{self.system_prompt} {super().answer(*given)}" if "say" not in given[0] else super().answer(*given)

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        """A loss of one tenth a character."""
        return [(self.loss(*request.args), False) for request in requests]

    def loss(self, *given: Any) -> float:
        """The loss of one continuation."""
        text, continuation, show, number, task, split = given
        self.look(show(self.task_dict[task][split][number]))
        said(text)
        return len(continuation) / 10


class Sampling(Likeless):
    """Takes two frames a second."""

    pick = staticmethod(two_a_second)


class Halving(Likeless):
    """Takes half of the frames."""

    pick = staticmethod(every_other)


class Blind(Likeless):
    """Hands its visuals to nobody."""

    pick = staticmethod(grey)


class Deaf(Likeless):
    """Neither looks at anything nor says anything but one word."""

    def answer(self, *_: Any) -> str:
        """The word."""
        return "A"


class Talking(lmms):  # type: ignore[misc]
    """A chat model that is somewhere else: none of its layers is seen at work."""

    is_simple = False

    def generate_until(self, requests: list[Any]) -> list[Any]:
        """Answer."""
        return [self.answer(*request.args) for request in requests]

    def generate_until_multi_round(self, requests: list[Any]) -> list[Any]:
        """Nothing asks for it."""
        raise NotImplementedError

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        """There are none."""
        raise NotImplementedError

    def answer(self, *given: Any) -> str:
        """The colour, and who said what."""
        _, messages, _, number, task, split = given
        turns = messages(self.task_dict[task][split][number])
        parts = [(turn["role"], part) for turn in turns for part in turn["content"]]
        frames = decoded([part["url"] for _, part in parts if part["type"] == "video"])
        colour = [round(float(channel)) for channel in frames.mean(axis=(0, 1, 2))] if len(frames) else "nothing"
        told = [(role, part["text"]) for role, part in parts if part["type"] == "text"]
        return said(told[-1][1]) or f"{colour}, {told}"


def said(text: str) -> str:
    """What a question wants to be answered with.

    ``die`` ends the process and leaves another one behind, ``raise`` raises, ``read`` reads what somebody types, and
    ``loud`` prints 20 MB.
    """
    _, _, wanted = text.rpartition("say ")
    if wanted == "die":
        left = os.fork()
        if not left:
            time.sleep(100)
        sys.stderr.write(f"about to die, leaving {left}\n")
        os._exit(7)
    if wanted == "raise":
        raise RuntimeError("CUDA out of memory, or so")
    if wanted == "read":
        return input("Do you wish to run the custom code? [y/N] ")
    if wanted == "loud":
        sys.stdout.write("noise\r" * 1_000_000 + "{}\n" * 5_000_000)
    return {"nothing": " ", "failed": "[LMMS_EVAL_REQUEST_FAILED after 5 retries] no route"}.get(wanted, "")


NAMES: dict[str, Any] = {
    "seeing_test": Seeing,
    "likeless_test": Likeless,
    "sampling_test": Sampling,
    "halving_test": Halving,
    "blind_test": Blind,
    "deaf_test": Deaf,
    "talking_test": Talking,
}


def manifests() -> list[Any]:
    """The models, as lmms-eval wants to be told of them; one has both kinds of implementation."""
    models: Any = import_module("lmms_eval.models")
    paths = {name: {f"{'simple' if kind.is_simple else 'chat'}_class_path": kind} for name, kind in NAMES.items()}
    paths["likeless_test"]["chat_class_path"] = Talking
    return [
        models.ModelManifest(name, **{key: f"seeing_models.{kind.__name__}" for key, kind in kinds.items()})
        for name, kinds in paths.items()
    ]
