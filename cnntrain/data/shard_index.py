"""What a shard holds, found out once and kept in the user's cache folder until the shard changes. No torch."""

import hashlib
import itertools
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cnntrain.data import fetched
from cnntrain.data.cache_folder import cache_folder
from cnntrain.data.findings import shown
from cnntrain.data.names import EXTENSIONS

LAYOUT = 2  # raised when shards are read in another way
UNKNOWN = -1
UNSET = np.empty(0, np.int64)
LABELS = ("cls", "json")


class ShardFault(Exception):
    """Why shards cannot be used, a sentence for each of them."""


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


def index_of(name: str) -> ShardIndex:
    """
    Raises:
        ShardFault: the shard cannot be read to its end.
    """
    return load(name) or save(name, list_shard(name))


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


def list_shard(name: str) -> ShardIndex:
    """Every image with a label, and what is no such thing: all that lies in the shard is in one of the two.

    Raises:
        ShardFault: the shard cannot be read to its end.
    """
    index = ShardIndex([], [], UNSET, UNSET, [])
    places, seen = [], set[str]()
    try:
        with fetched.open_shard(name) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            size = os.fstat(stream.fileno()).st_size
            for key, members in itertools.groupby(members_of(tar, name, index.said), key=lambda each: each[0]):
                parts = first_of_each(members, name, index.said)
                image = next((part for part in parts if part in EXTENSIONS), None)
                text, fault = label_of(tar, parts) if image is not None else (None, "has no image")
                fault = "is there already, further up" if key in seen else fault
                if image is None or text is None or key in seen:
                    index.said.append(f"{shown(name)}: {shown(key)} {fault} ({', '.join(parts)}); left out")
                    continue
                member = parts[image]
                if member.offset_data + member.size > size:
                    raise tarfile.ReadError("it ends too early")
                seen.add(key)
                index.files.append(f"{key}.{image}")
                index.labels.append(text)
                places.append((member.offset_data, member.size))
            stream.seek(tar.offset)  # tarfile takes a broken or missing header for the end, without a word
            if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("it is damaged or cut short: no end mark")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ShardFault(f"{shown(name)} cannot be read ({error}); shards are plain tar files") from error
    table = np.array(places, np.int64).reshape(-1, 2)
    return replace(index, offsets=table[:, 0].copy(), lengths=table[:, 1].copy())


def members_of(tar: tarfile.TarFile, name: str, said: list[str]) -> Iterator[tuple[str, str, tarfile.TarInfo]]:
    """(key, extension, member) of each plain file; the extension begins at the first dot of its name, as in the webdataset package."""
    while (member := tar.next()) is not None:
        vars(tar)["members"] = []  # it would keep them all
        folder, _, base = member.name.rpartition("/")
        stem, dot, extension = base.partition(".")
        if member.isfile() and dot and stem:
            yield f"{folder}/{stem}".removeprefix("./") if folder else stem, extension.lower(), member
        elif not member.isdir():
            said.append(f"{shown(name)}: {shown(member.name)} is no file called KEY.EXTENSION; left out")


def first_of_each(members: Iterator[tuple[str, str, tarfile.TarInfo]], name: str, said: list[str]) -> dict[str, tarfile.TarInfo]:
    """Extension -> member, of one key."""
    parts: dict[str, tarfile.TarInfo] = {}
    for _, extension, member in members:
        if parts.setdefault(extension, member) is not member:
            said.append(f"{shown(name)}: {shown(member.name)} is there twice; the second one is left out")
    return parts


def label_of(tar: tarfile.TarFile, parts: dict[str, tarfile.TarInfo]) -> tuple[str | None, str]:
    """The class as it is written: KEY.cls is a name or number, KEY.json has it as `label`; or None, and why there is none."""
    extension = next((part for part in LABELS if part in parts), None)
    if extension is None:
        return None, "has no label"
    stream = tar.extractfile(parts[extension])
    try:
        text = "" if stream is None else stream.read().decode("utf-8").strip()
        found = json.loads(text).get("label") if extension == "json" else text
    except (ValueError, AttributeError, RecursionError):
        found = None
    text = str(found).strip() if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return text or None, "has a label that is no class"
