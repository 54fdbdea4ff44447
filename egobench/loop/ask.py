"""Asking a model one part of a run: clips are decoded ahead of it, and every answer is written down as it comes."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from egobench.controls import Control, alter, clips, seed_of
from egobench.errors import MissingVideoError
from egobench.loop.answer import NOTHING, Answers, Question
from egobench.loop.concurrent import answer_at_once
from egobench.model import Concurrent, Encoder, Method, Model, ModelInfo, Prompt
from egobench.orders import orders_of, turned
from egobench.prompts import MAX_NEW_TOKENS, SYSTEM, user_turn
from egobench.retrieval.embeddings import embedded
from egobench.retrieval.rerank import Candidates, Rerank
from egobench.retrieval.tables import Rows, open_rows
from egobench.run.store import Event, Prediction, Run
from egobench.sample import Clip, Sample
from egobench.scoring.score import Part
from egobench.task import Task
from egobench.video import ClipRequest, DecodedClip, FailedClip, FrameRule, fingerprint, stored_as, stream_clips


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run is done.

    Attributes:
        method: How an answer becomes a number.
        control: What is removed or altered; ``None`` for a plain run.
        prompt: Id of the prompt style.
        frames: Frames a clip; ``None`` leaves it to the model, else to the task.
        limit: Most samples of each subset, a seeded choice; ``None`` for all.
        seed: Seed of everything random.
        batch_size: Prompts a call of the model; never changes an answer, so it is no part of the spec.
        workers: Threads that decode.
        in_flight: Most decoded clips that wait for the model.
        orders: Cyclic orders of its options that every sample is asked in.
        rerank: Whose best texts of a gallery are scored again; ``None`` for an encoder's scores of all.
        text_prior: How much of an option's score without the video is taken off its score, at least 0.
    """

    method: Method = "generate"
    control: Control | None = None
    prompt: str = "first_person"
    frames: int | None = None
    limit: int | None = None
    seed: int = 0
    batch_size: int = 1
    workers: int = 1
    in_flight: int = 4
    orders: int = 1
    rerank: Rerank | None = None
    text_prior: float = 0.0


class Observer(Protocol):
    """Who is told how a run goes."""

    def begin(self, part: str, asked: int, done: int) -> None:
        """A part begins: how many questions it asks, and how many have been answered before."""
        ...

    def advance(self, samples: int) -> None:
        """So many questions more are done."""
        ...

    def warn(self, message: str) -> None:
        """Something went wrong that does not stop the run."""
        ...


@dataclass(frozen=True, slots=True)
class Silent:
    """An observer that says nothing."""

    def begin(self, part: str, asked: int, done: int) -> None:
        """Say nothing."""

    def advance(self, samples: int) -> None:
        """Say nothing."""

    def warn(self, message: str) -> None:
        """Say nothing."""


@dataclass
class Asking:
    """One part of a run under way.

    Attributes:
        part: What is asked.
        run: Where answers go.
        model: Who is asked.
        videos: Folder of videos.
        settings: How it is done.
        observer: Who is told how it goes.
        rows: Where scores of a gallery go; ``None`` for a part without one.
    """

    part: Part
    run: Run
    model: Model
    videos: Path
    settings: Settings
    observer: Observer
    rows: Rows | None = None
    _fingerprints: dict[Path, str] = field(default_factory=dict[Path, str])

    def fingerprint(self, clip: Clip) -> str:
        """The clip's video as it is now, ``""`` while there is no such file; each file is looked at once."""
        path = locate(self.videos, self.part.task, clip)
        if path not in self._fingerprints:
            try:
                self._fingerprints[path] = fingerprint(path)
            except MissingVideoError:
                self._fingerprints[path] = ""
        return self._fingerprints[path]

    def write(self, predictions: Sequence[Prediction]) -> None:
        """Keep answers and say so."""
        self.run.append(self.part.name, self.rows.keep(predictions) if self.rows else predictions)
        self.observer.advance(len(predictions))


@dataclass(frozen=True, slots=True)
class Shown:
    """What a model is shown of one sample.

    Attributes:
        sample: The sample, its options in the order shown.
        frames: uint8 RGB ``(n_frames, height, width, 3)``; none for a model that looks at nothing.
        times: Seconds of each frame, ``(n_frames,)``.
        evidence: The prediction so far: order, receipt and video, or why there is nothing to show.
    """

    sample: Sample
    frames: np.ndarray
    times: np.ndarray
    evidence: Prediction


def frame_rule(task: Task, info: ModelInfo, settings: Settings) -> FrameRule | None:
    """Which frames are shown: the run's number, else the model's, else the task's; ``None`` when none are."""
    asked = settings.frames if settings.frames is not None else info.frames.count
    if settings.control == "blind" or asked == 0:
        return None
    count = task.frames.count if asked is None else asked
    return replace(task.frames, count=count, short_side=info.frames.short_side or task.frames.short_side)


def locate(videos: Path, task: Task, clip: Clip) -> Path:
    """Where a clip's video is, or its folder of frames: below the task's own folder of videos where there is one."""
    folder = videos / task.name
    return stored_as((folder if folder.is_dir() else videos) / clip.video)


def ask(asking: Asking) -> None:
    """Ask every sample of a part, in every order of its options, that has no answer yet.

    An answer is kept if the video it was given for is still the same; media and request errors are tried again.

    Raises:
        ValueError: If the control is impossible for the samples.
        StoreError: If the run folder cannot be written.
    """
    part, settings = asking.part, asking.settings
    shown = clips(part.samples, settings.control, settings.seed)
    done = asking.run.by_order(part.name)
    asking.rows = open_rows(asking.run, part, Candidates.of_part(part, settings.rerank, settings.seed))
    if asking.rows:
        done = {0: asking.rows.kept(done.get(0, {}))}
    todo = {
        sample.id: [
            order
            for order in orders_of(sample, part.orders)
            if not _kept(asking, done.get(order, {}).get(sample.id), shown[sample.id])
        ]
        for sample in part.asked
    }
    answers = Answers(asking.model, part, settings.batch_size, _texts(asking) if any(todo.values()) else None)
    asked = sum(len(orders_of(sample, part.orders)) for sample in part.asked)
    asking.observer.begin(part.name, asked, asked - sum(map(len, todo.values())))
    if asking.rows:
        lost = asking.rows.lost(sample for sample in part.asked if todo[sample.id])
        todo |= {one.id: [] for one in lost}
        if lost:
            told = f"the retriever has no scores of {len(lost)} clips; were they asked in its run, and seen?"
            asking.observer.warn(f"{part.name}: {told}")
            asking.write(lost)
    # Closed whatever happens, so that no thread goes on decoding for a run that has ended.
    with closing(_questions(asking, todo, shown)) as questions:
        if isinstance(asking.model, Concurrent):
            answer_at_once(
                questions, lambda one: list(answers.of([one])), lambda told: _write(asking, told), asking.model.at_once
            )
        else:
            _ask_in_batches(asking, answers, questions)
    if asking.rows:
        asking.rows.flush()


def clip_requests(
    samples: Iterable[Sample], shown: Mapping[str, Clip], task: Task, videos: Path, rule: FrameRule
) -> dict[str, tuple[ClipRequest, list[Sample]]]:
    """One request a distinct clip, with the samples that ask about it, by the request's key."""
    found: dict[str, tuple[ClipRequest, list[Sample]]] = {}
    for sample in samples:
        clip = shown[sample.id]
        key = f"{clip.video} from {clip.start:g} to {'its end' if clip.end is None else f'{clip.end:g}'} seconds"
        if key not in found:
            found[key] = (ClipRequest(key, locate(videos, task, clip), clip.start, clip.end, rule), [])
        found[key][1].append(sample)
    return found


def _kept(asking: Asking, prediction: Prediction | None, clip: Clip) -> bool:
    if prediction is None or not prediction.final:
        return False
    if not prediction.video:
        return True
    # A video that has gone away says nothing against an answer given while it was there.
    return asking.fingerprint(clip) in {prediction.video, ""}


def _show(asking: Asking, todo: Mapping[str, Sequence[int]], shown: Mapping[str, Clip]) -> Iterator[Shown]:
    part, settings = asking.part, asking.settings
    samples = [sample for sample in part.asked if todo[sample.id]]
    rule = frame_rule(part.task, asking.model.info, settings)
    if rule is None:
        for sample in samples:
            evidence = Prediction(sample.id, "unparsed")
            yield from _in_orders(Shown(sample, *NOTHING, evidence), todo[sample.id])
        return
    wanted = clip_requests(samples, shown, part.task, asking.videos, rule)
    with stream_clips(
        [request for request, _ in wanted.values()], workers=settings.workers, in_flight=settings.in_flight
    ) as stream:
        for seen in stream:
            if not isinstance(seen, DecodedClip):
                asking.observer.warn(f"{part.name}: {seen.error}")
            for sample in wanted[seen.key][1]:
                yield from _in_orders(_shown(asking, sample, shown[sample.id], seen), todo[sample.id])


def _in_orders(shown: Shown, orders: Iterable[int]) -> Iterator[Shown]:
    for order in orders:
        yield replace(shown, sample=turned(shown.sample, order), evidence=replace(shown.evidence, order=order))


def _shown(asking: Asking, sample: Sample, clip: Clip, seen: DecodedClip | FailedClip) -> Shown:
    if not isinstance(seen, DecodedClip):
        error = f"{type(seen.error).__name__}: {seen.error}"
        return Shown(sample, *NOTHING, Prediction(sample.id, "media_error", error=error))
    evidence = Prediction(sample.id, "unparsed", receipt=seen.receipt.to_json(), video=asking.fingerprint(clip))
    frames = alter(seen.frames, asking.settings.control, seed_of(sample, asking.settings.seed))
    return Shown(sample, frames, seen.times, evidence)


def _questions(asking: Asking, todo: Mapping[str, Sequence[int]], shown: Mapping[str, Clip]) -> Generator[Question]:
    """What is to be asked; what cannot be shown is written down on the way."""
    for each in _show(asking, todo, shown):
        if each.evidence.error is not None:
            asking.write([each.evidence])
        else:
            yield _question(each, asking)


def _ask_in_batches(asking: Asking, answers: Answers, questions: Iterator[Question]) -> None:
    batch: list[Question] = []
    for question in questions:
        batch.append(question)
        if len(batch) >= answers.batch_size:
            _write(asking, answers.of(batch))
            batch = []
    _write(asking, answers.of(batch))


def _texts(asking: Asking) -> np.ndarray | None:
    if asking.part.method != "embedding" or not isinstance(asking.model, Encoder):
        return None
    return embedded(asking.model, [item.text for item in asking.part.sample_set.gallery])


def _question(shown: Shown, asking: Asking) -> Question:
    part, settings, sample = asking.part, asking.settings, shown.sample
    listed = sample.options
    if asking.rows and asking.rows.candidates:
        sample = asking.rows.candidates.shown(sample)
        # More texts than there are letters are scored as answers to the bare question.
        listed = sample.options if part.method == "likelihood-letter" else ()
    prompt = Prompt(
        frames=shown.frames,
        times=shown.times,
        system=SYSTEM[settings.prompt],
        question=sample.question,
        options=sample.options,
        text=user_turn(sample.question, listed),
        max_new_tokens=MAX_NEW_TOKENS[part.subset.protocol],
        seed=seed_of(sample, settings.seed) + shown.evidence.order,
    )
    return Question(prompt, shown.evidence)


def _write(asking: Asking, answered: Iterable[tuple[list[Prediction], str]]) -> None:
    for predictions, problem in answered:
        if problem:
            asking.run.append_event(Event(asking.part.name, problem))
            asking.observer.warn(f"{asking.part.name}: {problem}")
        for one in predictions:
            if one.outcome == "request_error" and not problem:
                asking.observer.warn(f"{asking.part.name}: {one.error}")
        asking.write(predictions)
