"""VLN-QA: an agent follows an instruction through a house; which way does it go next? Four options.

Paper: Li et al., "MVBench", arXiv 2311.17005, task "Egocentric Navigation". Annotations:
json/egocentric_navigation.json of huggingface.co/datasets/OpenGVLab/MVBench. Licence: MIT (the card of MVBench); R2R
and Matterport3D terms underneath.

Quirks:

* The folder of the video is the answer (``left/2763_frame73.mp4``): ids and clusters are the file's stem, and the path
  goes nowhere but to the reader of the video.
* "Move forward" is part of two other options: answers are compared to the letter.
* Always the same four options; always saying D scores 30 %; with 200 questions an interval is about 7 points each way.
* The instruction of one question has line breaks.
* A flat form goes round too: ``{text, video_path, gt: "A".."D"}``, with question and options inside ``text``; read from
  the same file name or from ``vlnqa.json``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field

from egobench.annotations import Annotations, FieldError, JsonFile, Row
from egobench.annotations.fields import Text, lettered, position
from egobench.distractors import official
from egobench.metrics.accuracy import accuracy
from egobench.sample import Clip, Record
from egobench.task import Source, SourceFile, Subset, Task

QUESTIONS = JsonFile("egocentric_navigation.json", other_names=("vlnqa.json",))

SOURCE = Source(
    paper="https://arxiv.org/abs/2311.17005",
    home="https://huggingface.co/datasets/OpenGVLab/MVBench",
    licence="MIT; R2R and Matterport3D terms underneath",
    shareable=True,
    files={QUESTIONS.name: SourceFile("questions with four candidates")},
    videos="{answer}/{episode}_frame{n}.mp4",
    release="InternRobotics/EgoThinker 87c4f9b (flat form); none of the official file",
    other_forms={
        "vlnqa.json": SourceFile(
            "the same questions in the flat form", "3cdc5dfbeee8cc88667081bad99814091a28570c33d1ded908831edcd330c647"
        )
    },
)

FLAT_TEXT = re.compile(
    r"(?:.*\n)?Question: (?P<question>(?s:.+))\nOption:\nA: (?P<a>.+)\nB: (?P<b>.+)\nC: (?P<c>.+)\nD: (?P<d>.+)"
    r"\nOnly give the best option\.\s*"
)


class Question(Row):
    """One question as MVBench has it."""

    video: Text
    question: Text
    candidates: Annotated[tuple[Text, ...], Field(min_length=4, max_length=4)]
    answer: Text


class FlatQuestion(Row):
    """One question of the flat form."""

    text: Text
    video_path: Text
    gt: Text


def official_record(row: Question) -> Record:
    """A question of MVBench."""
    return _record(row.video, row.question, row.candidates, position(row.answer, row.candidates, field="answer"))


def flat_record(row: FlatQuestion) -> Record:
    """A question of the flat form."""
    match = FLAT_TEXT.fullmatch(row.text)
    if match is None:
        raise FieldError("text", f"{row.text!r:.80}... is no flat question; expected Question:, Option:, A: to D:")
    options = tuple(match[letter].strip() for letter in "abcd")
    return _record(row.video_path, match["question"].strip(), options, lettered(row.gt, options, field="gt"))


def _record(video: str, question: str, options: tuple[str, ...], target: int) -> Record:
    episode = PurePosixPath(video).stem
    return Record(
        id=episode,
        clip=Clip(video),
        question=question,
        answer=options[target],
        cluster=episode,
        options=options,
        target=target,
    )


def read(annotations: Annotations) -> Iterator[Record]:
    """Every question."""
    if "text" in annotations.fields(QUESTIONS):
        return annotations.records(QUESTIONS, FlatQuestion, flat_record)
    return annotations.records(QUESTIONS, Question, official_record)


TASK = Task(
    name="vln-qa",
    version=1,
    skill="navigation",
    source=SOURCE,
    read=read,
    constructions={"official": official()},
    metrics={"acc": accuracy},
    subsets=(Subset("all", "mcq", headline="acc"),),
    cluster="video",
)
