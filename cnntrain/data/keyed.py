"""Random numbers by table: each is a function of (seed, epoch, image, step of the pipeline, draw)."""

import numpy as np

from cnntrain import randomness

SHARDS_AT_ONCE = 8


def epoch_order(seed: int, epoch: int, num_images: int) -> np.ndarray:
    """The images of one epoch in random order: (num_images,) int64."""
    keys = randomness.key(seed, randomness.ORDER, epoch, np.arange(num_images, dtype=np.uint64))
    return np.argsort(keys, kind="stable")


def balanced_order(seed: int, epoch: int, labels: np.ndarray) -> np.ndarray:
    """The images of one epoch where each class comes equally often, in random order; as many as there are images.

    A class with fewer images than its part shows them again: each of them once before any of them once more. Of one
    with more a part is drawn, another in each epoch. Where all classes are of one size this is epoch_order.

    Args:
        labels: (N,) int64.

    Returns:
        (N,) int64: index + N * (how often the image came before in this epoch), so that each time is augmented anew.
    """
    num_images = len(labels)
    counts = np.bincount(labels)
    present = np.flatnonzero(counts)
    wanted = np.zeros(len(counts), np.int64)
    wanted[present] = num_images // len(present)
    class_keys = randomness.key(seed, randomness.BALANCE, epoch, present.astype(np.uint64))
    wanted[present[np.argsort(class_keys, kind="stable")[: num_images % len(present)]]] += 1
    keys = randomness.key(seed, randomness.BALANCE, epoch, np.arange(num_images, dtype=np.uint64), 1)
    by_class = np.lexsort((keys, labels))
    starts = np.cumsum(counts) - counts
    rank = np.empty(num_images, np.int64)  # of an image among those of its class, in this epoch
    rank[by_class] = np.arange(num_images) - starts[labels[by_class]]
    times = wanted[labels] // counts[labels] + (rank < wanted[labels] % counts[labels])
    indices = np.repeat(np.arange(num_images), times)
    before = np.arange(num_images) - np.repeat(np.cumsum(times) - times, times)
    drawn = indices + num_images * before
    return drawn[np.argsort(randomness.key(seed, randomness.ORDER, epoch, drawn.astype(np.uint64)), kind="stable")]


def sharded_order(seed: int, epoch: int, shards: np.ndarray, rank: int = 0, world_size: int = 1) -> np.ndarray:
    """The images of one epoch where only SHARDS_AT_ONCE shards are read at any time: (N,) int64.

    The shards come in random order; the images of as many as are read at once are shuffled together. Several ranks are dealt
    whole shards in that order, one each in turn, and take as many images as the rank with the fewest.

    Args:
        shards: (N,) number of the shard of each image; there must be a shard for each rank.
    """
    counts = np.bincount(shards)
    present = np.flatnonzero(counts)
    assert world_size <= max(1, len(present)), (world_size, len(present))
    shard_keys = randomness.key(seed, randomness.SHARD, epoch, present.astype(np.uint64))
    dealt = np.zeros(len(counts), np.int64)  # when a shard is dealt
    dealt[present] = np.argsort(np.argsort(shard_keys, kind="stable"))
    own = np.flatnonzero(dealt[shards] % world_size == rank)
    fewest = int(np.bincount(dealt[shards] % world_size, minlength=world_size).min())
    keys = randomness.key(seed, randomness.ORDER, epoch, own.astype(np.uint64))
    return own[np.lexsort((keys, dealt[shards[own]] // world_size // SHARDS_AT_ONCE))][:fewest]


def sample_keys(seed: int, epoch: int, indices: np.ndarray) -> np.ndarray:
    """A key for each image of a batch: (B,) int64 -> (B,) uint64.

    All bits are drawn anew in each epoch but the lowest: that one changes from epoch to epoch, from a start of the image's
    own, for steps that take turns.
    """
    numbers = indices.astype(np.uint64)
    keys = randomness.key(seed, randomness.AUGMENT, epoch, numbers)
    start = randomness.key(seed, randomness.ALTERNATE, numbers)
    turned: np.ndarray = keys ^ ((keys ^ start ^ epoch) & 1)
    return turned


def step_keys(keys: np.ndarray, number: int) -> np.ndarray:
    """Keys of a pipeline's step, by its place in the list: (B,) uint64."""
    mixed: np.ndarray = randomness.mix(keys ^ np.uint64((number + 1) << 32))
    return mixed


def draws(keys: np.ndarray, count: int) -> np.ndarray:
    """Uniform numbers in [0, 1): (B,) uint64 -> (B, count) float64."""
    table: np.ndarray = randomness.unit(randomness.mix(keys[:, None] ^ np.arange(1, count + 1, dtype=np.uint64)))
    return table


def whole(unit: np.ndarray, below: np.ndarray | int) -> np.ndarray:
    """Uniform whole numbers in 0 .. below - 1 from uniform ones in [0, 1): int64 of the same shape."""
    return np.floor(unit * below).astype(np.int64)
