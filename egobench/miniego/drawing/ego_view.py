"""First-person view: the room all round as a strip, the part of it that the head faces, and the hands in front."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw

from egobench.miniego.drawing import sprites
from egobench.miniego.drawing.fixtures import Point
from egobench.miniego.drawing.hands import ActionPainter, Body, Side
from egobench.miniego.drawing.motion import GESTURES, stay
from egobench.miniego.drawing.pen import RGB, darker, lighter
from egobench.miniego.drawing.stage import Stage, corner_of
from egobench.miniego.world.episode import Episode, Snapshot

WIDTH: Final = 256
HEIGHT: Final = 192
FIELD: Final = 70.0
"""Degrees seen from left to right."""
DEGREE: Final = WIDTH / FIELD
"""Pixels a degree."""
ROUND: Final = round(360 * DEGREE)
"""Pixels all the way round."""

_MARGIN: Final = 54
"""Pixels of the strip above and below what a level head sees."""
_STRIP: Final = HEIGHT + 2 * _MARGIN
_FLOOR: Final = 224
_BASE: Final = 254
_UNIT: Final = 1.76
_LOW: Final = 20
"""Pixels that the head, when it leans, keeps what is worked on below the middle of the view."""
_HAND: Final = 58
_BODY: Final = Body({"left": (58, 166), "right": (198, 166)}, (128, 118), _HAND)

ROOM_COLOURS: Final[dict[str, tuple[RGB, RGB]]] = {
    "kitchen": ((232, 220, 178), (150, 140, 130)),
    "bathroom": ((176, 214, 214), (112, 132, 150)),
    "living room": ((176, 192, 156), (168, 124, 84)),
    "bedroom": ((214, 190, 210), (138, 112, 128)),
}
"""Wall and floor of each room."""


@lru_cache(maxsize=8)
def _walls(room: str) -> Image.Image:
    """An unfurnished room all round, its first part repeated: ``ROUND + WIDTH`` by ``_STRIP`` pixels."""
    wall, floor = ROOM_COLOURS[room]
    picture = Image.new("RGB", (ROUND + WIDTH, _STRIP), wall)
    pencil = ImageDraw.Draw(picture)
    line, width, height = darker(wall, 0.09), picture.width, picture.height
    tile = ROUND / 36
    for number in range(44):
        x = number * tile
        if room in {"kitchen", "bathroom"}:
            pencil.line((x, 0, x, _FLOOR), fill=line, width=2)
        elif room == "living room" and number % 2:
            pencil.rectangle((x, 0, x + tile / 2, _FLOOR), fill=line)
        elif room == "bedroom":
            for y in range(12 + 18 * (number % 2), _FLOOR, 36):
                pencil.ellipse((x, y, x + 7, y + 7), fill=line)
    if room in {"kitchen", "bathroom"}:
        for y in range(8, _FLOOR, 36 if room == "kitchen" else 18):
            pencil.line((0, y, width, y), fill=line, width=2)
    pencil.rectangle((0, _FLOOR, width, height), fill=floor)
    for number in range(44):
        if room in {"kitchen", "living room"}:
            pencil.line((number * tile, _FLOOR, number * tile, height), fill=darker(floor, 0.15), width=2)
    pencil.rectangle((0, _FLOOR - 6, width, _FLOOR), fill=lighter(wall, 0.5))
    pencil.line((0, _FLOOR, width, _FLOOR), fill=darker(floor, 0.5), width=2)
    return picture


class EgoView:
    """The wearer's own view of an episode.

    Args:
        episode: An activity or a short episode.
    """

    def __init__(self, episode: Episode) -> None:
        self._stage = Stage(episode)
        self._key: tuple[object, ...] = ()
        self._strip = Image.new("RGB", (1, 1))

    def draw(self, snapshot: Snapshot) -> Image.Image:
        """The view at one moment, ``WIDTH`` by ``HEIGHT`` pixels."""
        step = snapshot.step
        target = self._stage.hand_target(step, GESTURES[step.verb].aim) if step else None
        focus = self._on_strip(snapshot, *target) if target else None
        lean = GESTURES[step.verb].lean * stay(snapshot.progress) if step else 0.0
        zoom = 1 + lean
        x = (snapshot.gaze * DEGREE) % ROUND
        y = _STRIP / 2 - snapshot.pitch * DEGREE
        if focus:
            share = stay(snapshot.progress) if lean else 0.0
            x, y = x + (focus[0] - x) * share, y + (focus[1] - _LOW - y) * share
        left = x - WIDTH / 2 / zoom
        shift = ROUND * (left < 0)
        left += shift
        top = min(max(y - HEIGHT / 2 / zoom, 0.0), _STRIP - HEIGHT / zoom)
        if zoom == 1:
            left, top = round(left), round(top)
            picture = self._room(snapshot).crop((left, top, left + WIDTH, top + HEIGHT))
        else:
            box = (left, top, left + WIDTH / zoom, top + HEIGHT / zoom)
            picture = self._room(snapshot).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box)
        aim = ((focus[0] + shift - left) * zoom, (focus[1] - top) * zoom) if focus else None
        ActionPainter(picture, snapshot, self._stage, _BODY, aim).draw(_draw_hand)
        return picture

    def _on_strip(self, snapshot: Snapshot, fixture: str, point: Point) -> Point:
        """A point of a fixture on the strip, on the side of the seam where the gaze is."""
        azimuth = self._stage.fixtures[fixture].azimuth
        offset = (azimuth - snapshot.gaze + 180) % 360 - 180
        x, y = corner_of(((snapshot.gaze % 360 + offset) * DEGREE, _BASE), _UNIT)
        return x + point[0] * _UNIT, y + point[1] * _UNIT

    def _room(self, snapshot: Snapshot) -> Image.Image:
        """The furnished strip, drawn again only when something in it changed."""
        doors = self._stage.doors(snapshot)
        key = (snapshot.room, tuple(doors.items()), snapshot.state)
        if key[:2] == self._key[:2] and self._key[2] is snapshot.state:
            return self._strip
        self._key = key
        self._strip = _walls(snapshot.room).copy()
        for fixture in self._stage.fixtures.values():
            if fixture.room == snapshot.room:
                for turn in (-ROUND, 0, ROUND):
                    x, y = corner_of((fixture.azimuth * DEGREE + turn, _BASE), _UNIT)
                    if -2 * WIDTH < x < self._strip.width:
                        self._stage.furnish(self._strip, fixture, (x, y), _UNIT, snapshot)
        return self._strip


def _draw_hand(picture: Image.Image, side: Side, grip: Point, *, pointing: bool) -> None:
    drawn = sprites.hand(side, pointing=pointing, size=_HAND)
    picture.paste(drawn, (round(grip[0] - _HAND / 2), round(grip[1] - _HAND / 2)), drawn)
