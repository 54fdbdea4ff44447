"""Validation between steps: losses on held-out clips, the cosine of F(x) to y, and captions."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from reference_exo2ego.model.exo2ego import ClipInputs, Exo2Ego
from reference_exo2ego.model.stages import Stage
from reference_exo2ego.model.words import IGNORED, Words, splice

from .batches import ClipBatch, MicroBatch
from .engine import Engine
from .loop import LOSS_PARTS
from .processes import Processes
from .tracking import Tracker

CAPTIONED = 4
"""Clips that the model captions, to be read by a person."""

LONGEST = 24
"""Most tokens of a caption."""


class Caption(NamedTuple):
    """A caption that a model writes, beside the right one.

    Attributes:
        prompt: The question about the clip; ``""`` for a mere caption.
        expected: The right answer.
        reply: The model's answer.
    """

    prompt: str
    expected: str
    reply: str


@dataclass(frozen=True, slots=True)
class Validation:
    """Validates the model of a stage, and records the results.

    Attributes:
        engine: Has the model.
        micro_batches: Held-out clips, the same on every process; empty for none, and then nothing is recorded.
        processes: The processes.
        tracker: Where records go.
        tokenizer: Tokenizer of the language model.
        stage: The stage.
    """

    engine: Engine
    micro_batches: Sequence[MicroBatch]
    processes: Processes
    tracker: Tracker
    tokenizer: Any
    stage: str

    def __call__(self, step: int) -> None:
        """Record validation losses and captions; every process calls it.

        Args:
            step: After how many steps.
        """
        if not self.micro_batches:
            return
        with evaluation_mode(self.engine.model):
            numbers = self._numbers()
            replies = self._captions()
        with self.processes.together(f"{self.stage}, step {step}: writing the log"):
            self.tracker.record("validation", self.stage, step, **numbers)
            if replies:
                self.tracker.record("captions", self.stage, step, captions=[caption._asdict() for caption in replies])

    def _numbers(self) -> dict[str, float]:
        names: tuple[str, ...] = (*LOSS_PARTS, "cosine", "cosine_unmapped")
        sums, counts = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
        # Every process computes as many, for where ZeRO spreads weights they all have to compute together.
        rounds = -(-len(self.micro_batches) // self.processes.count)
        for turn in range(rounds):
            place = turn * self.processes.count + self.processes.rank
            counted = place < len(self.micro_batches)
            batch = self.micro_batches[place % len(self.micro_batches)].batch.to(self.engine.device)
            losses = self.engine.losses(batch)
            values = {name: float(getattr(losses, "total" if name == "loss" else name)) for name in LOSS_PARTS}
            by_words = {"loss", *self.engine.model.config.word_losses}
            weights = {name: batch.predicted if name in by_words else batch.clips for name in LOSS_PARTS}
            if isinstance(batch, ClipBatch) and batch.inputs.ego is not None and batch.inputs.exo is not None:
                near = nearness(self.engine.model, batch.inputs)
                values |= {"cosine": near.mapped, "cosine_unmapped": near.unmapped}
                weights |= {"cosine": batch.clips, "cosine_unmapped": batch.clips}
            for name, value in values.items() if counted else ():
                sums[name] += value * weights[name]
                counts[name] += weights[name]
        totals = self.processes.sums([*sums.values(), *counts.values()])
        means = zip(names, totals[: len(names)], totals[len(names) :], strict=True)
        return {name: total / count for name, total, count in means if count}

    def _captions(self) -> list[Caption]:
        for micro in self.micro_batches:
            if isinstance(micro.batch, ClipBatch):
                batch = ClipBatch(micro.batch.stage, slice_clips(micro.batch.inputs, CAPTIONED))
                return captions(self.engine.model, batch.to(self.engine.device), self.tokenizer)
        return []


class Nearness(NamedTuple):
    """Mean cosine of patches to those of the exocentric view at the same place.

    Attributes:
        mapped: Of F(x) to y.
        unmapped: Of x to y, which F has to exceed.
    """

    mapped: float
    unmapped: float


def nearness(model: Exo2Ego, inputs: ClipInputs) -> Nearness:
    """Compute how near F(x) and x are to y.

    Args:
        model: The model.
        inputs: Clips with both views.
    """
    ego: Any = inputs.ego
    exo: Any = inputs.exo
    x, y = model.features("ego", ego), model.features("exo", exo)
    mapped, unmapped = (
        float(functional.cosine_similarity(features.float(), y.float(), dim=-1).mean())
        for features in (model.to_exo(x), x)
    )
    return Nearness(mapped, unmapped)


def captions(model: Exo2Ego, clips: ClipBatch, tokenizer: Any) -> list[Caption]:
    """Answer the first question about each clip by greedy decoding.

    Args:
        model: The model.
        clips: The clips.
        tokenizer: Tokenizer of its language model.
    """
    replies: list[Caption] = []
    for number in range(clips.clips):
        inputs = slice_clips(clips.inputs, 1, number)
        ids, labels = inputs.words.ids[0], inputs.words.labels[0]
        answered = (labels != IGNORED).nonzero().flatten()
        begin = int(answered[0])
        behind = (labels[begin:] == IGNORED).nonzero().flatten()
        end = begin + int(behind[0]) if len(behind) else len(labels)
        words = Words(ids[None, :begin], labels[None, :begin])
        video = _video(model, clips.stage, inputs)
        spliced = splice(words, model.language.get_input_embeddings(), video)
        reply = _continue(model, spliced.inputs, tokenizer.eos_token_id)
        prompt = tokenizer.decode([token for token in ids[:begin].tolist() if token >= 0], skip_special_tokens=True)
        expected = tokenizer.decode(labels[begin:end].tolist(), skip_special_tokens=True)
        replies.append(
            Caption(prompt.strip(), expected.strip(), tokenizer.decode(reply, skip_special_tokens=True).strip())
        )
    return replies


def slice_clips(inputs: ClipInputs, count: int, begin: int = 0) -> ClipInputs:
    """Return ``count`` of the clips, from the one with the number ``begin`` on."""
    words = inputs.words
    segments = None if words.segments is None else words.segments[begin : begin + count]
    ego, exo = (None if view is None else view[begin : begin + count] for view in (inputs.ego, inputs.exo))
    return ClipInputs(Words(words.ids[begin : begin + count], words.labels[begin : begin + count], segments), ego, exo)


@contextmanager
def evaluation_mode(model: Exo2Ego) -> Generator[None]:
    """Switch dropout and gradients of a model off for the duration of the context."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _video(model: Exo2Ego, stage: Stage, inputs: ClipInputs) -> torch.Tensor:
    if inputs.ego is not None and stage != "stage1":
        return model.read_learner(inputs.ego, stage)
    exo: Any = inputs.exo
    return model.read_view("exo", exo)


def _continue(model: Exo2Ego, inputs: torch.Tensor, end: int | None) -> list[int]:
    """Decode greedily, up to a token that ends the reply."""
    embed, reply, ended = model.language.get_input_embeddings(), list[int](), False
    for _ in range(LONGEST):
        hidden = model.language.model(inputs_embeds=inputs, use_cache=False).last_hidden_state
        token = model.language.lm_head(hidden[:, -1]).argmax(-1)
        ended = ended or int(token) == end
        if not ended:
            reply.append(int(token))
        elif not hasattr(embed.weight, "ds_id"):
            # Where ZeRO spreads weights, all processes compute together and need as many passes.
            break
        inputs = torch.cat([inputs, embed(token)[:, None]], dim=1)
    return reply
