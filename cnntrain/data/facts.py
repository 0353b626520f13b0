"""What each image file is, found out by one read and one decode, and remembered until the file changes. No torch."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnntrain.config.schema import MOST_PIXELS
from cnntrain.data.containers import NAMES, belongs
from cnntrain.data.decode import BadImage, Decoded, decode, quiet_decoders, read_bytes
from cnntrain.data.facts_store import fetch, places_of, store
from cnntrain.data.images import ImageSet, Inside

UNKNOWN, GOOD, BAD = range(3)
ROTATED, TRANSPARENT, DEEP, MISNAMED = 1, 2, 4, 8  # bits of flags
SMALL = (12, 12)  # of the thumbnail
GRID = (36, 24)  # width and height of what the hash and the thumbnail are both taken from
ROWS_8, ROWS_12 = (np.repeat(np.eye(n, dtype=np.float32), GRID[1] // n, axis=1) for n in (8, 12))
COLUMNS_9, COLUMNS_12 = (np.repeat(np.eye(n, dtype=np.float32), GRID[0] // n, axis=0) for n in (9, 12))
CLEARLY, CELL = 2, 12  # gray levels, so that noise in flat parts sets no bits; and how many places of the grid are summed up
SCALE = (32, 32)  # enough for them: JPEGs are decoded no larger for the check alone
FACT = np.dtype(
    [
        ("state", np.uint8),
        ("kind", "S16"),  # of a bad one: a key of findings.KINDS
        ("detail", "S64"),
        ("height", np.uint32),  # upright, in full
        ("width", np.uint32),
        ("frames", np.uint32),
        ("container", np.uint8),  # a place in containers.NAMES
        ("mode", "S6"),
        ("flags", np.uint8),
        ("content", "V16"),  # BLAKE2 of the file's bytes
        ("difference", np.uint64),  # for each of 8 x 8 neighbours: is the right one clearly brighter (the dHash of N. Krawetz)
        ("thumbnail", np.uint8, SMALL),
        ("size", np.int64),  # of the file when it was listed
        ("mtime", np.int64),
    ]
)
FILES_PER_TASK = 32
ASK_AGAIN = (b"too_large", b"not_readable", b"not_a_file")  # bad for a reason that leaves a file's size and time as they are
Progress = Callable[[int, int], None]
Row = Any  # one FACT, which numpy's own types cannot say


class Facts:
    """The facts of one image set, row by row.

    Args:
        images: the set.
        rows: (N,) FACT, in the order of images.files; state UNKNOWN where nothing is known.
    """

    def __init__(self, images: ImageSet, rows: np.ndarray):
        self.images, self.rows = images, rows
        self.changed = False

    def __len__(self) -> int:
        return len(self.rows)

    def unknown(self) -> np.ndarray:
        """Indices, (M,) int64."""
        return np.flatnonzero(self.rows["state"] == UNKNOWN)

    def bad(self) -> np.ndarray:
        """Indices of images that cannot be read, (M,) int64."""
        return np.flatnonzero(self.rows["state"] == BAD)

    def record(self, index: int, row: Row) -> None:
        """Keep what `read_file` found; different threads may record different images."""
        stamp = self.rows["size"][index], self.rows["mtime"][index]
        self.rows[index] = row
        self.rows["size"][index], self.rows["mtime"][index] = stamp
        self.changed = True

    def note(self, index: int, found: Decoded | BadImage, data: bytes = b"") -> None:
        """What was met while decoding for another purpose; nothing where the file is known already."""
        if self.rows["state"][index] == UNKNOWN:
            self.record(index, row_of(found, data, self.images.path(index)))

    def save(self) -> None:
        """Write to the user's cache folder; where that cannot be, the facts are found out again next time."""
        if self.changed:
            with suppress(OSError):
                store(self.images, self.rows)
                self.changed = False


def read_file(
    path: Path | Inside, channels: int, *, at_least: tuple[int, int] | None, max_pixels: int = MOST_PIXELS, luma: bool = False
) -> tuple[Decoded | None, Row]:
    """One read and one decode, see `decode.decode`: what came of it, or None for a bad file, and the FACT row."""
    try:
        data = read_bytes(path, max_pixels)
        found = decode(data, channels, at_least=at_least, max_pixels=max_pixels, luma=luma)
    except BadImage as error:
        return None, row_of(error, b"", path)
    return found, row_of(found, data, path)


def examined(path: Path | Inside, max_pixels: int) -> Row:
    """The FACT row alone, at the least cost: JPEGs at a smaller scale and without their colours."""
    return read_file(path, 1, at_least=SCALE, max_pixels=max_pixels, luma=True)[1]


def row_of(found: Decoded | BadImage, data: bytes, path: Path | Inside) -> Row:
    """The FACT of a file that was decoded, or could not be."""
    row = np.zeros((), FACT)
    if isinstance(found, BadImage):
        row["state"], row["kind"], row["detail"] = BAD, found.kind.encode(), found.detail.encode("ascii", "replace")[:64]
        return row[()]
    row["state"] = GOOD
    row["content"] = hashlib.blake2b(data, digest_size=16).digest()
    row["height"], row["width"], row["frames"] = found.height, found.width, found.frames
    row["container"], row["mode"] = NAMES.index(found.container), found.mode.encode()
    misnamed = not belongs(path.suffix[1:], found.container)
    row["flags"] = ROTATED * found.rotated | TRANSPARENT * found.transparent | DEEP * found.deep | MISNAMED * misnamed
    row["difference"], row["thumbnail"] = small_pictures(found.pixels)
    return row[()]


def small_pictures(pixels: np.ndarray) -> tuple[int, np.ndarray]:
    """(H, W) or (H, W, 3) uint8 -> the 64 bits of the difference hash, and the (12, 12) uint8 gray thumbnail."""
    image = Image.fromarray(pixels)
    reduced = (image if pixels.ndim == 2 else image.convert("L")).resize(GRID, Image.Resampling.BOX)
    grid = np.frombuffer(reduced.tobytes(), np.uint8).reshape(GRID[::-1]).astype(np.float32)
    cells = ROWS_8 @ grid @ COLUMNS_9  # sums of whole numbers: exact in any order
    bits = np.packbits(cells[:, 1:] > cells[:, :-1] + CLEARLY * CELL)
    return int(bits.view(np.uint64)[0]), (ROWS_12 @ grid @ COLUMNS_12 / 6).astype(np.uint8)


def examine_unknown(
    images: ImageSet,
    facts: Facts,
    progress: Progress | None = None,
    stop: Callable[[], None] | None = None,
) -> None:
    """Find out what is not known yet, on threads, and save it.

    Args:
        progress: called with (images done, all images to do) now and then, in this thread.
        stop: called as often; what it raises ends the examination, and what is known so far is saved.
    """
    unknown = facts.unknown()

    def examine(part: np.ndarray) -> int:
        for index in part.tolist():
            facts.record(index, examined(images.at(index), images.max_pixels))
        return len(part)

    pool, done = ThreadPoolExecutor(os.cpu_count() or 1), 0
    try:
        with quiet_decoders():
            tasks = [pool.submit(examine, unknown[start : start + FILES_PER_TASK]) for start in range(0, len(unknown), FILES_PER_TASK)]
            for task in as_completed(tasks):
                done += task.result()
                if stop is not None:
                    stop()
                if progress is not None:
                    progress(done, len(unknown))
    finally:
        pool.shutdown(cancel_futures=True)
        facts.save()


def load(images: ImageSet) -> Facts:
    """What is known of these files from before; unknown where size or time of the last change differ now."""
    rows = np.zeros(len(images), FACT)
    rows["size"], rows["mtime"] = stamps(images)
    with suppress(OSError, ValueError, KeyError, EOFError):
        names, stored = fetch(images, FACT)
        own = places_of(images.files, names)
        known = np.flatnonzero(own >= 0)
        found = stored[own[known]]
        same = (found["size"] == rows["size"][known]) & (found["mtime"] == rows["mtime"][known]) & (found["size"] >= 0)
        large = found["height"].astype(np.int64) * found["width"] > images.max_pixels
        same &= (found["state"] == GOOD) & ~large | (found["state"] == BAD) & ~np.isin(found["kind"], ASK_AGAIN)
        rows[known[same]] = found[same]
    return Facts(images, rows)


def stamps(images: ImageSet) -> tuple[np.ndarray, np.ndarray]:
    """Size and time of the last change of each file; -1 where it is not there."""
    if len(images) == 0 or images.mtimes.min() >= 0:
        return images.sizes, images.mtimes
    sizes, mtimes = np.full(len(images), -1, np.int64), np.full(len(images), -1, np.int64)
    for index, name in enumerate(images.files):
        with suppress(OSError):
            status = os.stat(os.path.join(images.directory, name))
            sizes[index], mtimes[index] = status.st_size, status.st_mtime_ns
    return sizes, mtimes
