"""Batches of one epoch: the same bits for any number of loader processes, with or without a cache."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from time import perf_counter

import numpy as np
import torch
from torch.utils.data import Sampler

from cnntrain.data import keyed
from cnntrain.data.cache import Progress, Say, decide, keep
from cnntrain.data.decoded import Decoded
from cnntrain.data.facts import Facts
from cnntrain.data.feeding import Choice, Times, available_cores, explanation, one_thread
from cnntrain.data.images import ImageSet
from cnntrain.data.keyed_images import Batch, KeyedImages, Loaded, Request
from cnntrain.data.measured import measure
from cnntrain.data.pipeline import Pipeline, Statistics
from cnntrain.data.quarantine import Bad, Quarantine
from cnntrain.data.workers import PATIENCE_SECONDS, Processes, Workers, WorkersLost
from cnntrain.errors import CannotGoOn

Order = Callable[[int, int], np.ndarray]
MOST_BAD = 0.1  # the default of data.max_bad
MOST_TRIES, MOST_REBUILT = 3, 10  # new loader processes for the same batch, and in one epoch


class Requests(Sampler[Request]):
    """The requests of the current epoch; loader processes that live on ask it anew for each.

    Args:
        order: of the images of an epoch, where it is not plainly shuffled; see Loader.
    """

    def __init__(self, num_images: int, *, batch_size: int, seed: int, shuffle: bool, order: Order | None = None):
        self.num_images, self.batch_size, self.seed, self.shuffle, self.own_order = num_images, batch_size, seed, shuffle, order
        self.epoch = 0
        self.first = 0  # batch of the epoch to begin with
        drops = shuffle and num_images >= batch_size  # a training step on a few left-over images would be a noisy one
        self.num_used = num_images // batch_size * batch_size if drops else num_images

    def __len__(self) -> int:
        return -(-self.num_used // self.batch_size)

    def __iter__(self) -> Iterator[Request]:
        order = self.order()
        for start in range(self.first * self.batch_size, self.num_used, self.batch_size):
            yield self.epoch, order[start : min(start + self.batch_size, self.num_used)]

    def order(self) -> np.ndarray:
        if self.own_order is not None:
            return self.own_order(self.seed, self.epoch)
        return keyed.epoch_order(self.seed, self.epoch, self.num_images) if self.shuffle else np.arange(self.num_images)


class Loader:
    """Feeds one image set.

    Args:
        images: what to feed.
        pipeline: from decoded images to the network's input.
        batch_size: images in a batch; the last may be smaller, but see shuffle.
        seed: of order, augmentation and replacement.
        shuffle: for training: a new order in each epoch, the last partial batch left out where there is a full one, and
            another image in the place of an unreadable one. Else unreadable ones are left out.
        order: for training, of (seed, epoch): the images of an epoch, (N,) int64, in another way than shuffled plainly; see
            keyed.balanced_order for what the numbers mean.
        cache: where decoded images are kept: disk, memory, none, or auto: what fits into cache_budget_mib.
        cache_budget_mib: MiB.
        max_bad: largest share of unreadable images.
        num_workers: processes beside this one; 0 loads in this one; auto: as the first batches show; Processes: how they run.
        pin_memory: page-locked batches, for copies to a GPU.
        patience_seconds: loader processes that give nothing for so long are started anew.
    """

    def __init__(
        self,
        images: ImageSet,
        pipeline: Pipeline,
        *,
        batch_size: int,
        seed: int,
        shuffle: bool,
        order: Order | None = None,
        cache: str,
        cache_budget_mib: int,
        max_bad: float = MOST_BAD,
        num_workers: int | str | Processes = 0,
        pin_memory: bool = False,
        patience_seconds: float = PATIENCE_SECONDS,
    ):
        self.images, self.pipeline, self.seed = images, pipeline, seed
        self.processes = (
            num_workers if isinstance(num_workers, Processes) else Processes(num_workers if isinstance(num_workers, int) else 0)
        )
        self.choice: Choice | None = None
        if num_workers == "auto":
            self.choice = Choice(possible=self.processes.method == "fork" or pipeline.is_shipped)
        self.times = Times()  # of the last epoch
        self.say: Say = lambda _: None
        self.patience_seconds = patience_seconds
        self.poll: Callable[[], None] = lambda: None  # while processes are waited for; what it raises ends the waiting
        self.pin_memory = pin_memory and torch.cuda.is_available()
        self.cache, self.cache_budget_mib = cache, cache_budget_mib
        self.keeping = decide(images, pipeline, cache, cache_budget_mib)
        self.statistics: Statistics | None = None  # of the images, once measured
        self.requests = Requests(len(images), batch_size=batch_size, seed=seed, shuffle=shuffle, order=order)
        self.quarantine = Quarantine(images, most=max_bad)
        self.kept: Decoded | None = None
        self.facts: Facts | None = None  # where a command wants to know of each file what decoding tells anyway
        self.dataset: KeyedImages | None = None
        self.workers: Workers | None = None
        self.starting = False

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self.requests)

    @property
    def num_images_per_epoch(self) -> int:
        return self.requests.num_used

    def notes(self) -> list[str]:
        """What the user should hear before: sentences."""
        found = [self.keeping.note] if self.keeping.surprising else []
        for step in self.pipeline.head_steps:
            if step["type"] == "shorten":
                where = f"images whose shorter side is at most {step['size']} pixels"
                found.append(f"{self.images.split}: random_resized_crop cuts from {where} (its read_size)")
        if self.requests.shuffle and self.choice is not None and self.choice.decided == 0:
            found.append(f"{self.images.split}: no loader processes (data.num_workers=auto on {self.choice.num_cores} cores)")
        return found

    def prepare(self, progress: Progress | None = None, say: Say = lambda _: None) -> None:
        """Decode what is to be kept, and measure mean and std where the pipeline asks for the images' own.

        Args:
            progress: called with (images done, all images) now and then; what it raises ends the preparing.
            say: gets sentences for the user.

        Raises:
            CannotGoOn: too many images cannot be read; or the disk fails, with data.cache=disk.
        """
        if self.dataset is not None:
            return
        self.say = say
        self.kept, bad = keep(
            self.images,
            self.pipeline,
            self.keeping,
            cache=self.cache,
            budget_mib=self.cache_budget_mib,
            progress=progress,
            say=say,
            facts=self.facts,
        )
        self.quarantine.add(bad)
        if self.pipeline.needs_statistics:
            self.pipeline = self.pipeline.with_statistics(self.measure())
        self.dataset = KeyedImages(self.images, self.pipeline, seed=self.seed, kept=self.kept, bad=bad, replaces=self.requests.shuffle)

    def know(self, bad: Mapping[int, Bad]) -> None:
        """Take these images, by index, as unreadable; after `prepare`."""
        assert self.dataset is not None
        self.dataset.bad.update(bad)
        self.quarantine.add(bad)

    def measure(self) -> Statistics:
        """Mean and std of the images after the pipeline's head; also kept as `statistics`."""
        if self.statistics is None:
            self.statistics = measure(self.images, self.pipeline, self.kept, self.quarantine.bad)
        return self.statistics

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of one epoch; nothing of those before `first` is read.

        Yields:
            images (B, C, H, W) float32, targets (B,) int64 labels or (B, K) float32, indices into the image set (B,) int64.

        Raises:
            CannotGoOn: loader processes die again and again, or too many images cannot be read.
        """
        self.prepare()
        self.requests.epoch, self.requests.first = epoch, first
        self.times = times = Times()
        began = perf_counter()
        for loaded in self.loaded():
            ready = perf_counter()
            self.quarantine.add(loaded.bad)
            if loaded.nothing_left:
                raise CannotGoOn(self.quarantine.too_many())
            if len(loaded.indices):
                yield loaded.images, loaded.targets, loaded.indices
            if not self.starting:  # which may take seconds, once
                times.waiting += ready - began
            self.starting = False
            began = perf_counter()
            times.step += began - ready
            times.num_batches += 1
            times.spent.add(loaded.spent)

    def loaded(self) -> Iterator[Loaded]:
        """From this process; or from others, also from the middle of an epoch on."""
        if self.choice is not None and self.choice.decided is None:
            yield from self.measured(self.choice)
        if self.processes.count:
            yield from self.from_workers()
        else:
            yield from self.from_here()

    def measured(self, choice: Choice) -> Iterator[Loaded]:
        """Batches made here, until the choice is made or the epoch is over."""
        began = perf_counter()
        for loaded in self.from_here():
            ready = perf_counter()
            yield loaded
            self.requests.first += 1
            stepped = perf_counter()
            choice.add(ready - began, stepped - ready)
            began = stepped
            if choice.decided is not None:
                self.say(f"{self.images.split}: {choice.sentence()}")
                self.processes = replace(self.processes, count=choice.decided)
                return

    def from_here(self) -> Iterator[Loaded]:
        assert self.dataset is not None
        for request in self.requests:
            with one_thread():
                loaded = self.dataset[request]
            yield loaded.pin_memory() if self.pin_memory else loaded

    def from_workers(self) -> Iterator[Loaded]:
        """From other processes; in the place of those that are lost new ones begin at the batch that is owed."""
        tries = rebuilt = 0
        while True:
            try:
                for loaded in self.asked_workers():
                    yield loaded
                    self.requests.first += 1
                    tries = 0
                return
            except WorkersLost as lost:
                self.end_workers()
                tries, rebuilt = tries + 1, rebuilt + 1
                if tries > MOST_TRIES or rebuilt > MOST_REBUILT:
                    raise lost.for_good() from lost
                self.say(f"{self.images.split}: {lost.what}; others begin at the same batch, {self.requests.first + 1} of {len(self)}")

    def asked_workers(self) -> Iterator[Loaded]:
        assert self.dataset is not None
        if self.workers is None:
            self.starting = True
            self.workers = Workers(
                self.dataset,
                self.requests,
                self.processes,
                pin_memory=self.pin_memory,
                patience_seconds=self.patience_seconds,
                poll=self.poll,
            )
        return iter(self.workers)

    def end_workers(self) -> None:
        if self.workers is not None:
            self.workers.end()
            self.workers = None

    def explanation(self) -> str | None:
        """Where the last epoch's time went and what would help; None where batches were hardly waited for."""
        return explanation(
            self.times,
            self.keeping,
            slow_steps=self.pipeline.slow_steps,
            num_workers=self.processes.count,
            num_cores=available_cores(),
        )

    def close(self) -> None:
        """End the loader processes; what is kept on disk may be removed from now on."""
        self.end_workers()
        if self.kept is not None:
            self.kept.release()
