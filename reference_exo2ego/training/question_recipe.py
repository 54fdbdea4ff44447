"""Recipe sections for rows: clips of several kinds that take turns, each with many questions behind one video."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from egobench.errors import RecipeError
from reference_exo2ego.model.sizes import Section

Share = Annotated[float, Field(ge=0, le=1)]

Telling = Literal["caption", "events", "last", "facts"]
"""What a transcript of a row's video is made of, see :func:`.transcripts.slots`."""


class QuestionFile(Section):
    """A selection of the samples of a file, see :mod:`reference_exo2ego.data.samples`."""

    path: str
    """Below the folder of data."""
    videos: str = ""
    """Folder of its videos, below the folder of data."""
    view: Literal["ego", "exo", "pair"] = "ego"
    """What is seen of a sample: its video; every exocentric view of it, or its video where it has none; its video with
    every exocentric view."""
    sources: tuple[str, ...] = ()
    """Data sets whose samples are read; empty for all."""
    asks: str = ""
    """A regular expression: only questions in which it is found are read."""
    question: str = ""
    """A question in the place of the samples' own: captions have none."""
    answer: str = ""
    """The field of a sample that is the answer instead of its own, e.g. ``step`` of EgoExoLearn."""
    reword: tuple[tuple[str, str], ...] = ()
    """Regular expressions in answers and their replacements, applied in order: captions in the style of another data
    set."""
    share: Share = 1.0
    """Share of its videos that are kept, chosen by the seed."""

    @model_validator(mode="after")
    def _expressions_compile(self) -> Self:
        for expression in (self.asks, *(expression for expression, _ in self.reword)):
            try:
                re.compile(expression)
            except re.error as error:
                raise RecipeError(f"{expression!r} is no regular expression: {error}") from error
        return self


class RowKind(Section):
    """A kind of rows, which can stand in one batch."""

    name: str
    files: tuple[QuestionFile, ...]
    batch: PositiveInt
    """Rows of a step, on all processes together."""
    frames: PositiveInt
    """Frames of a clip."""
    last: bool = False
    """Whether the last of them is the frame at the clip's end."""
    phases: PositiveInt = 1
    """Candidates for each frame, within its part of the clip; one is drawn each time, so that a clip varies."""
    questions: PositiveInt = 16
    """Most questions of a row; of more, some are drawn form by form."""
    narrated: str = ""
    """A question whose answer is all narrations of the clip, in order; empty for none."""
    still: bool = False
    """Whether these rows have no gradient in encoder and F: half of the cost of a long video."""
    telling: Telling = "caption"
    """What a transcript of the video is made of."""


class QuestionRows(Section):
    """Rows of questions as a stage's source."""

    kind: Literal["questions"] = "questions"
    rows: tuple[RowKind, ...]
    turns: tuple[tuple[str, ...], ...]
    """Names of the kinds of each step; steps go through this list again and again."""
    blank: Share = 0.0
    """Share of the rows whose frames are black."""
    held_out: PositiveInt = 16
    """Rows of each kind that are left out of training, to validate on."""

    @model_validator(mode="after")
    def _turns_of_rows(self) -> Self:
        _check_turns(self.rows, self.turns)
        return self


class Transcripts(Section):
    """Transcripts in the place of videos as the source of the stage ``language``."""

    kind: Literal["transcripts"] = "transcripts"
    rows: tuple[RowKind, ...]
    turns: tuple[tuple[str, ...], ...]
    """See :class:`QuestionRows`."""
    twice: Share = 0.1
    """Share of the batches whose transcripts are read twice, as tokens of both views are."""
    narrow: PositiveInt = 4
    """Tokens of a slot in the first steps: reading is learnt faster and at less cost from short transcripts."""
    narrow_steps: NonNegativeInt = 0
    """Number of these steps; later a slot has as many tokens as the connector makes of two frames."""
    held_out: PositiveInt = 16
    """See :class:`QuestionRows`."""

    @model_validator(mode="after")
    def _turns_of_rows(self) -> Self:
        _check_turns(self.rows, self.turns)
        return self


def _check_turns(rows: tuple[RowKind, ...], turns: tuple[tuple[str, ...], ...]) -> None:
    names = [kind.name for kind in rows]
    used = {name for turn in turns for name in turn}
    if not turns or not all(turns) or used != set(names) or len(names) != len(set(names)):
        raise RecipeError(
            f"turns: {', '.join(sorted(used)) or 'none'}; expected each of the rows {', '.join(names)}, by its own name"
        )
