"""EgoMCQ turned round: given a second of video, which narration is its own? Five official options, or ten.

Paper: Lin et al., "Egocentric Video-Language Pretraining", arXiv 2206.01670. Annotations: egomcq.json, linked from
github.com/showlab/EgoVLP. Licence: none stated; made from Ego4D narrations, under the Ego4D licence.

Quirks:

* The original asks for the clip of a text. Here the query's clip is the video and the five clips' texts are the
  options; the answer stays the same.
* ``types`` is 1 for inter-video and 2 for intra-video; the official code prints the two names swapped. They are never
  pooled.
* Times are numbers or texts and may be negative, which means 0. Clips last 0.8 seconds on average and are read from the
  full video.
* ``answer`` is a number or its text; tags are texts such as ``"[93]"``, or NaN in files that went through pandas.
* Narrations carry marks: ``#C C picks a cup`` is said of the camera wearer, ``#O man X walks`` of somebody else.
* Narrations repeat all over Ego4D, so the five nearest texts that widen the ``paper`` options are often true as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, Field

from egobench.annotations import Annotations, FieldError, JsonFile, Row
from egobench.annotations.fields import Id, Integers, Position, Text, stretch
from egobench.distractors import anywhere, nearest, official, shared_sets
from egobench.metrics.accuracy import accuracy
from egobench.sample import Record
from egobench.task import Source, SourceFile, Subset, Task, Truth

QUESTIONS = JsonFile("egomcq.json", key="number")

SOURCE = Source(
    paper="https://arxiv.org/abs/2206.01670",
    home="https://github.com/showlab/EgoVLP",
    licence="none stated; made from Ego4D narrations, under the Ego4D licence",
    files={QUESTIONS.name: SourceFile("questions: a query clip and five choices, by number")},
    videos="{video_uid}.mp4",
)

QUESTION = "Which description accurately reflects the human behavior in the video?"

CLEANING = 1
"""Version of :func:`clean`, noted in the manifest."""

SUBSETS = {1: "inter", 2: "intra"}

TRUE_OF = Truth(same=("verb", "noun"))


def _without_nan(value: object) -> object:
    return () if str(value).lower() in {"", "nan", "none"} else value


Classes = Annotated[Integers, BeforeValidator(_without_nan)]
"""Class numbers of a narration; some files have NaN where it has none."""


class Choice(Row):
    """A clip of which only the narration matters."""

    clip_text: Text


class Query(Choice):
    """The clip that is shown."""

    video_uid: Id
    clip_start: float
    clip_end: float
    tag_verb: Classes = ()
    tag_noun: Classes = ()


class Question(Row):
    """One question of ``egomcq.json``."""

    number: Id
    answer: Annotated[Position, Field(le=4)]
    types: Annotated[Position, Field(ge=1, le=2)]
    query: Query
    choices: dict[int, Choice]


def clean(text: str) -> str:
    """A narration without its marks: ``"#C C picks a #unsure"`` becomes ``"C picks a something"``.

    The mark at the beginning goes, ``#unsure`` becomes "something", runs of blanks become one. "C" stays: it is how the
    narrators call the camera wearer.
    """
    spoken = re.sub(r"#unsure\b", "something", re.sub(r"^\s*#\s*[A-Za-z]+\s+", "", text), flags=re.IGNORECASE)
    return " ".join(spoken.split())


def record(row: Question) -> Record:
    """The question turned round."""
    if sorted(row.choices) != list(range(5)):
        raise FieldError("choices", f"has the keys {sorted(row.choices)}; expected 0 to 4")
    texts = [row.choices[number].clip_text for number in range(5)]
    query = row.query
    if query.clip_text != texts[row.answer]:
        raise FieldError("query.clip_text", f"{query.clip_text!r} is not the text of choice {row.answer}, the answer")
    if query.clip_end < query.clip_start:
        raise FieldError("query.clip_end", f"{query.clip_end:g} lies before clip_start, {query.clip_start:g}")
    options = tuple(clean(text) for text in texts)
    return Record(
        id=row.number,
        clip=stretch(
            f"{query.video_uid}.mp4", max(query.clip_start, 0.0), max(query.clip_end, 0.0), field="query.clip_end"
        ),
        question=QUESTION,
        answer=options[row.answer],
        cluster=query.video_uid,
        subset=SUBSETS[row.types],
        options=options,
        target=row.answer,
        tags={"verb": tuple(map(str, query.tag_verb)), "noun": tuple(map(str, query.tag_noun))},
    )


def read(annotations: Annotations) -> Iterator[Record]:
    """Every question, and the version of the cleaning as a fact."""
    annotations.facts["cleaning"] = CLEANING
    return annotations.records(QUESTIONS, Question, record)


def own_video(record: Record) -> str:
    """What an intra-video question shares with those that make its options: its video."""
    return record.clip.video if record.subset == "intra" else ""


TASK = Task(
    name="egomcq",
    version=1,
    skill="video-text alignment",
    source=SOURCE,
    read=read,
    constructions={
        "official": official(),
        "paper": nearest(10),
        "debiased": shared_sets(10, true_of=TRUE_OF, within=(own_video, anywhere)),
    },
    metrics={"acc": accuracy},
    subsets=(Subset("inter", "mcq", headline="acc"), Subset("intra", "mcq", headline="acc")),
    cluster="Ego4D video",
    headline="paper",
    true_of=TRUE_OF,
)
