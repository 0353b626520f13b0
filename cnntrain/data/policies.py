"""RandAugment, TrivialAugment and AugMix on whole batches: the images that drew the same change are changed together."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cnntrain.data import keyed
from cnntrain.data.batched import Step, parts
from cnntrain.data.changes import NEAREST, SMOOTH, Change

Amounts = Callable[[int, int, int], Tensor]  # (number of strengths, height, width) -> an amount for each strength
UNSIGNED = ("posterize", "solarize")
NO_STRENGTH = ("identity", "auto_contrast", "equalize")
NUM_STRENGTHS, NUM_STRENGTHS_AUGMIX = 31, 10
BYTES_AT_ONCE = 1 << 22  # of images that are changed together: small ones in full batches, large ones within reach of the cache
MOST_DEEP = 3  # changes in a chain of AugMix whose depth is drawn


def up_to(most: float) -> Amounts:
    return lambda count, _height, _width: torch.linspace(0.0, most, count)


def bits(first: int, fewer: int) -> Amounts:
    return lambda count, _height, _width: (first - torch.arange(count) / ((count - 1) / fewer)).round()


# The strengths of Cubuk et al. 2019 (arXiv 1909.13719), Mueller and Hutter 2021 (arXiv 2103.10158), Hendrycks et al. 2019
# (arXiv 1912.02781), as torchvision has them
WARPS: dict[str, Amounts] = {
    "shear_x": up_to(0.3),
    "shear_y": up_to(0.3),
    "translate_x": lambda count, _height, width: torch.linspace(0.0, 150 / 331 * width, count),
    "translate_y": lambda count, height, _width: torch.linspace(0.0, 150 / 331 * height, count),
    "rotate": up_to(30.0),
}
COLOURS = {name: up_to(0.9) for name in ("brightness", "color", "contrast", "sharpness")}
TONES: dict[str, Amounts] = {"posterize": bits(8, 4), "solarize": lambda count, _height, _width: torch.linspace(1.0, 0.0, count)}
NOTHING = {name: up_to(0.0) for name in NO_STRENGTH}
RAND: dict[str, Amounts] = {"identity": NOTHING["identity"], **WARPS, **COLOURS, **TONES, **NOTHING}
WIDE: dict[str, Amounts] = {
    **RAND,
    **{name: up_to(most) for name, most in (("shear_x", 0.99), ("shear_y", 0.99), ("translate_x", 32.0), ("translate_y", 32.0))},
    "rotate": up_to(135.0),
    **{name: up_to(0.99) for name in COLOURS},
    "posterize": bits(8, 6),
}
MIXED: dict[str, Amounts] = {
    **WARPS,
    "translate_x": lambda count, _height, width: torch.linspace(0.0, width / 3, count),
    "translate_y": lambda count, height, _width: torch.linspace(0.0, height / 3, count),
    **TONES,
    "posterize": bits(4, 4),
    **{name: NOTHING[name] for name in ("auto_contrast", "equalize")},
}
MIXED_ALL: dict[str, Amounts] = {**MIXED, **COLOURS}


@dataclass(frozen=True)
class Space:
    """What may be chosen.

    Args:
        amounts: name -> its strengths.
        changes: name -> the change.
        num_strengths: how many each has.
    """

    amounts: Mapping[str, Amounts]
    changes: Mapping[str, Change]
    num_strengths: int

    def apply(self, images: Tensor, unit: np.ndarray, strengths: np.ndarray) -> Tensor:
        """One change for each image.

        Args:
            images: (B, C, H, W) uint8; left as they are.
            unit: (B, 2) in [0, 1): which change, and in which direction.
            strengths: (B,) int64, below num_strengths.
        """
        names = list(self.amounts)
        chosen = keyed.whole(unit[:, 0], len(names))
        pixels = images.numpy()  # which copies whole images in a fifth of the time
        changed = pixels.copy()
        for number in np.unique(chosen).tolist():
            name = names[number]
            if name == "identity":
                continue
            which = np.flatnonzero(chosen == number)
            amounts = self.amounts[name](self.num_strengths, images.shape[2], images.shape[3]).numpy().astype(np.float64)[strengths[which]]
            if name not in (*UNSIGNED, *NO_STRENGTH):
                amounts = np.where(unit[which, 1] <= 0.5, -amounts, amounts)
            changed[which] = self.changes[name](torch.from_numpy(pixels[which]), amounts).numpy()
        return torch.from_numpy(changed)


class OnLevels(Step):
    """A step on levels 0..255: float images in [0, 1] are rounded to them, and come back as float."""

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        levels = images.mul(255).round_().clamp_(0, 255).to(torch.uint8) if images.is_floating_point() else images
        changed = torch.empty_like(levels, memory_format=torch.contiguous_format)
        for part in parts(images, 0, len(images), BYTES_AT_ONCE):
            changed[part] = self.change(levels[part], keys[part])
        return changed.to(torch.float32).div_(255) if images.is_floating_point() else changed

    @abstractmethod
    def change(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """(B, C, H, W) uint8 -> the same."""


class RandAugment(OnLevels):
    """Some changes one after the other, all equally strong (Cubuk et al. 2019, arXiv 1909.13719)."""

    space = Space(RAND, NEAREST, NUM_STRENGTHS)

    def __init__(self, *, num_ops: int, magnitude: int):
        self.num_ops, self.magnitude = num_ops, magnitude

    def change(self, images: Tensor, keys: np.ndarray) -> Tensor:
        unit = keyed.draws(keys, 2 * self.num_ops).reshape(len(keys), self.num_ops, 2)
        strengths = np.full(len(keys), self.magnitude)
        for number in range(self.num_ops):
            images = self.space.apply(images, unit[:, number], strengths)
        return images


class TrivialAugment(OnLevels):
    """One change of a strength drawn for each image (Mueller, Hutter 2021, arXiv 2103.10158)."""

    space = Space(WIDE, NEAREST, NUM_STRENGTHS)

    def change(self, images: Tensor, keys: np.ndarray) -> Tensor:
        unit = keyed.draws(keys, 3)
        return self.space.apply(images, unit[:, :2], keyed.whole(unit[:, 2], NUM_STRENGTHS))


class AugMix(OnLevels):
    """Chains of changes, each from the image on, blended with it (Hendrycks et al. 2019, arXiv 1912.02781, algorithm 1)."""

    def __init__(self, *, severity: int, mixture_width: int, chain_depth: int | None, alpha: float, all_ops: bool):
        self.severity, self.width, self.depth, self.alpha = severity, mixture_width, chain_depth, alpha
        self.space = Space(MIXED_ALL if all_ops else MIXED, SMOOTH, NUM_STRENGTHS_AUGMIX)

    def change(self, images: Tensor, keys: np.ndarray) -> Tensor:
        deepest = MOST_DEEP if self.depth is None else self.depth
        unit = keyed.draws(keys, self.width * (1 + 3 * deepest)).reshape(len(keys), self.width, 1 + 3 * deepest)
        shares = torch.from_numpy(self.shares(keys))[:, :, None, None, None]  # (B, 1 + width, 1, 1, 1)
        mixed = images.to(torch.float32).mul_(shares[:, 0])
        for chain in range(self.width):
            drawn = unit[:, chain]
            depths = 1 + keyed.whole(drawn[:, 0], MOST_DEEP) if self.depth is None else np.full(len(keys), self.depth)
            changed = self.chain(images, drawn[:, 1:].reshape(len(keys), deepest, 3), depths)
            mixed.add_(changed.to(torch.float32).mul_(shares[:, 1 + chain]))
        return mixed.round_().clamp_(0, 255).to(torch.uint8)  # cut off, an image whose chains changed nothing would get darker

    def chain(self, images: Tensor, unit: np.ndarray, depths: np.ndarray) -> Tensor:
        """As many changes as `depths` says of each image, (B,) int64."""
        pixels = images.numpy().copy()
        for number in range(unit.shape[1]):
            which = np.flatnonzero(depths > number)
            if not len(which):
                break
            drawn = unit[which, number]
            changed = self.space.apply(torch.from_numpy(pixels[which]), drawn[:, :2], keyed.whole(drawn[:, 2], self.severity))
            pixels[which] = changed.numpy()
        return torch.from_numpy(pixels)

    def shares(self, keys: np.ndarray) -> np.ndarray:
        """Of each image itself, and of its chains: (B, 1 + width) float32 of sum 1."""
        found = np.empty((len(keys), 1 + self.width))
        for row, key in zip(found, keys.tolist(), strict=True):  # 10 us
            generator = np.random.Generator(np.random.Philox(key=key))
            row[0] = generator.beta(self.alpha, self.alpha)
            row[1:] = generator.dirichlet([self.alpha] * self.width) * (1 - row[0])
        return found.astype(np.float32)
