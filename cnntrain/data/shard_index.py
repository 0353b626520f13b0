"""What a shard holds, found out once and kept in the user's cache folder until the shard changes. No torch."""

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnntrain.data import fetched
from cnntrain.data.cache_folder import cache_folder

LAYOUT = 1  # raised when shards are read in another way
UNKNOWN = -1


class ShardFault(Exception):
    """Why shards cannot be used, in one sentence."""


@dataclass(frozen=True)
class ShardIndex:
    """
    Args:
        files: names of the images, KEY.jpg.
        labels: their classes as they are written.
        offsets, lengths: (N,) int64, where the bytes of each lie.
        said: sentences on what is left out.
    """

    files: list[str]
    labels: list[str]
    offsets: np.ndarray
    lengths: np.ndarray
    said: list[str]


def stamp(name: str) -> tuple[int, int]:
    """Size and time of a shard; of a URL they are not known, and it is taken to hold the same for ever."""
    if fetched.is_url(name):
        return UNKNOWN, UNKNOWN
    status = os.stat(name)
    return status.st_size, status.st_mtime_ns


def place_of(name: str) -> Path:
    known_by = json.dumps([LAYOUT, name, *stamp(name)])
    return cache_folder() / "shards" / f"{hashlib.blake2b(known_by.encode('utf-8', 'surrogateescape'), digest_size=16).hexdigest()}.npz"


def load(name: str) -> ShardIndex | None:
    """What is known of a shard as it is now, or None."""
    with suppress(OSError, ValueError, KeyError, EOFError), np.load(place_of(name), allow_pickle=False) as kept:
        texts = json.loads(bytes(kept["texts"]))
        if len(texts["files"]) == len(texts["labels"]) == len(kept["offsets"]) == len(kept["lengths"]):
            return ShardIndex(texts["files"], texts["labels"], kept["offsets"], kept["lengths"], texts["said"])
    return None


def save(name: str, index: ShardIndex) -> ShardIndex:
    """Keep it where that is possible; gives it back."""
    texts = json.dumps({"files": index.files, "labels": index.labels, "said": index.said}).encode()
    with suppress(OSError):
        place = place_of(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place.parent, suffix=".part", delete=False) as file:
            np.savez_compressed(file, texts=np.frombuffer(texts, np.uint8), offsets=index.offsets, lengths=index.lengths)
        os.replace(file.name, place)
    return index
