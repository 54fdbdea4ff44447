"""Modes: how the samples of a part are presented, answered and recorded, for each protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from egobench.errors import ModelError
from egobench.loop.answer import Answerer, EmbeddingAnswerer, LikelihoodAnswerer, ReplyAnswerer
from egobench.model import Encoder, Model
from egobench.retrieval.embeddings import embed_texts
from egobench.retrieval.rerank import Candidates
from egobench.retrieval.tables import TableRecorder
from egobench.run.plan import Part
from egobench.run.recorder import LineRecorder, Recorder
from egobench.run.spec import Rerank
from egobench.run.store import Run
from egobench.sample import Sample
from egobench.scoring.entry import scored_by


class Presented(NamedTuple):
    """A sample as a prompt presents it.

    Attributes:
        sample: The sample with the options that are scored or chosen from.
        listed: The options that the prompt's text lists.
    """

    sample: Sample
    listed: tuple[str, ...]


def present_options(sample: Sample) -> Presented:
    """A sample with its own options, all of them listed."""
    return Presented(sample, sample.options)


def no_obstacle(sample: Sample) -> str:  # noqa: ARG001 - every sample can be asked
    """No reason against asking a sample."""
    return ""


@dataclass(frozen=True, slots=True)
class Mode:
    """How the samples of one part are presented, answered and recorded.

    Attributes:
        recorder: Where predictions are written.
        make_answerer: Makes what answers questions; called only when there is something to ask.
        present: From a sample to what the prompt presents.
        obstacle: Why a sample cannot be asked at all; ``""`` mostly.
    """

    recorder: Recorder
    make_answerer: Callable[[], Answerer]
    present: Callable[[Sample], Presented] = present_options
    obstacle: Callable[[Sample], str] = no_obstacle


def choose_mode(part: Part, run: Run, model: Model) -> Mode:
    """The mode of a part's protocol.

    Args:
        part: The part.
        run: The run folder.
        model: The model that will answer.

    Raises:
        ModelError: If a gallery's texts are to be embedded by a model that is no encoder.
        StoreError: If a table of scores cannot be written, or holds another one.
    """
    rerank = part.settings.rerank
    if part.subset.protocol == "gallery":
        return _gallery_mode(part, run, model)
    if part.subset.protocol == "rerank" and rerank is not None:
        return _rerank_mode(part, run, model, rerank)
    return Mode(LineRecorder(run, part.name), lambda: _option_answerer(part, model))


def _option_answerer(part: Part, model: Model) -> Answerer:
    method = part.method
    if method == "generate" or method == "embedding":  # noqa: PLR1714 - a type checker narrows by ==
        return ReplyAnswerer(model)
    return LikelihoodAnswerer(model, method, scored_by(method, part.text_prior), part.text_prior)


def _gallery_mode(part: Part, run: Run, model: Model) -> Mode:
    if not isinstance(model, Encoder):
        raise ModelError(f"model {model.info.name!r} does not embed clips and texts")
    texts = [item.text for item in part.sample_set.gallery]
    return Mode(
        recorder=TableRecorder(run, part),
        make_answerer=lambda: EmbeddingAnswerer(model, embed_texts(model, texts)),
    )


def _rerank_mode(part: Part, run: Run, model: Model, rerank: Rerank) -> Mode:
    tables, sample_set = rerank.tables, part.sample_set
    candidates = Candidates(sample_set, rerank.top, tables[sample_set.name], part.settings.seed)

    def present(sample: Sample) -> Presented:
        with_options = candidates.with_options(sample)
        # More texts than there are letters are scored as answers to the bare question.
        return Presented(with_options, with_options.options if part.method == "likelihood-letter" else ())

    def obstacle(sample: Sample) -> str:
        return "" if candidates.covers(sample) else "the retriever has no scores of it"

    return Mode(
        recorder=TableRecorder(run, part, dtype=np.float64, to_row=candidates.row),
        make_answerer=lambda: _option_answerer(part, model),
        present=present,
        obstacle=obstacle,
    )
