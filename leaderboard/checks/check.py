"""The check of a submission, from its file to the record of the checks that it passed and failed."""

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
from . import rescoring
from .agreement import AGREEMENT_CHECKS
from .content import Content, read_content
from .pixels import choose_receipts, compare_pixels
from .reproduction import unreproduced_scores

CHECKS = (
    "archive",
    "schema",
    *AGREEMENT_CHECKS,
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

LISTED_PROBLEMS = 3
"""Problems of a check that its message lists."""

MOST_PROBLEMS = 1_000
"""Problems of a check that are counted: a forged bundle may have one for each of millions of lines."""


@dataclass
class _Findings:
    """Checks that a submission has passed and failed so far."""

    passed: list[str] = field(default_factory=list[str])
    failed: list[FailedCheck] = field(default_factory=list[FailedCheck])

    def add(self, check: str, problems: Iterable[str]) -> None:
        """Add the problems of a check; a check of two halves passes if both have none."""
        counted = list(islice(problems, MOST_PROBLEMS))
        if not counted:
            if check not in self.passed and not self.has_failed(check):
                self.passed.append(check)
            return
        if check in self.passed:
            self.passed.remove(check)
        more = f"; and {len(counted) - LISTED_PROBLEMS} more" if len(counted) > LISTED_PROBLEMS else ""
        self.failed.append(FailedCheck(check, "; ".join(counted[:LISTED_PROBLEMS]) + more))

    def has_failed(self, check: str) -> bool:
        """Tell whether a check has found a problem."""
        return any(failed.check == check for failed in self.failed)


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
        for name, check in AGREEMENT_CHECKS.items():
            findings.add(name, check(content))
        if data is None:
            return _record(findings, digest, content)
        clips = _check_over_data(content, data, videos, findings, observer or SilentObserver())
        sets = tuple(sorted({ref.sha256 for ref in content.spec.sets}))
        if second is not None and not findings.failed:
            findings.add("reproduction", _reproduction(content, data, second))
        return _record(findings, digest, content, sets=sets, clips=clips)


@contextmanager
def _opened(path: Path, findings: _Findings) -> Generator[Content | None]:
    """Yield the content of a submission, in a temporary copy; ``None`` where it cannot be read."""
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


def _check_over_data(content: Content, data: Path, videos: Path | None, findings: _Findings, observer: Observer) -> int:
    """Check over sample sets, and return the number of clips that were decoded again."""
    parts = _parts(content, data, findings)
    if parts is None:
        return 0
    receipts_fit = not findings.has_failed("receipts")
    findings.add("samples", rescoring.unexpected_samples(content, parts))
    findings.add("orders", rescoring.unexpected_orders(content, parts))
    findings.add("seals", rescoring.faulty_seals(content, parts))
    if receipts_fit:
        findings.add("receipts", rescoring.conflicting_receipts(content, parts))
    if not findings.has_failed("seals"):
        _check_scores(content, parts, findings)
    if videos is None or not receipts_fit:
        return 0
    sampled_receipts = choose_receipts(content, parts, videos)
    findings.add("pixels", compare_pixels(sampled_receipts, observer))
    return len(sampled_receipts)


def _parts(content: Content, data: Path, findings: _Findings) -> list[Part] | None:
    """Plan the parts of a run over the checker's sample sets; ``None`` where it is about others."""
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
        findings.add("seals", rescoring.faulty_judge_seals(content, parts))
        if findings.has_failed("seals"):
            return
        restore_judges(content.folder, parts, content.run)
    findings.add("replies", rescoring.misread_replies(content, parts))
    try:
        computed = score_parts(content.run, parts).scores
    except (StoreError, ValueError) as error:
        findings.add("scores", [f"cannot be computed ({error})".replace(f"{content.folder}/", "")])
        return
    findings.add("gold", rescoring.copied_answers(content, parts, computed))
    findings.add("scores", rescoring.wrong_scores(content, computed))


def _reproduction(content: Content, data: Path, second: Path) -> Iterator[str]:
    findings = _Findings()
    with _opened(second, findings) as other:
        if other is None:
            raise BundleError(f"{second}: {findings.failed[0].problem}")
        other_record = check_submission(second, data)
        if other_record.failed:
            yield f"{second.name} does not pass itself: {other_record.failed[0].check}"
            return
        yield from unreproduced_scores(content, other)


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
