"""How clips and questions reach an lmms-eval model, and the proof that they do.

lmms-eval's models take a path and decode by themselves. Some drop a file whose name or content they do not like and
answer without it, some sample frames at a rate of their own (notes of what was found: docs/lmms_eval.md). So nothing is
believed: what went into the first layer of the vision encoder is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from egobench.errors import ModelError
from egobench.interop.clips import write_clip
from egobench.model import Prompt

from .process import Worker

SYSTEM = "Look at the whole video before you answer."
QUESTION = "Which colour fills the picture? Answer with one word."
LADDER = 16
"""Most frames of the clip that is shown to prove that each arrives."""

SIDE = 224
"""Pixels of the sides of that clip."""

RATES = (30.0, 0.1)
"""Frames a second of a quick and of a slow clip."""


@dataclass(frozen=True, slots=True)
class Route:
    """How prompts reach a model.

    Attributes:
        system_as: Where the system prompt goes: an ``argument`` of the model, a ``message``, or ahead of the ``user``'s
            turn.
        frame_factor: The model takes a multiple of so many frames; a clip is filled up with its last.
        true_rate: Whether clips keep their length; else they have one frame a second.
        proof: What shows that a video arrived: ``pixels`` in a layer, or ``replies`` that follow the colour shown.
        blank: Hash of the pixels that go through the model where there is no video, ``""`` for none.
    """

    system_as: str
    frame_factor: int
    true_rate: bool = False
    proof: Literal["", "pixels", "replies"] = ""
    blank: str = ""

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
            ModelError: If the process has ended.
            VideoError: If the frames cannot be put in a file.
        """
        request: dict[str, Any] = {
            "system": prompt.system,
            "text": prompt.text,
            "max_new_tokens": prompt.max_new_tokens,
            "seed": prompt.seed,
        }
        count, path = 0, None
        if len(prompt.frames):
            frames, times = self._whole(prompt)
            count, path = len(frames), worker.new_clip()
            write_clip(frames, times, path, **({"fps": None} if self.true_rate else {}))
        try:
            answer = worker.ask(
                do=do,
                clip=str(path or ""),
                frames=count,
                system_as=self.system_as,
                **{**request, **more},
            )
        finally:
            if path is not None:
                path.unlink()
        problem = self.problem(answer, count)
        return {**answer, "error": problem} if problem else answer

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

    def _whole(self, prompt: Prompt) -> tuple[np.ndarray, np.ndarray]:
        frames, times = prompt.frames, prompt.times
        short = -len(frames) % self.frame_factor
        if not short:
            return frames, times
        step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 1.0
        later = times[-1] + step * np.arange(1, short + 1)
        return np.concatenate([frames, np.repeat(frames[-1:], short, axis=0)]), np.concatenate([times, later])


def prove(worker: Worker, facts: dict[str, Any], frames: int | None) -> Route:
    """Find out how to reach a model, and that the frames it is shown do.

    Args:
        worker: The process that holds it.
        facts: What that process said of it when it was loaded.
        frames: Frames it will be shown, ``None`` if not known yet.

    Returns:
        The route, with its proof.

    Raises:
        ModelError: If the model cannot answer, or a video or a prompt does not reach it.
    """
    count = min(frames or LADDER, LADDER)
    route = Route(facts["system_as"], facts["frame_factor"])
    first = _shown(worker, route, count)
    if route.system_as != "user" and ("error" in first or first.get("system_read") is False):
        # Its template has no place for one, or leaves it out.
        as_user = replace(route, system_as="user")
        second = _shown(worker, as_user, count)
        if "error" not in second:
            route, first = as_user, second
    if "error" in first:
        raise ModelError(f"the lmms-eval model cannot answer a prompt with a video ({first['error']})")
    if False in {first.get("text_read"), first.get("system_read")}:
        raise ModelError("a question does not reach the lmms-eval model as it is put; does it cut its prompts short?")
    if first["pixels"] is None:
        return _proved_by_replies(worker, route)
    blind = route.ask(worker, _probe(np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0)), "generate")
    route = replace(route, proof="pixels", blank=(blind.get("pixels") or {}).get("sha256", ""))
    arrived = first["pixels"]["levels"]
    problem = route.problem(first, count + -count % route.frame_factor)
    if problem or arrived < count:
        raise ModelError(
            f"lmms-eval model: {problem or f'{arrived} of {count} frames reached it'}; the argument that says how many "
            f"it takes is {facts['frames_as'] or 'not known'}; give -o frames=... or -o args=..."
        )
    timed = replace(route, true_rate=True)
    return timed if all(_arrive(worker, timed, count, rate) for rate in RATES) else route


def _shown(worker: Worker, route: Route, count: int) -> dict[str, Any]:
    return route.ask(worker, ladder(count, 1.0), "generate", levels=True)


def _arrive(worker: Worker, route: Route, count: int, rate: float) -> bool:
    answer = route.ask(worker, ladder(count, rate), "generate", levels=True)
    return "error" not in answer and (answer["pixels"] or {}).get("levels", 0) >= count


def _proved_by_replies(worker: Worker, route: Route) -> Route:
    said: list[str] = []
    for colour in ((220, 20, 20), (20, 20, 220), (220, 20, 20)):
        frames = np.full((LADDER, SIDE, SIDE, 3), colour, np.uint8)
        answer = route.ask(worker, replace(_probe(frames, np.arange(float(LADDER))), max_new_tokens=16), "generate")
        said.append(answer.get("error", answer["text"].strip()))
    red, blue, again = said
    if red != again or red == blue:
        raise ModelError(
            f"no proof that a video reaches the lmms-eval model: no layer of a vision encoder was seen at work, and "
            f"shown red, blue, and red again it said {said}; expected one answer to red and another to blue"
        )
    return replace(route, proof="replies")


def ladder(count: int, rate: float) -> Prompt:
    """A clip of plain frames, each with a red of its own and all with one green, at so many frames a second."""
    frames = np.full((count, SIDE, SIDE, 3), (0, 200, 90), np.uint8)
    frames[..., 0] = np.linspace(30, 225, count).astype(np.uint8)[:, None, None]
    return _probe(frames, np.arange(count) / rate)


def _probe(frames: np.ndarray, times: np.ndarray, options: Sequence[str] = ()) -> Prompt:
    return Prompt(frames, times, SYSTEM, QUESTION, tuple(options), QUESTION, max_new_tokens=1, seed=0)
