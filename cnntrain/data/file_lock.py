"""Locks that end with the process that holds them. No torch."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: files in use cannot be removed there, and a rename onto a folder fails
    fcntl = None  # type: ignore[assignment]

SECONDS_BETWEEN_TRIES = 0.1


class Lock:
    """Held until `release`, or until the object or its process is gone."""

    def __init__(self, handle: int):
        self.handle = handle

    def release(self) -> None:
        """A second call does nothing."""
        handle, self.handle = self.handle, -1
        if handle >= 0:
            with suppress(OSError):
                os.close(handle)

    def __del__(self) -> None:
        self.release()


def take(path: Path, *, alone: bool, waiting: Callable[[], None] | None = None) -> Lock | None:
    """Lock a file, which is made where it is missing. Where the system has no flock, goes on without.

    Args:
        alone: nobody else has it then; otherwise others may share it.
        waiting: called between two tries; may raise. Without it there is one try.

    Returns:
        None where another has it and there is nothing to wait with.

    Raises:
        OSError: the file cannot be made.
    """
    while True:
        lock = Lock(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))
        if fcntl is None:
            return lock
        try:
            fcntl.flock(lock.handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.release()
            if waiting is None:
                return None
            waiting()
            time.sleep(SECONDS_BETWEEN_TRIES)
            continue
        except OSError:  # network file systems without locks
            return lock
        if is_still(path, lock.handle):
            return lock
        lock.release()  # who removed the entry removed its lock too: take the new one


def is_still(path: Path, handle: int) -> bool:
    """Whether the open file is the one that lies at the path now."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except OSError:
        return False
