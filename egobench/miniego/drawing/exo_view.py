"""Exocentric views: a room from the four fixed cameras in its upper corners, the wearer among the fixtures."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw

from egobench.miniego.drawing.ego_view import HEIGHT, ROOM_COLOURS, WIDTH
from egobench.miniego.drawing.fixtures import Point
from egobench.miniego.drawing.hands import ActionPainter, Body, Side
from egobench.miniego.drawing.motion import GESTURES, ease
from egobench.miniego.drawing.pen import OUTLINE, RGB, SKIN, Pen, darker, lighter
from egobench.miniego.drawing.stage import Stage, corner_of
from egobench.miniego.world.episode import Episode, Fixture, Snapshot

_MIDDLE: Final = (128.0, 124.0)
_RADII: Final = (92.0, 50.0)
_HORIZON: Final = 66
_UNITS: Final = (0.54, 0.7)
"""Pixels a unit of a fixture at the far and at the near side of the room."""
_NEARNESS: Final = 0.45
"""How far from the room's middle towards a fixture the wearer stands."""
_HAND: Final = 20.0
_SWEATER: Final[RGB] = (120, 132, 150)
_SLEEVE: Final[RGB] = (92, 104, 122)
_TROUSERS: Final[RGB] = (64, 70, 92)
_HAIR: Final[RGB] = (84, 56, 36)
_TURNING: Final = 0.35
"""Seconds the wearer needs from one fixture to the next."""


@lru_cache(maxsize=16)
def _empty(room: str, camera: int) -> Image.Image:
    """The room without anything in it; the corner opposite the camera lies a little aside, other for each camera."""
    wall, floor = ROOM_COLOURS[room]
    corner = 128 + (camera - 2.5) * 16
    picture = Image.new("RGB", (WIDTH, HEIGHT), wall)
    pencil = ImageDraw.Draw(picture)
    pencil.polygon([(0, 0), (corner, 0), (corner, _HORIZON), (0, _HORIZON + 30)], fill=darker(wall, 0.1))
    pencil.polygon(
        [(0, _HORIZON + 30), (corner, _HORIZON), (WIDTH, _HORIZON + 30), (WIDTH, HEIGHT), (0, HEIGHT)], fill=floor
    )
    for number in range(-8, 20):
        x = number * 26
        pencil.line((x, _HORIZON, x - 90, HEIGHT), fill=darker(floor, 0.08))
        pencil.line((x, _HORIZON, x + 90, HEIGHT), fill=darker(floor, 0.08))
    pencil.polygon([(0, 0), (corner, 0), (corner, _HORIZON), (0, _HORIZON + 30)], fill=darker(wall, 0.1))
    pencil.polygon([(corner, 0), (WIDTH, 0), (WIDTH, _HORIZON + 30), (corner, _HORIZON)], fill=wall)
    pencil.line((corner, 0, corner, _HORIZON), fill=darker(wall, 0.4), width=2)
    pencil.line([(0, _HORIZON + 30), (corner, _HORIZON), (WIDTH, _HORIZON + 30)], fill=lighter(wall, 0.5), width=3)
    return picture


class ExoView:
    """A fixed camera's view of an episode.

    Args:
        episode: An activity or a short episode.
        camera: Which of the four corners, in [1, 4].
    """

    def __init__(self, episode: Episode, camera: int) -> None:
        self._stage = Stage(episode)
        self._camera = camera
        self._key: tuple[object, ...] = ()
        self._picture = Image.new("RGB", (1, 1))
        self._path = [(change.time, str(change.value)) for change in episode.changes if change.key == "facing"]

    def draw(self, snapshot: Snapshot) -> Image.Image:
        """The view at one moment, ``WIDTH`` by ``HEIGHT`` pixels."""
        picture = self._room(snapshot).copy()
        across, along = self._standing(snapshot)
        x, y = _MIDDLE[0] + _RADII[0] * across, _MIDDLE[1] - _RADII[1] * along
        direction = round(math.degrees(math.atan2(across, along)) / 45) % 8
        person = _person(direction)
        picture.paste(person, (round(x - person.width / 2), round(y - person.height + 4)), person)
        # The left hand is on the left of the picture only while the wearer is seen from behind.
        aside = 18.0 if direction in {0, 1, 7, 2} else -18.0
        body = Body({"left": (x - aside, y - 28), "right": (x + aside, y - 28)}, (x, y - 42), _HAND)
        step = snapshot.step
        target = self._stage.hand_target(step, GESTURES[step.verb].aim) if step else None
        aim = self._on_fixture(*target) if target else None

        def arm(picture: Image.Image, side: Side, grip: Point, *, pointing: bool) -> None:
            shoulder = x + 0.6 * (body.rest[side][0] - x), y - 44
            _draw_arm(ImageDraw.Draw(picture), shoulder, grip, pointing=pointing)

        ActionPainter(picture, snapshot, self._stage, body, aim).draw(arm)
        return picture

    def _direction(self, fixture: Fixture) -> Point:
        """Where a fixture is from this camera: to the right and away from it, both in [-1, 1]."""
        angle = math.radians(fixture.azimuth - 90 * (self._camera - 1) - 20)
        return math.sin(angle), math.cos(angle)

    def _ground(self, fixture: Fixture) -> tuple[Point, float]:
        """The pixel a fixture stands on, and its pixels a unit."""
        across, along = self._direction(fixture)
        far, near = _UNITS
        unit = round(near + (far - near) * (along + 1) / 2, 2)
        return (_MIDDLE[0] + _RADII[0] * across, _MIDDLE[1] + 14 - _RADII[1] * along), unit

    def _on_fixture(self, name: str, point: Point) -> Point:
        ground, unit = self._ground(self._stage.fixtures[name])
        x, y = corner_of(ground, unit)
        return x + point[0] * unit, y + point[1] * unit

    def _standing(self, snapshot: Snapshot) -> Point:
        """Where the wearer stands, like :meth:`_direction`: on the way from one fixture to the next, or at it."""
        later = next((number for number, (time, _) in enumerate(self._path) if time > snapshot.time), len(self._path))
        here = self._spot(self._path[max(0, later - 1)][1], snapshot.room)
        if not 0 < later < len(self._path):
            return here
        time, name = self._path[later]
        share = ease(1 - (time - snapshot.time) / _TURNING)
        there = self._spot(name, snapshot.room)
        return here[0] + (there[0] - here[0]) * share, here[1] + (there[1] - here[1]) * share

    def _spot(self, name: str, room: str) -> Point:
        fixture = self._stage.fixtures[name]
        if fixture.room != room:
            return 0.0, 0.0
        across, along = self._direction(fixture)
        return across * _NEARNESS, along * _NEARNESS

    def _room(self, snapshot: Snapshot) -> Image.Image:
        """The furnished room, drawn again only when something in it changed."""
        doors = tuple(self._stage.doors(snapshot).items())
        key = (snapshot.room, doors, snapshot.state)
        if key[:2] == self._key[:2] and self._key[2] is snapshot.state:
            return self._picture
        self._key = key
        self._picture = _empty(snapshot.room, self._camera).copy()
        present = [fixture for fixture in self._stage.fixtures.values() if fixture.room == snapshot.room]
        for fixture in sorted(present, key=lambda fixture: -self._direction(fixture)[1]):
            ground, unit = self._ground(fixture)
            self._stage.furnish(self._picture, fixture, corner_of(ground, unit), unit, snapshot)
        return self._picture


@lru_cache(maxsize=8)
def _person(direction: int) -> Image.Image:
    """The wearer looking away from the camera (0), to the right (2), at it (4), to the left (6)."""
    pen = Pen(40, 76, 1)
    for left in (11, 21):
        pen.box(left, 46, left + 9, 74, _TROUSERS, radius=2)
    pen.box(8, 24, 32, 52, _SWEATER, radius=6)
    pen.oval(10, 2, 30, 26, SKIN)
    side = math.sin(math.radians(45 * direction))
    if direction in {0, 1, 7}:
        pen.oval(10, 2, 30, 25, _HAIR)
    else:
        pen.oval(11 - 2 * side, 2, 29 - 2 * side, 13, _HAIR)
        pen.spots((16 + 4 * side, 16), (24 + 4 * side, 16), radius=1.6, fill=OUTLINE)
    return pen.finished()


def _draw_arm(pencil: ImageDraw.ImageDraw, shoulder: Point, grip: Point, *, pointing: bool) -> None:
    pencil.line([shoulder, grip], fill=OUTLINE, width=9)
    pencil.line([shoulder, grip], fill=_SLEEVE, width=6)
    radius = 3 if pointing else 5
    x, y = grip
    pencil.ellipse((x - radius, y - radius, x + radius, y + radius), SKIN, OUTLINE)
