"""The stage of an episode: where things stand on their fixtures, and the sprites that show their states."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Final

from PIL import Image

from egobench.miniego.drawing import sprites
from egobench.miniego.drawing.fixtures import FIXTURE_HEIGHT, FIXTURE_WIDTH, LAYOUTS, OPEN, Point
from egobench.miniego.drawing.motion import Aim, opening
from egobench.miniego.world.episode import Episode, Fixture, Snapshot, Step, Thing
from egobench.miniego.world.vocabulary import FIXTURES

Flags = frozenset[str]
State = Mapping[str, Mapping[str, str | bool | float]]

THING_UNITS: Final = 21
"""Size of a thing that stands on a fixture, in the fixture's units."""
_OVERFULL: Final = 7
"""Units by which things are shifted when there are more of them than places."""


class Stage:
    """Positions and visible states of an episode's things and fixtures.

    Attributes:
        things: Every thing by its id.
        fixtures: Every fixture by its id.
    """

    def __init__(self, episode: Episode) -> None:
        self.things: dict[str, Thing] = {thing.id: thing for thing in episode.things}
        self.fixtures: dict[str, Fixture] = {fixture.id: fixture for fixture in episode.fixtures}
        self._times: list[float] = []
        self._places: list[dict[str, tuple[str, int]]] = []
        places: dict[str, tuple[str, int]] = {}
        for change in episode.changes:
            if change.key != "place" or change.subject not in self.things:
                continue
            places = {name: place for name, place in places.items() if name != change.subject}
            fixture = str(change.value)
            if fixture in self.fixtures:
                occupied = {slot for name, slot in places.values() if name == fixture}
                places[change.subject] = fixture, min(set(range(len(occupied) + 1)) - occupied)
            self._times.append(change.time)
            self._places.append(places)

    def places(self, time: float) -> dict[str, tuple[str, int]]:
        """Fixture and number of the place of every thing that stands on a fixture at a moment."""
        position = bisect_right(self._times, time) - 1
        return self._places[position] if position >= 0 else {}

    def hand_target(self, step: Step, kind: Aim) -> tuple[str, Point] | None:
        """Fixture and point on it that a step's hand goes to, ``None`` for one in front of the body."""
        if kind == "body":
            return None
        if kind == "slot":
            name = step.other if step.verb == "pour" and step.other else step.thing
            for time in (step.start, step.end):
                place = self.places(time).get(name)
                if place:
                    return place[0], self.slot(*place)
            return None
        name = step.thing if step.thing in self.fixtures else str(step.other)
        if name not in self.fixtures:
            return None
        layout = LAYOUTS[self.fixtures[name].noun]
        if kind == "surface":
            return name, layout.surface
        return name, {"handle": layout.handle, "switch": layout.switch, "tap": layout.tap}[kind]

    def slot(self, fixture: str, number: int) -> Point:
        """Where the thing in a place stands, in the fixture's units."""
        slots = LAYOUTS[self.fixtures[fixture].noun].slots or ((50.0, 60.0),)
        round_, position = divmod(number, len(slots))
        x, y = slots[position]
        return x + _OVERFULL * round_, y

    def doors(self, snapshot: Snapshot) -> dict[str, int]:
        """How far each fixture that can be opened is open, in [0, ``OPEN``]."""
        levels = {
            name: OPEN * int(bool(snapshot.state[name]["open"]))
            for name in self.fixtures
            if "open" in snapshot.state.get(name, {})
        }
        step = snapshot.step
        if step and step.verb in {"open", "close"}:
            share = opening(snapshot.progress)
            levels[step.thing] = round(OPEN * (share if step.verb == "open" else 1 - share))
        return levels

    def look(self, name: str, state: State, *more: str) -> Flags:
        """The states of a thing or fixture that can be seen."""
        values = state.get(name, {})
        flags = {key for key in ("full", "cut", "folded", "on") if values.get(key) is True}
        if values.get("clean") is False:
            flags.add("dirty")
        return frozenset(flags | set(more))

    def furnish(
        self, picture: Image.Image, fixture: Fixture, corner: tuple[int, int], unit: float, snapshot: Snapshot
    ) -> None:
        """Draw a fixture and what is seen on and in it.

        Args:
            picture: What is drawn on.
            fixture: One of the episode's.
            corner: Pixels of its left upper corner.
            unit: Pixels a unit.
            snapshot: How everything stands.
        """
        level = self.doors(snapshot).get(fixture.id, OPEN)
        kind = FIXTURES[fixture.noun]
        body = sprites.fixture(fixture.noun, self.look(fixture.id, snapshot.state), level, unit)
        picture.paste(body, corner, body)
        if (kind.opens and level < OPEN // 2) or not kind.holds:
            return
        size = round(THING_UNITS * unit)
        for name, (x, y) in self._standing(fixture.id, snapshot.time):
            thing = self.things[name]
            drawn = sprites.thing(thing.noun, thing.colour, self.look(name, snapshot.state), size)
            picture.paste(drawn, (corner[0] + round(x * unit - size / 2), corner[1] + round(y * unit) - size), drawn)

    def _standing(self, fixture: str, time: float) -> Iterator[tuple[str, Point]]:
        """Things on a fixture with their points, those at the back first."""
        standing = [(name, self.slot(*place)) for name, place in self.places(time).items() if place[0] == fixture]
        yield from sorted(standing, key=lambda item: item[1][1])


def corner_of(base: tuple[float, float], unit: float) -> tuple[int, int]:
    """Left upper corner of a fixture that stands with the middle of its lower edge on a point."""
    return round(base[0] - FIXTURE_WIDTH * unit / 2), round(base[1] - FIXTURE_HEIGHT * unit)
