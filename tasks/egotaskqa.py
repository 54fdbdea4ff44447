"""EgoTaskQA: questions on actions, states, intents and what-ifs in goal-oriented household tasks; options constructed.

Paper: Jia, Lei, Zhu, Huang, "EgoTaskQA: Understanding Human Tasks in Egocentric Videos", arXiv 2210.03929. Annotations:
sites.google.com/view/egotaskqa. Licence: by the site's download form; the videos may not be passed on.

Quirks:

* ``direct`` and ``indirect`` are the two released split folders, not the ``reference`` tag of a question.
* ``structural`` is sometimes written ``sturctural``.
* ``interval`` is ``recording|person|start|end``, pipes included, and names the video file. Its frame numbers count at
  24 per second while the files play at 15: seconds come from the file alone.
* The ``paper`` construction gives each answer always the same four wrong ones, which makes yes/no questions a giveaway.
* A flat form goes round too: ``{q, video_path, a: "A".."E", option: {"A".."E"}}``, read from the same file names or
  from ``egotaskqa.json`` (the direct split). It has no ids and no tags, and keeps the options it comes with, in
  their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, Field

from egobench.annotations import Annotations, FieldError, JsonFile, Row
from egobench.annotations.fields import Id, Text, lettered
from egobench.distractors import nearest, shared_sets
from egobench.errors import AnnotationFileError
from egobench.metrics.accuracy import accuracy
from egobench.sample import Clip, Record
from egobench.task import Source, SourceFile, Subset, Task, Truth

FILES = {
    "direct": JsonFile("direct/test_qas.json", other_names=("egotaskqa.json",)),
    "indirect": JsonFile("indirect/test_qas.json"),
}

SOURCE = Source(
    paper="https://arxiv.org/abs/2210.03929",
    home="https://sites.google.com/view/egotaskqa",
    licence="by the site's download form; videos not redistributable",
    files={
        "direct/test_qas.json": SourceFile("test questions of the direct split"),
        "indirect/test_qas.json": SourceFile("test questions of the indirect split"),
    },
    videos="qa_videos/{interval}.mp4",
    release="InternRobotics/EgoThinker 87c4f9b (flat form); the official files have no public release",
    other_forms={
        "egotaskqa.json": SourceFile(
            "test questions of the direct split with five options",
            "f37d1aeae3a6b096975d54ec8e23bf59068c61f454ac6a4620010357fc688fd5",
        )
    },
)

INTERVAL = re.compile(r"(?P<recording>[^|/]+)\|P[12]\|(?P<start>\d+)\|(?P<end>\d+)")


def _split_tags(value: object) -> object:
    return tuple(value.split("$")) if isinstance(value, str) else value


class Question(Row):
    """One question of ``test_qas.json``."""

    question_id: Id
    question: Text
    answer: Text
    interval: Text
    semantic: Text
    structural: Text = Field(validation_alias=AliasChoices("structural", "sturctural"))
    reasoning_type: Annotated[tuple[Text, ...], BeforeValidator(_split_tags)]


class Letters(Row):
    """The options of a flat question."""

    A: Text
    B: Text
    C: Text
    D: Text
    E: Text


class FlatQuestion(Row):
    """One question of the flat form."""

    q: Text
    video_path: Text
    a: Text
    option: Letters


def recording(interval: str, *, field: str) -> str:
    """The recording that an interval was cut from: the cluster."""
    match = INTERVAL.fullmatch(interval)
    if match is None:
        raise FieldError(field, f"{interval!r} is no interval; expected recording|P1|start|end")
    if int(match["end"]) < int(match["start"]):
        raise FieldError(field, f"the interval {interval!r} ends before it starts")
    return match["recording"]


def official_record(row: Question, subset: str) -> Record:
    """A question without options; those are constructed."""
    return Record(
        id=row.question_id,
        clip=Clip(f"qa_videos/{row.interval}.mp4"),
        question=row.question,
        answer=row.answer,
        cluster=recording(row.interval, field="interval"),
        subset=subset,
        tags={"reasoning_type": row.reasoning_type, "semantic": row.semantic, "structural": row.structural},
    )


def flat_record(row: FlatQuestion, subset: str) -> Record:
    """A question with the options of the flat form; its id is made from video and question."""
    options = (row.option.A, row.option.B, row.option.C, row.option.D, row.option.E)
    target = lettered(row.a, options, field="a")
    interval = PurePosixPath(row.video_path).name.removesuffix(".mp4")
    return Record(
        id=sha256(f"{interval}|{row.q}".encode()).hexdigest()[:16],
        clip=Clip(f"qa_videos/{interval}.mp4"),
        question=row.q,
        answer=options[target],
        cluster=recording(interval, field="video_path"),
        subset=subset,
        options=options,
        target=target,
    )


def read(annotations: Annotations) -> Iterator[Record]:
    """The direct questions, then the indirect ones, as far as their files are there."""
    if not any(annotations.has(file) for file in FILES.values()):
        raise AnnotationFileError(f"{annotations.folder}: neither {' nor '.join(SOURCE.files)}; at least one is needed")
    for subset, file in FILES.items():
        if not annotations.has(file):
            continue
        if "q" in annotations.fields(file):
            yield from annotations.records(file, FlatQuestion, partial(flat_record, subset=subset))
        else:
            yield from annotations.records(file, Question, partial(official_record, subset=subset))


def semantic(record: Record) -> str:
    """What a question is about, which the questions of a group have in common; the flat form does not tell."""
    return str(record.tags.get("semantic", ""))


TASK = Task(
    name="egotaskqa",
    version=2,
    skill="goal-oriented questions",
    source=SOURCE,
    read=read,
    constructions={"paper": nearest(5), "debiased": shared_sets(5, true_of=Truth(), within=(semantic,))},
    metrics={"acc": accuracy},
    subsets=(Subset("direct", "mcq", headline="acc"), Subset("indirect", "mcq", headline="acc")),
    cluster="recording",
    headline="paper",
    breakdown=("reasoning_type", "structural"),
)
