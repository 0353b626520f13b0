"""Decode every image once, and keep the result."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL
import torch
from PIL import Image, features
from torch import Tensor

from cnntrain.data import disk_cache, disk_room
from cnntrain.data.decode import BadImage, as_tensor, decode, open_file, quiet_decoders, read_bytes
from cnntrain.data.decoded import Decoded, FileBlock, MemoryBlock, Writer
from cnntrain.data.facts import Facts
from cnntrain.data.images import ImageSet, Inside
from cnntrain.data.pipeline import Pipeline
from cnntrain.data.quarantine import Bad
from cnntrain.errors import CannotGoOn, ConfigError

MIB = 2**20
DECODING = 2  # raised when the same file decodes to other pixels: what was kept is then decoded anew
FILES_PER_TASK = 32
NUM_HEADERS = 256  # read to guess what images of different sizes will take
SETS_KEPT = 4  # the folder holds this many times the budget of one set
MAY_CHANGE = ("not_readable", "not_a_file")  # bad for a reason that leaves a file's size and time as they are
SECONDS_TO_MENTION = 1.0
Progress = Callable[[int, int], None]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Keeping:
    """Where decoded images are kept: disk, memory or none.

    Args:
        expected: bytes for all of them; a guess where sizes differ.
        note: a sentence that says so.
        surprising: whether the user should hear it before the run.
    """

    where: str
    expected: int
    note: str
    surprising: bool


def decide(images: ImageSet, pipeline: Pipeline, cache: str, budget_mib: int) -> Keeping:
    """
    Raises:
        ConfigError: data.cache=disk, and the folder cannot be written.
    """
    if cache == "none":
        return Keeping("none", 0, f"{images.split}: images are decoded in every epoch (data.cache=none)", True)
    expected = expected_bytes(images, pipeline)
    text = f"{len(images):,} decoded images take {expected / MIB:,.1f} MiB"
    if cache == "memory":
        return Keeping("memory", expected, f"{images.split}: {text} of memory", False)
    if cache == "auto" and expected > budget_mib * MIB:
        told = f"{images.split}: images are decoded in every epoch: {text}, more than data.cache_budget_mib={budget_mib}"
        return Keeping("none", expected, told, True)
    why = disk_room.why_unwritable()
    if why is None:
        return Keeping("disk", expected, f"{images.split}: {text} in {disk_room.images_folder()}", False)
    if cache == "disk":
        raise ConfigError(f"data.cache=disk: {disk_room.images_folder()}: {why}; set CNNTRAIN_CACHE_DIR, or type data.cache=memory")
    told = f"{images.split}: {text} of memory, as nothing can be written to {disk_room.images_folder()} ({why}; set CNNTRAIN_CACHE_DIR)"
    return Keeping("memory", expected, told, True)


def expected_bytes(images: ImageSet, pipeline: Pipeline) -> int:
    """Bytes of all images after the pipeline's head; where sizes differ, guessed from the headers of some."""
    if pipeline.fixed_size is not None:
        height, width = pipeline.fixed_size
        return len(images) * pipeline.channels * height * width
    areas = []
    with quiet_decoders():
        for index in spread(len(images), NUM_HEADERS):
            try:
                with open_file(images.at(index)) as file, Image.open(file) as image:
                    height, width = pipeline.size_of(image.height, image.width)
            except Exception:  # the decoder will say what is wrong with it
                continue
            areas.append(height * width)
    return int(len(images) * pipeline.channels * (sum(areas) / len(areas))) if areas else 0


def spread(count: int, most: int) -> range:
    """At most `most` of the indices below count, evenly apart."""
    return range(0, count, max(1, -(-count // most)))


@dataclass
class Spent:
    """Seconds of one process: to get a file's bytes, to make an image of them (head included), and for the rest."""

    read: float = 0.0
    decode: float = 0.0
    augment: float = 0.0

    def add(self, other: "Spent") -> None:
        self.read += other.read
        self.decode += other.decode
        self.augment += other.augment


def read_one(images: ImageSet, pipeline: Pipeline, index: int, spent: Spent | None = None, facts: Facts | None = None) -> Tensor:
    """Decode one image and run the pipeline's head: (C, h, w) uint8. The one read path of all.

    Args:
        spent: gets the seconds.
        facts: gets what there is to know of the file.

    Raises:
        BadImage: why it cannot be read.
    """
    began = time.perf_counter()
    data = read_bytes(images.at(index), images.max_pixels)
    read = time.perf_counter()
    found = decode(data, pipeline.channels, at_least=pipeline.at_least, max_pixels=images.max_pixels)
    if facts is not None:
        facts.note(index, found, data)
    image = pipeline.start(as_tensor(found.pixels))
    if spent is not None:
        spent.add(Spent(read - began, time.perf_counter() - read))
    return image


def decode_all(
    images: ImageSet,
    pipeline: Pipeline,
    put: Callable[[int, Tensor], None],
    progress: Progress | None,
    chosen: Sequence[int] | None = None,
    facts: Facts | None = None,
) -> dict[int, Bad]:
    """Decode on threads, each image once.

    Args:
        put: takes (index, (C, h, w) uint8), from several threads and in any order.
        progress: called with (images done, all images) now and then, in this thread.
        chosen: indices; all where None.

    Returns:
        The images that cannot be read.
    """
    wanted = range(len(images)) if chosen is None else chosen

    def decode_some(start: int) -> list[tuple[int, Bad]]:
        bad = []
        for index in wanted[start : start + FILES_PER_TASK]:
            try:
                image = read_one(images, pipeline, index, facts=facts)
            except BadImage as error:
                if facts is not None:
                    facts.note(index, error)
                bad.append((index, Bad(error.kind, error.detail)))
            else:
                put(index, image)
        return bad

    bad: dict[int, Bad] = {}
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        with quiet_decoders():
            tasks = [pool.submit(decode_some, start) for start in range(0, len(wanted), FILES_PER_TASK)]
            for number, task in enumerate(as_completed(tasks), start=1):
                bad.update(task.result())
                if progress is not None:
                    progress(min(number * FILES_PER_TASK, len(wanted)), len(wanted))
    finally:
        pool.shutdown(cancel_futures=True)
    return dict(sorted(bad.items()))


def keep(
    images: ImageSet,
    pipeline: Pipeline,
    keeping: Keeping,
    *,
    cache: str,
    budget_mib: int,
    progress: Progress | None,
    say: Say,
    facts: Facts | None = None,
) -> tuple[Decoded | None, dict[int, Bad]]:
    """The decoded images, taken from disk or decoded now, and those that cannot be read.

    Raises:
        CannotGoOn: data.cache=disk, and the disk is full or fails.
    """
    if keeping.where == "none":
        return None, {}
    if keeping.where == "memory":
        return in_memory(images, pipeline, keeping.expected, progress, facts)
    try:
        return on_disk(images, pipeline, keeping.expected, budget_mib=budget_mib, progress=progress, say=say, facts=facts)
    except OSError as error:
        reason = f"{disk_room.images_folder()}: {error.strerror or error}"
        if cache == "disk":
            raise CannotGoOn(f"data.cache=disk: {reason}; set CNNTRAIN_CACHE_DIR to another disk, or type data.cache=memory") from error
        say(f"{images.split}: decoded images are kept in memory instead of on disk ({reason})")
        return in_memory(images, pipeline, keeping.expected, progress, facts)


def in_memory(
    images: ImageSet, pipeline: Pipeline, expected: int, progress: Progress | None, facts: Facts | None
) -> tuple[Decoded, dict[int, Bad]]:
    block = MemoryBlock(expected)
    writer = Writer(len(images), pipeline.channels, pipeline.fixed_size, block.write)
    bad = decode_all(images, pipeline, writer.put, progress, facts=facts)
    return Decoded(block.bytes, writer.places, channels=pipeline.channels, fixed_size=pipeline.fixed_size), bad


def on_disk(
    images: ImageSet, pipeline: Pipeline, expected: int, *, budget_mib: int, progress: Progress | None, say: Say, facts: Facts | None
) -> tuple[Decoded, dict[int, Bad]]:
    """
    Raises:
        OSError: nothing can be written, or too little.
    """
    folder = disk_room.images_folder() / disk_cache.digest_of(images, decode_facts(pipeline))
    began, built = time.monotonic(), False

    def build(part: Path) -> None:
        nonlocal built
        room = disk_room.make_room(expected, SETS_KEPT * max(budget_mib * MIB, expected))
        if room < expected:
            raise OSError(f"{expected / MIB:,.0f} MiB are needed, {room / MIB:,.0f} MiB are free")
        block = FileBlock(part / "pixels.bin")
        writer = Writer(len(images), pipeline.channels, pipeline.fixed_size, block.write)
        try:
            bad = decode_all(images, pipeline, writer.put, progress, facts=facts)
        finally:
            block.close(writer.end)
        about = {"channels": pipeline.channels, "size": pipeline.fixed_size, "about": f"{images.split} of {images.directory}"}
        disk_cache.finish(part, writer.places, {**about, "bad": [[index, each.kind, each.detail] for index, each in bad.items()]})
        built = True

    def waiting() -> None:
        nonlocal began
        if began and time.monotonic() - began > SECONDS_TO_MENTION:
            began = 0.0
            say(f"{images.split}: another run decodes the same images now; waiting for it")
        if progress is not None:
            progress(0, len(images))

    entry = disk_cache.obtain(folder, build, waiting=waiting)
    bad = {int(index): Bad(kind, detail) for index, kind, detail in entry.manifest["bad"]}
    if not built and any(each.kind in MAY_CHANGE and can_be_opened(images.at(index)) for index, each in bad.items()):
        disk_cache.give_up(entry)
        entry = disk_cache.obtain(folder, build, waiting=waiting)
        bad = {int(index): Bad(kind, detail) for index, kind, detail in entry.manifest["bad"]}
    size = f"{len(entry.pixels) / MIB:,.1f} MiB in {disk_room.images_folder()}"
    if not built:
        say(f"{images.split}: {len(images):,} images are decoded already ({size})")
    elif began and time.monotonic() - began > SECONDS_TO_MENTION:
        say(f"{images.split}: {len(images):,} images decoded once, for later runs too ({size})")
    return Decoded.of_entry(entry), bad


def can_be_opened(path: Path | Inside) -> bool:
    return isinstance(path, Path) and path.is_file() and os.access(path, os.R_OK)


def decode_facts(pipeline: Pipeline) -> dict[str, Any]:
    """All that decides on the pixels that a file becomes, the libraries' versions among them."""
    libraries = [PIL.__version__, features.version("jpg"), str(torch.__version__), os.uname().machine if hasattr(os, "uname") else ""]
    return {"decoding": DECODING, "libraries": libraries, **pipeline.head_facts()}
