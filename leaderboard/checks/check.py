"""The check of a submission, from its file to the record of what was found."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from egobench import __version__
from egobench.errors import BundleError, EgoBenchError, SampleSetError, StoreError
from egobench.evaluate import score_parts
from egobench.observer import Observer, SilentObserver
from egobench.run.media import check_videos
from egobench.run.plan import Part, find_run_sets, plan

from ..archive import copy_run, unpack
from ..bundle import restore_judges, restore_replies
from ..submission import CheckRecord, FailedCheck, Level, submission_digest
from . import by_itself, over_data
from .content import Content, read_content
from .pixels import choose_proofs, compare_pixels
from .reproduction import differing_scores

CHECKS = (
    "archive",
    "schema",
    "checksums",
    "run id",
    "prompt",
    "duplicates",
    "counts",
    "grim",
    "failures",
    "constant answers",
    "receipts",
    "sample sets",
    "samples",
    "orders",
    "seals",
    "replies",
    "gold",
    "scores",
    "pixels",
    "reproduction",
)
"""All checks, in the order in which they are made; those from ``sample sets`` on need the checker's own data."""

SHOWN = 3
"""Problems of one check that its message lists."""

MOST_PROBLEMS = 1_000
"""Problems of one check that are counted."""


@dataclass
class _Findings:
    """What the checks have said so far."""

    passed: list[str] = field(default_factory=list[str])
    failed: list[FailedCheck] = field(default_factory=list[FailedCheck])

    def add(self, check: str, problems: Iterable[str]) -> None:
        """Note what a check yields; a second part of a check adds to the first."""
        first = list(islice(problems, MOST_PROBLEMS))
        if not first:
            if check not in self.passed and all(failed.check != check for failed in self.failed):
                self.passed.append(check)
            return
        if check in self.passed:
            self.passed.remove(check)
        more = f"; and {len(first) - SHOWN} more" if len(first) > SHOWN else ""
        self.failed.append(FailedCheck(check, "; ".join(first[:SHOWN]) + more))


def check_submission(
    path: Path,
    data: Path | None = None,
    *,
    videos: Path | None = None,
    second: Path | None = None,
    observer: Observer | None = None,
) -> CheckRecord:
    """Check a bundle file or a run folder. Nothing of it is executed, imported or unpickled, nothing of it is changed.

    Args:
        path: The bundle file or run folder.
        data: Folder of the checker's own sample sets; ``None`` to check what the submission says about itself alone.
        videos: Folder of videos, or of one folder of videos per task: clips are decoded again and compared. With data.
        second: Another submission of the same run, made elsewhere: its scores must lie within this one's intervals.
            With data.
        observer: Receives the progress.

    Returns:
        The record. What is wrong with the submission is in it, and never an exception.

    Raises:
        BundleError: If nothing lies at the path, or the second submission cannot be read.
        SampleSetError: If a sample set of the checker's is damaged.
        MissingVideoError: If there is no such folder of videos.
        ValueError: If there are videos or a second run, and no data.
    """
    if data is None and (videos is not None or second is not None):
        raise ValueError("videos and a second run are checked over sample sets; give their folder too")
    if videos is not None:
        check_videos(videos)
    digest = submission_digest(path)
    findings = _Findings()
    with _opened(path, findings) as content:
        if content is None:
            return _record(findings, digest)
        _check_by_itself(content, findings)
        if data is None:
            return _record(findings, digest, content)
        proofs = _check_over_data(content, data, videos, findings, observer or SilentObserver())
        sets = tuple(sorted({ref.sha256 for ref in content.spec.sets}))
        if second is not None and not findings.failed:
            findings.add("reproduction", _reproduction(content, data, second))
        return _record(findings, digest, content, sets=sets, clips=proofs)


@contextmanager
def _opened(path: Path, findings: _Findings) -> Generator[Content | None]:
    """The content of a submission, in a folder of its own that is removed; ``None`` where it cannot be read."""
    with TemporaryDirectory(prefix="egobench-check-") as name:
        folder = Path(name) / "run"
        try:
            if path.is_dir():
                copy_run(path, folder)
            else:
                folder.mkdir()
                unpack(path, folder)
        except BundleError as error:
            findings.add("archive", [str(error)])
            yield None
            return
        findings.add("archive", ())
        try:
            content = read_content(folder, sealed=path.is_file())
        except BundleError as error:
            findings.add("schema", [str(error)])
            yield None
            return
        findings.add("schema", ())
        yield content


def _check_by_itself(content: Content, findings: _Findings) -> None:
    findings.add("checksums", by_itself.checksums(content))
    findings.add("run id", by_itself.run_id(content))
    findings.add("prompt", by_itself.prompt(content))
    findings.add("duplicates", by_itself.duplicates(content))
    findings.add("counts", by_itself.counts(content))
    findings.add("grim", by_itself.grim(content))
    findings.add("failures", by_itself.failures(content))
    findings.add("constant answers", by_itself.constant_answers(content))
    findings.add("receipts", by_itself.receipts(content))


def _check_over_data(content: Content, data: Path, videos: Path | None, findings: _Findings, observer: Observer) -> int:
    """Check over sample sets; the number of clips that were decoded again."""
    parts = _parts(content, data, findings)
    if parts is None:
        return 0
    receipts_fit = all(failed.check != "receipts" for failed in findings.failed)
    findings.add("samples", over_data.samples(content, parts))
    findings.add("orders", over_data.orders(content, parts))
    findings.add("seals", over_data.seals(content, parts))
    if receipts_fit:
        findings.add("receipts", over_data.receipts(content, parts))
    if all(failed.check != "seals" for failed in findings.failed):
        _check_scores(content, parts, findings)
    if videos is None or not receipts_fit:
        return 0
    proofs = choose_proofs(content, parts, videos)
    findings.add("pixels", compare_pixels(proofs, observer))
    return len(proofs)


def _parts(content: Content, data: Path, findings: _Findings) -> list[Part] | None:
    """The parts of a run over the checker's sample sets; ``None`` where it is about others."""
    try:
        parts = plan(find_run_sets(content.folder, data), content.spec.settings())
    except SampleSetError as error:
        if "is missing or differs" not in str(error):
            raise
        findings.add("sample sets", [str(error).replace(str(content.folder), "the run")])
        return None
    except (EgoBenchError, ValueError, KeyError, TypeError) as error:
        findings.add("sample sets", [f"the spec cannot be planned over {data} ({error})"])
        return None
    findings.add("sample sets", ())
    return parts


def _check_scores(content: Content, parts: Sequence[Part], findings: _Findings) -> None:
    if content.sealed:
        restore_replies(content.folder, parts, content.run)
        findings.add("seals", over_data.judge_seals(content, parts))
        if any(failed.check == "seals" for failed in findings.failed):
            return
        restore_judges(content.folder, parts, content.run)
    findings.add("replies", over_data.replies(content, parts))
    try:
        computed = score_parts(content.run, parts).scores
    except (StoreError, ValueError) as error:
        findings.add("scores", [f"cannot be computed ({error})".replace(f"{content.folder}/", "")])
        return
    findings.add("gold", over_data.gold(content, parts, computed))
    findings.add("scores", over_data.scores(content, computed))


def _reproduction(content: Content, data: Path, second: Path) -> Iterator[str]:
    findings = _Findings()
    with _opened(second, findings) as other:
        if other is None:
            raise BundleError(f"{second}: {findings.failed[0].problem}")
        other_record = check_submission(second, data)
        if other_record.failed:
            yield f"{second.name} does not pass itself: {other_record.failed[0].check}"
            return
        yield from differing_scores(content, other)


def _record(
    findings: _Findings, digest: str, content: Content | None = None, *, sets: tuple[str, ...] = (), clips: int = 0
) -> CheckRecord:
    level: Level | None = "re-scored" if sets else "self-reported"
    if "reproduction" in findings.passed:
        level = "reproduced"
    if findings.failed:
        level = None
    whole = content is not None and content.spec.limit is None
    return CheckRecord(
        run_id=content.spec.id if content else "",
        digest=digest,
        level=level,
        ranked=level in {"re-scored", "reproduced"} and whole,
        passed=tuple(sorted(findings.passed, key=CHECKS.index)),
        failed=tuple(sorted(findings.failed, key=lambda failed: CHECKS.index(failed.check))),
        harness=__version__,
        sets=sets,
        clips=clips,
    )
