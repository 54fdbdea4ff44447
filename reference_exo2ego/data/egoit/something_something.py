"""Something-Something V2: what is done to which thing? From the official label files.

Left and right are told apart by some of the 174 classes, so its videos must never be mirrored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from egobench.annotations import FieldError, JsonFile, Row
from egobench.annotations.fields import Id, Text
from reference_exo2ego.data.egoit.egtea import in_words
from reference_exo2ego.data.egoit.question_answer import QuestionAnswer, SourceFiles
from reference_exo2ego.data.streaming import delimited_rows, json_items, present

NAME: Final = "something-something-v2"
QUESTION: Final = "What am I doing in this video?"
FILES: Final = {"train": "train", "val": "validation"}
NAMES: Final = ("labels/{}.json", "something-something-v2-{}.json", "{}.json")
CLASSES: Final = JsonFile(
    NAMES[0].format("labels"), tuple(name.format("labels") for name in NAMES[1:]), key="label", value="number"
)
TEST: Final = ("labels/test-answers.csv", "test-answers.csv")


class LabelledClass(Row):
    """One entry of ``labels.json``."""

    label: Text
    number: Id


class Labelled(Row):
    """One row of ``train.json`` or ``validation.json``."""

    id: Id
    label: Text
    template: Text


class TestAnswer(Row):
    """One line of ``test-answers.csv``."""

    id: Id
    template: Text


def read(source: SourceFiles, splits: tuple[str, ...]) -> Iterator[QuestionAnswer]:
    """Read the labelled videos of some splits: train, val, and test where its answers are there.

    Raises:
        AnnotationError: If a file or, without ``skip_bad``, a row cannot be used.
    """
    files = source.annotations
    templates = {_plain(label) for label in files.table(CLASSES, LabelledClass, lambda row: row.label)}
    for split in splits:
        if split == "test":
            name = present(files, TEST)
            rows = delimited_rows(files, name, delimiter=";", columns=("id", "template"), header=False)
            yield from files.convert(files.folder / name, rows, TestAnswer, partial(_tested, templates=templates))
        else:
            name = present(files, tuple(name.format(FILES[split]) for name in NAMES))
            rows = json_items(files, name, progress=source.progress(name))
            yield from files.convert(files.folder / name, rows, Labelled, partial(_labelled, templates=templates))


def _labelled(row: Labelled, templates: set[str]) -> QuestionAnswer:
    return _question(row.id, row.label, row.template, templates)


def _tested(row: TestAnswer, templates: set[str]) -> QuestionAnswer:
    return _question(row.id, row.template, row.template, templates)


def _question(number: str, label: str, template: str, templates: set[str]) -> QuestionAnswer:
    if _plain(template) not in templates:
        raise FieldError("template", f"{template!r} is none of the {len(templates)} classes of the file of labels")
    return QuestionAnswer(
        id=f"{NAME}_{number}",
        video=f"20bn-something-something-v2/{number}.webm",
        question=QUESTION,
        answer=in_words(label),
        instructions=NAME,
        facts={"template": template},
    )


def _plain(template: str) -> str:
    return re.sub(r"[\[\]]", "", template).strip()
