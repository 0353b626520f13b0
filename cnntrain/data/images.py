"""The images of one split: packed file names and what each stands for. No torch.

A million images cost about 80 MB here, in a few arrays that forked loader processes share; a list of strings
would cost more and be copied, as counting references writes to each.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, overload

import numpy as np

from cnntrain.config.schema import MOST_PIXELS

NAMES_AT_ONCE = 65_536  # bounds the memory that taking needs: about 20 MB


class Names(Sequence[str]):
    """Strings in one block of bytes, read one by one; bytes that are no UTF-8 come back as os.fsdecode gives them.

    Args:
        block: all names one behind the other.
        ends: (N,) int64, where each name ends in the block.
    """

    def __init__(self, block: bytes, ends: np.ndarray):
        self.block, self.ends = block, ends

    @classmethod
    def of(cls, names: Iterable[str]) -> "Names":
        encoded = [os.fsencode(name) for name in names]
        return cls(b"".join(encoded), np.cumsum([len(name) for name in encoded], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "Names": ...
    def __getitem__(self, index: int | slice) -> "str | Names":
        if isinstance(index, slice):
            return self.take(np.arange(*index.indices(len(self)), dtype=np.int64))
        index = range(len(self))[index]
        return os.fsdecode(self.block[self.ends[index - 1] if index else 0 : self.ends[index]])

    def __iter__(self) -> Iterator[str]:
        start = 0
        for end in self.ends.tolist():
            yield os.fsdecode(self.block[start:end])
            start = end

    def take(self, indices: np.ndarray) -> "Names":
        """The names at these places, (M,) int64, in this order; a million take 0.3 s."""
        block, starts = np.frombuffer(self.block, np.uint8), np.concatenate([[0], self.ends[:-1]])
        lengths = (self.ends - starts)[indices]
        ends = np.cumsum(lengths, dtype=np.int64)
        chunks = []
        for first in range(0, len(indices), NAMES_AT_ONCE):
            part = slice(first, first + NAMES_AT_ONCE)
            moved = starts[indices[part]] - (ends[part] - lengths[part])  # from a byte's new place to its old one
            places = np.repeat(moved, lengths[part]) + np.arange(ends[part][0] - lengths[first], ends[part][-1])
            chunks.append(block[places].tobytes())
        return Names(b"".join(chunks), ends)


class Packed(Protocol):
    """Images inside of larger files, such as the shards of a set."""

    def read(self, place: int) -> bytes:
        """What a file of this image alone would hold.

        Raises:
            OSError: it cannot be read.
        """


@dataclass(frozen=True)
class Inside:
    """Where an image of a packed set is read; stands for a path there."""

    name: Path
    packed: Packed
    place: int

    def __str__(self) -> str:
        return str(self.name)

    @property
    def suffix(self) -> str:
        return self.name.suffix

    def read(self) -> bytes:
        return self.packed.read(self.place)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """The images of one split, in a fixed order.

    Args:
        split: its name, such as train.
        directory: absolute folder that the files are relative to.
        classes: class names; a label is a place in this list.
        files: paths relative to directory, with forward slashes, sorted.
        targets: what a loss compares with: (N,) int64 labels; other tasks have (N, K) float32.
        sizes: (N,) int64 bytes of each file, -1 where it was not asked for.
        mtimes: (N,) int64 time of the last change in nanoseconds, -1 where it was not asked for.
        task: classification, multilabel (targets (N, K) of 0 and 1) or regression (targets (N, D) of numbers, named by `classes`).
        max_pixels: of an image; a larger one is not decoded.
        packed: what holds the images, where they are no files of their own; `files` then names them for people.
        places: (N,) int64, where each image is in `packed`.
    """

    split: str
    directory: Path
    classes: tuple[str, ...]
    files: Names
    targets: np.ndarray
    sizes: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    mtimes: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    task: str = "classification"
    max_pixels: int = MOST_PIXELS
    packed: Packed | None = None
    places: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        for name in ("sizes", "mtimes"):
            if len(getattr(self, name)) != len(self.files):
                object.__setattr__(self, name, np.full(len(self.files), -1, np.int64))
        assert len(self.targets) == len(self.files), (len(self.targets), len(self.files))
        assert self.packed is None or len(self.places) == len(self.files), (len(self.places), len(self.files))

    def __len__(self) -> int:
        return len(self.files)

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64 places in `classes`."""
        assert self.targets.ndim == 1, "this task has no labels"
        return self.targets

    def counts(self) -> dict[str, int]:
        """Images of each class, also where there are none; in multilabel an image counts for each of its classes."""
        if self.task == "multilabel":
            found = self.targets.sum(axis=0, dtype=np.int64).tolist()
        else:
            found = np.bincount(self.labels, minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, found, strict=True))

    def path(self, index: int) -> Path:
        return self.directory / self.files[index]

    def at(self, index: int) -> Path | Inside:
        """Where an image is read."""
        name = self.path(index)
        return name if self.packed is None else Inside(name, self.packed, int(self.places[index]))

    def take(self, indices: np.ndarray, *, split: str | None = None) -> "ImageSet":
        """The images at these places, (M,) int64, in this order."""
        return replace(
            self,
            split=self.split if split is None else split,
            files=self.files.take(indices),
            targets=self.targets[indices],
            sizes=self.sizes[indices],
            mtimes=self.mtimes[indices],
            places=self.places if self.packed is None else self.places[indices],
        )
