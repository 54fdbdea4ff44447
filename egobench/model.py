"""What a model is: something that answers prompts, and the small protocols for what some models can do beyond that.

A model gets decoded frames, never a path, so every model sees the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

OptionForm = Literal["letter", "text", "enclosed-text"]
"""What is scored of an option: its letter at one position, its text, or its text with one token before and after it.

``enclosed-text`` adds two tokens to each option's own: the last one of the prompt, and the one that ends a reply. Their
mean log-probability is the loss of EgoPlan's released evaluation, negated.
"""

Method = Literal["generate", "likelihood-letter", "likelihood-sum", "likelihood-mean", "likelihood-official"]
"""How a model's answer becomes a number: a reply that is read, or a score per option."""


@dataclass(frozen=True, slots=True)
class FramePolicy:
    """Which frames a model asks for where it wants others than the task's.

    Attributes:
        count: Number of frames; ``None`` leaves it to the task; 0 means the model looks at none.
        short_side: Pixels of the shorter side; ``None`` leaves it to the task.
        fps: Frames per second, at most ``count`` of them; ``None`` for ``count`` whatever a clip's length.
    """

    count: int | None = None
    short_side: int | None = None
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Identity of a model in a run. Two models with equal info give the same answers.

    Attributes:
        name: Short name, also the folder of its runs, e.g. ``"qwen2-vl-7b"``.
        revision: A version that never moves: a commit, a release, ``"1"``.
        weights: Fingerprint of the weights, ``""`` for a model without any.
        dtype: Number format it computes in, ``""`` for a model without weights.
        frames: Frames it asks for.
        settings: Every other option that changes its answers, by name.
    """

    name: str
    revision: str
    weights: str = ""
    dtype: str = ""
    frames: FramePolicy = field(default_factory=FramePolicy)
    settings: dict[str, str | int | float | bool | None] = field(
        default_factory=dict[str, "str | int | float | bool | None"]
    )


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question as it is put to a model. It holds no id, path or answer.

    Attributes:
        frames: uint8 RGB ``(n_frames, height, width, 3)``; ``n_frames`` is 0 for a blind prompt.
        times: Seconds of each frame from the first displayed frame of the video, ``(n_frames,)``.
        system: The system prompt.
        question: The question alone, for a model with a template of its own.
        options: The options alone; empty for an open question.
        text: The user's turn: question, options and instruction, as rendered by :mod:`egobench.prompts`.
        max_new_tokens: Most tokens a reply may have.
        seed: For any randomness, drawn from the sample's id and the run's seed.
        task: Name of the task, for a model whose release has words of its own for it; ``""`` outside of a run.
    """

    frames: np.ndarray
    times: np.ndarray
    system: str
    question: str
    options: tuple[str, ...]
    text: str
    max_new_tokens: int
    seed: int
    task: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens, tries and price of an answer; never part of a score.

    Attributes:
        prompt_tokens: Tokens read, where the model knows.
        reply_tokens: Tokens written, where the model knows.
        tries: Number of requests; more than one where a server failed.
        cost: Price in the currency of the prices that were given; ``None`` where none were.
    """

    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    tries: int = 1
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Reply(Usage):
    """A model's answer in words.

    Attributes:
        text: The new text, without the prompt and special tokens.
        error: Why there is no answer (a request that failed); ``None`` when there is one. Never scored as an answer.
        finish_reason: Why the text ends, as servers call it: ``"stop"`` where the model ended it, ``"length"`` where it
            was cut off at :attr:`Prompt.max_new_tokens`; ``""`` where that is not known.
    """

    text: str
    error: str | None = None
    finish_reason: str = ""


@dataclass(frozen=True, slots=True)
class OptionScores(Usage):
    """Log-probabilities of every option of one prompt.

    Attributes:
        logprobs: Sum over the option's tokens, one number per option, natural logarithm.
        tokens: Number of tokens summed over, one number per option.
        floored: Options whose log-probability is not known, only that it is at most what stands for it.
    """

    logprobs: tuple[float, ...]
    tokens: tuple[int, ...]
    floored: int = 0


@runtime_checkable
class Model(Protocol):
    """A model that answers prompts in words."""

    @property
    def info(self) -> ModelInfo:
        """What identifies the model in a run."""
        ...

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        """Answer a batch greedily.

        Args:
            prompts: At least one.

        Returns:
            One reply per prompt, in order.
        """
        ...


@runtime_checkable
class ScoresOptions(Protocol):
    """A model that can tell how likely each option is."""

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> Sequence[OptionScores]:
        """Score every option of every prompt; video and shared prompt are encoded once per prompt.

        Args:
            prompts: At least one, each with options.
            form: Score the option's letter after a prefilled answer start, or the option's text, alone or with the last
                token of the prompt and the one that ends a reply.

        Returns:
            One entry per prompt, in order.
        """
        ...


@runtime_checkable
class Concurrent(Protocol):
    """A model that may be called from several threads, one prompt per call: what answers is elsewhere."""

    @property
    def at_once(self) -> int:
        """Most calls under way at a time, at least 1."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """A dual encoder: clips and texts in one space."""

    def encode_clips(self, prompts: Sequence[Prompt]) -> np.ndarray:
        """Embed the frames of each prompt: ``(n_prompts, dim)`` float32, rows of length 1."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts: ``(n_texts, dim)`` float32, rows of length 1."""
        ...
