"""The first-person view of a walk: a hall in perspective, with doorways ahead and, where the wearer stops, aside.

Coordinates are metres: to the right, up and ahead, from the eyes of a wearer who stands at distance 0 of the doorway.
"""

from __future__ import annotations

import math
from typing import Final

from PIL import Image, ImageDraw

from egobench.miniego.drawing.ego_view import DEGREE, FIELD, HEIGHT, WIDTH
from egobench.miniego.drawing.pen import METAL, OUTLINE, RGB, darker
from egobench.miniego.world.episode import Episode, Snapshot
from egobench.miniego.world.vocabulary import COLOURS, HALL

Spot = tuple[float, float, float]

_FOCUS: Final = WIDTH / 2 / math.tan(math.radians(FIELD / 2))
_LENGTH: Final = 6.0
"""Metres from distance 1 to distance 0."""
_FRONT: Final = 1.5
"""Metres from the eyes to the doorway at distance 0."""
_HALF: Final = 1.25
_UP: Final = 0.9
_DOWN: Final = -1.5
_BACK: Final = -9.0
_LEAF: Final = (0.5, 0.62)
"""Half a door's width and the height of its upper edge."""
_NEAR: Final = 0.08

_WALL: Final[RGB] = (196, 186, 168)
_CEILING: Final[RGB] = (222, 218, 208)
_FLOOR: Final[RGB] = (136, 122, 112)
_FRAME: Final[RGB] = (108, 92, 76)


class WalkView:
    """The wearer's view of a walk.

    Args:
        episode: A walk.
    """

    def __init__(self, episode: Episode) -> None:
        colours = {thing.id: COLOURS[thing.colour] for thing in episode.things}
        self._doors = {
            str(change.value).removeprefix(f"{HALL}/"): colours[change.subject]
            for change in episode.changes
            if change.key == "place"
        }
        stops = [float(change.value) for change in episode.changes if change.key == "distance"]
        self._beside = -stops[-1] * _LENGTH

    def draw(self, snapshot: Snapshot) -> Image.Image:
        """The view at one moment, ``WIDTH`` by ``HEIGHT`` pixels."""
        picture = Image.new("RGB", (WIDTH, HEIGHT), _WALL)
        camera = _Camera(ImageDraw.Draw(picture), snapshot)
        for y, fill in ((_UP, _CEILING), (_DOWN, _FLOOR)):
            camera.face(((-_HALF, y, _BACK), (_HALF, y, _BACK), (_HALF, y, _FRONT), (-_HALF, y, _FRONT)), fill)
        for x in (-_HALF, _HALF):
            camera.face(((x, _UP, _BACK), (x, _UP, _FRONT), (x, _DOWN, _FRONT), (x, _DOWN, _BACK)), darker(_WALL, 0.14))
        for z in (_BACK, _FRONT):
            camera.face(((-_HALF, _UP, z), (_HALF, _UP, z), (_HALF, _DOWN, z), (-_HALF, _DOWN, z)), _WALL)
        for step in range(math.ceil(_BACK), math.ceil(_FRONT)):
            camera.line((-_HALF, _DOWN, step), (_HALF, _DOWN, step))
        for x in (-_HALF, 0.0, _HALF):
            camera.line((x, _DOWN, _BACK), (x, _DOWN, _FRONT))
        for x in (-_HALF, _HALF):
            camera.line((x, _UP, _BACK), (x, _UP, _FRONT))
            camera.line((x, _UP, _FRONT), (x, _DOWN, _FRONT))
        for way, colour in self._doors.items():
            self._draw_door(camera, way, colour)
        return picture

    def _draw_door(self, camera: _Camera, way: str, colour: RGB) -> None:
        def at(aside: float, y: float) -> Spot:
            """A point of the doorway, ``aside`` metres to the right of its middle as seen from the hall."""
            if way == "ahead":
                return aside, y, _FRONT
            return (_HALF, y, self._beside - aside) if way == "right" else (-_HALF, y, self._beside + aside)

        half, top = _LEAF
        for more, fill in ((0.1, _FRAME), (0.0, colour)):
            corners = (
                (-half - more, _DOWN),
                (-half - more, top + more),
                (half + more, top + more),
                (half + more, _DOWN),
            )
            camera.face(tuple(at(*corner) for corner in corners), fill)
        for low, high in ((-1.3, -0.5), (-0.3, 0.45)):
            panel = ((-0.35, low), (-0.35, high), (0.35, high), (0.35, low))
            shade = darker(colour, 0.2) if sum(colour) > 120 else (70, 70, 74)
            camera.face(tuple(at(*corner) for corner in panel), shade)
        knob = ((0.38, -0.44), (0.38, -0.36), (0.46, -0.36), (0.46, -0.44))
        camera.face(tuple(at(*corner) for corner in knob), METAL)


class _Camera:
    """Projects what lies in front of the wearer's eyes."""

    def __init__(self, pencil: ImageDraw.ImageDraw, snapshot: Snapshot) -> None:
        self._pencil = pencil
        self._ahead = -float(snapshot.state["wearer"]["distance"]) * _LENGTH
        angle = math.radians(snapshot.gaze)
        self._sin, self._cos = math.sin(angle), math.cos(angle)
        self._level = HEIGHT / 2 + snapshot.pitch * DEGREE

    def face(self, corners: tuple[Spot, ...], fill: RGB) -> None:
        """A flat surface."""
        visible = self._clipped([self._turned(corner) for corner in corners])
        if len(visible) > 2:
            self._pencil.polygon([self._pixel(spot) for spot in visible], fill=fill, outline=OUTLINE)

    def line(self, begin: Spot, end: Spot) -> None:
        """An edge."""
        visible = self._clipped([self._turned(begin), self._turned(end)])
        if len(visible) > 1:
            self._pencil.line([self._pixel(spot) for spot in visible[:2]], fill=darker(_FLOOR, 0.3), width=2)

    def _turned(self, spot: Spot) -> Spot:
        x, y, z = spot[0], spot[1], spot[2] - self._ahead
        return x * self._cos - z * self._sin, y, x * self._sin + z * self._cos

    def _pixel(self, spot: Spot) -> tuple[float, float]:
        return WIDTH / 2 + _FOCUS * spot[0] / spot[2], self._level - _FOCUS * spot[1] / spot[2]

    @staticmethod
    def _clipped(spots: list[Spot]) -> list[Spot]:
        """The part of a polygon in front of the eyes, cut at ``_NEAR`` (Sutherland and Hodgman)."""
        visible: list[Spot] = []
        for first, second in zip(spots, [*spots[1:], spots[0]], strict=True):
            if first[2] >= _NEAR:
                visible.append(first)
            if (first[2] >= _NEAR) != (second[2] >= _NEAR):
                share = (_NEAR - first[2]) / (second[2] - first[2])
                x, y, z = (a + (b - a) * share for a, b in zip(first, second, strict=True))
                visible.append((x, y, z))
        return visible
