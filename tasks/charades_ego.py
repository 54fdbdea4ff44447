"""Charades-Ego: which of five everyday actions happens in a segment of a first-person video; options constructed.

Paper: Sigurdsson, Gupta, Schmid, Farhadi, Alahari, "Charades-Ego: A Large-Scale Dataset of Paired Third and First
Person Videos", arXiv 1804.09626. Annotations: CharadesEgo.zip of prior.allenai.org/projects/charades-ego. Licence: the
Charades licence of AI2, non-commercial.

Quirks:

* ``actions`` is ``c135 0.0 14.69;c095 2.3 10.7``: class, start and end in seconds. It may be empty, and a class may
  come more than once. A quarter of the ends lie after ``length``, which is the end then; segments without a length are
  passed over.
* Which segment a published 846-question set took is unstated. Here it is the longest of each video, ties by class id.
* ``gallery157`` is the official evaluation: whole videos, all of their classes, a score for each of the 157. There a
  segment without a length counts as well, and a video without actions is a row that ranks last.
* Columns are taken by name: the README of the data leaves ``objects`` out of its list.
* ``c134 Lying on a bed `` ends in a blank; class names are stripped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator

from egobench.annotations import Annotations, CsvFile, FieldError, Row
from egobench.annotations.fields import Id, Seconds
from egobench.distractors import nearest, shared_sets
from egobench.errors import AnnotationFileError, RecordError
from egobench.metrics.accuracy import accuracy
from egobench.metrics.gallery import class_ap, labels, weighted_class_ap
from egobench.metrics.ranking import options_class_map, single_positive_ap
from egobench.sample import Clip, GalleryItem, Record
from egobench.task import Gallery, Source, SourceFile, Subset, Task, Tools, Truth

VIDEOS = CsvFile("CharadesEgo_v1_test_only1st.csv")
CLASSES = "Charades_v1_classes.txt"

N_CLASSES = 157
FIRST, LAST = "Holding some clothes", "Someone is eating something"

SOURCE = Source(
    paper="https://arxiv.org/abs/1804.09626",
    home="https://prior.allenai.org/projects/charades-ego",
    licence="Charades licence of AI2, non-commercial",
    files={
        VIDEOS.name: SourceFile("first-person test videos with their action segments"),
        CLASSES: SourceFile("names of the 157 action classes"),
    },
    videos="{id}.mp4",
)

QUESTION = "What action am I currently performing?"

TRUE_OF = Truth(also="actions")
"""Every action of a video, since they overlap in time more often than not."""

ACTION = re.compile(r"(?P<action>c\d{3}) (?P<start>\d+(?:\.\d+)?) (?P<end>\d+(?:\.\d+)?)")


class Video(Row):
    """One row of the CSV file."""

    id: Id
    actions: str
    length: Annotated[Seconds | None, BeforeValidator(lambda cell: cell or None)]


class Segment(NamedTuple):
    """One action of a video.

    Attributes:
        action: Class id, e.g. ``"c135"``.
        start: Seconds.
        end: Seconds, after ``start``.
    """

    action: str
    start: float
    end: float


def class_names(annotations: Annotations) -> dict[str, str]:
    """Names of the action classes by id.

    Raises:
        AnnotationFileError: If there are not 157 of them, or the last name of the published list is another. That file
            has no newline at its end, so one that was cut off looks whole.
        RecordError: If a line is not ``c000 Name``, or a class comes twice; without a class list no row can be read, so
            ``skip_bad`` does not help.
    """
    path, text = annotations.text(CLASSES)
    names: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = re.fullmatch(r"(c\d{3}) (.*\S)\s*", line)
        if match is None:
            raise RecordError(
                path, f"line {number}", "", f"{line!r:.80} is no class; expected c000 Holding some clothes"
            )
        if match[1] in names or match[2] in names.values():
            what = match[1] if match[1] in names else repr(match[2])
            raise RecordError(path, f"line {number}", "", f"class {what} was named already; expected once")
        names[match[1]] = match[2]
    missing = [name for name in (f"c{number:03d}" for number in range(N_CLASSES)) if name not in names]
    if missing or len(names) > N_CLASSES:
        last = f"; {missing[0]} is missing" if missing else ""
        raise AnnotationFileError(
            f"{path}: holds {len(names)} classes, expected {N_CLASSES}{last}; was it cut off? Download it again"
        )
    if names["c000"] == FIRST and names[f"c{N_CLASSES - 1}"] != LAST:
        raise AnnotationFileError(
            f"{path}: ends in {names[f'c{N_CLASSES - 1}']!r}, expected {LAST!r}; was it cut off? Download it again"
        )
    return names


def actions(row: Video, names: dict[str, str]) -> list[Segment]:
    """The actions of a video as they are listed."""
    listed_actions: list[Segment] = []
    for entry in filter(None, row.actions.strip().split(";")):
        match = ACTION.fullmatch(entry.strip())
        if match is None:
            raise FieldError("actions", f"{entry!r:.80} is no action; expected c135 0.0 14.69")
        if match["action"] not in names:
            raise FieldError("actions", f"class {match['action']!r} is not in {CLASSES}")
        listed_actions.append(Segment(match["action"], float(match["start"]), float(match["end"])))
    return listed_actions


def segments(row: Video, names: dict[str, str]) -> list[Segment]:
    """The actions of a video that have a length once they are clamped to the video's."""
    last = math.inf if row.length is None else row.length
    clamped = [one._replace(end=min(one.end, last)) for one in actions(row, names)]
    return [one for one in clamped if one.end > one.start]


def read(annotations: Annotations) -> Iterator[Record]:
    """One record a video: its longest action."""
    names = class_names(annotations)

    def record(row: Video) -> Record | None:
        if row.length is not None:
            annotations.videos[f"{row.id}.mp4"] = {"seconds": row.length}
        timed_actions = segments(row, names)
        if not timed_actions:
            annotations.drop(row.id, "no action with a length" if row.actions.strip() else "no action")
            return None
        longest = min(timed_actions, key=lambda one: (one.start - one.end, one.action, one.start))
        return Record(
            id=row.id,
            clip=Clip(f"{row.id}.mp4", longest.start, longest.end),
            question=QUESTION,
            answer=names[longest.action],
            cluster=row.id,
            tags={"class": longest.action, "actions": tuple(sorted({names[one.action] for one in timed_actions}))},
        )

    return annotations.records(VIDEOS, Video, record)


def read_videos(annotations: Annotations) -> Iterator[Record]:
    """One record a video: all of it, with every class that is listed, be there none."""
    names = class_names(annotations)

    def record(row: Video) -> Record:
        classes = sorted({one.action for one in actions(row, names)})
        return Record(row.id, Clip(f"{row.id}.mp4"), QUESTION, "", cluster=row.id, tags={"class": tuple(classes)})

    return annotations.records(VIDEOS, Video, record)


def all_classes(records: Sequence[Record], tools: Tools) -> list[GalleryItem]:
    """The gallery: every class, in the order of its number."""
    del records
    return [GalleryItem(number, name) for number, name in sorted(class_names(tools.annotations).items())]


def all_class_names(records: Sequence[Record], tools: Tools) -> list[str]:
    """The texts that wrong options are taken from: every class, whether or not a record has it."""
    del records
    return list(class_names(tools.annotations).values())


TASK = Task(
    name="charades-ego",
    version=1,
    skill="action recognition",
    source=SOURCE,
    read=read,
    constructions={"paper": nearest(5, pool=all_class_names), "debiased": shared_sets(5, true_of=TRUE_OF)},
    metrics={"mAP": options_class_map, "ap": single_positive_ap, "acc": accuracy},
    subsets=(Subset("all", "mcq", headline="mAP"),),
    cluster="video",
    headline="paper",
    true_of=TRUE_OF,
    galleries={"gallery157": Gallery(all_classes, labels("class"), {"mAP": class_ap, "wAP": weighted_class_ap})},
    readers={"gallery157": read_videos},
)
