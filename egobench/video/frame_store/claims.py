"""Claims: which process decodes which video, so that several fill a frame store and none does another's work."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from pathlib import Path

from egobench.errors import FrameStoreError


@contextmanager
def claim_videos(folder: Path, videos: Iterable[str], most: int) -> Generator[set[str]]:
    """Claim videos until the context is left; a claim ends with its process, however that dies.

    Args:
        folder: Where claims lie, a file each; made where it is not there.
        videos: Hashes of the videos' content; at least one.
        most: Videos claimed at most, at least 1.

    Yields:
        Videos that no other process has claimed. Where others have all of them: the first, once it is free.

    Raises:
        FrameStoreError: If a claim cannot be written.
    """
    with ExitStack() as stack:
        claimed_videos: set[str] = set()
        first = ""
        for video in videos:
            first = first or video
            if video not in claimed_videos and _claim(folder / video, stack, wait=False):
                claimed_videos.add(video)
            if len(claimed_videos) == most:
                break
        if not claimed_videos and _claim(folder / first, stack, wait=True):
            claimed_videos.add(first)
        yield claimed_videos


@contextmanager
def try_claim(folder: Path, video: str) -> Generator[bool]:
    """Claim a video until the context is left, unless another process has it.

    Args:
        folder: Where claims lie, a file each; made where it is not there.
        video: Hash of the video's content.

    Yields:
        Whether this process has it.

    Raises:
        FrameStoreError: If a claim cannot be written.
    """
    with ExitStack() as stack:
        yield _claim(folder / video, stack, wait=False)


def _claim(path: Path, stack: ExitStack, *, wait: bool) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise FrameStoreError(f"{path}: cannot be written ({error.strerror}); check space and permissions") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        return False
    except BaseException:
        os.close(descriptor)
        raise
    stack.callback(os.close, descriptor)
    # Removed while it is locked. Whoever has it open already claims a file without a name: he may find the frames made.
    stack.callback(path.unlink, missing_ok=True)
    return True
