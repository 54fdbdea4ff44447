"""Generating MiniEgo: episodes first, then the files about them, then the videos that the files mention."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import Final, Literal

from egobench.errors import EgoBenchError
from egobench.miniego import (
    charades,
    egomcq,
    egoplan,
    egoschema,
    egotaskqa,
    epic,
    log,
    qaego4d,
    takes,
    vlnqa,
)
from egobench.miniego.encode import VideoTarget, write_videos
from egobench.miniego.episode import Episode
from egobench.miniego.files import Film, Films
from egobench.miniego.plans import SIBLINGS
from egobench.miniego.simulate import activities, stream, walks

SizeName = Literal["small", "full"]
Progress = Callable[[int, int], None]
"""Told how many episodes are rendered, of how many."""

TASKS: Final = (
    "charades-ego",
    "egomcq",
    "egoplan",
    "egoschema",
    "egotaskqa",
    "epic-kitchens-mir",
    "qaego4d",
    "vln-qa",
)
"""Folders of annotations and of videos."""

QA_FPS: Final = 15.0
SHORT_FPS: Final = 8.0
TAKE_FPS: Final = 8.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is generated.

    Attributes:
        questions: Wanted of each task and subset.
        families: Families of siblings for questions, at 15 frames a second.
        epic: Families of strangers filmed as EPIC.
        ego4d: Families of strangers filmed as Ego4D.
        shorts: Short episodes.
        walks: Groups of four walks.
        train: Takes to train on.
        val: Takes to validate on.
    """

    questions: int
    families: int
    epic: int
    ego4d: int
    shorts: int
    walks: int
    train: int
    val: int


SIZES: Final[dict[SizeName, Size]] = {
    "small": Size(questions=104, families=4, epic=2, ego4d=1, shorts=104, walks=26, train=3, val=1),
    "full": Size(questions=1040, families=40, epic=18, ego4d=9, shorts=1040, walks=260, train=300, val=40),
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What was made.

    Attributes:
        episodes: Number of episodes.
        videos: Number of video files.
        takes: Number of training and validation takes.
        questions: Number of test questions, by task, or task and subset.
        seconds: Wall-clock time it took.
    """

    episodes: int
    videos: int
    takes: int
    questions: dict[str, int]
    seconds: float


@dataclass(frozen=True)
class World:
    """All episodes of a generated world.

    Attributes:
        activities: Test episodes of 15 frames a second, five siblings after another.
        epic: Test episodes filmed as EPIC.
        ego4d: Test episodes filmed as Ego4D.
        shorts: Test episodes for Charades-Ego.
        walks: Test episodes for VLN-QA, four with one instruction after another.
        takes: Train and val episodes.
    """

    activities: Sequence[Episode]
    epic: Sequence[Episode]
    ego4d: Sequence[Episode]
    shorts: Sequence[Episode]
    walks: Sequence[Episode]
    takes: Sequence[Episode]

    @property
    def test(self) -> list[Episode]:
        """Every activity episode of the test split."""
        return [*self.activities, *self.epic, *self.ego4d]

    @property
    def episodes(self) -> list[Episode]:
        """Every episode, in order of number."""
        return [*self.test, *self.takes, *self.shorts, *self.walks]


def simulate(size: SizeName, seed: int = 0) -> World:
    """Simulate a world; the same size and seed give the same world.

    Args:
        size: How much.
        seed: Any number.
    """
    wanted = SIZES[size]
    ends = [wanted.families, wanted.families + wanted.epic, wanted.families + wanted.epic + wanted.ego4d]
    test = [[*range(ends[0])], [*range(ends[0], ends[1])], [*range(ends[1], ends[2])]]
    alike, epic_like, ego4d_like = (
        [each for number in numbers for each in activities(seed, "test", number, fps, alike=fps == QA_FPS)]
        for numbers, fps in zip(test, (QA_FPS, egoplan.EPIC_FPS, egoplan.EGO4D_FPS), strict=True)
    )
    train_families = -(-wanted.train // SIBLINGS)
    val_families = -(-wanted.val // SIBLINGS)
    train = [
        each
        for number in range(ends[2], ends[2] + train_families)
        for each in activities(seed, "train", number, TAKE_FPS, alike=False)
    ][: wanted.train]
    first_val = ends[2] + train_families
    val = [
        each
        for number in range(first_val, first_val + val_families)
        for each in activities(seed, "val", number, TAKE_FPS, alike=False)
    ][: wanted.val]
    first = SIBLINGS * (first_val + val_families)
    order = stream(seed, "classes").sample(range(len(charades.CLASSES)), len(charades.CLASSES))
    shorts = [
        charades.short(stream(seed, "short", number), first + number, order[number % len(order)], "test", SHORT_FPS)
        for number in range(wanted.shorts)
    ]
    return World(
        alike, epic_like, ego4d_like, shorts, list(walks(seed, "test", wanted.walks, first + wanted.shorts)),
        [*train, *val],
    )  # fmt: skip


def generate(
    out: Path,
    size: SizeName = "small",
    *,
    timecode: bool = False,
    seed: int = 0,
    workers: int = 2,
    progress: Progress | None = None,
    videos: Collection[str] | bool = True,
) -> Summary:
    """Generate MiniEgo: annotations, videos, training data and, last, the simulator's log.

    Args:
        out: Folder to write; made when missing.
        size: At least 100 or 1,000 test questions a task.
        timecode: Whether the videos show episode and frame number in a strip.
        seed: Any number; the same one gives the same bytes.
        workers: Rendering processes; 1 renders in this one.
        progress: Told now and then how far the rendering is.
        videos: Whether videos are rendered, or of which tasks alone, without those to train on.

    Returns:
        What was made.

    Raises:
        ValueError: There is no such task.
        EgoBenchError: A rendering process died.
        OSError: Something cannot be written.
    """
    started = monotonic()
    strange = [] if isinstance(videos, bool) else sorted(set(videos) - set(TASKS))
    if strange:
        raise ValueError(f"MiniEgo has no task {strange[0]!r}; it has {', '.join(TASKS)}")
    world = simulate(size, seed)
    films, training = Films(out / "videos"), Films(out / "train")
    counts = write_tasks(out / "annotations", world, SIZES[size].questions, films, seed)
    number_of_takes = takes.write(out / "train", world.takes, training)
    wanted = [films, training] if videos is True else [films.below(videos or [])]
    _render(world.episodes, wanted, timecode=timecode, workers=workers, progress=progress)
    log.write(out / log.NAME, world.episodes)
    return Summary(
        episodes=len(world.episodes),
        videos=sum(one.count for one in wanted),
        takes=number_of_takes,
        questions=counts,
        seconds=round(monotonic() - started, 3),
    )


def write_tasks(out: Path, world: World, count: int, films: Films, seed: int) -> dict[str, int]:
    """Write the official files of the eight tasks.

    Args:
        out: Folder of the annotations, one folder a task below.
        world: The episodes.
        count: Questions wanted of each task and subset.
        films: Told which videos are needed.
        seed: The world's seed.

    Returns:
        The number of questions, by task, or task and subset.
    """
    test, planned = world.test, [*world.epic, *world.ego4d]
    counts = {
        "egoschema": egoschema.write(out / "egoschema", test, count, stream(seed, "egoschema"), films),
        "qaego4d": qaego4d.write(out / "qaego4d", test, count, stream(seed, "qaego4d"), films),
        "charades-ego": charades.write(out / "charades-ego", world.shorts, films),
        "epic-kitchens-mir": epic.write(out / "epic-kitchens-mir", world.epic, films),
        "egoplan": egoplan.write(out / "egoplan", planned, count, stream(seed, "egoplan"), films),
        "vln-qa": vlnqa.write(out / "vln-qa", world.walks, stream(seed, "vln-qa"), films),
    }
    epic.write_videos_table(out / "egoplan", world.epic)
    tasks = egotaskqa.write(out / "egotaskqa", world.activities, count, stream(seed, "egotaskqa"), films)
    clips = egomcq.write(out / "egomcq", test, count, stream(seed, "egomcq"), films)
    counts |= {f"egotaskqa/{split}": number for split, number in sorted(tasks.items())}
    return counts | {f"egomcq/{kind}": number for kind, number in clips.items()}


def _render(
    episodes: Sequence[Episode],
    wanted: Sequence[Films],
    *,
    timecode: bool,
    workers: int,
    progress: Progress | None,
) -> None:
    """Render every episode's videos, those with most frames first."""
    jobs = [(episode, [film for films in wanted for film in films.of(episode)]) for episode in episodes]
    jobs = [(episode, films) for episode, films in jobs if films]
    jobs.sort(key=lambda job: -job[0].frames * len({film.view for film in job[1]}))
    if workers <= 1:
        for done, (episode, films) in enumerate(jobs, 1):
            render(episode, films, timecode)
            _tell(progress, done, len(jobs))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(render, episode, films, timecode) for episode, films in jobs]
        try:
            for done, future in enumerate(as_completed(waiting), 1):
                future.result()
                _tell(progress, done, len(jobs))
        except BrokenProcessPool as error:
            raise EgoBenchError("a rendering process died, perhaps for want of memory; try fewer workers") from error
        finally:
            for future in waiting:
                future.cancel()


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def render(episode: Episode, films: Sequence[Film], timecode: bool) -> None:  # noqa: FBT001 - called by a pool
    """Render one episode's videos; a stretch that has several names is encoded once and linked.

    Args:
        episode: The episode.
        films: Its videos.
        timecode: Whether they show the strip.
    """
    first: dict[tuple[str, float, float], Path] = {}
    again: list[tuple[Path, Path]] = []
    targets: list[VideoTarget] = []
    for film in films:
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
