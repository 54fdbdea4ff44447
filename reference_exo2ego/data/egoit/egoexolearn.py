"""EgoExoLearn: what the hands do, told for every clip; asked by the instruction alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final, Literal

from egobench.annotations import FieldError, Row
from egobench.annotations.fields import Id, Seconds, Text
from reference_exo2ego.data.egoit.question_answer import QuestionAnswer, SourceFiles
from reference_exo2ego.data.streaming import delimited_rows, present

NAME: Final = "egoexolearn"
FILES: Final = ("fine_annotation_trainval_en.csv", "annotations/fine_annotation_trainval_en.csv")
COLUMNS: Final = ("video_uid", "annotation_uid", "subset", "view", "scene", "start_sec", "end_sec", "narration_en")


class FineAnnotation(Row):
    """One row of the fine annotations."""

    video_uid: Id
    annotation_uid: Id
    subset: Literal["train", "val"]
    view: Literal["ego", "exo"]
    scene: Text
    start_sec: Seconds
    end_sec: Seconds
    narration_en: Text
    narration_en_no_hand_prompt: str = ""


View = Literal["ego", "exo"]
"""Whose film is shown: the wearer's, or that of a demonstrator before a fixed camera."""


def read(source: SourceFiles, splits: tuple[str, ...], view: View = "ego") -> Iterator[QuestionAnswer]:
    """Read the narrations of a view of some splits: train and val.

    Args:
        source: The files.
        splits: The splits.
        view: Whose film is shown.

    Raises:
        AnnotationError: If a file or, without ``skip_bad``, a row cannot be used.
    """
    files = source.annotations
    name = present(files, FILES)
    rows = delimited_rows(files, name, delimiter=",", columns=COLUMNS, progress=source.progress(name))
    yield from files.convert(files.folder / name, rows, FineAnnotation, partial(_question, splits=splits, view=view))


def _question(row: FineAnnotation, splits: tuple[str, ...], view: View) -> QuestionAnswer | None:
    if row.end_sec <= row.start_sec:
        raise FieldError("end_sec", f"{row.end_sec:g} is not after start_sec, {row.start_sec:g}")
    if row.view != view or row.subset not in splits:
        return None
    return QuestionAnswer(
        id=f"{NAME}_{row.annotation_uid}",
        video=f"videos/{row.video_uid}.mp4",
        question="",
        answer=row.narration_en,
        instructions=NAME,
        start=row.start_sec,
        end=row.end_sec,
        facts={"video_uid": row.video_uid, "scene": row.scene}
        | ({"step": row.narration_en_no_hand_prompt} if row.narration_en_no_hand_prompt else {}),
    )
