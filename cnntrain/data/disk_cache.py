"""Folders of decoded images that runs share: built once, checked when opened, the longest unused removed. No torch.

FOLDER/images/DIGEST/ holds pixels.bin (every image's bytes), places.npy (where each lies), manifest.json (what it is;
written last) and checked (its time is that of the last use). DIGEST.lock beside it is held shared by those who use
the entry and alone by the one who builds or removes it. DIGEST.part is being built, or was when its builder died.
"""

import hashlib
import json
import mmap
import os
import random
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cnntrain.data import file_lock
from cnntrain.data.disk_room import lock_of, remove, remove_unused
from cnntrain.data.images import ImageSet

MIB = 2**20
LAYOUT = 1  # raised when these files change: older entries are then built anew
PLACE = np.dtype([("offset", "<i8"), ("height", "<i4"), ("width", "<i4"), ("sum", "<u4")])  # offset -1: unreadable; Adler-32 of the bytes
SAMPLED_MIB = 64  # read at each opening; the whole where the entry is smaller, or the machine was started anew since
IMAGES_PER_TASK = 256
MOST_TRIES = 30
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, eq=False)
class Entry:
    """Decoded images on disk, in use until this object is gone.

    Args:
        pixels: (bytes,) uint8, mapped; a write to it stays in this process.
        places: (N,) PLACE.
        manifest: as `build` wrote it.
    """

    folder: Path
    pixels: np.ndarray
    places: np.ndarray
    manifest: dict[str, Any]
    lock: file_lock.Lock | None = None


def digest_of(images: ImageSet, settings: dict[str, Any]) -> str:
    """Changes with every file's name, size and time, and with everything that decides on its pixels."""
    sizes, mtimes = stamps(images)
    found = hashlib.sha256(json.dumps({"layout": LAYOUT, "max_pixels": images.max_pixels, **settings}, sort_keys=True).encode())
    for part in (os.fsencode(images.directory), images.files.block, images.files.ends, sizes, mtimes):
        data = part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes()
        found.update(len(data).to_bytes(8, "little"))
        found.update(data)
    return found.hexdigest()[:32]


def stamps(images: ImageSet) -> tuple[np.ndarray, np.ndarray]:
    """Size and time of the last change of each file, (N,) int64 each; asked for where the scan did not."""
    sizes, mtimes = images.sizes, images.mtimes
    if (mtimes != -1).all():
        return sizes, mtimes
    sizes, mtimes = np.full(len(images), -1, np.int64), np.full(len(images), -1, np.int64)
    for index, name in enumerate(images.files):
        with suppress(OSError):
            status = os.stat(f"{images.directory}/{name}")
            sizes[index], mtimes[index] = status.st_size, status.st_mtime_ns
    return sizes, mtimes


def obtain(folder: Path, build: Callable[[Path], None], *, waiting: Callable[[], None]) -> Entry:
    """The entry, opened; built first where it is missing, was left half-built or is damaged.

    Args:
        build: writes pixels.bin into the folder given, and then what `finish` writes.
        waiting: called now and then while another process builds the same.

    Raises:
        OSError: the folder cannot be written, the disk is full, or what was written cannot be read again.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(MOST_TRIES):
        lock = file_lock.take(lock_of(folder), alone=False, waiting=waiting)
        entry = open_entry(folder, lock)
        if entry is not None:
            return entry
        if lock is not None:
            lock.release()
        alone = file_lock.take(lock_of(folder), alone=True)
        if alone is None:  # another process was quicker, or uses what is damaged
            waiting()
            time.sleep(file_lock.SECONDS_BETWEEN_TRIES)
            continue
        try:
            if open_entry(folder, None) is None:  # another process may have built it in between
                rebuild(folder, build)
        finally:
            alone.release()
    raise OSError(f"{folder} is damaged and in use; type `cnntrain data cache clear` when no run is left")


def rebuild(folder: Path, build: Callable[[Path], None]) -> None:
    part = folder.with_suffix(".part")
    remove(part)
    part.mkdir()
    try:
        build(part)
        remove(folder)
        os.rename(part, folder)
    except BaseException:
        remove(part)
        raise


def finish(part: Path, places: np.ndarray, facts: dict[str, Any]) -> None:
    """Write what belongs to a complete pixels.bin; the manifest is the last.

    Args:
        facts: plain data that comes back as the entry's manifest.
    """
    np.save(part / "places.npy", places)
    (part / "checked").write_text(boot_id())
    manifest = {
        **facts,
        "count": len(places),
        "bytes": (part / "pixels.bin").stat().st_size,
        "places_crc": zlib.crc32((part / "places.npy").read_bytes()),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    text = json.dumps(manifest)
    (part / "manifest.json").write_text(json.dumps({"crc": zlib.crc32(text.encode()), "manifest": text}))


def open_entry(folder: Path, lock: file_lock.Lock | None) -> Entry | None:
    """The entry where it is there and sound, else None.

    Sizes, the tables and up to SAMPLED_MIB of pixels, drawn anew each time, are checked; after a restart of the
    machine all pixels, since a crash can lose pages of a file whose length is right. That brings them into memory too.
    """
    try:
        outer = json.loads((folder / "manifest.json").read_bytes())
        manifest = json.loads(outer["manifest"])
        if zlib.crc32(outer["manifest"].encode()) != outer["crc"]:
            return None
        if zlib.crc32((folder / "places.npy").read_bytes()) != manifest["places_crc"]:
            return None
        places = np.load(folder / "places.npy", mmap_mode="r")
        if (folder / "pixels.bin").stat().st_size != manifest["bytes"] or len(places) != manifest["count"]:
            return None
        pixels = map_pixels(folder, manifest["bytes"])
        known = boot_id()
        whole = not known or (folder / "checked").read_text() != known
        if not is_sound(pixels, places, manifest["channels"], whole=whole):
            return None
        with suppress(OSError):  # a folder that others keep for us
            (folder / "checked").write_text(known)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Entry(folder, pixels, places, manifest, lock)


def map_pixels(folder: Path, size: int) -> np.ndarray:
    """(size,) uint8 that all processes share; a write stays in its process. Where memory has room the system reads ahead."""
    if not size:
        return np.empty(0, np.uint8)
    with open(folder / "pixels.bin", "rb") as file:
        mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
    if hasattr(mmap, "MADV_WILLNEED") and size < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2:
        mapped.madvise(mmap.MADV_WILLNEED)
    return np.frombuffer(mapped, np.uint8)


def is_sound(pixels: np.ndarray, places: np.ndarray, channels: int, *, whole: bool) -> bool:
    """Whether images have the checksums they were written with: all, or as many as SAMPLED_MIB hold."""
    there = np.flatnonzero(places["offset"] >= 0)
    mean = max(1, len(pixels) // max(1, len(there)))
    wanted = len(there) if whole else min(len(there), max(1, SAMPLED_MIB * MIB // mean))
    chosen = np.sort(random.SystemRandom().sample(there.tolist(), wanted)) if wanted < len(there) else there
    starts = places["offset"][chosen]
    ends = starts + places["height"][chosen].astype(np.int64) * places["width"][chosen] * channels

    def sound(first: int) -> bool:
        last = first + IMAGES_PER_TASK
        found = [
            zlib.adler32(pixels[start:end].data) for start, end in zip(starts[first:last].tolist(), ends[first:last].tolist(), strict=True)
        ]
        return found == places["sum"][chosen[first:last]].tolist()

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return all(pool.map(sound, range(0, len(chosen), IMAGES_PER_TASK)))


def boot_id() -> str:
    """Another word after each start of the machine; empty where the system has none."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def give_up(entry: Entry) -> None:
    """Stop using an entry, and remove it unless others use it."""
    if entry.lock is not None:
        entry.lock.release()
    remove_unused(entry.folder)
