"""EgoPlan-Bench (validation): given a task and its progress so far, what to do next; four options.

Paper: Chen et al., "EgoPlan-Bench: Benchmarking Multimodal Large Language Models for Human-Level Planning", arXiv
2312.06722. Annotations: EgoPlan_validation.json, linked from github.com/ChenYi99/EgoPlan. Licence: the videos are under
the EPIC-KITCHENS (CC BY-NC 4.0) and Ego4D licences.

Quirks:

* Frame numbers are in the source video's own frame rate: EPIC-KITCHENS counts from 1 at rates between 29.97 and 90 per
  second (``EPIC_100_video_info.csv``), Ego4D from 0 at 30.
* A clip runs from the start of the first finished step to the observation frame. The last frame shown is the
  observation itself, as the questions say, and nothing after it is ever shown.
* The narrations of the finished steps solve half of the questions without a video; no record holds them.
* The official score is the mean likelihood of the choices with a token before and after: the method
  ``likelihood-official``, not the letters of ``generate``.
* The official file has 3,355 questions; published rows with 3,339 do not name the 16 they leave out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from egobench.annotations import Annotations, CsvFile, FieldError, JsonFile, Row
from egobench.annotations.fields import Id, Ordinal, Text, lettered, stretch
from egobench.distractors import official
from egobench.metrics.accuracy import accuracy
from egobench.sample import Clip, Record
from egobench.task import Source, SourceFile, Subset, Task
from egobench.video.sampling import FrameRule

QUESTIONS = JsonFile("EgoPlan_validation.json")
EPIC_VIDEOS = CsvFile("EPIC_100_video_info.csv")

SOURCE = Source(
    paper="https://arxiv.org/abs/2312.06722",
    home="https://github.com/ChenYi99/EgoPlan",
    licence="none stated; videos CC-BY-NC-4.0 (EPIC-KITCHENS) and under the Ego4D licence",
    files={
        QUESTIONS.name: SourceFile("questions with four choices"),
        EPIC_VIDEOS.name: SourceFile(
            "frame rates of the EPIC-KITCHENS-100 videos",
            "75fd040f6662cb407b4ca2eed4811ca94df280a1aba00b6bf8a5cd286deff382",
        ),
    },
    release="epic-kitchens-100-annotations ea8b404 (frame rates); the questions have no public release",
    videos="{participant}/{video_id}.MP4 (EPIC-KITCHENS), {video_id}.mp4 (Ego4D)",
)

EGO4D_FRAMES_PER_SECOND = 30.0


class Step(Row):
    """One finished step of the task; its narration is left unread on purpose."""

    start_frame: Ordinal


class Question(Row):
    """One question of ``EgoPlan_validation.json``."""

    sample_id: Id
    video_source: Literal["EpicKitchens", "Ego4D"]
    video_id: Id
    question: Text
    choice_a: Text
    choice_b: Text
    choice_c: Text
    choice_d: Text
    golden_choice_idx: Text
    answer: Text
    current_observation_frame: Ordinal
    task_progress_metadata: tuple[Step, ...]


class EpicVideo(Row):
    """One row of ``EPIC_100_video_info.csv``."""

    video_id: Id
    duration: Annotated[float, Field(gt=0)]
    fps: Annotated[float, Field(gt=0)]


def clip(row: Question, epic: Mapping[str, EpicVideo]) -> Clip:
    """From the first finished step, or the observation where there is none yet, to the observation."""
    last = row.current_observation_frame
    first = row.task_progress_metadata[0].start_frame if row.task_progress_metadata else last
    if row.video_source == "Ego4D":
        video, rate = f"{row.video_id}.mp4", EGO4D_FRAMES_PER_SECOND
    elif row.video_id in epic:
        video, rate = f"{row.video_id.split('_')[0]}/{row.video_id}.MP4", epic[row.video_id].fps
        first, last = max(first - 1, 0), max(last - 1, 0)
    else:
        raise FieldError(
            "video_id", f"no frame rate of {row.video_id!r}; expected one in {EPIC_VIDEOS.name} beside the file"
        )
    return stretch(video, first / rate, last / rate, field="current_observation_frame")


def read(annotations: Annotations) -> Iterator[Record]:
    """Every question; the table of frame rates is needed as soon as one is from EPIC-KITCHENS."""
    epic: dict[str, EpicVideo] = {}
    if annotations.has(EPIC_VIDEOS):
        epic = annotations.table(EPIC_VIDEOS, EpicVideo, lambda video: video.video_id)

    def record(row: Question) -> Record:
        options = (row.choice_a, row.choice_b, row.choice_c, row.choice_d)
        shown_clip = clip(row, epic)
        known = epic.get(row.video_id) if row.video_source != "Ego4D" else None
        annotations.videos[shown_clip.video] = (
            {"seconds": known.duration, "fps": known.fps} if known else {"fps": EGO4D_FRAMES_PER_SECOND}
        )
        target = lettered(row.golden_choice_idx, options, field="golden_choice_idx")
        if row.answer != options[target]:
            letter = row.golden_choice_idx
            raise FieldError("answer", f"{row.answer!r} is not the choice {letter}, which is {options[target]!r}")
        return Record(
            id=row.sample_id,
            clip=shown_clip,
            question=row.question,
            answer=row.answer,
            cluster=row.video_id,
            options=options,
            target=target,
            tags={"source": row.video_source},
        )

    return annotations.records(QUESTIONS, Question, record)


TASK = Task(
    name="egoplan",
    version=1,
    skill="planning the next action",
    source=SOURCE,
    read=read,
    constructions={"official": official()},
    metrics={"acc": accuracy},
    subsets=(Subset("all", "mcq", headline="acc"),),
    cluster="video",
    frames=FrameRule(last=True),
)
