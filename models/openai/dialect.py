"""How one server wants to be spoken to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from egobench.model import Prompt

from .frame_parts import Media


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a request to a server looks like.

    Attributes:
        model: The model's name there.
        media: How frames are sent; ``None`` where none can be.
        limit_as: What the most tokens of a reply are called.
        temperature: Whether it takes a temperature of 0; reasoning models take none.
        system: Whether it takes a system message; else those words begin the user's turn.
        thinking: Most tokens of thoughts before a reply, on top of the reply's own.
        extra: Fields of every request beside ours.
    """

    model: str
    media: Media | None = None
    limit_as: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True
    system: bool = True
    thinking: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def extra_text(self) -> str:
        """The extra fields as canonical JSON, ``""`` for none."""
        return json.dumps(self.extra, sort_keys=True, separators=(",", ":")) if self.extra else ""

    def body(self, prompt: Prompt, *, show: bool = True) -> dict[str, Any]:
        """The request that asks a prompt.

        Args:
            prompt: The prompt.
            show: Whether images and videos go along with the words around them.

        Raises:
            VideoError: If the frames cannot be made a video.
        """
        parts: list[dict[str, Any]] = []
        media_fields: dict[str, Any] = {}
        if len(prompt.frames) and self.media is not None:
            parts = [part for part in self.media.parts(prompt.frames, prompt.times) if show or part["type"] == "text"]
            media_fields = self.media.fields(prompt.times) if show else {}
        text = prompt.text if self.system else f"{prompt.system}\n\n{prompt.text}"
        content: Any = [*parts, {"type": "text", "text": text}] if parts else text
        system = [{"role": "system", "content": prompt.system}] if self.system else []
        return {
            "model": self.model,
            "messages": [*system, {"role": "user", "content": content}],
            self.limit_as: prompt.max_new_tokens + self.thinking,
            **({"temperature": 0} if self.temperature else {}),
            **media_fields,
            **self.extra,
        }
