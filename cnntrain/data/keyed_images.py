"""Whole batches by request (epoch, indices): what comes back depends on the request alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cnntrain.data import keyed
from cnntrain.data.cache import Spent, read_one
from cnntrain.data.decode import BadImage, quiet_decoders
from cnntrain.data.decoded import Decoded
from cnntrain.data.images import ImageSet, Names
from cnntrain.data.pipeline import Pipeline, stacked
from cnntrain.data.quarantine import Bad, replaced

Batch = tuple[Tensor, Tensor, Tensor]
Request = tuple[int, np.ndarray]  # epoch, (B,) int64 as of keyed.balanced_order: an index, and N more for each time before in this epoch


@dataclass(frozen=True)
class Loaded:
    """What a request came to.

    Args:
        images, targets, indices: see Loader.batches; fewer than asked for, even none, where bad ones are left out.
        bad: the unreadable images that were met on the way.
        nothing_left: no image could be found in the place of a bad one.
    """

    images: Tensor
    targets: Tensor
    indices: Tensor
    bad: dict[int, Bad] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)
    nothing_left: bool = False

    def pin_memory(self) -> "Loaded":
        """torch's loader calls this, by its name, in the process that asked."""
        return replace(self, images=self.images.pin_memory(), targets=self.targets.pin_memory())


class KeyedImages(Dataset[Loaded]):
    """
    Args:
        seed: of augmentation and replacement.
        kept: the decoded images, or None to decode in every epoch.
        bad: images known to be unreadable; grows in each process by what that process meets.
        replaces: for training: another image takes a bad one's place; else it is left out.
    """

    def __init__(
        self, images: ImageSet, pipeline: Pipeline, *, seed: int, kept: Decoded | None, bad: dict[int, Bad] | None = None, replaces: bool
    ):
        self.images, self.pipeline, self.seed, self.kept, self.replaces = images, pipeline, seed, kept, replaces
        self.bad = dict(bad or {})
        self.targets = torch.from_numpy(images.targets)
        self.shared: list[Tensor] = []

    def __getitem__(self, request: Request) -> Loaded:
        began = perf_counter()
        epoch, drawn = request
        keys = keyed.sample_keys(self.seed, epoch, drawn)
        numbers = drawn % len(self.targets)
        reader = Reader(self)
        with quiet_decoders():
            if self.kept is None or self.bad:
                try:
                    numbers, keys = self.choose(reader, epoch, numbers, keys)
                except LookupError:
                    return self.nothing(reader.met, nothing_left=True)
            if not len(numbers):
                return self.nothing(reader.met, nothing_left=False)
            images = reader.batch(numbers)
        gathered = perf_counter()
        if self.kept is not None:
            reader.spent.read = gathered - began
        finished = self.pipeline.finish(images, keys)
        reader.spent.augment = perf_counter() - gathered
        indices = torch.from_numpy(numbers)
        return Loaded(finished, self.targets[indices], indices, reader.met, reader.spent)

    def choose(self, reader: "Reader", epoch: int, numbers: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The images to show and their keys: a stand-in takes the key of the image whose place it takes.

        Raises:
            LookupError: no image is there to stand in.
        """
        if self.replaces:
            return replaced(numbers, reader.is_bad, seed=self.seed, epoch=epoch, num_images=len(self.images)), keys
        good = np.array([not reader.is_bad(index) for index in numbers.tolist()], dtype=bool)
        return numbers[good], keys[good]

    def nothing(self, met: dict[int, Bad], *, nothing_left: bool) -> Loaded:
        none = torch.empty(0, dtype=torch.int64)
        height, width = self.pipeline.image_size
        return Loaded(torch.empty(0, self.pipeline.channels, height, width), self.targets[none], none, met, nothing_left=nothing_left)

    def __getstate__(self) -> dict[str, Any]:
        """For a spawned loader process: what grows with the number of images lies in shared memory, once for all of them."""
        images = self.images
        if not self.shared:  # kept, since a handle must outlive its sending
            block = np.frombuffer(images.files.block, np.uint8).copy()
            self.shared = [
                tensor.share_memory_()
                for tensor in (*map(torch.from_numpy, (block, images.files.ends.copy(), images.places.copy())), self.targets)
            ]
        few = replace(images, files=Names(b"", images.files.ends[:0]), targets=images.targets[:0], sizes=NONE, mtimes=NONE, places=NONE)
        return {**self.__dict__, "images": few, "targets": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        block, ends, places, targets = state["shared"]
        unknown = np.broadcast_to(np.int64(-1), len(ends))
        names = Names(SharedBytes(block), ends.numpy())  # type: ignore[arg-type]
        images = replace(state["images"], files=names, targets=targets.numpy(), sizes=unknown, mtimes=unknown, places=places.numpy())
        self.__dict__.update(state, images=images, targets=targets)


NONE = np.empty(0, np.int64)


class SharedBytes:
    """Bytes in memory that processes share; a part of them is copied out when it is asked for."""

    def __init__(self, block: Tensor):
        self.block = block.numpy()

    def __getitem__(self, part: slice) -> bytes:
        return bytes(self.block[part].tobytes())


class Reader:
    """Reads for one batch: each file once, also where an image stands in for another."""

    def __init__(self, source: KeyedImages):
        self.source = source
        self.met: dict[int, Bad] = {}
        self.read: dict[int, Tensor] = {}
        self.spent = Spent()

    def is_bad(self, index: int) -> bool:
        """Decodes it, unless images are kept or it is known to be bad."""
        source = self.source
        if index not in source.bad and source.kept is None and index not in self.read:
            try:
                self.read[index] = read_one(source.images, source.pipeline, index, self.spent)
            except BadImage as error:
                source.bad[index] = Bad(error.kind, error.detail)
        if index in source.bad:
            self.met[index] = source.bad[index]
        return index in source.bad

    def batch(self, numbers: np.ndarray) -> Tensor | list[Tensor]:
        """(B, C, h, w) uint8, or a list where sizes differ; none may be bad."""
        if self.source.kept is not None:
            return self.source.kept.batch(numbers)
        return stacked(self.images(numbers.tolist()))

    def images(self, numbers: Sequence[int]) -> list[Tensor]:
        return [self.read[index] for index in numbers]
