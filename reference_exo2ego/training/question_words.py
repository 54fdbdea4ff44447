"""Words of rows of questions, tokenised as the harness asks them when it scores the texts of options."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from random import Random
from typing import Any

from egobench.prompts import SYSTEM, user_turn
from reference_exo2ego.backbone.chat import Chat, find_chat
from reference_exo2ego.model.words import Question, Words, pack, tokenise

from .question_recipe import RowKind
from .question_rows import DrawnRow, QuestionRow, RowQuestion
from .word_tokenizer import CONTINUED

PROMPT = "first_person"
"""The system prompt that rows begin with, which is what the harness puts by default."""


class QuestionWords:
    """Makes words of questions, as the harness asks them when it scores the texts of options.

    Args:
        tokenizer: Tokenizer of the language model; ``None`` as long as no words are made.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[tuple[str, str], Question] = {}
        self._stems: dict[str, list[int]] = {}

    @cached_property
    def _chat(self) -> Chat:
        return find_chat(self._tokenizer, mistral=True)

    @cached_property
    def before(self) -> list[int]:
        """The tokens that stand before a video."""
        before, _ = self._chat.around_video(SYSTEM[PROMPT], user_turn("", ()))
        return list(self._tokenizer(before, add_special_tokens=False)["input_ids"])

    def __call__(self, question: str, answer: str) -> Question:
        """Tokenise a question and its answer; the answer's last full stop is dropped, as options have none."""
        if (question, answer) not in self._known:
            _, after = self._chat.around_video(SYSTEM[PROMPT], user_turn(question, ()))
            self._known[question, answer] = tokenise(self._tokenizer, after, answer.strip().removesuffix("."))
        return self._known[question, answer]

    def pack(self, kind: RowKind, drawn: Sequence[DrawnRow]) -> Words:
        """Pack rows with their questions into one batch of text."""
        return pack([(self.before, self._questions(kind, row, seed)) for row, seed in drawn])

    def _questions(self, kind: RowKind, row: QuestionRow, seed: int) -> list[Question]:
        """Tokenise the questions of a row: all, or as many as the kind has, rare forms as often as frequent ones."""
        rng, forms = Random(seed), list(row.forms.values())  # noqa: S311
        questions: dict[int, RowQuestion] = dict(enumerate(row.questions))
        if len(questions) > kind.questions:
            questions = {}
            while len(questions) < kind.questions:
                question = rng.choice(rng.choice(forms))
                questions[id(question)] = question
        return [self(question.question, question.answer) for question in questions.values()]

    def stems(self, words: Sequence[str]) -> list[int]:
        """Return the tokens of some words, without their endings."""
        text = " ".join(words)
        if text not in self._stems:
            stems = [token for token in self._tokenizer.tokenize(text) if not token.startswith(CONTINUED)]
            self._stems[text] = list(self._tokenizer.convert_tokens_to_ids(stems))
        return self._stems[text]
