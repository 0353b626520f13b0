"""What each image file is, found out by one read and one decode, and remembered until the file changes. No torch."""

import hashlib
import io
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from cnntrain.config.schema import MOST_PIXELS
from cnntrain.data.cache_folder import cache_folder
from cnntrain.data.containers import NAMES, belongs
from cnntrain.data.decode import BadImage, Decoded, as_tensor, decode, quiet_decoders, read_bytes
from cnntrain.data.images import ImageSet, Inside, Names

if TYPE_CHECKING:
    from torch import Tensor

VERSION = 1  # of the decoder and of a row; a higher one makes all that is stored unknown
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
MOST_STORED = 2 << 30  # bytes in the folder of facts
MARK = b"cnntrain facts %d\n" % VERSION
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
        """Keep what `read_with_fact` found; different threads may record different images."""
        stamp = self.rows["size"][index], self.rows["mtime"][index]
        self.rows[index] = row
        self.rows["size"][index], self.rows["mtime"][index] = stamp
        self.changed = True

    def save(self) -> None:
        """Write to the user's cache folder; where that cannot be, the facts are found out again next time."""
        if self.changed:
            with suppress(OSError):
                store(self.images, self.rows)
                self.changed = False


def read_with_fact(
    path: Path | Inside, channels: int, *, at_least: tuple[int, int] | None = None, max_pixels: int = MOST_PIXELS
) -> "tuple[Tensor | None, Row]":
    """One read and one decode: the pixels, as `decode.read_image` gives them, and the FACT row.

    Returns:
        (channels, H, W) uint8, or None for a bad file; and the row.
    """
    found, row = read_file(path, channels, at_least=at_least, max_pixels=max_pixels)
    return None if found is None else as_tensor(found.pixels), row


def read_file(
    path: Path | Inside, channels: int, *, at_least: tuple[int, int] | None, max_pixels: int = MOST_PIXELS, luma: bool = False
) -> tuple[Decoded | None, Row]:
    """See `read_with_fact`; for `luma` see `decode.decode`."""
    row = np.zeros((), FACT)
    try:
        data = read_bytes(path, max_pixels)
        row["content"] = hashlib.blake2b(data, digest_size=16).digest()
        found = decode(data, channels, at_least=at_least, max_pixels=max_pixels, luma=luma)
    except BadImage as error:
        row["state"], row["kind"], row["detail"] = BAD, error.kind.encode(), error.detail.encode("ascii", "replace")[:64]
        return None, row[()]
    describe(row, found, path)
    return found, row[()]


def examined(path: Path | Inside, max_pixels: int) -> Row:
    """The FACT row alone, at the least cost: JPEGs at a smaller scale and without their colours."""
    return read_file(path, 1, at_least=SCALE, max_pixels=max_pixels, luma=True)[1]


def describe(row: np.ndarray, found: Decoded, path: Path | Inside) -> None:
    """Fill in the row of a good file."""
    row["state"] = GOOD
    row["height"], row["width"], row["frames"] = found.height, found.width, found.frames
    row["container"], row["mode"] = NAMES.index(found.container), found.mode.encode()
    misnamed = not belongs(path.suffix[1:], found.container)
    row["flags"] = ROTATED * found.rotated | TRANSPARENT * found.transparent | DEEP * found.deep | MISNAMED * misnamed
    row["difference"], row["thumbnail"] = small_pictures(found.pixels)


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
        names, stored = fetch(images.directory)
        own = places_of(images.files, names)
        known = np.flatnonzero(own >= 0)
        found = stored[own[known]]
        same = (found["size"] == rows["size"][known]) & (found["mtime"] == rows["mtime"][known]) & (found["size"] >= 0)
        large = found["height"].astype(np.int64) * found["width"] > images.max_pixels
        same &= (found["state"] == GOOD) & ~large | (found["state"] == BAD) & (found["kind"] != b"too_large")
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


def places_of(files: Names, names: Names) -> np.ndarray:
    """For each of `files` its place in `names`, -1 where it is not there: (N,) int64."""
    if files.block == names.block and np.array_equal(files.ends, names.ends):
        return np.arange(len(files))
    where = {name: place for place, name in enumerate(names)}
    return np.fromiter((where.get(name, -1) for name in files), np.int64, len(files))


def facts_file(directory: Path) -> Path:
    digest = hashlib.blake2b(os.fsencode(os.path.abspath(directory)), digest_size=16).hexdigest()
    return cache_folder() / "facts" / f"{digest}.facts"


def fetch(directory: Path) -> tuple[Names, np.ndarray]:
    """
    Raises:
        OSError, ValueError: nothing is stored, or it is damaged.
    """
    content = facts_file(directory).read_bytes()
    body, digest = memoryview(content)[len(MARK) : -16], content[-16:]
    if not content.startswith(MARK) or hashlib.blake2b(body, digest_size=16).digest() != digest:
        raise ValueError("damaged")
    ends, block, rows = (np.load(stream, allow_pickle=False) for stream in [io.BytesIO(body)] * 3)
    if rows.dtype != FACT or len(ends) != len(rows):
        raise ValueError("of another kind")
    return Names(block.tobytes(), ends), rows


def store(images: ImageSet, rows: np.ndarray) -> None:
    """Write the rows of these files; those of other files of the directory stay, as long as the files do."""
    names, known = images.files, rows
    with suppress(OSError, ValueError, EOFError):
        others, stored = fetch(images.directory)
        kept = np.flatnonzero(places_of(others, images.files) < 0)
        kept = np.array([place for place in kept.tolist() if os.path.lexists(images.directory / others[place])], np.int64)
        if len(kept):
            names = Names.of([*images.files, *(others[place] for place in kept.tolist())])
            known = np.concatenate([rows, stored[kept]])
    body = io.BytesIO()
    for array in (np.asarray(names.ends), np.frombuffer(names.block, np.uint8), known):
        np.save(body, array, allow_pickle=False)
    path = facts_file(images.directory)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".facts-")
    try:
        with open(handle, "wb") as file:
            file.write(MARK)
            file.write(body.getbuffer())
            file.write(hashlib.blake2b(body.getbuffer(), digest_size=16).digest())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    make_room(path)


def make_room(newest: Path) -> None:
    """Removes the oldest files of facts while all of them take more than MOST_STORED bytes."""
    found = []
    for path in newest.parent.iterdir():
        with suppress(OSError):
            status = path.stat()
            found.append((path == newest, status.st_mtime_ns, status.st_size, path))
    taken = sum(size for _, _, size, _ in found)
    for is_newest, _, size, path in sorted(found):
        if taken <= MOST_STORED or is_newest:
            return
        with suppress(OSError):
            path.unlink()
        taken -= size
