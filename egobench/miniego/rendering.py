"""Rendering the videos of a world in several processes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from egobench.errors import EgoBenchError
from egobench.miniego.drawing.encode import VideoTarget, write_videos
from egobench.miniego.drawing.frames import write_frames
from egobench.miniego.official.files import Film, Films
from egobench.miniego.world.episode import Episode

Progress = Callable[[int, int], None]
"""Called with the number of episodes rendered and that of all."""


def render_all(
    episodes: Sequence[Episode],
    films: Sequence[Films],
    *,
    timecode: bool,
    workers: int,
    progress: Progress | None,
) -> None:
    """Render the videos of all episodes, those with most frames first.

    Args:
        episodes: The episodes.
        films: Lists of the videos to render.
        timecode: Whether the videos show episode and frame number in a strip.
        workers: Rendering processes; 1 renders in this process.
        progress: Called now and then.

    Raises:
        EgoBenchError: A rendering process died.
        OSError: A video cannot be written.
    """
    jobs = [(episode, [film for listed in films for film in listed.of(episode)]) for episode in episodes]
    jobs = [(episode, videos) for episode, videos in jobs if videos]
    jobs.sort(key=lambda job: -job[0].frames * len({film.view for film in job[1]}))
    if workers <= 1:
        for done, (episode, videos) in enumerate(jobs, 1):
            render(episode, videos, timecode)
            _report(progress, done, len(jobs))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(render, episode, videos, timecode) for episode, videos in jobs]
        try:
            for done, future in enumerate(as_completed(waiting), 1):
                future.result()
                _report(progress, done, len(jobs))
        except BrokenProcessPool as error:
            raise EgoBenchError("a rendering process died, perhaps for want of memory; try fewer workers") from error
        finally:
            for future in waiting:
                future.cancel()


def _report(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def render(episode: Episode, films: Sequence[Film], timecode: bool) -> None:  # noqa: FBT001 - called by a pool
    """Render the videos of an episode; a stretch that has several names is encoded once and linked.

    Args:
        episode: The episode.
        films: Its videos.
        timecode: Whether the videos show episode and frame number in a strip.
    """
    first: dict[tuple[str, float, float], Path] = {}
    again: list[tuple[Path, Path]] = []
    targets: list[VideoTarget] = []
    for film in films:
        if film.png_fps is not None:
            write_frames(episode, film.path, film.png_fps, timecode=timecode)
            continue
        key = (film.view, film.start, film.end)
        if key in first:
            again.append((first[key], film.path))
            continue
        first[key] = film.path
        targets.append(VideoTarget(film.path, film.view, film.start, film.end, episode.fps, timecode))
    write_videos(episode, targets)
    for source, path in again:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        try:
            path.hardlink_to(source)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, path)
