"""The folder of decoded images: what lies in it, and room for more. No torch, no numpy.

It holds a folder for each entry (see disk_cache.py), a .lock file beside it, and .part folders of builds.
"""

import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cnntrain.data import file_lock
from cnntrain.data.cache_folder import cache_folder

RESERVE = 0.05  # share of the disk that is left free


def images_folder() -> Path:
    return cache_folder() / "images"


def make_room(needed: int, bound: int) -> int:
    """Remove the longest unused entries that nobody uses, until `needed` more bytes keep all below `bound`.

    Returns:
        Bytes that may be written now: what the bound and the disk leave.
    """
    found = entries()
    total = sum(each.size for each in found)
    for each in sorted(found, key=lambda each: each.last_used):
        if min(bound - total, free_space()) >= needed:
            break
        if remove_unused(each.folder):
            total -= each.size
    return max(0, min(bound - total, free_space()))


def free_space() -> int:
    """Bytes that may still be written, RESERVE aside; asked of the nearest folder that exists."""
    folder = images_folder()
    usage = shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.is_dir()))
    return int(usage.free - RESERVE * usage.total)


def why_unwritable() -> str | None:
    """Why nothing can be kept in the cache folder, or None."""
    folder = images_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    return None if os.access(folder, os.W_OK | os.X_OK) else "no right to write"


@dataclass(frozen=True)
class Found:
    """An entry as `cnntrain data cache` lists it; last_used in seconds since 1970."""

    folder: Path
    size: int
    last_used: float
    about: str


def entries() -> list[Found]:
    """All entries, also half-built ones, sorted by folder name."""
    try:
        folders = sorted(folder for folder in images_folder().iterdir() if folder.is_dir() and folder.suffix != ".gone")
    except OSError:
        return []
    return [found for found in map(look_at, folders) if found is not None]


def look_at(folder: Path) -> Found | None:
    try:
        size = sum(file.stat().st_size for file in folder.iterdir())
        used = max((file.stat().st_mtime for file in folder.glob("checked")), default=folder.stat().st_mtime)
        about = "half-built"
        with suppress(OSError, ValueError, KeyError, TypeError):
            about = json.loads(json.loads((folder / "manifest.json").read_bytes())["manifest"])["about"]
    except OSError:  # removed in this moment
        return None
    return Found(folder, size, used, str(about))


def remove_unused(folder: Path) -> bool:
    """Whether the entry is gone: one in use stays."""
    lock = file_lock.take(lock_of(folder), alone=True)
    if lock is None:
        return False
    try:
        remove(folder)
        lock_of(folder).unlink(missing_ok=True)
    except OSError:
        return False
    finally:
        lock.release()
    return True


def sweep() -> None:
    """Take away what processes left that were killed while removing an entry, and locks without one."""
    with suppress(OSError):
        for path in images_folder().iterdir():
            if path.suffix == ".gone":
                shutil.rmtree(path, ignore_errors=True)
            elif path.suffix == ".lock" and not path.with_suffix("").exists():
                remove_unused(path.with_suffix(""))


def remove(folder: Path) -> None:
    """In one step for those who look: half a folder is never under its name."""
    gone = folder.with_name(f".{folder.name}.{time.time_ns()}.gone")
    try:
        os.rename(folder, gone)
    except FileNotFoundError:
        return
    shutil.rmtree(gone, ignore_errors=True)


def lock_of(folder: Path) -> Path:
    return folder.with_suffix(".lock")
