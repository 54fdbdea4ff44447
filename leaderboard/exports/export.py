"""The export of a submission to any of the formats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

from egobench.errors import BundleError
from egobench.run.checksums import writing
from egobench.run.plan import Part, find_run_sets, plan
from egobench.whole_file import replace_file

from ..archive import copy_run
from ..bundle import restore_judges, restore_replies
from ..checks.content import read_content
from ..submission import open_submission
from .every_eval_ever import every_eval_ever
from .facts import Attribution, Exported
from .hub_results import hub_results
from .inspect_log import inspect_logs

ExportFormat = Literal["every-eval-ever", "hf-eval-results", "inspect"]
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)


def export_submission(
    path: Path,
    out: Path,
    form: ExportFormat,
    attribution: Attribution,
    *,
    data: Path | None = None,
    texts: bool = False,
) -> list[Path]:
    """Write a submission in the format of another collection of results.

    Args:
        path: A run folder or a bundle file.
        out: Folder that the folders and files of the format are written to.
        form: The format.
        attribution: Facts that the run does not hold.
        data: Folder of its sample sets, for the value of each sample in an Inspect log.
        texts: Whether an Inspect log shows questions, options and right answers; needs data.

    Returns:
        The files.

    Raises:
        BundleError: If the submission cannot be read, or was refused by a check.
        StoreError: If a file cannot be written.
        SampleSetError: If a sample set is missing or is another one.
        ValueError: If the format needs what the attribution does not say, or texts are wanted without data.
    """
    if texts and form != "inspect":
        raise ValueError(f"{form} shows no questions; leave --texts out, or export Inspect logs")
    if texts and data is None:
        raise ValueError("questions and options are in sample sets: give their folder too")
    with open_submission(path) as submission, TemporaryDirectory(prefix="egobench-export-") as scratch:
        if submission.level is None:
            raise BundleError(f"{path} was refused by a check; mend it and check again before it is exported")
        folder = Path(scratch) / "run"
        copy_run(submission.folder, folder)
        content = read_content(folder, sealed=path.is_file())
        parts: list[Part] = []
        if data is not None:
            parts = plan(find_run_sets(folder, data), content.spec.settings())
            if content.sealed:
                restore_replies(folder, parts, content.run)
                restore_judges(folder, parts, content.run)
        exported = Exported(content, submission.level, attribution)
        return _write(out, _files(exported, form, parts, texts=texts))


def _files(exported: Exported, form: ExportFormat, parts: list[Part], *, texts: bool) -> Mapping[str, str]:
    if form == "every-eval-ever":
        return every_eval_ever(exported)
    if form == "hf-eval-results":
        return hub_results(exported)
    return inspect_logs(exported, parts, texts=texts)


def _write(out: Path, files: Mapping[str, str]) -> list[Path]:
    written: list[Path] = []
    for name, text in files.items():
        path = out / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, text)
        written.append(path)
    return written
