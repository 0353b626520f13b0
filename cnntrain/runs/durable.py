"""Files that survive a crash: written beside their place, synced, then renamed into it."""

import errno
import json
import math
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cnntrain.errors import CannotGoOn, DiskFull

NO_SPACE = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}


@contextmanager
def told_plainly(path: Path) -> Iterator[None]:
    """Turns the system's refusal to write into one sentence.

    Raises:
        DiskFull: no space, or the quota is used up.
        CannotGoOn: any other OSError (permission, read-only, I/O error).
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise DiskFull(f"no space left to write {path}; free some, then go on by resume=RUN") from error
        raise CannotGoOn(f"cannot write {path}: {error.strerror or error}") from error


def hidden_beside(path: Path, what: str) -> Path:
    """A name nobody else has, in the same folder (so that a rename is atomic), skipped by `step_*` and `ls`."""
    return path.parent / f".{path.name}.{what}-{os.getpid()}-{secrets.token_hex(4)}"


def write_synced(path: Path, data: bytes) -> None:
    """Writes and waits until the disk has it."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes the renames in a folder durable; file systems that cannot sync a folder are left alone."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_atomically(path: Path, data: bytes) -> None:
    """After a crash at any moment the file is the old one or the new one, never a part.

    Raises:
        DiskFull, CannotGoOn: see told_plainly; the old file is untouched.
    """
    beside = hidden_beside(path, "new")
    with told_plainly(path):
        try:
            write_synced(beside, data)
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def finite_or_null(value: Any) -> Any:
    """The same plain data with NaN and infinities as None: JSON has no word for them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite_or_null(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite_or_null(part) for part in value]
    return value


def to_json(value: Any) -> bytes:
    """Readable JSON that any program accepts: indented, UTF-8, a line break at the end, no NaN."""
    return (json.dumps(finite_or_null(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "backslashreplace")
