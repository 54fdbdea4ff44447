"""Our tasks as files that lmms-eval reads: one task per subset of a sample set, and one group of all of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

from egobench.dataset.sampleset import SampleSet, find_sets
from egobench.errors import MissingVideoError, SampleSetError
from egobench.interop.clips import FPS
from egobench.interop.lmms_documents import KEY, Placement, Presentation
from egobench.interop.lmms_tasks import SHARES
from egobench.prompts import MAX_NEW_TOKENS, SYSTEM
from egobench.run.plan import Part, plan
from egobench.run.spec import Settings

GROUP = "egobench"
"""Name of the group of all tasks, and prefix of each: on a clash lmms-eval would take its own."""

FUNCTIONS = "egobench.interop.lmms_tasks"

NEVER = "<|egobench never ends here|>"
"""The text that ends a reply: without one lmms-eval takes a blank line, which models treat in different ways."""


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """How the tasks are presented to models.

    Attributes:
        videos: Folder of videos, or of one such folder a task.
        prompt: Id of the prompt style.
        system: Where the system prompt goes.
        frames: Frames per clip; ``None`` for those of the task.
        short_side: Pixels of a frame's shorter side; ``None`` for those of the task.
        fps: Frames a second of the clips that models get; ``None`` for their true rate.
        tasks: Names of tasks to write; ``None`` for all.
        construction: Construction of the sample sets to write; ``None`` for all.
    """

    videos: Path
    prompt: str = "first_person"
    system: Placement = "turn"
    frames: int | None = None
    short_side: int | None = None
    fps: float | None = FPS
    tasks: tuple[str, ...] | None = None
    construction: str | None = None


@dataclass(frozen=True, slots=True)
class WrittenTasks:
    """Tasks that were written.

    Attributes:
        folder: Their folder, for ``--include_path``.
        names: Names of the tasks, sorted.
    """

    folder: Path
    names: tuple[str, ...]


def write_tasks(data: Path, out: Path, options: TaskOptions) -> WrittenTasks:
    """Write the files of all sample sets below a folder.

    They get a folder named by their content, so that jobs that present tasks in two ways at the same time never mix.

    Args:
        data: Folder of sample sets, from ``egobench build``.
        out: Folder to write to; clips are kept in its folder ``clips``.
        options: How the tasks are presented.

    Raises:
        SampleSetError: If there is no sample set, one is damaged, or the folder cannot be written.
        MissingVideoError: If there is no folder of videos.
        ValueError: If there is no such prompt style, or no frame is asked for.
    """
    if options.prompt not in SYSTEM:
        raise ValueError(f"no prompt {options.prompt!r}; there are {', '.join(SYSTEM)}")
    if options.frames is not None and options.frames < 1:
        raise ValueError(f"{options.frames} frames a clip; expected at least 1")
    if not options.videos.is_dir():
        raise MissingVideoError(f"{options.videos}: no such folder; expected the folder of videos")
    folders = find_sets(data, options.tasks, options.construction)
    read = [(folder, SampleSet.read(folder)) for folder in folders]
    sets = [(folder.resolve(), sample_set) for folder, sample_set in read if not sample_set.gallery]
    if not sets:
        raise SampleSetError(f"{data} holds galleries alone, which no model is asked about")
    files: dict[str, str] = {}
    names: list[str] = []
    for folder, sample_set in sets:
        parts = plan([sample_set], Settings())
        for part in parts:
            name = task_name(part)
            presentation = _presentation(folder, part, out, options)
            files |= {
                f"{name}.yaml": _task(name, part),
                f"{name}.json": json.dumps({KEY: presentation.to_json()}) + "\n",
            }
            names.append(name)
    files[f"{GROUP}.yaml"] = _group(names)
    return WrittenTasks(_write(out, files), tuple(sorted(names)))


def task_name(part: Part) -> str:
    """Return a task's name in lmms-eval, e.g. ``"egobench_egomcq_paper_inter"``.

    The construction is left out where it is the task's default one, and the subset where it is the only one.
    """
    task, construction = part.task, part.sample_set.manifest.construction
    named = [GROUP, task.name]
    named += [construction] if construction != task.default_construction else []
    named += [part.subset.name] if len(task.subsets) > 1 else []
    return "_".join(named).replace("-", "_")


def _presentation(folder: Path, part: Part, out: Path, options: TaskOptions) -> Presentation:
    return Presentation(
        data=str(folder),
        sha256=part.sample_set.manifest.samples_sha256,
        subset=part.subset.name,
        videos=str(options.videos.resolve()),
        clips=str((out / "clips").resolve()),
        prompt=options.prompt,
        system=options.system,
        frames=options.frames,
        short_side=options.short_side,
        fps=options.fps,
    )


def _task(name: str, part: Part) -> str:
    lines = [
        f"task: {name}",
        "dataset_path: json",
        f"dataset_kwargs: {{data_files: {{test: {name}.json}}}}",
        "test_split: test",
        "output_type: generate_until",
        f"process_docs: !function {FUNCTIONS}.make_documents",
        f"doc_to_visual: !function {FUNCTIONS}.visual",
        f"doc_to_text: !function {FUNCTIONS}.text",
        f"doc_to_messages: !function {FUNCTIONS}.messages",
        f"doc_to_target: !function {FUNCTIONS}.target",
        f"process_results: !function {FUNCTIONS}.results",
        "generation_kwargs:",
        f"  max_new_tokens: {MAX_NEW_TOKENS[part.subset.protocol]}",
        "  temperature: 0",
        "  do_sample: false",
        f"  until: [{json.dumps(NEVER)}]",
        "cluster_key: cluster",
        "metric_list:",
    ]
    lines += [line for metric in part.task.metrics_of(part.subset) for line in _metric(metric, "score", better="true")]
    for share in SHARES:
        lines += _metric(share, "share", better="true" if share == "answered" else "false")
    lines += [
        "metadata:",
        f"  version: {part.task.version}",
        f"  samples: {part.sample_set.manifest.samples_sha256}",
        f"  protocol: {json.dumps(part.name)}",
    ]
    return "\n".join(lines) + "\n"


def _metric(name: str, function: str, *, better: Literal["true", "false"]) -> list[str]:
    return [
        f"  - metric: {name}",
        f"    aggregation: !function {FUNCTIONS}.{function}",
        f"    higher_is_better: {better}",
    ]


def _group(names: Sequence[str]) -> str:
    return "\n".join([f"group: {GROUP}", "task:", *(f"  - {name}" for name in sorted(names))]) + "\n"


def _write(out: Path, files: Mapping[str, str]) -> Path:
    """Write files, all or none, to a folder of their own."""
    folder = out.resolve() / sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:12]
    if folder.is_dir():
        return folder
    try:
        out.mkdir(parents=True, exist_ok=True)
        part = Path(mkdtemp(prefix=".part-", dir=out))
        try:
            for name, content in files.items():
                (part / name).write_text(content, encoding="utf-8")
            part.chmod(0o755)
            part.rename(folder)
        finally:
            # Only there if something failed, or somebody else was first.
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        if not folder.is_dir():
            raise SampleSetError(
                f"cannot write the tasks to {out}: {error.strerror}; give --out another folder"
            ) from error
    return folder
