"""Pictures of an episode: one view of it, frame by frame.

Every picture is drawn at 256x192 and rescaled when another size is asked for. It depends on the episode, the view and
the moment alone.
"""

from __future__ import annotations

from typing import Final, Literal, Protocol

import numpy as np
from PIL import Image

from egobench.miniego.episode import Episode, Snapshot
from egobench.miniego.render_ego import HEIGHT, WIDTH, RoomView
from egobench.miniego.render_exo import ExoView
from egobench.miniego.render_walk import WalkView
from egobench.miniego.timecode import Picture

View = Literal["ego", "exo1", "exo2", "exo3", "exo4"]
VIEWS: Final[tuple[View, ...]] = ("ego", "exo1", "exo2", "exo3", "exo4")
"""The wearer's own view, and four cameras in the corners of the room."""


class _Drawing(Protocol):
    def draw(self, snapshot: Snapshot) -> Image.Image: ...


class Renderer:
    """Draws one view of one episode; several moments in order are drawn fastest.

    Args:
        episode: What is drawn; a walk has the view ``ego`` only.
        view: Whose view.
        size: Width and height in pixels.

    Raises:
        ValueError: The view is unknown, or there is none such of a walk.
    """

    def __init__(self, episode: Episode, view: View, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
        if view not in VIEWS or (episode.kind == "walk" and view != "ego"):
            raise ValueError(
                f"episode {episode.number} ({episode.kind}) has no view {view!r}: one of {', '.join(VIEWS)}"
            )
        self._episode = episode
        self._size = size
        self._drawing: _Drawing
        if episode.kind == "walk":
            self._drawing = WalkView(episode)
        elif view == "ego":
            self._drawing = RoomView(episode)
        else:
            self._drawing = ExoView(episode, VIEWS.index(view))

    def picture(self, time: float) -> Picture:
        """The view at one moment.

        Args:
            time: Seconds from the episode's start.

        Returns:
            ``(height, width, 3)`` RGB of its own, that may be written to.
        """
        return self.show(self._episode.at(time))

    def show(self, snapshot: Snapshot) -> Picture:
        """The view of a snapshot of this episode, as :meth:`picture` draws it."""
        image = self._drawing.draw(snapshot)
        if image.size != self._size:
            image = image.resize(self._size, Image.Resampling.BILINEAR)
        return np.array(image)
