"""Fixed cameras: which of the four corners of a room film an episode beside the wearer."""

from __future__ import annotations

from typing import Final

from egobench.miniego.world.episode import VIEWS, Episode, View
from egobench.miniego.world.streams import stream

PER_EPISODE: Final = 2


def fixed_cameras(episode: Episode) -> list[View]:
    """Views of the fixed cameras that film an episode, in order of their numbers."""
    return sorted(stream("cameras", episode.split, episode.number).sample(VIEWS[1:], PER_EPISODE))


def best_camera(episode: Episode) -> View:
    """View of the fixed camera that films an episode best."""
    return stream("best camera", episode.split, episode.number).choice(fixed_cameras(episode))
