"""The loop over one part of a run: clips are decoded ahead of the model, and predictions are recorded as they come."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np

from egobench.controls import alter, clips, seed_of
from egobench.loop.answer import NO_FRAMES, Answers, BatchedAnswerer, Evidence, Question
from egobench.loop.concurrent import answer_concurrently
from egobench.loop.mode import Mode
from egobench.loop.units import OrderOf, Pending, Unit, UnitQueue, WholeQueue, split_units
from egobench.model import Concurrent, Model, Prompt
from egobench.observer import Observer
from egobench.orders import orders_of, turned
from egobench.prompts import MAX_NEW_TOKENS, SYSTEM, user_turn
from egobench.run.media import SharedClip, VideoFolder, frame_rule
from egobench.run.plan import Part
from egobench.run.records import Event, Prediction, PredictionsByOrder
from egobench.run.store import Run
from egobench.sample import Clip, Sample
from egobench.video import ClipReader, ClipRequest, ClipStream, DecodedClip, FailedClip, read_clips


@dataclass(frozen=True, slots=True)
class PartRun:
    """One part of a run under way.

    Attributes:
        part: What is asked.
        mode: How its samples are presented, answered and recorded.
        model: The model.
        videos: The videos of the task.
        run: Where events are written.
        observer: Receives the progress.
        read: Reads clips out of a file.
        queue: Hands out the units that this process is to do.
        finish_reasons: How often replies ended for each reason.
    """

    part: Part
    mode: Mode
    model: Model
    videos: VideoFolder
    run: Run
    observer: Observer
    read: ClipReader = read_clips
    queue: UnitQueue = field(default_factory=WholeQueue)
    finish_reasons: Counter[str] = field(default_factory=Counter[str])

    def record(self, predictions: Sequence[Prediction]) -> None:
        """Write predictions, and count them as progress."""
        self.mode.recorder.write(predictions)
        self.observer.advance(len(predictions))

    def record_answers(self, answers: Iterable[Answers]) -> None:
        """Write what came of questions; problems are events, and warned of."""
        for predictions, problem in answers:
            if problem:
                self.run.append_event(Event(self.part.name, problem))
                self.warn(problem)
            for prediction in predictions:
                self.finish_reasons[prediction.finish_reason] += 1
                if prediction.outcome == "request_error" and not problem:
                    self.warn(f"{prediction.error}")
            self.record(predictions)

    def warn(self, message: str) -> None:
        """Report a problem of this part."""
        self.observer.warn(f"{self.part.name}: {message}")


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a sample.

    Attributes:
        sample: The sample, its options in the order shown.
        frames: uint8 RGB ``(n_frames, height, width, 3)``; none for a prompt without a video.
        times: Seconds of each frame, ``(n_frames,)``.
        evidence: What a prediction keeps of it.
    """

    sample: Sample
    frames: np.ndarray
    times: np.ndarray
    evidence: Evidence


class Obstacles:
    """Samples of a part that cannot be asked at all: recorded by the process that their units are handed out to.

    Args:
        work: The part.
        pending: What is to be done of it.
    """

    def __init__(self, work: PartRun, pending: Pending) -> None:
        self._work, self._pending = work, pending
        self._reasons = {
            sample.id: reason
            for sample in work.part.selected
            if pending.orders[sample.id] and (reason := work.mode.obstacle(sample))
        }
        self._warned = False
        self._struck: deque[Prediction] = deque()

    def strike(self, units: Iterable[Unit]) -> Iterator[Unit]:
        """Strike the samples from what is pending, and yield the units that have others; in whatever thread."""
        for unit in units:
            for sample in unit.samples:
                orders = self._pending.orders[sample.id]
                if orders and sample.id in self._reasons:
                    error = self._reasons[sample.id]
                    self._struck.extend(Prediction(sample.id, "request_error", error=error, order=n) for n in orders)
                    orders.clear()
            if any(self._pending.orders[sample.id] for sample in unit.samples):
                yield unit

    def record(self) -> None:
        """Record the samples struck since the last call; in the thread that records everything."""
        if self._struck and not self._warned:
            example, self._warned = min(self._reasons), True
            self._work.warn(f"{len(self._reasons)} samples cannot be asked, e.g. {example!r}: {self._reasons[example]}")
        while self._struck:
            self._work.record([self._struck.popleft()])


def ask_part(work: PartRun) -> None:
    """Ask every sample of a part, in every order of its options, that has no standing prediction yet.

    A prediction stands if the frames it was made for are still the same; media and request errors are tried again.

    Raises:
        ValueError: If the control is impossible for the samples.
        StoreError: If the run folder cannot be written.
    """
    part, mode = work.part, work.mode
    shown_clips = clips(part.samples, part.settings.control, part.settings.seed)
    pending = _pending(work, mode.recorder.kept(), shown_clips)
    total = sum(len(orders_of(sample, part.orders)) for sample in part.selected)
    answerer = BatchedAnswerer(mode.make_answerer(), part.settings.batch_size) if pending.count else None
    work.observer.begin(part.name, total, total - pending.count)
    if pending.changed:
        example = shown_clips[min(pending.changed).sample_id].video
        work.warn(
            f"the videos of {len(pending.changed)} answers have changed since, e.g. {example}; what shows other frames "
            "now is asked again"
        )
    if answerer is not None:
        _ask(work, answerer, pending, shown_clips)
    if work.finish_reasons["length"]:
        cut_off = f"{work.finish_reasons['length']} of {work.finish_reasons.total()} replies were cut off by length"
        work.warn(
            f"{cut_off}; what names no option before the cut is unparsed. Is the model thinking, or its template wrong?"
        )
    mode.recorder.flush()


def _pending(work: PartRun, kept: PredictionsByOrder, shown_clips: Mapping[str, Clip]) -> Pending:
    pending = Pending({sample.id: [] for sample in work.part.selected}, {})
    for sample in work.part.selected:
        video = shown_clips[sample.id].video
        for order in orders_of(sample, work.part.orders):
            prediction = kept.get(order, {}).get(sample.id)
            if prediction is None or not prediction.final:
                pending.orders[sample.id].append(order)
            # A video that has gone away says nothing against an answer given while it was there.
            elif prediction.video and work.videos.fingerprint(video) not in {prediction.video, ""}:
                pending.orders[sample.id].append(order)
                pending.changed[OrderOf(sample.id, order)] = prediction
    return pending


def _ask(work: PartRun, answerer: BatchedAnswerer, pending: Pending, shown_clips: Mapping[str, Clip]) -> None:
    # Closed whatever happens, so that no thread goes on decoding for a run that has ended.
    with closing(_questions(work, pending, shown_clips)) as questions:
        if isinstance(work.model, Concurrent):
            answer_concurrently(
                questions, lambda question: list(answerer.answer([question])), work.record_answers, work.model.at_once
            )
        else:
            _ask_in_batches(work, answerer, questions)


def _ask_in_batches(work: PartRun, answerer: BatchedAnswerer, questions: Iterator[Question]) -> None:
    batch: list[Question] = []
    for question in questions:
        batch.append(question)
        if len(batch) >= answerer.batch_size:
            work.record_answers(answerer.answer(batch))
            batch = []
    work.record_answers(answerer.answer(batch))


def _questions(work: PartRun, pending: Pending, shown_clips: Mapping[str, Clip]) -> Generator[Question]:
    """Questions in the order in which clips are decoded; a clip that cannot be decoded is recorded on the way."""
    part, settings = work.part, work.part.settings
    rule = frame_rule(part.task, work.model.info, settings)
    units = split_units(part.selected, None if rule is None else shown_clips, work.queue.most)
    units = [unit for unit in units if any(pending.orders[sample.id] for sample in unit.samples)]
    obstacles = Obstacles(work, pending)
    own_units = obstacles.strike(work.queue.take(units, pending))
    if rule is None:
        for unit in own_units:
            obstacles.record()
            yield from _without_frames(work, unit, pending)
        obstacles.record()
        return
    under_way: deque[dict[str, SharedClip]] = deque()

    def draw_clips() -> Iterator[Sequence[ClipRequest]]:
        """Draw the clips of one unit after another."""
        for unit in own_units:
            samples = [sample for sample in unit.samples if pending.orders[sample.id]]
            shared = work.videos.share(samples, shown_clips, rule)
            requests = [clip.request for clip in shared.values()]
            under_way.append(shared)
            yield requests

    stream = ClipStream(
        draw_clips(), work.read, workers=settings.workers, in_flight=settings.in_flight, timeout=settings.clip_timeout
    )
    with stream:
        for result in stream:
            obstacles.record()
            if isinstance(result, FailedClip):
                work.warn(str(result.error))
            # The clips of a unit come before those of the next one, which may show one of them again.
            samples = under_way[0].pop(result.key).samples
            if not under_way[0]:
                under_way.popleft()
            for sample in samples:
                orders = pending.orders[sample.id]
                if isinstance(result, FailedClip):
                    work.record([_media_error(sample, order, result) for order in orders])
                    continue
                view = _view(work, sample, shown_clips[sample.id], result)
                changed = [order for order in orders if not _renew(work, pending, view, order)]
                yield from _in_orders(work, view, changed)
    obstacles.record()


def _without_frames(work: PartRun, unit: Unit, pending: Pending) -> Iterator[Question]:
    for sample in unit.samples:
        yield from _in_orders(work, View(sample, *NO_FRAMES, Evidence(sample.id)), pending.orders[sample.id])


def _renew(work: PartRun, pending: Pending, view: View, order: int) -> bool:
    """Record again a prediction whose video has changed but shows the same frames; whether it was one."""
    prediction = pending.changed.get(OrderOf(view.sample.id, order))
    receipt = view.evidence.receipt
    if prediction is None or prediction.receipt is None or receipt is None:
        return False
    if any(prediction.receipt.get(key) != receipt[key] for key in ("sha256", "times", "indices")):
        return False
    work.mode.recorder.renew(replace(prediction, video=view.evidence.video))
    work.observer.advance(1)
    return True


def _media_error(sample: Sample, order: int, failed: FailedClip) -> Prediction:
    error = f"{type(failed.error).__name__}: {failed.error}"
    return Prediction(sample.id, "media_error", error=error, order=order)


def _view(work: PartRun, sample: Sample, clip: Clip, decoded: DecodedClip) -> View:
    settings = work.part.settings
    frames = alter(decoded.frames, settings.control, seed_of(sample, settings.seed))
    evidence = Evidence(sample.id, receipt=decoded.receipt.to_json(), video=work.videos.fingerprint(clip.video))
    return View(sample, frames, decoded.times, evidence)


def _in_orders(work: PartRun, view: View, orders: Iterable[int]) -> Iterator[Question]:
    for order in orders:
        evidence = replace(view.evidence, order=order) if order else view.evidence
        yield _question(work, replace(view, sample=turned(view.sample, order), evidence=evidence) if order else view)


def _question(work: PartRun, view: View) -> Question:
    part, settings = work.part, work.part.settings
    sample, listed = work.mode.present(view.sample)
    prompt = Prompt(
        frames=view.frames,
        times=view.times,
        system=SYSTEM[settings.prompt],
        question=sample.question,
        options=sample.options,
        text=user_turn(sample.question, listed),
        max_new_tokens=MAX_NEW_TOKENS[part.subset.protocol],
        seed=seed_of(sample, settings.seed) + view.evidence.order,
        task=part.task.name,
    )
    return Question(prompt, view.evidence)
