"""How a VideoLLaMA2 is addressed: by its tokenizer's chat template, or by the fixed prompt of its first release.

The same when it is trained and when it answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from jinja2 import TemplateError

from egobench.errors import ModelError

VIDEO = "<video>"
"""Where the clip's features go."""


class AroundVideo(NamedTuple):
    """A prompt with a place for a video.

    Attributes:
        before: Words before the clip's features; ``""`` without a clip.
        after: Words after them, up to where the answer begins.
    """

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Chat:
    """How a language model is addressed.

    Attributes:
        tokenizer: Its tokenizer.
        mistral: Whether system prompts stand in marks of Llama 2.
        system_as: Where a system prompt goes.
    """

    tokenizer: Any
    mistral: bool
    system_as: Literal["system", "user", "fixed"]

    def render(self, system: str, user: str) -> str:
        """The prompt as one text, up to where the answer begins."""
        if self.system_as == "fixed":
            system_turn = f"{self._marked(system)}\n\n" if system else ""
            return f"{self.tokenizer.bos_token or ''}[INST] {system_turn}{user} [/INST]"
        turns = [{"role": "user", "content": user}]
        if system and self.system_as == "system":
            turns.insert(0, {"role": "system", "content": self._marked(system)})
        return str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    def around_video(self, system: str, user: str, *, video: bool = True) -> AroundVideo:
        """The prompt in two halves, between which the clip stands.

        Args:
            system: The system prompt; ``""`` for none.
            user: The user's turn.
            video: Whether there is a clip.
        """
        if self.system_as == "user" and system:
            system, user = "", f"{system}\n{user}"
        if not video:
            return AroundVideo("", self.render(system, user))
        before, _, after = self.render(system, f"{VIDEO}\n{user}").partition(VIDEO)
        return AroundVideo(before, after)

    def _marked(self, system: str) -> str:
        return f"<<SYS>>\n{system}\n<</SYS>>" if self.mistral else system


def find_chat(tokenizer: Any, *, mistral: bool) -> Chat:
    """Find out how a tokenizer's chat template takes a system prompt.

    Raises:
        ModelError: If a checkpoint that is not on Mistral has no template, or it leaves the question out.
    """
    if not tokenizer.chat_template:
        if mistral:
            return Chat(tokenizer, mistral, "fixed")
        raise ModelError("the tokenizer has no chat template; expected one in tokenizer_config.json or beside it")
    for place in ("system", "user"):
        chat = Chat(tokenizer, mistral, place)
        try:
            text = chat.render("look closely", f"{VIDEO}\nwhat is this")
        except TemplateError:
            continue
        if f"{VIDEO}\nwhat is this" in text and (place == "user" or "look closely" in text):
            return chat
    raise ModelError("the tokenizer's chat template leaves the question out, or cannot put one")
