"""Where facts are kept between runs: a file for each folder of images, in the user's cache folder. No torch."""

import hashlib
import io
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL

from cnntrain.data.cache_folder import cache_folder
from cnntrain.data.images import ImageSet, Names

VERSION = 2  # of the decoder and of a row; a higher one, or another Pillow, makes all that is stored unknown
MARK = f"cnntrain facts {VERSION}, Pillow {PIL.__version__}\n".encode()
MOST_STORED = 2 << 30  # bytes of all such files


def facts_folder() -> Path:
    return cache_folder() / "facts"


def facts_file(images: ImageSet) -> Path:
    """One for all sets below a directory; images inside of larger files have one for each split."""
    known_by = os.fsencode(os.path.abspath(images.directory)) + (b"" if images.packed is None else b"\0" + os.fsencode(images.split))
    return facts_folder() / f"{hashlib.blake2b(known_by, digest_size=16).hexdigest()}.facts"


def fetch(images: ImageSet, dtype: np.dtype) -> tuple[Names, np.ndarray]:
    """
    Raises:
        OSError, ValueError: nothing is stored, or it is damaged.
    """
    content = facts_file(images).read_bytes()
    body, digest = memoryview(content)[len(MARK) : -16], content[-16:]
    if not content.startswith(MARK) or hashlib.blake2b(body, digest_size=16).digest() != digest:
        raise ValueError("damaged")
    stream = io.BytesIO(body)
    ends, block, rows = (np.load(stream, allow_pickle=False) for _ in range(3))
    if rows.dtype != dtype or len(ends) != len(rows):
        raise ValueError("of another kind")
    return Names(block.tobytes(), ends), rows


def store(images: ImageSet, rows: np.ndarray) -> None:
    """Write the rows of these files; those of other files of the directory stay, as long as the files do."""
    names, known = images.files, rows
    with suppress(OSError, ValueError, EOFError):
        others, stored = fetch(images, rows.dtype)
        kept = np.flatnonzero(places_of(others, images.files) < 0)
        kept = np.array([place for place in kept.tolist() if os.path.lexists(images.directory / others[place])], np.int64)
        if len(kept):
            names = Names.of([*images.files, *(others[place] for place in kept.tolist())])
            known = np.concatenate([rows, stored[kept]])
    body = io.BytesIO()
    for array in (np.asarray(names.ends), np.frombuffer(names.block, np.uint8), known):
        np.save(body, array, allow_pickle=False)
    content = body.getbuffer()
    write_whole(facts_file(images), MARK, content, hashlib.blake2b(content, digest_size=16).digest())


def write_whole(path: Path, *parts: bytes | memoryview) -> None:
    """Write a file of the facts' folder in one step, and make room for it.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".facts-")
    try:
        with open(handle, "wb") as file:
            file.writelines(parts)
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


def places_of(files: Names, names: Names) -> np.ndarray:
    """For each of `files` its place in `names`, -1 where it is not there: (N,) int64."""
    if files.block == names.block and np.array_equal(files.ends, names.ends):
        return np.arange(len(files))
    where = {name: place for place, name in enumerate(names)}
    return np.fromiter((where.get(name, -1) for name in files), np.int64, len(files))
