"""Shards on the network: each is brought whole when it is first needed, and the ones not used for longest give way. No torch."""

import hashlib
import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from cnntrain.data import file_lock
from cnntrain.data.cache_folder import cache_folder
from cnntrain.data.keyed import SHARDS_AT_ONCE
from cnntrain.errors import CannotGoOn, DataError

SCHEMES = ("http", "https", "gs")  # the package would run what stands behind `pipe:` as a command
URL = re.compile(r"[a-z][a-z0-9+.-]*:.*")
PLAIN = re.compile(r"[\w:/.~%?=&+@,-]+", re.ASCII)
SHARDS_KEPT = 3 * SHARDS_AT_ONCE  # those in use, and those that come next in either split


def is_url(name: str) -> bool:
    return URL.fullmatch(name) is not None and len(name.partition(":")[0]) > 1  # C:\shards is a folder


def must_be_allowed(url: str, key: str) -> None:
    """
    Raises:
        DataError: not a plain URL of SCHEMES, or the package that opens them is not there.
    """
    if url.partition(":")[0] not in SCHEMES or not PLAIN.fullmatch(url):
        raise DataError(f"{key}: {url!r} is not a plain URL of {', '.join(SCHEMES)}; commands (pipe:) are not run")
    opener()


def opener():  # type: ignore[no-untyped-def]
    """gopen of the webdataset package.

    Raises:
        DataError: it is not installed.
    """
    try:
        from webdataset.gopen import gopen
    except ImportError as error:
        raise DataError("shards on the network need the webdataset package; type pip install 'cnntrain[webdataset]'") from error
    return gopen


def open_shard(name: str) -> BinaryIO:
    """A shard on disk, or one of the network that is brought here first.

    Raises:
        OSError: it cannot be read.
    """
    if not is_url(name):
        return open(name, "rb")
    place = place_of(name)
    with suppress(FileNotFoundError):
        os.utime(place)  # the time of its last use
        return open(place, "rb")
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = file_lock.take(place.with_suffix(".lock"), alone=True, waiting=lambda: None)
    assert lock is not None
    try:
        if not place.exists():
            bring(name, place)
        return open(place, "rb")
    finally:
        lock.release()


def place_of(url: str) -> Path:
    return cache_folder() / "shards" / f"{hashlib.blake2b(url.encode(), digest_size=16).hexdigest()}.tar"


def bring(url: str, place: Path) -> None:
    """
    Raises:
        CannotGoOn: the network fails.
    """
    make_room(place.parent)
    with tempfile.NamedTemporaryFile(dir=place.parent, suffix=".part", delete=False) as file:
        try:
            with opener()(url, "rb") as stream:
                shutil.copyfileobj(stream, file, 1 << 20)
        except Exception as error:  # the package and what it calls raise anything
            os.unlink(file.name)
            raise CannotGoOn(f"{url} cannot be fetched ({error})") from error
    os.replace(file.name, place)


def make_room(folder: Path) -> None:
    """All but the SHARDS_KEPT - 1 last used ones go; who reads one of them keeps it open."""
    kept = sorted(folder.glob("*.tar"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in kept[SHARDS_KEPT - 1 :]:
        with suppress(OSError):
            path.unlink()
