"""Pictures of an episode: one view of it, frame by frame.

Every picture is drawn at 256x192 and rescaled when another size is asked for. It depends on the episode, the view and
the moment alone.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from PIL import Image

from egobench.miniego.drawing.ego_view import HEIGHT, WIDTH, EgoView
from egobench.miniego.drawing.exo_view import ExoView
from egobench.miniego.drawing.timecode import Picture
from egobench.miniego.drawing.walk_view import WalkView
from egobench.miniego.world.episode import VIEWS, Episode, Snapshot, View


class _View(Protocol):
    def draw(self, snapshot: Snapshot) -> Image.Image: ...


class Renderer:
    """Renderer of one view of one episode; moments in order of time are drawn fastest.

    Args:
        episode: The episode; a walk has the view ``ego`` only.
        view: The camera.
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
        self._view: _View
        if episode.kind == "walk":
            self._view = WalkView(episode)
        elif view == "ego":
            self._view = EgoView(episode)
        else:
            self._view = ExoView(episode, VIEWS.index(view))

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
        image = self._view.draw(snapshot)
        if image.size != self._size:
            image = image.resize(self._size, Image.Resampling.BILINEAR)
        return np.array(image)
