"""EgoSchema: long-form reasoning over three minutes of daily life, five options.

Paper: Mangalam, Akshulakov, Malik, "EgoSchema: A Diagnostic Benchmark for Very Long-form Video Language Understanding",
arXiv 2308.09126. Annotations: github.com/egoschema/EgoSchema. Licence: the repository names none; the videos are under
the Ego4D licence.

Quirks:

* The keys of the options hold a blank: ``"option 0"``.
* 500 of 5,031 labels are public; only those questions become samples, so a score here is never one of the full set.
  The construction ``full`` has all questions; a run of it is unscored and writes what the authors' server takes.
* The order of options changed between releases: results are kept by ``q_uid`` and option text, never by an old index.
* 811 stretches of Ego4D are shared by two questions, 128 by three; the cluster is the Ego4D video. Clones from before
  December 2024 have no ``uid_to_ego4d.json``: there every clip is its own cluster, which the manifest says, and
  intervals come out too narrow.
* One of the 500 questions has an option twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from egobench.annotations import Annotations, FieldError, JsonFile, Row
from egobench.annotations.fields import Id, Position, Seconds, Text, stretch
from egobench.distractors import official
from egobench.metrics import ScoredSample
from egobench.metrics.accuracy import accuracy
from egobench.sample import Clip, Record
from egobench.task import Source, SourceFile, Subset, Task

QUESTIONS = JsonFile("questions.json")
LABELS = JsonFile("subset_answers.json", key="q_uid", value="answer")
ORIGINS = JsonFile("uid_to_ego4d.json", key="q_uid")

SOURCE = Source(
    paper="https://arxiv.org/abs/2308.09126",
    home="https://github.com/egoschema/EgoSchema",
    licence="none stated; videos under the Ego4D licence",
    files={
        QUESTIONS.name: SourceFile("all questions with their options"),
        LABELS.name: SourceFile(
            "the public labels, by q_uid", "a38d0aefcf8bcd5fb8888c7598b4550dc9ac6f6ad11cb2e1eae7b93e4c72468d"
        ),
        ORIGINS.name: SourceFile(
            "the Ego4D video and seconds that each clip was cut from, by q_uid",
            "b6aa6b7b5e77863fa1ec725df8646ccb7915bdfe5f053991ba55d610b23e78a6",
        ),
    },
    videos="{q_uid}.mp4",
    release="egoschema/EgoSchema 505c787",
)


class Question(Row):
    """One question of ``questions.json``."""

    q_uid: Id
    question: Text
    option_0: Text = Field(alias="option 0")
    option_1: Text = Field(alias="option 1")
    option_2: Text = Field(alias="option 2")
    option_3: Text = Field(alias="option 3")
    option_4: Text = Field(alias="option 4")

    @property
    def options(self) -> tuple[str, ...]:
        """The five options in the order of the file."""
        return self.option_0, self.option_1, self.option_2, self.option_3, self.option_4


class Label(Row):
    """One entry of ``subset_answers.json``."""

    q_uid: Id
    answer: Annotated[Position, Field(le=4)]


class Origin(Row):
    """One entry of ``uid_to_ego4d.json``."""

    q_uid: Id
    video_uid: Id
    starting_sec: Seconds
    ending_sec: Seconds


def questions(annotations: Annotations) -> Iterator[Record]:
    """All questions, those without a public label without an answer."""
    labels = annotations.table(LABELS, Label, lambda label: label.q_uid)
    known = annotations.has(ORIGINS)
    origins = annotations.table(ORIGINS, Origin, lambda origin: origin.q_uid) if known else {}

    def record(row: Question) -> Record:
        origin = origins.get(row.q_uid)
        if origin is not None:
            stretch(origin.video_uid, origin.starting_sec, origin.ending_sec, field="ending_sec")
        elif known:
            raise FieldError("q_uid", f"{row.q_uid!r} is not in {ORIGINS.name}, which names its source video")
        target = labels[row.q_uid].answer if row.q_uid in labels else None
        return Record(
            id=row.q_uid,
            clip=Clip(f"{row.q_uid}.mp4"),
            question=row.question,
            answer="" if target is None else row.options[target],
            cluster=row.q_uid if origin is None else origin.video_uid,
            options=row.options,
            target=target,
        )

    return annotations.records(QUESTIONS, Question, record)


def read_all(annotations: Annotations) -> Iterator[Record]:
    """All questions."""
    return annotations.note_own_clusters(questions(annotations))


def read(annotations: Annotations) -> Iterator[Record]:
    """The questions whose label is public; how many others there are is noted among the dropped."""
    records = list(questions(annotations))
    public = [record for record in records if record.target is not None]
    yield from annotations.note_own_clusters(public)
    if len(public) < len(records):
        annotations.drop(f"{len(records) - len(public)} of {len(records)} questions", "no public label")


def submission(scored_samples: Sequence[ScoredSample]) -> dict[str, str]:
    """The options chosen, as the validation server and as Kaggle take them; what was not answered is left out."""
    chosen = {one.sample.id: one.choice for one in scored_samples if one.choice is not None}
    lines = "".join(f"{q_uid},{choice}\n" for q_uid, choice in chosen.items())
    return {"submission.json": json.dumps(chosen, indent=1) + "\n", "submission.csv": f"q_uid,answer\n{lines}"}


TASK = Task(
    name="egoschema",
    version=1,
    skill="reasoning over three minutes",
    source=SOURCE,
    read=read,
    constructions={"official": official(), "full": official()},
    metrics={"acc": accuracy},
    subsets=(Subset("all", "mcq", headline="acc"),),
    cluster="Ego4D video",
    readers={"full": read_all},
    submission=submission,
)
