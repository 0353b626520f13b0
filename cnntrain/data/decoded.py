"""Decoded images, one behind the other in one block of bytes, in memory or mapped from disk."""

import os
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnntrain.data import disk_cache
from cnntrain.data.disk_cache import PLACE

GROWTH = 1.25


class Decoded:
    """All images of a set after the pipeline's head, by index.

    Args:
        pixels: (bytes,) uint8. A fixed size: each image (C, h, w) at its index, so that a batch is one gather. Else each
            (h, w, C), the layout in which torch resizes bytes fastest.
        places: (N,) PLACE; only offset, height and width are read.
        fixed_size: (height, width) of all images, or None.
        entry: the folder that the pixels are mapped from, in use while this lives or until `release`.
    """

    def __init__(
        self,
        pixels: Tensor,
        places: np.ndarray,
        *,
        channels: int,
        fixed_size: tuple[int, int] | None,
        entry: disk_cache.Entry | None = None,
    ):
        self.pixels, self.places, self.channels, self.fixed_size, self.entry = pixels, places, channels, fixed_size, entry
        self.table = None if fixed_size is None else pixels.view(-1, channels, *fixed_size)
        self.shared: list[Tensor] = []

    @classmethod
    def of_entry(cls, entry: disk_cache.Entry) -> "Decoded":
        size = entry.manifest["size"]
        return cls(
            torch.from_numpy(entry.pixels),
            entry.places,
            channels=entry.manifest["channels"],
            fixed_size=None if size is None else (size[0], size[1]),
            entry=entry,
        )

    def __len__(self) -> int:
        return len(self.places)

    def batch(self, indices: np.ndarray) -> Tensor | list[Tensor]:
        """(B, C, h, w) uint8, or a list of B (C, h, w) where sizes differ; none of them may be one that is bad."""
        if self.table is not None:
            return self.table[torch.from_numpy(indices)]
        return [self.image(index) for index in indices.tolist()]

    def image(self, index: int) -> Tensor:
        """(C, h, w) uint8."""
        if self.table is not None:
            return self.table[index]
        offset, height, width, _ = self.places[index].tolist()
        return self.pixels[offset : offset + height * width * self.channels].view(height, width, self.channels).permute(2, 0, 1)

    def release(self) -> None:
        """Let others remove the entry; what is mapped stays as it is."""
        if self.entry is not None and self.entry.lock is not None:
            self.entry.lock.release()

    def __reduce__(self) -> tuple[Any, ...]:
        """For a spawned loader process: the folder's name, or a handle of shared memory; never the pixels."""
        if self.entry is not None:
            return reopen, (self.entry.folder, self.entry.manifest)
        if not self.shared:  # kept, since a handle must outlive its sending
            self.shared = [self.pixels.share_memory_(), torch.from_numpy(self.places.view(np.uint8)).share_memory_()]
        return assemble, (*self.shared, self.channels, self.fixed_size)


def reopen(folder: Path, manifest: dict[str, Any]) -> Decoded:
    """In a loader process: the main process has checked the entry and holds its lock."""
    places = np.load(folder / "places.npy", mmap_mode="r")
    return Decoded.of_entry(disk_cache.Entry(folder, disk_cache.map_pixels(folder, manifest["bytes"]), places, manifest))


def assemble(pixels: Tensor, places: Tensor, channels: int, fixed_size: tuple[int, int] | None) -> Decoded:
    return Decoded(pixels, places.numpy().view(PLACE), channels=channels, fixed_size=fixed_size)


class Writer:
    """Takes images from several threads, in any order.

    Args:
        write: puts bytes at an offset; called from many threads at once.
    """

    def __init__(self, num_images: int, channels: int, fixed_size: tuple[int, int] | None, write: Callable[[int, np.ndarray], None]):
        self.fixed_size, self.write = fixed_size, write
        self.slot = 0 if fixed_size is None else channels * fixed_size[0] * fixed_size[1]
        self.places = np.zeros(num_images, PLACE)
        self.places["offset"] = -1
        self.end = num_images * self.slot
        self.taking = threading.Lock()

    def put(self, index: int, image: Tensor) -> None:
        """(C, h, w) uint8."""
        height, width = image.shape[1:]
        layout = image if self.fixed_size is not None else image.permute(1, 2, 0)
        data = layout.contiguous().numpy().reshape(-1)
        with self.taking:
            offset = index * self.slot
            if self.fixed_size is None:
                offset, self.end = self.end, self.end + len(data)
        self.write(offset, data)
        self.places[index] = (offset, height, width, zlib.adler32(data.data))


class FileBlock:
    """A file as long as its last byte."""

    def __init__(self, path: Path):
        self.handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
        self.has_pwrite = hasattr(os, "pwrite")
        self.moving = threading.Lock()

    def write(self, offset: int, data: np.ndarray) -> None:
        view = data.data
        while view:  # a write may stop early, as where the disk is full; the next one raises
            count = self.write_some(offset, view)
            offset, view = offset + count, view[count:]

    def write_some(self, offset: int, view: memoryview) -> int:
        if self.has_pwrite:
            return os.pwrite(self.handle, view, offset)
        with self.moving:  # Windows
            os.lseek(self.handle, offset, os.SEEK_SET)
            return os.write(self.handle, view)

    def close(self, size: int) -> None:
        """Ends the file at `size` bytes, also where the last images are unreadable."""
        try:
            os.ftruncate(self.handle, size)
        finally:
            os.close(self.handle)


class MemoryBlock:
    """Bytes in memory that grow as needed; pages that are not written take none.

    Args:
        expected: bytes.
    """

    def __init__(self, expected: int):
        self.bytes = torch.empty(int(expected), dtype=torch.uint8)
        self.writing = threading.Lock()

    def write(self, offset: int, data: np.ndarray) -> None:
        with self.writing:
            if offset + len(data) > len(self.bytes):
                grown = torch.empty(int((offset + len(data)) * GROWTH), dtype=torch.uint8)
                grown[: len(self.bytes)] = self.bytes
                self.bytes = grown
            self.bytes[offset : offset + len(data)] = torch.from_numpy(data)
