"""Mean and standard deviation of a set's channels."""

import torch
from torch import Tensor

from cnntrain.data.cache import decode_all, spread
from cnntrain.data.decoded import Decoded
from cnntrain.data.images import ImageSet
from cnntrain.data.pipeline import Pipeline, Statistics
from cnntrain.data.quarantine import Bad

LARGEST_SAMPLE = 4096  # images that statistics are taken from


def measure(images: ImageSet, pipeline: Pipeline, kept: Decoded | None, bad: dict[int, Bad]) -> Statistics:
    """Mean and std of each channel after the pipeline's head, over up to 4,096 images spread evenly over the set.

    The same ones with and without kept images; unreadable ones are left out. The sums are whole numbers below 2^53, so
    their order does not matter. A channel of one colour has std 1.
    """
    chosen = spread(len(images), LARGEST_SAMPLE)
    sums = torch.zeros(3, pipeline.channels, dtype=torch.float64)
    if kept is not None:
        for index in chosen:
            if index not in bad:
                sums += moments(kept.image(index))
    else:
        found: list[Tensor] = []
        decode_all(images, pipeline, lambda _, image: found.append(moments(image)), None, chosen)
        for each in found:
            sums += each
    total, first, second = sums
    mean = first / total
    std = (second / total - mean**2).clamp(min=0).sqrt()
    return Statistics(
        mean=tuple(round(float(v) / 255, 6) for v in mean),
        std=tuple(round(float(v) / 255, 6) or 1.0 for v in std),
    )


def moments(image: Tensor) -> Tensor:
    """(C, H, W) uint8 -> (3, C) float64: number of pixels, their sum, the sum of their squares."""
    values = image.to(torch.float64)
    count = torch.full((image.shape[0],), values[0].numel(), dtype=torch.float64)
    return torch.stack([count, values.sum((1, 2)), values.square_().sum((1, 2))])
