"""Words about a clip as tokens: a caption, or questions and answers in the form in which the model is asked later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from reference_exo2ego.backbone.chat import Chat, find_chat
from reference_exo2ego.model.words import Question, tokenise

TAG_FORMS = ("<video>\n", "<image>\n", "<video>", "<image>")
"""Tags that stand for the video or picture in the first question."""


class ClipText(NamedTuple):
    """Tokens about a clip: those before the video, and the questions behind it.

    Attributes:
        before: Tokens before the video.
        questions: Prompts and answers behind it.
    """

    before: Sequence[int]
    questions: list[Question]

    @property
    def length(self) -> int:
        """Number of tokens."""
        return len(self.before) + sum(len(prompt) + len(answer) for prompt, answer in self.questions)


class ClipTexts:
    """Tokenises conversations.

    A first turn of nothing but the video's tag makes a caption: the answer comes behind the video and a line break.
    Other conversations get the chat template. Answers of later turns are predicted from all turns before them.

    Args:
        tokenizer: Tokenizer of the language model.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, turns: Sequence[str]) -> ClipText:
        """Tokenise a conversation.

        Args:
            turns: Questions and answers by turns, the question first.
        """
        first = turns[0]
        for tag in TAG_FORMS:
            first = first.replace(tag, "")
        if not first.strip() and len(turns) == 2:
            beginning = [] if self._tokenizer.bos_token_id is None else [self._tokenizer.bos_token_id]
            return ClipText(beginning, [tokenise(self._tokenizer, "\n", turns[1])])
        chat = find_chat(self._tokenizer, mistral=True)
        before, after = chat.around_video("", first.strip())
        questions = [tokenise(self._tokenizer, after, turns[1])]
        for number in range(2, len(turns), 2):
            after = self._continued(chat, after, turns[number - 1], turns[number])
            questions.append(tokenise(self._tokenizer, after, turns[number + 1]))
        return ClipText(self._tokenizer(before, add_special_tokens=False)["input_ids"], questions)

    def _continued(self, chat: Chat, after: str, answer: str, question: str) -> str:
        gap = "" if after[-1:].isspace() else " "
        begin, end = self._marks(chat)
        return f"{after}{gap}{answer.strip()}{self._tokenizer.eos_token or ''}{begin}{question}{end}"

    @staticmethod
    def _marks(chat: Chat) -> tuple[str, str]:
        """Return the marks of the chat template before and behind a further question."""
        rendered = chat.render("", "?")
        begin, _, end = rendered.partition("?")
        return begin.removeprefix(chat.tokenizer.bos_token or ""), end
