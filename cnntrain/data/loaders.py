"""Batches of one epoch: the same bits for any number of loader processes, with or without a cache."""

import multiprocessing
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from cnntrain.data import keyed
from cnntrain.data.cache import MIB, Progress, build_cache, cache_bytes, measure, read_one, unreadable_images
from cnntrain.data.decode import quiet_decoders
from cnntrain.data.images import ImageSet
from cnntrain.data.pipeline import Pipeline, Statistics, stacked
from cnntrain.errors import CannotGoOn, DataError

Batch = tuple[Tensor, Tensor, Tensor]
Request = tuple[int, np.ndarray]  # epoch, indices (B,) int64


@dataclass(frozen=True)
class Unreadable:
    """What a loader process hands over instead of a batch: an exception would arrive as a page of traceback."""

    fault: str


class KeyedImages(Dataset[Batch | Unreadable]):
    """Whole batches by request (epoch, indices); what comes back depends on the request alone."""

    def __init__(self, images: ImageSet, pipeline: Pipeline, *, seed: int, cached: Tensor | None):
        self.images, self.pipeline, self.seed, self.cached = images, pipeline, seed, cached
        self.targets = torch.from_numpy(images.targets)

    def __getitem__(self, request: Request) -> Batch | Unreadable:
        epoch, numbers = request
        keys = keyed.sample_keys(self.seed, epoch, numbers)
        indices = torch.from_numpy(numbers)
        if self.cached is not None:
            images = self.pipeline.finish(self.cached[indices], keys)
            return images, self.targets[indices], indices
        decoded = self.decode(numbers)
        if isinstance(decoded, Unreadable):
            return decoded
        return self.pipeline.finish(decoded, keys), self.targets[indices], indices

    def decode(self, numbers: np.ndarray) -> Tensor | list[Tensor] | Unreadable:
        decoded, bad = [], []
        with quiet_decoders():
            for index in numbers.tolist():
                try:
                    decoded.append(read_one(self.images, self.pipeline, index))
                except ValueError as error:
                    bad.append((index, str(error)))
        return Unreadable(unreadable_images(self.images, bad)) if bad else stacked(decoded)


class Requests(Sampler[Request]):
    """The requests of the current epoch; loader processes that live on ask it anew for each."""

    def __init__(self, num_images: int, *, batch_size: int, seed: int, shuffle: bool):
        self.num_images, self.batch_size, self.seed, self.shuffle = num_images, batch_size, seed, shuffle
        self.epoch = 0
        drops = shuffle and num_images >= batch_size  # a training step on a few left-over images would be a noisy one
        self.num_used = num_images // batch_size * batch_size if drops else num_images

    def __len__(self) -> int:
        return -(-self.num_used // self.batch_size)

    def __iter__(self) -> Iterator[Request]:
        order = keyed.epoch_order(self.seed, self.epoch, self.num_images) if self.shuffle else np.arange(self.num_images)
        for start in range(0, self.num_used, self.batch_size):
            yield self.epoch, order[start : min(start + self.batch_size, self.num_used)]


class Loader:
    """Feeds one image set.

    Args:
        images: what to feed.
        pipeline: from decoded images to the network's input.
        batch_size: images in a batch; the last may be smaller, but see shuffle.
        seed: of order and augmentation.
        shuffle: for training: a new order in each epoch, and the last partial batch left out where there is a full one.
        num_workers: processes beside this one; 0 loads in this one.
        cache: memory, none, or auto: memory if the decoded images fit into cache_budget_mib.
        cache_budget_mib: MiB.
        pin_memory: page-locked batches, for copies to a GPU.
    """

    def __init__(
        self,
        images: ImageSet,
        pipeline: Pipeline,
        *,
        batch_size: int,
        seed: int,
        shuffle: bool,
        num_workers: int,
        cache: str,
        cache_budget_mib: int,
        pin_memory: bool = False,
    ):
        self.images, self.pipeline, self.seed = images, pipeline, seed
        self.num_workers = num_workers
        self.pin_memory = pin_memory and torch.cuda.is_available()
        self.statistics: Statistics | None = None  # of the images, once measured
        self.keeps, self.cache_note = decide_cache(images, pipeline, cache, cache_budget_mib)
        self.requests = Requests(len(images), batch_size=batch_size, seed=seed, shuffle=shuffle)
        self.cached: Tensor | None = None
        self.dataset: KeyedImages | None = None
        self.workers: DataLoader[Any] | None = None

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self.requests)

    @property
    def num_images_per_epoch(self) -> int:
        return self.requests.num_used

    def prepare(self, progress: Progress | None = None) -> None:
        """Decode what is to be kept, and measure mean and std where the pipeline asks for the images' own.

        Raises:
            DataError: naming the images that cannot be read.
        """
        if self.dataset is not None:
            return
        if self.keeps:
            self.cached = build_cache(
                self.images, self.pipeline, shared=self.num_workers > 0 and start_method() != "fork", progress=progress
            )
        if self.pipeline.needs_statistics:
            self.pipeline = self.pipeline.with_statistics(self.measure())
        self.dataset = KeyedImages(self.images, self.pipeline, seed=self.seed, cached=self.cached)

    def measure(self) -> Statistics:
        """Mean and std of the images after the pipeline's head; also kept as `statistics`."""
        if self.statistics is None:
            self.statistics = measure(self.images, self.pipeline, self.cached)
        return self.statistics

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch.

        Yields:
            images (B, C, H, W) float32, labels (B,) int64, indices into the image set (B,) int64.

        Raises:
            DataError: an image that cannot be read.
            CannotGoOn: a loader process died.
        """
        self.prepare()
        assert self.dataset is not None
        self.requests.epoch = epoch
        for batch in self.from_workers() if self.num_workers else map(self.dataset.__getitem__, self.requests):
            if isinstance(batch, Unreadable):
                raise DataError(batch.fault)
            if self.pin_memory and not self.num_workers:
                batch = (batch[0].pin_memory(), batch[1].pin_memory(), batch[2])
            yield batch

    def from_workers(self) -> Iterator[Batch | Unreadable]:
        try:
            yield from self.start_epoch()
        except (RuntimeError, OSError, EOFError) as error:
            if not tells_of_death(error):
                raise
            if not isinstance(error, RuntimeError):
                with suppress(RuntimeError):  # torch's SIGCHLD handler raises once, wherever this process then is: let it be here
                    time.sleep(1)
            self.close()
            raise CannotGoOn("a loader process ended unexpectedly (killed, or out of memory); type data.num_workers=0") from error

    def start_epoch(self) -> Iterator[Batch | Unreadable]:
        """Wake the loader processes, or start them: they live for all epochs."""
        assert self.dataset is not None
        with warnings.catch_warnings():
            # "too many workers" is the user's choice; "fork with threads": our threads have ended, and torch's are not used there
            warnings.filterwarnings("ignore", message="This DataLoader will create", category=UserWarning)
            warnings.filterwarnings("ignore", message=".*multi-threaded", category=DeprecationWarning)
            if self.workers is None:
                self.workers = DataLoader(
                    self.dataset,
                    batch_size=None,
                    sampler=self.requests,
                    num_workers=self.num_workers,
                    persistent_workers=True,
                    pin_memory=self.pin_memory,
                    worker_init_fn=start_worker,
                    multiprocessing_context=start_method(),
                    generator=torch.Generator(),  # else it draws from torch's global one, and dropout hangs on num_workers
                )
            return iter(self.workers)

    def close(self) -> None:
        """End the loader processes."""
        self.workers = None


def decide_cache(images: ImageSet, pipeline: Pipeline, cache: str, budget_mib: int) -> tuple[bool, str]:
    """Whether decoded images are kept, and a sentence that says so."""
    if cache == "none":
        return False, f"{images.split}: images are decoded in every epoch (data.cache=none)"
    size = cache_bytes(images, pipeline)
    if size is None:
        first = pipeline.steps[0]["type"]
        return (
            False,
            f"{images.split}: images are decoded in every epoch: {first} and what follows give no fixed size to keep them in",
        )
    text = f"{len(images):,} decoded images take {size / MIB:,.1f} MiB of memory"
    if cache == "auto" and size > budget_mib * MIB:
        return False, f"{images.split}: images are decoded in every epoch: {text}, more than data.cache_budget_mib={budget_mib}"
    return True, f"{images.split}: {text}"


def tells_of_death(error: Exception) -> bool:
    """A dead loader process is a RuntimeError of torch, or a connection that broke while a batch was handed over.

    What a step raised in a living one arrives with a text that begins with `Caught`.
    """
    if str(error).startswith("Caught "):
        return False
    return not isinstance(error, RuntimeError) or "DataLoader worker" in str(error)


def start_method() -> str:
    """fork shares everything at no cost, but not with a CUDA context; elsewhere it is not safe or not there."""
    if sys.platform != "linux":
        return "spawn"
    if torch.cuda.is_initialized():
        return "forkserver"
    return "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"


def start_worker(number: int) -> None:  # noqa: ARG001
    """The main process alone answers Ctrl-C; SIGTERM ends a loader process at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
