"""Galleries of sample sets: the one that a set was built with, and how one is built where there is none."""

from __future__ import annotations

from collections.abc import Iterable

from egobench.dataset.sampleset import SampleSet
from egobench.errors import SampleSetError
from egobench.plugins import load_task
from egobench.task import Gallery, Task


def gallery_of(sample_set: SampleSet) -> Gallery:
    """The gallery a sample set was built with.

    Raises:
        PluginError: If the set's task is not installed.
        SampleSetError: If it was built without.
    """
    task = load_task(sample_set.manifest.task)
    gallery = task.galleries.get(sample_set.manifest.construction)
    if gallery is None or not sample_set.gallery:
        raise SampleSetError(f"{sample_set.name} has no gallery to score; {gallery_advice([task])}")
    return gallery


def gallery_advice(tasks: Iterable[Task]) -> str:
    """The commands that build the galleries of some tasks, or the statement that these tasks have none.

    Args:
        tasks: At least one.
    """
    by_name = {task.name: task for task in tasks}
    commands = [
        f"egobench build {name} --construction {construction}"
        for name, task in sorted(by_name.items())
        for construction in task.galleries
    ]
    if commands:
        return f"build one with {' or '.join(commands)}"
    return f"no gallery can be built of {', '.join(sorted(by_name))}; egobench tasks lists what each task is built as"
