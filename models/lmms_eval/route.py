"""How clips and questions reach an lmms-eval model, and the proof that they do.

lmms-eval's models take a path and decode by themselves. Some drop a file whose name or content they do not like and
answer without it, some sample frames at a rate of their own (notes of what was found: docs/lmms_eval.md). So nothing is
believed: what went into the first layer of the vision encoder is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from egobench.errors import ModelError, VideoError
from egobench.interop.clips import write_clip
from egobench.model import Prompt

from .process import Worker

SYSTEM = "Look at the whole video before you answer."
QUESTION = "Which colour fills the picture? Answer with one word."
FRAMES = 16
"""Frames of the clip that is shown to prove that each arrives, where nobody says how many there will be."""

MOST = 64
"""Most of them that can be told apart, in half precision, too."""

SIDE = 224
"""Pixels of the sides of that clip."""

WAYS = {"argument": "its argument", "message": "a message", "user": "part of the question"}
"""How a system prompt is handed over, for messages."""

RATES = (30.0, 0.1)
"""Frames a second of a quick and of a slow clip."""


@dataclass(frozen=True, slots=True)
class Route:
    """How prompts reach a model.

    Attributes:
        system_as: Where the system prompt goes: an ``argument`` of the model, a ``message``, or ahead of the ``user``'s
            turn.
        frame_factor: The model takes a multiple of so many frames; a clip is filled up with its last.
        frames_as: The argument that says how many frames it takes, ``""`` if not known.
        true_rate: Whether clips keep their length; else they have one frame a second.
        proof: What shows that a video arrived: ``pixels`` in a layer, or ``replies`` that follow the colour shown.
        blank: Hash of the pixels that go through the model where there is no video, ``""`` for none.
        proved: Numbers of frames that were seen to arrive.
    """

    system_as: str
    frame_factor: int
    frames_as: str = ""
    true_rate: bool = False
    proof: Literal["", "pixels", "replies"] = ""
    blank: str = ""
    proved: set[int] = field(default_factory=set[int])

    def ask(self, worker: Worker, prompt: Prompt, do: Literal["generate", "score"], **more: Any) -> dict[str, Any]:
        """Ask one prompt, with its frames in a file of its own.

        Args:
            worker: The process that holds the model.
            prompt: The prompt.
            do: Whether to answer, or to score ``continuations``.
            more: Further parts of the request; ``text`` takes the place of the prompt's.

        Returns:
            The answer; its ``"error"`` says why there is none, or why it is not believed.

        Raises:
            ModelError: If the process has ended, or so many frames do not reach the model.
            StoreError: If there is no room for a clip where temporary files go; ``TMPDIR`` names another place.
        """
        frames = len(prompt.frames)
        if frames and self.proof == "pixels" and frames not in self.proved and (lost := self.lost(worker, frames)):
            raise ModelError(self.refusal(lost))
        return self._ask(worker, prompt, do, **more)

    def lost(self, worker: Worker, frames: int) -> str:
        """Why not every one of so many frames arrives, ``""`` if they do: shown a clip whose frames can be told apart.

        Args:
            worker: The process that holds the model.
            frames: How many.

        Raises:
            ModelError: See :meth:`ask`.
        """
        for rate in RATES if self.true_rate else (1.0,):
            n_distinct = min(frames, MOST)
            answer = self._ask(worker, ladder(frames, rate), "generate", levels=n_distinct)
            if "error" in answer:
                return str(answer["error"])
            arrived = answer["pixels"]["levels"]
            if arrived < n_distinct:
                return f"{arrived} of {n_distinct} frames reached it"
        self.proved.add(frames)
        return ""

    def refusal(self, lost: str) -> str:
        """What is said of a model that does not get its frames."""
        known = f"its argument {self.frames_as!r}" if self.frames_as else "an argument of its own, not known here,"
        return f"lmms-eval model: {lost}; {known} says how many it takes; give -o frames=... or -o args=..."

    def problem(self, answer: dict[str, Any], frames: int) -> str:
        """Why an answer is not believed, ``""`` if it is.

        Args:
            answer: What the process said.
            frames: Frames of the clip that the model was given, 0 for none.
        """
        if "error" in answer or not frames or self.proof != "pixels":
            return ""
        pixels = answer["pixels"]
        if pixels is None or pixels["sha256"] == self.blank:
            return "the video did not reach the model; its answer without one is not kept"
        if pixels["frames"] not in {None, frames}:
            return f"{pixels['frames']} of {frames} frames reached the model"
        return ""

    def _ask(self, worker: Worker, prompt: Prompt, do: Literal["generate", "score"], **more: Any) -> dict[str, Any]:
        request: dict[str, Any] = {
            "system": prompt.system,
            "text": prompt.text,
            "max_new_tokens": prompt.max_new_tokens,
            "seed": prompt.seed,
            "system_as": self.system_as,
            "clip": "",
            "frames": 0,
        }
        if not len(prompt.frames):
            return worker.ask(do=do, **{**request, **more})
        frames, times = self._whole(prompt)
        path = worker.new_clip()
        try:
            write_clip(frames, times, path, **({"fps": None} if self.true_rate else {}))
            answer = worker.ask(do=do, **{**request, "clip": str(path), "frames": len(frames), **more})
        except VideoError as error:
            return {"error": str(error)}
        finally:
            path.unlink(missing_ok=True)
        problem = self.problem(answer, len(frames))
        return {**answer, "error": problem} if problem else answer

    def _whole(self, prompt: Prompt) -> tuple[np.ndarray, np.ndarray]:
        frames, times = prompt.frames, prompt.times
        short = -len(frames) % self.frame_factor
        if not short:
            return frames, times
        step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 1.0
        later = times[-1] + step * np.arange(1, short + 1)
        return np.concatenate([frames, np.repeat(frames[-1:], short, axis=0)]), np.concatenate([times, later])


def prove(worker: Worker, facts: dict[str, Any], frames: int) -> Route:
    """Find out how to reach a model, and that the frames it is shown do.

    Args:
        worker: The process that holds it.
        facts: What that process said of it when it was loaded.
        frames: Frames it will be shown.

    Returns:
        The route, with its proof.

    Raises:
        ModelError: If the model cannot answer, or a video or a prompt does not reach it.
    """
    route, first = _reached(worker, facts, frames)
    if first["pixels"] is None:
        return _proved_by_replies(worker, route)
    blind = route.ask(worker, _probe(np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0)), "generate")
    route = replace(route, proof="pixels", blank=(blind.get("pixels") or {}).get("sha256", ""))
    timed = replace(route, true_rate=True, proved=set[int]())
    if not timed.lost(worker, frames):
        return timed
    if lost := route.lost(worker, frames):
        raise ModelError(route.refusal(lost))
    return route


def _reached(worker: Worker, facts: dict[str, Any], frames: int) -> tuple[Route, dict[str, Any]]:
    """The first way in which a question and a system prompt are read, and what was answered."""
    problems: list[str] = []
    for way in facts["system_as"]:
        route = Route(way, facts["frame_factor"], facts["frames_as"] or "")
        answer = route.ask(worker, ladder(frames, 1.0), "generate")
        problem = answer.get("error") or _unread(answer, sure=way == "argument" and facts["interface"] == "chat")
        if not problem:
            return route, answer
        problems.append(f"with the system prompt as {WAYS[way]}: {problem}")
    raise ModelError(f"the lmms-eval model cannot be asked about a video, {'; '.join(problems)}")


def _unread(answer: dict[str, Any], *, sure: bool) -> str:
    """Why the texts of a prompt cannot be said to have been read, ``""`` if they can.

    Args:
        answer: What the process said; it tells nothing of texts where no tokens were seen.
        sure: Whether the system prompt has to be seen: a chat model may have an argument for one and not look at it.
    """
    if not answer.get("text_read", 1):
        return "the question is not read as it is put; does the model cut its prompts short?"
    times = answer.get("system_read", 0 if sure else 1)
    return "" if times == 1 else f"the system prompt is read {times} times"


def _proved_by_replies(worker: Worker, route: Route) -> Route:
    replies: list[str] = []
    for colour in ((220, 20, 20), (20, 20, 220), (220, 20, 20)):
        frames = np.full((FRAMES, SIDE, SIDE, 3), colour, np.uint8)
        answer = route.ask(worker, replace(_probe(frames, np.arange(float(FRAMES))), max_new_tokens=16), "generate")
        replies.append(answer.get("error", answer["text"].strip()))
    red, blue, again = replies
    if red != again or red == blue:
        raise ModelError(
            f"no proof that a video reaches the lmms-eval model: no layer of a vision encoder was seen at work, and "
            f"shown red, blue, and red again it said {replies}; expected one answer to red and another to blue"
        )
    return replace(route, proof="replies")


def ladder(count: int, rate: float) -> Prompt:
    """A clip of plain frames, up to :data:`MOST` of them with a red of its own, all with one green.

    Args:
        count: Frames.
        rate: Frames a second.
    """
    steps = np.arange(count) * min(count, MOST) // count
    frames = np.full((count, SIDE, SIDE, 3), (0, 200, 90), np.uint8)
    frames[..., 0] = np.linspace(30, 225, min(count, MOST)).astype(np.uint8)[steps, None, None]
    return _probe(frames, np.arange(count) / rate)


def _probe(frames: np.ndarray, times: np.ndarray) -> Prompt:
    return Prompt(frames, times, SYSTEM, QUESTION, (), QUESTION, max_new_tokens=1, seed=0)
