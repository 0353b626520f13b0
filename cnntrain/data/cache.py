"""Decode every image once, on threads, into one tensor of bytes."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import torch
from torch import Tensor

from cnntrain.data.decode import quiet_decoders, read_image
from cnntrain.data.images import ImageSet
from cnntrain.data.pipeline import Pipeline, Statistics
from cnntrain.errors import DataError

MIB = 2**20
FILES_PER_TASK = 32
IMAGES_PER_SUM = 256
LARGEST_SAMPLE = 4096  # images that statistics are taken from where none are kept
Progress = Callable[[int, int], None]


def cache_bytes(images: ImageSet, pipeline: Pipeline) -> int | None:
    """Memory for all images after the pipeline's head; None where their sizes differ."""
    if pipeline.fixed_size is None:
        return None
    height, width = pipeline.fixed_size
    return len(images) * pipeline.channels * height * width


def read_one(images: ImageSet, pipeline: Pipeline, index: int) -> Tensor:
    """Decode one image and run the pipeline's head: (C, h, w) uint8. The one read path of all.

    Raises:
        ValueError: why it cannot be read.
    """
    return pipeline.start(read_image(images.path(index), pipeline.channels))


def build_cache(images: ImageSet, pipeline: Pipeline, *, shared: bool, progress: Progress | None = None) -> Tensor:
    """Decode all images.

    Args:
        shared: place it in memory that loader processes see too.
        progress: called with (images done, all images) now and then, in this thread.

    Returns:
        (N, C, h, w) uint8, in the order of images.files.

    Raises:
        DataError: naming all images that cannot be read.
    """
    assert pipeline.fixed_size is not None, "images of different sizes do not fit into one tensor"
    cached = torch.empty((len(images), pipeline.channels, *pipeline.fixed_size), dtype=torch.uint8)
    if shared:
        cached.share_memory_()

    def decode(start: int) -> list[tuple[int, str]]:
        bad = []
        for index in range(start, min(start + FILES_PER_TASK, len(images))):
            try:
                cached[index] = read_one(images, pipeline, index)
            except ValueError as error:
                bad.append((index, str(error)))
        return bad

    bad: list[tuple[int, str]] = []
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        with quiet_decoders():
            tasks = [pool.submit(decode, start) for start in range(0, len(images), FILES_PER_TASK)]
            for number, task in enumerate(as_completed(tasks), start=1):
                bad += task.result()
                if progress is not None:
                    progress(min(number * FILES_PER_TASK, len(images)), len(images))
    finally:
        pool.shutdown(cancel_futures=True)
    if bad:
        raise DataError(unreadable_images(images, sorted(bad)))
    return cached


def unreadable_images(images: ImageSet, bad: list[tuple[int, str]], most: int = 5) -> str:
    """One sentence that names the files and why."""
    named = ", ".join(f"{images.path(index)} ({why})" for index, why in bad[:most])
    more = f" and {len(bad) - most} more" if len(bad) > most else ""
    count = "1 image" if len(bad) == 1 else f"{len(bad)} images"
    return f"data.root: {count} cannot be read: {named}{more}; remove or repair {'it' if len(bad) == 1 else 'them'}"


def measure(images: ImageSet, pipeline: Pipeline, cached: Tensor | None) -> Statistics:
    """Mean and std of each channel after the pipeline's head, over all cached images.

    Without a cache up to 4,096 images spread evenly over the set are decoded for it. The sums are whole
    numbers below 2^53, so their order does not matter. A channel of one colour has std 1.

    Raises:
        DataError: an image that cannot be read.
    """
    sums = torch.zeros(3, pipeline.channels, dtype=torch.float64)
    if cached is not None:
        for part in cached.split(IMAGES_PER_SUM):
            sums += moments(part)
    else:
        bad = []
        with quiet_decoders():
            for index in range(0, len(images), max(1, -(-len(images) // LARGEST_SAMPLE))):
                try:
                    sums += moments(read_one(images, pipeline, index)[None])
                except ValueError as error:
                    bad.append((index, str(error)))
        if bad:
            raise DataError(unreadable_images(images, bad))
    total, first, second = sums
    mean = first / total
    std = (second / total - mean**2).clamp(min=0).sqrt()
    return Statistics(
        mean=tuple(round(float(v) / 255, 6) for v in mean),
        std=tuple(round(float(v) / 255, 6) or 1.0 for v in std),
    )


def moments(images: Tensor) -> Tensor:
    """(B, C, H, W) uint8 -> (3, C) float64: number of pixels, their sum, the sum of their squares."""
    values = images.to(torch.float64)
    count = torch.full((images.shape[1],), values[:, 0].numel(), dtype=torch.float64)
    return torch.stack([count, values.sum((0, 2, 3)), values.square_().sum((0, 2, 3))])
