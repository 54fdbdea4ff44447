"""Episodes of MiniEgo: the steps of a wearer, what they change, and the state of everything at any moment.

An episode is simulated first and rendered afterwards. The simulator writes a list of steps and a list of changes; the
renderer asks :meth:`Episode.at` for a snapshot of each frame and draws it, so whatever a question asks about is in the
pixels because it is in the snapshot.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

State = Mapping[str, Mapping[str, str | bool | float]]
"""Value by key by subject."""

Kind = Literal["activity", "short", "walk"]
Split = Literal["train", "val", "test"]
Hand = Literal["left", "right", "both"]

View = Literal["ego", "exo1", "exo2", "exo3", "exo4"]
VIEWS: Final[tuple[View, ...]] = ("ego", "exo1", "exo2", "exo3", "exo4")
"""The wearer's own view, and four cameras in the corners of the room."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A movable object.

    Attributes:
        id: Unique within the episode, e.g. ``"cup-2"``.
        noun: What it is, e.g. ``"cup"``.
        colour: Its colour by name, one of ``vocabulary.COLOURS``.
    """

    id: str
    noun: str
    colour: str


@dataclass(frozen=True, slots=True)
class Fixture:
    """A container, a surface or an appliance: it never moves.

    Attributes:
        id: Unique within the episode, e.g. ``"kitchen/fridge"``.
        noun: What it is, e.g. ``"fridge"``.
        room: The room it stands in.
        azimuth: Where it stands, in degrees in [0, 360) round the room's middle.
    """

    id: str
    noun: str
    room: str
    azimuth: float


@dataclass(frozen=True, slots=True)
class Step:
    """An action of the wearer.

    Attributes:
        start: Seconds from the beginning of the episode.
        end: Seconds from the beginning of the episode, after ``start``.
        verb: What is done, one of ``vocabulary.VERBS``.
        thing: Id of the thing or fixture it is done to.
        other: Id of the tool, target or source, ``None`` when the verb needs none.
        hand: The hand or hands that do it.
        room: Where.
        text: The canonical caption, e.g. ``"take the red cup from the cupboard"``.
    """

    start: float
    end: float
    verb: str
    thing: str
    other: str | None
    hand: Hand
    room: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A new value of one state at one moment.

    Attributes:
        time: Seconds from the beginning of the episode.
        subject: Id of a thing or fixture, or ``"wearer"``.
        key: ``"place"`` (a fixture id, ``"left"`` or ``"right"`` for a hand), ``"open"``, ``"on"``, ``"clean"``,
            ``"cut"``, ``"full"``, ``"folded"``; for the wearer ``"room"``, ``"facing"`` (a fixture id) and, in walks,
            ``"distance"``.
        value: The new value.
    """

    time: float
    subject: str
    key: str
    value: str | bool | float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of everything at one moment, all that a renderer needs.

    Attributes:
        time: Seconds from the beginning of the episode.
        room: The room the wearer is in.
        gaze: Direction of the head, in degrees in [0, 360) as for fixtures, head motion included.
        pitch: Head tilt in degrees, small, positive is up.
        step: The step under way, ``None`` between steps.
        progress: How far the step is, in [0, 1].
        state: Value by key by subject, see :class:`Change`.
    """

    time: float
    room: str
    gaze: float
    pitch: float
    step: Step | None
    progress: float
    state: Mapping[str, Mapping[str, str | bool | float]]


@dataclass(frozen=True)
class Episode:
    """A simulated stretch of activity.

    Attributes:
        number: Unique in the generated world; the timecode strip shows it; in [0, 65535].
        kind: ``activity`` (20 to 60 s of planned steps), ``short`` (a few steps), ``walk`` (navigation).
        split: Train, val or test; an episode is in one split only.
        goal: Purpose of the wearer, e.g. ``"wash the dishes"``.
        seconds: Length.
        fps: Frames a second of its videos.
        things: Every movable object.
        fixtures: Everything that never moves.
        steps: In order of time, never overlapping.
        changes: In order of time; those at time 0 are the state at the start.
        gaze: Knots ``(time, degrees, pitch)`` between which the head turns smoothly the short way round.
        facts: Whatever else a question needs to know, e.g. the instruction of a walk.
    """

    number: int
    kind: Kind
    split: Split
    goal: str
    seconds: float
    fps: float
    things: tuple[Thing, ...]
    fixtures: tuple[Fixture, ...]
    steps: tuple[Step, ...]
    changes: tuple[Change, ...]
    gaze: tuple[tuple[float, float, float], ...]
    facts: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def frames(self) -> int:
        """Number of frames of each of its videos."""
        return round(self.seconds * self.fps)

    def at(self, time: float) -> Snapshot:
        """State of everything at one moment.

        Args:
            time: Seconds from the beginning; times outside the episode show its first or last moment.

        Returns:
            The snapshot; a change counts from its own moment on. The wearer's ``distance`` changes evenly from one
            change to the next; everything else changes at once.
        """
        time = min(max(time, 0.0), self.seconds)
        times, states = self._states
        position = max(0, bisect_right(times, time) - 1)
        state = states[position]
        if self.kind == "walk":
            wearer = {**state["wearer"], "distance": self._distance(time)}
            state = {**state, "wearer": wearer}
        number = bisect_right(self._starts, time) - 1
        step = self.steps[number] if number >= 0 and time < self.steps[number].end else None
        progress = (time - step.start) / (step.end - step.start) if step else 0.0
        gaze, pitch = self._head(time)
        return Snapshot(time, str(state["wearer"]["room"]), gaze, pitch, step, progress, state)

    @cached_property
    def _starts(self) -> list[float]:
        return [step.start for step in self.steps]

    @cached_property
    def _states(self) -> tuple[list[float], list[State]]:
        """The state after every moment of change, and those moments."""
        times: list[float] = []
        states: list[State] = []
        current: dict[str, Mapping[str, str | bool | float]] = {}
        for change in self.changes:
            current = {**current, change.subject: {**current.get(change.subject, {}), change.key: change.value}}
            if times and times[-1] == change.time:
                states[-1] = current
            else:
                times.append(change.time)
                states.append(current)
        return times, states

    def _distance(self, time: float) -> float:
        """The wearer's distance, evenly between the moments where it is known."""
        knots = [(change.time, float(change.value)) for change in self.changes if change.key == "distance"]
        following = next((number for number, knot in enumerate(knots) if knot[0] > time), len(knots))
        if following in (0, len(knots)):
            return knots[min(following, len(knots) - 1)][1]
        (begin, first), (end, last) = knots[following - 1 : following + 1]
        return first + (last - first) * (time - begin) / (end - begin)

    def _head(self, time: float) -> tuple[float, float]:
        """Direction and tilt of the head: eased between the knots, plus the sway of a body that stands or walks."""
        following = next((number for number, knot in enumerate(self.gaze) if knot[0] > time), len(self.gaze))
        begin, gaze, pitch = self.gaze[max(0, following - 1)]
        if 0 < following < len(self.gaze):
            end, target, tilt = self.gaze[following]
            share = (time - begin) / (end - begin)
            share = share * share * (3 - 2 * share)
            gaze += ((target - gaze + 180) % 360 - 180) * share
            pitch += (tilt - pitch) * share
        phase = self.number * 0.7
        sway = 1.2 * math.sin(1.9 * time + phase) + 0.5 * math.sin(4.3 * time + 2 * phase)
        nod = 0.8 * math.sin(2.3 * time + phase) + 0.3 * math.sin(5.1 * time)
        return (gaze + sway) % 360, pitch + nod
