"""The adapter: one request per prompt, to a server whose abilities have been found out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from typing import TypeVar

from egobench.errors import EndpointError, ModelError, PromptError, RequestError, VideoError
from egobench.model import FramePolicy, ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.prompts import LETTERS
from egobench.server.completion import Completion
from egobench.server.pool import Chats

from .choice import choice_fields, read_choice
from .letters import letter_logprobs
from .probe import ServerAbilities, logprob_fields

Answer = TypeVar("Answer", Reply, OptionScores)


@dataclass(frozen=True, slots=True)
class Prices:
    """What tokens cost, per million.

    Attributes:
        read: Of a prompt, frames included; ``None`` where it is not known.
        written: Of a reply, thoughts included; ``None`` where it is not known.
    """

    read: float | None = None
    written: float | None = None

    def cost(self, answer: Completion) -> float | None:
        """The price of an answer, where prices and tokens are known; discounts for cached prompts are not."""
        amounts = (self.read, answer.prompt_tokens), (self.written, answer.reply_tokens)
        if any(price is None or tokens is None for price, tokens in amounts):
            return None
        return sum(price * tokens for price, tokens in amounts if price is not None and tokens is not None) / 1e6


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model behind an OpenAI-compatible server.

    Attributes:
        info: What identifies it.
        connection: The server, or several that give the same answers.
        abilities: What they can do.
        prices: What it takes for it.
    """

    info: ModelInfo
    connection: Chats
    abilities: ServerAbilities
    prices: Prices

    @property
    def at_once(self) -> int:
        """Most requests under way at a time."""
        return self.connection.at_once

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Answer each prompt by a request of its own; one that fails in spite of all tries is a reply with an error.

        Raises:
            ModelError: If the server will answer nobody any more, or cannot be shown frames.
        """
        return self._answer_each(self._reply, prompts)

    def _answer_each(self, answer: Callable[[Prompt], Answer], prompts: Sequence[Prompt]) -> list[Answer]:
        if len(prompts) == 1:
            return [answer(prompts[0])]
        with ThreadPool(min(self.at_once, len(prompts))) as pool:
            return list(pool.imap(answer, prompts))

    def _reply(self, prompt: Prompt) -> Reply:
        form = self.abilities.choice if prompt.options else None
        fields = choice_fields(form, LETTERS[: len(prompt.options)]) if form else {}
        try:
            answer = self._ask(prompt, fields)
        except RequestError as error:
            return Reply("", error=str(error), tries=error.tries)
        return Reply(
            (read_choice(form, answer.text) if form else answer.text).strip(),
            finish_reason=answer.finish,
            prompt_tokens=answer.prompt_tokens,
            reply_tokens=answer.reply_tokens,
            tries=answer.tries,
            cost=self.prices.cost(answer),
        )

    def _ask(self, prompt: Prompt, fields: dict[str, object]) -> Completion:
        dialect = self.abilities.dialect
        if len(prompt.frames) and self.abilities.blind:
            raise ModelError(
                f"model {self.info.name!r}: {self.abilities.blind}; without frames it can be asked: --control blind"
            )
        try:
            return self.connection.chat({**dialect.body(prompt), **fields})
        except RequestError:
            raise
        except EndpointError as error:
            raise ModelError(f"model {self.info.name!r}: {error}") from error
        except VideoError as error:
            raise RequestError(f"the frames cannot be sent: {error}") from error


@dataclass(frozen=True, slots=True)
class ScoredModel(ServedModel):
    """One whose server also tells how likely the first token of a reply was, and the next likeliest ones."""

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> list[OptionScores]:
        """Score the letter of every option of every prompt, by one request per prompt.

        Raises:
            ModelError: As :meth:`generate`, or if texts of options are to be scored.
            PromptError: If a request fails in spite of all tries, or its answer holds no log-probabilities.
        """
        if form != "letter":
            raise ModelError(
                f"model {self.info.name!r}: chats tell no log-probability of a given text; "
                "use --method likelihood-letter or --method generate"
            )
        return self._answer_each(self._scores, prompts)

    def _scores(self, prompt: Prompt) -> OptionScores:
        try:
            answer = self._ask(prompt, logprob_fields(self.abilities.dialect, self.abilities.logprobs))
        except RequestError as error:
            raise PromptError(str(error), tries=error.tries) from error
        scored = letter_logprobs(answer.logprobs, LETTERS[: len(prompt.options)])
        if scored is None:
            raise PromptError(f"the answer holds no log-probabilities: {answer.logprobs!r:.200}")
        return OptionScores(
            tuple(scored[0]),
            (1,) * len(prompt.options),
            floored=scored[1],
            prompt_tokens=answer.prompt_tokens,
            reply_tokens=answer.reply_tokens,
            tries=answer.tries,
            cost=self.prices.cost(answer),
        )


def open_model(connection: Chats, abilities: ServerAbilities, frames: FramePolicy, prices: Prices) -> ServedModel:
    """The adapter of a server whose abilities are known."""
    dialect = abilities.dialect
    settings: dict[str, str | int | float | bool | None] = {
        "server": connection.hosts,
        "model": dialect.model,
        **(dialect.media.settings() if dialect.media else {"media": "none"}),
        "system_as": "system" if dialect.system else "user",
        "limit_as": dialect.limit_as,
        "temperature": 0 if dialect.temperature else None,
        "thinking": dialect.thinking,
        "top_logprobs": abilities.logprobs,
        "choice": abilities.choice or "none",
        "extra": dialect.extra_text,
    }
    name = re.sub(r"[^\w.-]+", "-", dialect.model.rstrip("/").rpartition("/")[2]).strip("-.") or "openai"
    info = ModelInfo(name=name, revision=abilities.served, frames=frames, settings=settings)
    kind = ScoredModel if abilities.logprobs else ServedModel
    return kind(info, connection, abilities, prices)
