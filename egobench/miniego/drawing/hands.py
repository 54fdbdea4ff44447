"""The wearer's hands, what they hold, and the step under way, drawn over a view of the room."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from PIL import Image, ImageDraw

from egobench.miniego.drawing import sprites
from egobench.miniego.drawing.fixtures import Point
from egobench.miniego.drawing.motion import GESTURES, Motion, ease
from egobench.miniego.drawing.pen import OUTLINE, WATER
from egobench.miniego.drawing.stage import Stage
from egobench.miniego.world.episode import Snapshot

Side = Literal["left", "right"]
SIDES: Final[tuple[Side, Side]] = ("left", "right")

_TURN: Final = 6
"""Degrees of which the tilt of a held thing is a multiple, so that few pictures are kept."""
_FOAM: Final = (250, 252, 255)
_HELD: Final = 1.1
"""Size of a held thing in widths of a hand."""
_FLIGHT: Final = (0.5, 0.85)
"""Progress between which a thrown thing is in the air."""


@dataclass(frozen=True, slots=True)
class Body:
    """Positions of the wearer's hands in a view.

    Attributes:
        rest: Where each hand grips when it does nothing, by side.
        middle: In front of the body, where a thing is read, folded or drunk from.
        width: Width of a hand in pixels.
    """

    rest: dict[Side, Point]
    middle: Point
    width: float

    def away(self, side: Side) -> int:
        """1 when away from the body's middle is to the right of the picture for this hand, else -1."""
        return 1 if self.rest[side][0] >= self.middle[0] else -1


class HandDrawing(Protocol):
    """A function that draws a hand, or an arm with a hand, gripping at a point."""

    def __call__(self, picture: Image.Image, side: Side, grip: Point, *, pointing: bool) -> None:
        """Draw over the picture."""


class ActionPainter:
    """Painter of hands, held things and the step under way, at one moment of one view.

    Args:
        picture: The view so far; it is drawn on.
        snapshot: The moment.
        stage: The episode's things and places.
        body: Where the hands are.
        aim: The point in the picture that the step's hand goes to, ``None`` for one in front of the body.
    """

    def __init__(self, picture: Image.Image, snapshot: Snapshot, stage: Stage, body: Body, aim: Point | None) -> None:
        self._picture = picture
        self._pencil = ImageDraw.Draw(picture)
        self._snapshot = snapshot
        self._stage = stage
        self._body = body
        self._aim = aim or body.middle
        self._step = snapshot.step
        self._gesture = GESTURES[snapshot.step.verb] if snapshot.step else None
        self._in_hand = {str(snapshot.state[name].get("place")): name for name in stage.things}

    def draw(self, draw_hand: HandDrawing) -> None:
        """Draw both hands, what they hold and what the step does.

        Args:
            draw_hand: How a hand looks in this view.
        """
        busy = self._step.hand if self._step else None
        if busy == "both":
            self._draw_cloth()
        for side in sorted(SIDES, key=lambda side: side == busy):
            motion, grip = self._grip(side)
            if side in self._in_hand and busy != "both":
                self._draw_held(self._in_hand[side], side, grip, motion)
            draw_hand(
                self._picture,
                side,
                grip,
                pointing=self._acts(side) and self._gesture is not None and self._gesture.pointing,
            )
            if side == busy:
                self._draw_effect(side, grip, motion)
        if self._step and self._step.verb == "throw":
            self._draw_flight()

    def _acts(self, side: Side) -> bool:
        return self._step is not None and self._step.hand in {side, "both"}

    def _grip(self, side: Side) -> tuple[Motion, Point]:
        """The motion of a hand and where it grips."""
        x, y = self._body.rest[side]
        width = self._body.width
        if self._gesture is None or not self._acts(side):
            return Motion(0.0), (x, y if side in self._in_hand else y + 0.35 * width)
        motion = self._gesture.motion(self._snapshot.progress)
        aside = self._body.away(side) * motion.aside * width
        goal = self._aim[0] + aside, self._aim[1] + motion.down * width
        return motion, (x + (goal[0] - x) * motion.reach, y + (goal[1] - y) * motion.reach)

    def _draw_held(self, name: str, side: Side, grip: Point, motion: Motion) -> None:
        """A thing that turns about the hand that holds it."""
        size = 2 * round(_HELD * self._body.width * motion.scale / 2)
        angle = _TURN * round(self._body.away(side) * motion.angle / _TURN)
        length = size * 0.42
        centre = grip[0] - length * math.sin(math.radians(angle)), grip[1] - length * math.cos(math.radians(angle))
        self._draw_thing(name, centre, size, angle, mirrored=self._body.away(side) < 0)

    def _draw_thing(self, name: str, centre: Point, size: int, angle: int = 0, *, mirrored: bool = False) -> None:
        thing = self._stage.things[name]
        reading = self._step is not None and self._step.verb == "read" and self._step.thing == name
        more = ["open"] if reading and 0.2 < self._snapshot.progress < 0.8 else []
        flags = self._stage.look(name, self._snapshot.state, *more)
        drawn = sprites.thing(thing.noun, thing.colour, flags, size, angle, mirrored=mirrored)
        corner = round(centre[0] - drawn.width / 2), round(centre[1] - drawn.height / 2)
        self._picture.paste(drawn, corner, drawn)

    def _draw_cloth(self) -> None:
        """What is folded between both hands: it grows narrower as they meet."""
        if self._step is None:
            return
        (left, (x, y)), (_, (end, _)) = self._grip("left"), self._grip("right")
        thing = self._stage.things[self._step.thing]
        flags = self._stage.look(thing.id, self._snapshot.state)
        size = 2 * round(_HELD * self._body.width * left.scale / 2)
        drawn = sprites.thing(thing.noun, thing.colour, flags, size)
        if "folded" not in flags:
            drawn = drawn.resize((max(round(abs(end - x)), size // 2), size))
        self._picture.paste(drawn, (round((x + end - drawn.width) / 2), round(y - 0.75 * size)), drawn)

    def _draw_flight(self) -> None:
        """What is thrown, between the hand and where it falls."""
        begin, end = _FLIGHT
        share = (self._snapshot.progress - begin) / (end - begin)
        if self._step is None or self._step.hand == "both" or not 0 <= share <= 1:
            return
        (x, y), width = self._grip(self._step.hand)[1], self._body.width
        middle = (
            x + (self._aim[0] - x) * share,
            y + (self._aim[1] - y) * share - width * (0.4 + math.sin(math.pi * share)),
        )
        self._draw_thing(self._step.thing, middle, round(width * (1 - 0.4 * share)), _TURN * round(30 * share))

    def _draw_effect(self, side: Side, grip: Point, motion: Motion) -> None:
        """Water, foam, a pressed button, shaking."""
        if self._gesture is None or motion.reach < 0.85:
            return
        width, (x, y) = self._body.width, self._aim
        match self._gesture.effect:
            case "press":
                radius = width * 0.45 * ease(1 - abs(self._snapshot.progress - 0.5) / 0.2)
                self._ring(x, y, radius)
            case "fill" | "wash" as effect:
                self._stream((x, y), (x, y + 0.35 * width))
                if effect == "wash":
                    self._bubbles(x, y + 0.75 * width, 0.6)
            case "pour":
                mouth = grip[0] - self._body.away(side) * 0.87 * width
                self._stream((mouth, grip[1]), (mouth, y - 0.5 * width))
            case "foam":
                self._bubbles(x, y, 1.2)
            case "shake":
                for way in (-1, 1):
                    centre = grip[0] + way * 0.9 * width, grip[1] - 0.5 * width
                    self._waves(centre, way)
            case _:
                pass

    def _stream(self, begin: Point, end: Point) -> None:
        thick = max(2, round(self._body.width * 0.13))
        self._pencil.line([begin, end], fill=OUTLINE, width=thick + 2)
        self._pencil.line([begin, end], fill=WATER, width=thick)

    def _bubbles(self, x: float, y: float, spread: float) -> None:
        """Foam that moves with the step."""
        width = self._body.width
        for number in range(9):
            phase = 2.4 * number + 9 * self._snapshot.progress
            radius = width * (0.06 + 0.03 * (number % 3))
            left, top = x + spread * width * math.sin(phase) * (number + 1) / 9, y + 0.3 * width * math.cos(1.7 * phase)
            self._pencil.ellipse((left - radius, top - radius, left + radius, top + radius), _FOAM, (120, 150, 180))

    def _ring(self, x: float, y: float, radius: float) -> None:
        if radius > 1:
            thick = max(1, round(self._body.width * 0.07))
            self._pencil.ellipse((x - radius, y - radius, x + radius, y + radius), None, (255, 220, 40), thick)

    def _waves(self, centre: Point, way: int) -> None:
        """Two arcs beside something that is shaken."""
        start = -45 if way > 0 else 135
        for radius in (0.25 * self._body.width, 0.45 * self._body.width):
            corners = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
            self._pencil.arc(corners, start, start + 90, fill=OUTLINE, width=max(1, round(self._body.width * 0.05)))
