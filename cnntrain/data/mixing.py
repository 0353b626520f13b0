"""Batches mixed with themselves: mixup and cutmix, drawn from (seed, step) alone."""

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cnntrain.config.components import registry
from cnntrain.config.components.mixes import MIXES
from cnntrain.randomness import MIX, key

Mix = Callable[[Tensor, Tensor, np.random.Generator], tuple[Tensor, Tensor]]


class Mixing:
    """What a training step does to its batch before the network sees it.

    Args:
        mixes: one of them is drawn for each batch.
        num_classes: K, of targets that are class numbers.
        seed: what is drawn is a function of (seed, step), so a resumed run draws the same.
    """

    def __init__(self, mixes: Sequence[Mix], *, num_classes: int, seed: int):
        self.mixes, self.num_classes, self.seed = list(mixes), num_classes, seed

    def __call__(self, images: Tensor, targets: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) float32 with (N,) int64 or (N, K) float32 -> images of the same shape, targets (N, K) float32.

        Both stay on their device, and what came in is left as it was.
        """
        generator = np.random.Generator(np.random.Philox(key=key(self.seed, MIX, step)))
        mix = self.mixes[generator.integers(len(self.mixes))]
        return mix(images, shares(targets, self.num_classes), generator)


class Mixup:
    """share x image + (1 - share) x its partner, targets alike (Zhang et al. 2017, arXiv 1710.09412, section 2)."""

    def __init__(self, *, alpha: float = 0.2, p: float = 1.0):
        self.alpha, self.p = alpha, p

    def __call__(self, images: Tensor, targets: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        if generator.random() >= self.p:
            return images, targets
        share = float(generator.beta(self.alpha, self.alpha))
        partners = draw_partners(images, generator)
        return blend(images, partners, share), blend(targets, partners, share)


class Cutmix:
    """A rectangle of the partner's pixels set into each image (Yun et al. 2019, arXiv 1905.04899, algorithm A1).

    The target's share is that of the pixels that were really kept, where the image's border cuts the rectangle.
    """

    def __init__(self, *, alpha: float = 1.0, p: float = 1.0):
        self.alpha, self.p = alpha, p

    def __call__(self, images: Tensor, targets: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        if generator.random() >= self.p:
            return images, targets
        height, width = images.shape[-2:]
        share = float(generator.beta(self.alpha, self.alpha))
        middle = (int(generator.integers(height)), int(generator.integers(width)))
        box = rectangle(share, (height, width), middle)
        partners = draw_partners(images, generator)
        return paste(images, partners, box), blend(targets, partners, kept_share(box, (height, width)))


def rectangle(share: float, size: tuple[int, int], middle: tuple[int, int]) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of the part that is replaced: (1 - share) of the area, cut off at the border."""
    sides = [int(side * sqrt(1 - share)) // 2 for side in size]
    top, left = (max(0, at - half) for at, half in zip(middle, sides, strict=True))
    bottom, right = (min(side, at + half) for side, at, half in zip(size, middle, sides, strict=True))
    return top, left, bottom, right


def kept_share(box: tuple[int, int, int, int], size: tuple[int, int]) -> float:
    """The share of an image's pixels outside a rectangle."""
    top, left, bottom, right = box
    return 1 - (bottom - top) * (right - left) / (size[0] * size[1])


def draw_partners(images: Tensor, generator: np.random.Generator) -> Tensor:
    """Whom each image is mixed with: a random order of the batch, (N,) int64. An image may meet itself."""
    return torch.from_numpy(generator.permutation(len(images))).to(images.device)


def blend(values: Tensor, partners: Tensor, share: float) -> Tensor:
    return values * share + values[partners] * (1 - share)


def paste(images: Tensor, partners: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    top, left, bottom, right = box
    pasted = images.clone()
    pasted[..., top:bottom, left:right] = images[..., top:bottom, left:right][partners]
    return pasted


def shares(targets: Tensor, num_classes: int) -> Tensor:
    """Class numbers (N,) as shares (N, K) float32; what is float already stays."""
    return targets if targets.is_floating_point() else functional.one_hot(targets, num_classes).to(torch.float32)


BUILDERS: dict[str, Callable[..., Mix]] = {"mixup": Mixup, "cutmix": Cutmix}


def build_mixing(mixes: Sequence[Mapping[str, Any]], *, num_classes: int, seed: int) -> Mixing:
    """
    Args:
        mixes: checked mappings {type: ..., ...}; at least one.
    """
    return Mixing([build_mix(mix) for mix in mixes], num_classes=num_classes, seed=seed)


def build_mix(mix: Mapping[str, Any]) -> Mix:
    name, given = mix["type"], {key: value for key, value in mix.items() if key != "type"}
    own: Callable[..., Mix] | None = registry.user_builder("mix", name)
    if own is not None:
        return own(**given)
    defaults = {key: parameter.default for key, parameter in MIXES[name].parameters.items()}
    return BUILDERS[name](**{**defaults, **given})
