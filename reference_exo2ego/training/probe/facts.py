"""Facts of the training world, out of the rows of questions that a recipe trains on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from egobench.errors import TrainingDataError
from reference_exo2ego.training.question_recipe import QuestionRows, RowKind
from reference_exo2ego.training.question_rows import QuestionRow, read_rows
from reference_exo2ego.training.recipe import Recipe
from reference_exo2ego.training.transcripts import events_of

from .actions import FIELDS, IDLE, Action, read_action
from .claims import DoorIs, GoalIs, claim_of
from .evidence import DOOR_COLOURS, GOAL_SENTENCES, PLACES
from .network import Predicted

UNKNOWN = -100
"""The label of what nothing is said of, which losses leave out."""

Labels = dict[str, torch.Tensor]
"""By the name of a head, and of a field where it has fields (``whole.verb``): numbers of the true values."""


@dataclass(frozen=True, slots=True)
class FactRows:
    """Rows of a kind of which facts are known.

    Attributes:
        kind: The kind.
        rows: The rows.
        labels: Of each row what is true whatever frames are shown.
        events: Of each row its events: start, end, and labels of the fields.
        seconds: Of each row its length, where it has events.
    """

    kind: RowKind
    rows: Sequence[QuestionRow]
    labels: Sequence[Labels]
    events: Sequence[Sequence[tuple[float, float, tuple[int, ...]]]]
    seconds: Sequence[float]

    def moments(self, number: int, frames: Sequence[int]) -> Labels:
        """Labels of some frames of a row, given as numbers among all that are cut from it."""
        if not self.events[number]:
            return {}
        count = self.kind.frames * self.kind.phases
        idle = (FIELDS["verb"].index(IDLE), *[UNKNOWN] * (len(FIELDS) - 1))
        chosen: list[tuple[int, ...]] = []
        for frame in frames:
            time = self.seconds[number] * (frame + 0.5) / count
            chosen.append(next((fields for start, end, fields in self.events[number] if start <= time < end), idle))
        table = torch.tensor(chosen)
        return {f"moments.{name}": table[:, place] for place, name in enumerate(FIELDS)}


def read_facts(recipe: Recipe, data: Path) -> list[FactRows]:
    """The facts that the rows of a recipe's last stage tell of; a row that tells of none is left out.

    Raises:
        TrainingDataError: If the stage does not train on rows of questions, or a kind tells of no facts of MiniEgo.
        AnnotationError: If a file cannot be read.
    """
    source = recipe.stages[-1].source
    if not isinstance(source, QuestionRows):
        raise TrainingDataError(
            f"recipe {recipe.name}: its last stage trains on {source.kind}; a probe needs rows of questions about "
            f"MiniEgo, as the recipe tiny has"
        )
    return [_facts_of(kind, read_rows(kind, data, recipe.seed)) for kind in source.rows]


def _facts_of(kind: RowKind, rows: Sequence[QuestionRow]) -> FactRows:
    kept: list[tuple[QuestionRow, Labels, list[tuple[float, float, tuple[int, ...]]], float]] = []
    for row in rows:
        labels, seconds = _labels(kind, row), 0.0
        events: list[tuple[float, float, tuple[int, ...]]] = []
        if kind.telling == "events":
            seconds = row.seconds
            for event in events_of(row, seconds):
                action = read_action(event.words)
                if action is not None:
                    events.append((event.start, event.end, _fields(action)))
        if labels or events:
            kept.append((row, labels, events, seconds))
    if not kept:
        raise TrainingDataError(f"rows {kind.name}: none of {len(rows)} tells of a fact of MiniEgo")
    return FactRows(kind, *map(list, zip(*kept, strict=True)))


def _labels(kind: RowKind, row: QuestionRow) -> Labels:
    """What is true of a row whatever frames are shown."""
    answers = [question.answer for question in row.questions]
    match kind.telling:
        case "caption" | "last":
            action = _read_together(answers)
            head = "whole" if kind.telling == "caption" else "following"
            return {} if action is None else _named(head, action)
        case "events":
            claims = (claim_of(question.question, question.answer) for question in row.questions)
            goals = [claim.sentence for claim in claims if isinstance(claim, GoalIs)]
            return {"goal": torch.tensor(GOAL_SENTENCES.index(goals[0]))} if goals else {}
        case "facts":
            return _doors(row)


def _named(head: str, action: Action) -> Labels:
    return {f"{head}.{name}": torch.tensor(value) for name, value in zip(FIELDS, _fields(action), strict=True)}


def _read_together(captions: Sequence[str]) -> Action | None:
    """The action of a clip with several captions: what one leaves out, another may say."""
    actions = [action for action in map(read_action, captions) if action is not None]
    if not actions:
        return None
    fields = zip(*actions, strict=True)
    return Action(*(next((values for values in field if len(values) == 1), ()) for field in fields))


def _fields(action: Action) -> tuple[int, ...]:
    return tuple(
        FIELDS[name].index(values[0]) if len(values) == 1 else UNKNOWN for name, values in action._asdict().items()
    )


def _doors(row: QuestionRow) -> Labels:
    """Where each door is; colours that no question names are absent."""
    claims = (claim_of(question.question, question.answer) for question in row.questions)
    places: dict[str, int] = {}
    for claim in claims:
        if isinstance(claim, DoorIs):
            exact = len(claim.places) == 1
            places[claim.colour] = PLACES.index(claim.places[0]) if exact else places.get(claim.colour, UNKNOWN)
    absent = PLACES.index("absent")
    return {"doors": torch.tensor([places.get(colour, absent) for colour in DOOR_COLOURS])} if places else {}


def fact_logits(predicted: Predicted, name: str) -> torch.Tensor:
    """The logits that labels of a name are compared with."""
    head, _, field = name.partition(".")
    logits: torch.Tensor | dict[str, torch.Tensor] = getattr(predicted, head)
    return logits[field] if isinstance(logits, dict) else logits
