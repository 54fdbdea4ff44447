"""The file of a bundle: a ZIP archive whose bytes follow from its content, read as a stranger's file.

A member has one of the few names that a bundle knows, each once, so that no archive decides where a file is written.
Sizes are limited before and while files are unpacked, and nothing is ever executed, imported or unpickled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from shutil import Error as CopyError
from shutil import copyfileobj, copytree
from stat import S_IFMT, S_IFREG
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo
from zlib import error as ZlibError  # noqa: N812 - a class with a small letter

from egobench.errors import BundleError
from egobench.run.checksums import writing
from egobench.whole_file import replacing

MAX_MEMBERS = 200
"""Most files of a bundle: a few for each subset of the eight tasks."""

MAX_BYTES = 2**31
"""Most bytes of all files, unpacked: the scores of whole galleries are some hundred megabytes."""

MAX_TEXT_BYTES = 2**29
"""Most bytes of a file of JSON, unpacked."""

MAX_MEMBER_NAME = 200
"""Most characters of a file's name: file systems take 255 bytes."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Modification time of every member: the first that the format can write."""

_BLOCK = 2**20
_NAMES = re.compile(
    r"""bundle\.json | run\.json | scores\.json | checksums\.txt
    | judge\.[A-Za-z0-9%_~.-]+\.jsonl
    | predictions/[A-Za-z0-9][A-Za-z0-9_.-]*\.(jsonl|npy)""",
    re.VERBOSE | re.ASCII,
)


def write_archive(path: Path, members: Mapping[str, bytes | Path]) -> None:
    """Write an archive; equal members give equal bytes.

    Args:
        path: The file; an earlier one is replaced when the new one is whole.
        members: The content of each member, or a file with it, by name.

    Raises:
        StoreError: If it cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, ZipFile(part, "w", ZIP_DEFLATED, compresslevel=9) as archive:
            for name, content in sorted(members.items()):
                info = ZipInfo(name, EPOCH)
                info.create_system, info.external_attr = 3, (S_IFREG | 0o644) << 16
                info.compress_type = ZIP_DEFLATED
                if isinstance(content, bytes):
                    archive.writestr(info, content)
                    continue
                info.file_size = content.stat().st_size
                with content.open("rb") as source, archive.open(info, "w") as member:
                    copyfileobj(source, member, _BLOCK)


def copy_run(path: Path, folder: Path) -> None:
    """Copy a run folder, its links as links.

    Args:
        path: The run folder.
        folder: Where to; it must not be there yet.

    Raises:
        BundleError: If something in it cannot be copied: a device, a file that cannot be read.
    """
    try:
        copytree(path, folder, symlinks=True)
    except OSError as error:
        # Of several files copytree lists source, target and reason.
        faults: list[tuple[str, str, str]] = error.args[0] if isinstance(error, CopyError) else []
        reason = "; ".join(str(why) for _, _, why in faults[:3]) or error.strerror
        raise BundleError(f"{path}: cannot be copied ({reason}); expected a folder of plain files") from error


def unpack(path: Path, folder: Path) -> None:
    """Unpack an archive from a stranger into a folder.

    Args:
        path: The file.
        folder: An empty folder; nothing is written outside of it.

    Raises:
        BundleError: If the file is no archive, holds something that no bundle holds, or more than it may.
    """
    try:
        with ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(path, members)
            (folder / "predictions").mkdir(parents=True, exist_ok=True)
            for member in members:
                with archive.open(member) as source, (folder / member.filename).open("wb") as target:
                    _copy(path, member, source, target)
    except (BadZipFile, ZlibError, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError) as error:
        raise BundleError(f"{path}: no bundle, or a damaged one ({error}); make one with leaderboard pack") from error
    except OSError as error:
        raise BundleError(f"{path}: cannot be read or unpacked ({error.strerror or error})") from error


def _check_members(path: Path, members: list[ZipInfo]) -> None:
    if len(members) > MAX_MEMBERS:
        raise BundleError(f"{path}: {len(members)} files in it; a bundle has at most {MAX_MEMBERS}")
    names: set[str] = set()
    for member in members:
        problem = _problem(member) or ("it comes twice" if member.filename in names else "")
        if problem:
            raise BundleError(f"{path}: {member.orig_filename!r:.120} in it is refused: {problem}")
        names.add(member.filename)
    total = sum(member.file_size for member in members)
    if total > MAX_BYTES:
        raise BundleError(f"{path}: {total:,} bytes when unpacked; a bundle has at most {MAX_BYTES:,}")


def _problem(member: ZipInfo) -> str:
    """Return why a member is refused; ``""`` where it is not."""
    name, limit = member.filename, MAX_BYTES if member.filename.endswith(".npy") else MAX_TEXT_BYTES
    refused = {
        "a bundle has no file of that name": not _NAMES.fullmatch(name) or name != member.orig_filename,
        f"its name is longer than {MAX_MEMBER_NAME} characters": len(name) > MAX_MEMBER_NAME,
        "a link or a device; expected plain files": S_IFMT(member.external_attr >> 16) not in {0, S_IFREG},
        "it is encrypted": bool(member.flag_bits & 1),
        "compressed in another way than deflate": member.compress_type not in {ZIP_STORED, ZIP_DEFLATED},
        f"{member.file_size:,} bytes when unpacked; it may have {limit:,}": member.file_size > limit,
    }
    return next((reason for reason, applies in refused.items() if applies), "")


def _copy(path: Path, member: ZipInfo, source: IO[bytes], target: IO[bytes]) -> None:
    """Copy a member, and not a byte more than its header says.

    Raises:
        BundleError: If it is larger or smaller than that.
    """
    remaining = member.file_size
    while block := source.read(min(_BLOCK, remaining + 1)):
        remaining -= len(block)
        if remaining < 0:
            raise BundleError(f"{path}: {member.filename} in it is larger than it says")
        target.write(block)
    if remaining:
        raise BundleError(f"{path}: {member.filename} in it is smaller than it says")
