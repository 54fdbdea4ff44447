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
    egoexolearn,
    egomcq,
    egoplan,
    egoschema,
    egotaskqa,
    egotimeqa,
    egtea,
    epic,
    openeqa,
    pairs,
    qaego4d,
    something_something,
    takes,
    vlnqa,
)
from egobench.miniego.official.files import Films
from egobench.miniego.rendering import Progress, render_all
from egobench.miniego.world import log
from egobench.miniego.world.simulate import SIZES, SizeName, TrainingEpisodes, World, simulate
from egobench.miniego.world.streams import split_stream, stream

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
        training: Number of training samples by source: takes, clips, captioned pairs, questions.
        questions: Number of test questions, by task, or task and subset.
        seconds: Wall-clock seconds.
    """

    episodes: int
    videos: int
    training: dict[str, int]
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
        size: At least 100 (``small``, ``train``) or 1,000 (``full``) test questions per task; ``train``
            has 1,000 takes to train on, the others 10 and 200.
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
    films, training, validation = (Films(out / folder) for folder in ("videos", "train", "val"))
    questions = write_tasks(out / "annotations", world, SIZES[size].questions, films, seed)
    samples = write_both_splits(out / "train", world, training)
    samples |= write_split(out / "train", world.train, training, seed)
    write_split(out / "val", world.val, validation, seed)
    rendered = [films, training, validation] if videos is True else [films.below(videos or [])]
    render_all(world.episodes, rendered, timecode=timecode, workers=workers, progress=progress)
    log.write(out / log.NAME, world.episodes)
    return Summary(
        episodes=len(world.episodes),
        videos=sum(listed.count for listed in rendered),
        training=samples,
        questions=questions,
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


def write_both_splits(out: Path, world: World, films: Films) -> dict[str, int]:
    """Write the training data whose files tell train from val: takes, EGTEA, Something-Something, EgoExoLearn.

    Args:
        out: Folder of the training data.
        world: The episodes; those of the split test are left out.
        films: List of the videos to render; these are added.

    Returns:
        Number of takes, clips or annotations, by source.
    """
    shorts = [*world.train.shorts, *world.val.shorts]
    name = "something-something-v2"
    return {
        "takes": takes.write(out, world.takes, films),
        "egtea": egtea.write(out / "egtea", world.takes, films),
        name: something_something.write(out / name, shorts, films),
        "egoexolearn": egoexolearn.write(out / "egoexolearn", world.takes, films),
    }


def write_split(out: Path, episodes: TrainingEpisodes, films: Films, seed: int) -> dict[str, int]:
    """Write the training data whose files know no splits: EgoClip, pairs, EgoTimeQA, OpenEQA, VLN-QA.

    Args:
        out: Folder of the data of a split.
        episodes: Episodes of the split train or val.
        films: List of the videos to render; these are added.
        seed: The world's seed.

    Returns:
        Number of clips, pairs or questions, by source.
    """
    split = episodes.takes[0].split
    streams = {name: split_stream(seed, split, name) for name in ("egotimeqa", "open-eqa", "vln-qa")}
    return {
        "egoclip": egoclip.write(out, episodes.takes, films),
        "pairs": pairs.write(out / "pairs", episodes.shorts, films),
        "egotimeqa": egotimeqa.write(out / "egotimeqa", episodes, streams["egotimeqa"], films),
        "open-eqa": openeqa.write(out / "open-eqa", episodes, streams["open-eqa"], films),
        "vln-qa": vlnqa.write(out / "vln-qa", episodes.walks, streams["vln-qa"], films),
    }
