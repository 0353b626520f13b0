"""Changes of colour for a whole batch, by torchvision's definitions."""

from itertools import permutations

import numpy as np
import torch
from torch import Tensor

from cnntrain.data import keyed
from cnntrain.data.batched import Step, parts

WEIGHTS = (0.2989, 0.587, 0.114)  # of red, green and blue in gray: ITU-R BT.601, rounded as torchvision does
KINDS = ("brightness", "contrast", "saturation", "hue")


class ColorJitter(Step):
    """Brightness, contrast, saturation and hue changed by factors drawn for each image, in an order drawn for each.

    Every change ends in whole numbers where it began with them, as in torchvision. Gray images know no saturation and
    no hue.
    """

    def __init__(self, *, brightness: float, contrast: float, saturation: float, hue: float):
        self.strengths = (brightness, contrast, saturation, hue)
        self.kinds = [kind for kind, strength in enumerate(self.strengths) if strength]
        self.orders = list(permutations(self.kinds))

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        factors, orders = self.draw(keys)
        place = np.argsort(orders, kind="stable")  # images of one order side by side: slices cost nothing, indexing does
        sorted_images, sorted_factors = images.index_select(0, torch.from_numpy(place)), torch.from_numpy(factors[place])
        ends = np.searchsorted(orders[place], np.arange(len(self.orders)), side="right").tolist()
        for order, first, end in zip(self.orders, [0, *ends], ends, strict=False):
            for part in parts(images, first, end):
                sorted_images[part] = jitter(sorted_images[part], order, sorted_factors[part])
        return sorted_images.index_select(0, torch.from_numpy(np.argsort(place)))

    def draw(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Factors (B, 4) float32, hue's being added, and the number of each image's order (B,) int64."""
        unit = keyed.draws(keys, 5)
        strength = np.array(self.strengths)
        low = np.maximum(0, 1 - strength)
        low[3] = -strength[3]
        high = 1 + strength
        high[3] = strength[3]
        return (low + unit[:, :4] * (high - low)).astype(np.float32), keyed.whole(unit[:, 4], len(self.orders))


class Grayscale(Step):
    """Take the colour away with probability p; the channels stay."""

    def __init__(self, *, p: float):
        self.p = p

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        chosen = torch.from_numpy(np.flatnonzero(keyed.draws(keys, 1)[:, 0] < self.p))
        if not len(chosen) or images.shape[1] == 1:
            return images
        grays = gray(images.index_select(0, chosen).to(torch.float32)).to(images.dtype)
        return images.index_copy(0, chosen, grays.expand(-1, 3, -1, -1))


def jitter(images: Tensor, order: tuple[int, ...], factors: Tensor) -> Tensor:
    """(B, C, H, W) uint8, or float32 in [0, 1], changed in this order by factors (B, 4) -> float32 of the same range."""
    levels = 1.0 if images.is_floating_point() else 255.0
    x = images.to(torch.float32, copy=True)
    for kind in order:
        factor = factors[:, kind, None, None, None]
        if kind == 0:
            x.mul_(factor).clamp_(0, levels)
        elif kind == 1:
            blend(x, mean_gray(x, levels), factor, levels)
        elif images.shape[1] == 3:
            x = blend(x, whole(gray(x), levels), factor, levels) if kind == 2 else turn_hue(x, factor, levels)
        whole(x, levels)
    return x


def blend(x: Tensor, other: Tensor, factor: Tensor, levels: float) -> Tensor:
    """factor * x + (1 - factor) * other, in place. Two operations, each exactly rounded, as in Normalize."""
    return x.mul_(factor).add_(other * (1 - factor)).clamp_(0, levels)


def whole(x: Tensor, levels: float) -> Tensor:
    """Whole numbers again, in place, where the image holds 0..255."""
    return x.floor_() if levels == 255 else x


def gray(x: Tensor) -> Tensor:
    """(B, 3, H, W) float32 -> (B, 1, H, W)."""
    red, green, blue = x[:, 0:1], x[:, 1:2], x[:, 2:3]
    return red.mul(WEIGHTS[0]).add_(green.mul(WEIGHTS[1])).add_(blue.mul(WEIGHTS[2]))


def mean_gray(x: Tensor, levels: float) -> Tensor:
    """Each image's mean gray level, (B, 1, 1, 1) float32; summed in whole numbers, so that no order of summing shows."""
    level = whole(gray(x), levels) if x.shape[1] == 3 else x
    parts = 1 if levels == 255 else 1 << 16
    total = (level if parts == 1 else level.mul(parts).floor_()).sum((1, 2, 3), keepdim=True, dtype=torch.float64)
    return (total / (parts * level[0].numel())).to(torch.float32)


def turn_hue(x: Tensor, turn: Tensor, levels: float) -> Tensor:
    """Turn the colour circle by `turn` (B, 1, 1, 1), in turns; value and saturation stay.

    Source: Smith 1978, "Color gamut transform pairs", with the hue in sixths of a turn.
    """
    red, green, blue = x[:, 0:1], x[:, 1:2], x[:, 2:3]
    most, least = torch.maximum(red, green).maximum(blue), torch.minimum(red, green).minimum(blue)
    span = most - least
    divisor = span.clamp(min=torch.finfo(torch.float32).tiny)  # of a gray pixel the span is 0, and so is what it divides
    from_green = torch.where(most == green, (blue - red).div_(divisor).add_(2), (red - green).div_(divisor).add_(4))
    sixths = torch.where(most == red, (green - blue).div_(divisor), from_green).add_(turn * 6)
    at = torch.tensor([5.0, 3.0, 1.0])[:, None, None] + sixths  # (B, 3, H, W): how far from the hue where each channel is low
    at.sub_((at / 6).floor_().mul_(6))  # remainder_ takes four times as long
    turned = most - torch.minimum(at, 4 - at).clamp_(0, 1).mul_(span)
    return turned.mul_(255.999 / 255) if levels == 255 else turned  # as torchvision rounds back to whole numbers
