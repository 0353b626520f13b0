"""The changes that RandAugment, TrivialAugment and AugMix choose from, each for many images at once, by torchvision's definitions.

A change takes (N, C, H, W) uint8 and an amount for each image, (N,) float64, and gives uint8; an image's result depends on it and its
amount alone. Sums are of whole numbers or of two terms, so that they round alike in any batch.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cnntrain.data.batched import parts
from cnntrain.data.colours import gray, mean_gray
from cnntrain.data.warps import sampling_grid

Change = Callable[[Tensor, np.ndarray], Tensor]
MOST = 255


def brightness(images: Tensor, amounts: np.ndarray) -> Tensor:
    return levels(images.to(torch.float32).mul_(column(1 + amounts)))


def color(images: Tensor, amounts: np.ndarray) -> Tensor:
    if images.shape[1] == 1:
        return images
    x = images.to(torch.float32)
    return blended(x, gray(x).floor_(), 1 + amounts)


def contrast(images: Tensor, amounts: np.ndarray) -> Tensor:
    x = images.to(torch.float32)
    return blended(x, mean_gray(x, MOST), 1 + amounts)


def sharpness(images: Tensor, amounts: np.ndarray) -> Tensor:
    """Away from, or towards, the mean of 3 x 3 pixels, whose middle counts five times; the border stays."""
    if min(images.shape[-2:]) < 3:
        return images
    x = images.to(torch.float32)
    middle = x[..., 1:-1, 1:-1]
    rows = x[..., :-2, :] + x[..., 1:-1, :] + x[..., 2:, :]
    smooth = (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]).add_(middle * 4).div_(13).round_()
    middle.add_(smooth.sub_(middle).mul_(column(-amounts)))
    return levels(x)


def posterize(images: Tensor, amounts: np.ndarray) -> Tensor:
    """Keep the upper bits."""
    masks = (MOST << (8 - amounts.astype(np.int64).clip(0, 8))) & MOST
    return images & torch.from_numpy(masks.astype(np.uint8))[:, None, None, None]


def solarize(images: Tensor, amounts: np.ndarray) -> Tensor:
    """Turn what is at least so bright into its negative."""
    least = torch.from_numpy(np.ceil(MOST * amounts).clip(0, MOST).astype(np.uint8))[:, None, None, None]
    return torch.where(images >= least, images.bitwise_not(), images)


def auto_contrast(images: Tensor, amounts: np.ndarray) -> Tensor:  # noqa: ARG001
    """Each channel stretched to 0..255."""
    x = images.to(torch.float32)
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    scale = (high - low).mul_(1 / MOST)
    flat = low == high
    return levels(x.sub_(low.masked_fill_(flat, 0)).div_(scale.masked_fill_(flat, 1)))


def equalize(images: Tensor, amounts: np.ndarray) -> Tensor:  # noqa: ARG001
    """Each channel's levels spread so that all come about equally often, in Pillow's whole numbers."""
    planes = images.reshape(-1, images.shape[2] * images.shape[3]).numpy()
    places = planes + np.arange(0, 256 * len(planes), 256)[:, None]  # in a table of all planes
    counts = np.bincount(places.ravel(), minlength=256 * len(planes)).reshape(-1, 256)
    total = counts.cumsum(axis=1)
    brightest = np.take_along_axis(counts, total.argmax(axis=1)[:, None], axis=1)
    step = (planes.shape[1] - brightest) // MOST
    spread = (total[:, :-1] + step // 2) // step.clip(1)
    table = np.where(step == 0, np.arange(256), np.pad(spread, ((0, 0), (1, 0))).clip(0, MOST)).astype(np.uint8)
    return torch.from_numpy(table.ravel()[places]).reshape(images.shape)


def moved(*, smoothly: bool) -> dict[str, Change]:
    """Slanting, shifting and turning; what comes from outside is 0.

    Args:
        smoothly: between pixels by bilinear weights, else from the nearest pixel.
    """
    take = between_pixels if smoothly else nearest_pixels

    def shear_x(images: Tensor, amounts: np.ndarray) -> Tensor:
        """From the upper edge, which stays."""
        return take(images, matrices(amounts, xy=amounts, x=amounts * images.shape[2] / 2))

    def shear_y(images: Tensor, amounts: np.ndarray) -> Tensor:
        """From the left edge, which stays."""
        return take(images, matrices(amounts, yx=amounts, y=amounts * images.shape[3] / 2))

    def translate_x(images: Tensor, amounts: np.ndarray) -> Tensor:
        return take(images, matrices(amounts, x=-np.trunc(amounts)))

    def translate_y(images: Tensor, amounts: np.ndarray) -> Tensor:
        return take(images, matrices(amounts, y=-np.trunc(amounts)))

    def rotate(images: Tensor, amounts: np.ndarray) -> Tensor:
        cos, sin = np.cos(np.radians(amounts)), np.sin(np.radians(amounts))
        return take(images, matrices(amounts, xx=cos, xy=-sin, yx=sin, yy=cos))

    return {"shear_x": shear_x, "shear_y": shear_y, "translate_x": translate_x, "translate_y": translate_y, "rotate": rotate}


def matrices(amounts: np.ndarray, **entries: np.ndarray) -> np.ndarray:
    """From a place in the result to that in the image, both from the middle: (N, 2, 3), the identity but for the entries."""
    found = np.zeros((len(amounts), 2, 3))
    found[:, 0, 0] = found[:, 1, 1] = 1
    for name, (row, place) in {"xx": (0, 0), "xy": (0, 1), "x": (0, 2), "yx": (1, 0), "yy": (1, 1), "y": (1, 2)}.items():
        if name in entries:
            found[:, row, place] = entries[name]
    return found


def nearest_pixels(images: Tensor, inverse: np.ndarray) -> Tensor:
    count, channels, height, width = images.shape
    x, y = np.arange(width) - (width - 1) / 2, (np.arange(height) - (height - 1) / 2)[:, None]
    m = inverse[:, :, :, None, None]
    column, row = (m[:, axis, 0] * x + m[:, axis, 1] * y + (m[:, axis, 2] + (side - 1) / 2) for axis, side in enumerate((width, height)))
    column, row = np.rint(column, out=column), np.rint(row, out=row)
    outside = (column < 0) | (column >= width) | (row < 0) | (row >= height)
    places = (row * width + column).astype(np.int64)
    places[outside] = 0
    index = torch.from_numpy(places.reshape(count, 1, -1)).expand(-1, channels, -1)
    taken = images.reshape(count, channels, -1).gather(2, index)
    return taken.masked_fill_(torch.from_numpy(outside.reshape(count, 1, -1)), 0).reshape(images.shape)


def between_pixels(images: Tensor, inverse: np.ndarray) -> Tensor:
    grid = sampling_grid(inverse, *images.shape[-2:])
    changed = torch.empty_like(images)
    for part in parts(images, 0, len(images)):
        x = functional.grid_sample(images[part].to(torch.float32), grid[part], mode="bilinear", padding_mode="zeros", align_corners=False)
        changed[part] = x.round_()
    return changed


def blended(x: Tensor, other: Tensor, factors: np.ndarray) -> Tensor:
    """factor * x + (1 - factor) * other, in two operations, each exactly rounded."""
    return levels(x.mul_(column(factors)).add_(other * column(1 - factors)))


def column(amounts: np.ndarray) -> Tensor:
    """(N,) -> (N, 1, 1, 1) float32."""
    return torch.from_numpy(amounts.astype(np.float32))[:, None, None, None]


def levels(x: Tensor) -> Tensor:
    """Float32 -> uint8, cut off."""
    return x.clamp_(0, MOST).to(torch.uint8)


def unchanged(images: Tensor, amounts: np.ndarray) -> Tensor:  # noqa: ARG001
    return images


IN_PLACE: dict[str, Change] = {
    "identity": unchanged,
    "brightness": brightness,
    "color": color,
    "contrast": contrast,
    "sharpness": sharpness,
    "posterize": posterize,
    "solarize": solarize,
    "auto_contrast": auto_contrast,
    "equalize": equalize,
}
NEAREST = {**IN_PLACE, **moved(smoothly=False)}
SMOOTH = {**IN_PLACE, **moved(smoothly=True)}
