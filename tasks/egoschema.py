"""EgoSchema: long-form reasoning over three minutes of daily life, five options.

Paper: Mangalam, Akshulakov, Malik, "EgoSchema: A Diagnostic Benchmark for Very Long-form Video Language Understanding",
arXiv 2308.09126. Annotations: github.com/egoschema/EgoSchema. Licence: the repository names none; the videos are under
the Ego4D licence.

Quirks:

* The keys of the options hold a blank: ``"option 0"``.
* 500 of 5,031 labels are public; only those questions become samples, so a score here is never one of the full set.
  The construction ``full`` has all questions; a run of it is unscored and writes what the authors' server takes.
* The order of options changed between releases: results are kept by ``q_uid`` and option text, never by an old index.
* 811 stretches of Ego4D are shared by two questions, 128 by three; the cluster is the Ego4D video.
* One of the 500 questions has an option twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from egobench.annotations import Annotations, FieldError, Row
from egobench.annotations.fields import Id, Seconds, Text, stretch
from egobench.distractors import official
from egobench.metrics import ScoredSample
from egobench.metrics.accuracy import accuracy
from egobench.sample import Clip, Record
from egobench.task import Source, Subset, Task

SOURCE = Source(
    paper="https://arxiv.org/abs/2308.09126",
    home="https://github.com/egoschema/EgoSchema",
    licence="none stated; videos under the Ego4D licence",
    files={
        "questions.json": "all questions with their options",
        "subset_answers.json": "the public labels, by q_uid",
        "uid_to_ego4d.json": "the Ego4D video and seconds that each clip was cut from, by q_uid",
    },
    videos="{q_uid}.mp4",
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
    answer: Annotated[int, Field(strict=True, ge=0, le=4)]


class Origin(Row):
    """One entry of ``uid_to_ego4d.json``."""

    q_uid: Id
    video_uid: Id
    starting_sec: Seconds
    ending_sec: Seconds


def read_all(annotations: Annotations) -> Iterator[Record]:
    """All questions, those without a public label without an answer."""
    path, rows = annotations.json_rows("subset_answers.json", key="q_uid", value="answer")
    labels = annotations.table(path, rows, Label, lambda label: label.q_uid)
    path, rows = annotations.json_rows("uid_to_ego4d.json", key="q_uid")
    origins = annotations.table(path, rows, Origin, lambda origin: origin.q_uid)

    def record(row: Question) -> Record:
        if row.q_uid not in origins:
            raise FieldError("q_uid", f"{row.q_uid!r} is not in uid_to_ego4d.json, which names its source video")
        origin = origins[row.q_uid]
        stretch(origin.video_uid, origin.starting_sec, origin.ending_sec, field="ending_sec")
        target = labels[row.q_uid].answer if row.q_uid in labels else None
        return Record(
            id=row.q_uid,
            clip=Clip(f"{row.q_uid}.mp4"),
            question=row.question,
            answer="" if target is None else row.options[target],
            cluster=origin.video_uid,
            options=row.options,
            target=target,
        )

    path, rows = annotations.json_rows("questions.json")
    yield from annotations.records(path, rows, Question, record)


def read(annotations: Annotations) -> Iterator[Record]:
    """The questions whose label is public; how many others there are is noted among the dropped."""
    records = list(read_all(annotations))
    public = [record for record in records if record.target is not None]
    yield from public
    if len(public) < len(records):
        annotations.drop(f"{len(records) - len(public)} of {len(records)} questions", "no public label")


def submission(judged: Sequence[ScoredSample]) -> dict[str, str]:
    """The options chosen, as the validation server and as Kaggle take them; what was not answered is left out."""
    chosen = {one.sample.id: one.choice for one in judged if one.choice is not None}
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
