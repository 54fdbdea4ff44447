"""Generating MiniEgo: episodes first, then the official files about them, then the videos that the files mention."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from egobench.miniego.official import (
    charades,
    egoclip,
    egomcq,
    egoplan,
    egoschema,
    egotaskqa,
    epic,
    qaego4d,
    takes,
    vlnqa,
)
from egobench.miniego.official.files import Films
from egobench.miniego.rendering import Progress, render_all
from egobench.miniego.world import log
from egobench.miniego.world.simulate import SIZES, SizeName, World, simulate
from egobench.miniego.world.streams import stream

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
"""Tasks: the folders below ``annotations`` and ``videos``."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of what was generated.

    Attributes:
        episodes: Number of episodes.
        videos: Number of video files.
        takes: Number of training and validation takes.
        questions: Number of test questions, by task, or task and subset.
        seconds: Wall-clock seconds.
    """

    episodes: int
    videos: int
    takes: int
    questions: dict[str, int]
    seconds: float


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
        workers: Rendering processes; 1 renders in this process.
        progress: Called now and then while rendering.
        videos: Whether videos are rendered, or the tasks whose videos alone are rendered, without those to train on.

    Returns:
        Counts of what was generated.

    Raises:
        ValueError: There is no such task.
        EgoBenchError: A rendering process died.
        OSError: Something cannot be written.
    """
    started = monotonic()
    unknown = [] if isinstance(videos, bool) else sorted(set(videos) - set(TASKS))
    if unknown:
        raise ValueError(f"MiniEgo has no task {unknown[0]!r}; it has {', '.join(TASKS)}")
    world = simulate(size, seed)
    films, training = Films(out / "videos"), Films(out / "train")
    counts = write_tasks(out / "annotations", world, SIZES[size].questions, films, seed)
    number_of_takes = takes.write(out / "train", world.takes, training)
    egoclip.write(out / "train", [episode for episode in world.takes if episode.split == "train"], training)
    rendered = [films, training] if videos is True else [films.below(videos or [])]
    render_all(world.episodes, rendered, timecode=timecode, workers=workers, progress=progress)
    log.write(out / log.NAME, world.episodes)
    return Summary(
        episodes=len(world.episodes),
        videos=sum(listed.count for listed in rendered),
        takes=number_of_takes,
        questions=counts,
        seconds=round(monotonic() - started, 3),
    )


def write_tasks(out: Path, world: World, count: int, films: Films, seed: int) -> dict[str, int]:
    """Write the official files of the eight tasks.

    Args:
        out: Folder of the annotations, one folder a task below.
        world: The episodes.
        count: Questions of each task and subset, at least.
        films: List of the videos to render; these are added.
        seed: The world's seed.

    Returns:
        Number of questions, by task, or task and subset.
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
