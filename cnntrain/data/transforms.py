"""One builder for each transform name; the keywords are those of config/components/data.py, all resolved."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnntrain.config.components.data import size_pair
from cnntrain.data.batched import (
    AlternatingFlip,
    CenterCrop,
    Cutout,
    Flip,
    Normalize,
    RandomCrop,
    RandomErasing,
    RandomResizedCrop,
    Resize,
    Step,
    ToTensor,
)
from cnntrain.data.colours import ColorJitter, Grayscale
from cnntrain.data.policies import AugMix, RandAugment, TrivialAugment
from cnntrain.data.warps import Affine, GaussianBlur


class EachImage(Step):
    """A user's own function of one (C, H, W) image, with torch's generator seeded for each image before it."""

    draws_from_torch = True

    def __init__(self, function: Callable[[Tensor], Tensor]):
        self.function = function

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        changed = []
        for image, key in zip(images, keys, strict=True):
            torch.default_generator.manual_seed(int(key))  # 1 us; torch.manual_seed costs 112 us
            changed.append(self.function(image))
        return torch.stack(changed)


def resize(*, size: Any = None, mode: str = "squash", interpolation: str = "bilinear", factor: float = 1.0) -> Step:
    height, width = size_pair(size)
    return Resize((max(1, round(height * factor)), max(1, round(width * factor))), shorter=mode == "shorter", interpolation=interpolation)


def center_crop(*, size: Any = None) -> Step:
    return CenterCrop(size_pair(size))


def random_crop(*, size: Any = None, padding: int = 0, padding_mode: str = "zeros") -> Step:
    return RandomCrop(size_pair(size), padding=padding, padding_mode=padding_mode)


def random_resized_crop(
    *,
    size: Any = None,
    scale: Sequence[float] = (0.08, 1.0),
    ratio: Sequence[float] = (0.75, 4 / 3),
    interpolation: str = "bilinear",
    read_size: Any = None,
) -> Step:
    return RandomResizedCrop(size_pair(size), scale=scale, ratio=ratio, interpolation=interpolation, read_size=read_size)


def horizontal_flip(*, p: float = 0.5) -> Step:
    return Flip(-1, p=p)


def alternating_flip() -> Step:
    return AlternatingFlip()


def vertical_flip(*, p: float = 0.5) -> Step:
    return Flip(-2, p=p)


def rotation(*, degrees: float = 10.0) -> Step:
    return Affine(degrees=degrees)


def affine(
    *, degrees: float = 0.0, translate: Sequence[float] = (0.0, 0.0), scale: Sequence[float] = (1.0, 1.0), shear: float = 0.0
) -> Step:
    return Affine(degrees=degrees, translate=translate, scale=scale, shear=shear)


def color_jitter(*, brightness: float = 0.0, contrast: float = 0.0, saturation: float = 0.0, hue: float = 0.0) -> Step:
    return ColorJitter(brightness=brightness, contrast=contrast, saturation=saturation, hue=hue)


def grayscale(*, p: float = 0.1) -> Step:
    return Grayscale(p=p)


def gaussian_blur(*, kernel_size: int = 3, sigma: Sequence[float] = (0.1, 2.0)) -> Step:
    return GaussianBlur(kernel_size=kernel_size, sigma=sigma)


def rand_augment(*, num_ops: int = 2, magnitude: int = 9) -> Step:
    return RandAugment(num_ops=num_ops, magnitude=magnitude)


def trivial_augment() -> Step:
    return TrivialAugment()


def augmix(*, severity: int = 3, mixture_width: int = 3, chain_depth: int | None = None, alpha: float = 1.0, all_ops: bool = True) -> Step:
    return AugMix(severity=severity, mixture_width=mixture_width, chain_depth=chain_depth, alpha=alpha, all_ops=all_ops)


def cutout(*, side: int = 8) -> Step:
    return Cutout(side=side)


def random_erasing(*, p: float = 0.5, scale: Sequence[float] = (0.02, 0.33), ratio: Sequence[float] = (0.3, 3.3)) -> Step:
    return RandomErasing(p=p, scale=scale, ratio=ratio)


def to_tensor() -> Step:
    return ToTensor()


def normalize(*, mean: Any = "imagenet", std: Any = None) -> Step:
    return Normalize(mean, std)


BUILDERS: dict[str, Callable[..., Step]] = {
    builder.__name__: builder
    for builder in (
        resize,
        center_crop,
        random_crop,
        random_resized_crop,
        horizontal_flip,
        alternating_flip,
        vertical_flip,
        rotation,
        affine,
        color_jitter,
        grayscale,
        gaussian_blur,
        rand_augment,
        trivial_augment,
        augmix,
        cutout,
        random_erasing,
        to_tensor,
        normalize,
    )
}
