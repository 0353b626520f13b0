"""Turning, shifting, zooming, slanting and blurring a whole batch, by torchvision's definitions."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cnntrain.data import keyed
from cnntrain.data.batched import Step, between, parts


class Affine(Step):
    """Turn, shift, zoom and slant about the middle by amounts drawn for each image; what comes from outside is 0.

    Args:
        degrees, shear: largest angle either way, degrees.
        translate: largest shift as share of (width, height); shifts are of whole pixels.
        scale: smallest and largest zoom.
    """

    def __init__(self, *, degrees: float, translate: Sequence[float] = (0.0, 0.0), scale: Sequence[float] = (1.0, 1.0), shear: float = 0.0):
        self.degrees, self.translate, self.scale, self.shear = degrees, tuple(translate), tuple(scale), shear

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        height, width = images.shape[-2:]
        grid = sampling_grid(inverse_matrices(*self.draw(height, width, keys)), height, width)
        changed = torch.empty_like(images)
        for part in parts(images, 0, len(images)):
            pixels = images[part].to(torch.float32)
            moved = functional.grid_sample(pixels, grid[part], mode="bilinear", padding_mode="zeros", align_corners=False)
            changed[part] = moved if images.is_floating_point() else moved.round_()
        return changed

    def draw(self, height: int, width: int, keys: np.ndarray) -> tuple[np.ndarray, ...]:
        """Angle and shear in degrees, zoom, and shift (x, y) in pixels, each (B,) float64 (the shift (B, 2))."""
        unit = keyed.draws(keys, 5)
        most = np.array(self.translate) * (width, height)
        angle, shear = between(unit[:, 0], -self.degrees, self.degrees), between(unit[:, 1], -self.shear, self.shear)
        return angle, shear, between(unit[:, 2], *self.scale), np.rint((2 * unit[:, 3:5] - 1) * most)


class GaussianBlur(Step):
    """A Gaussian kernel whose standard deviation, in pixels, is drawn for each image; the border is mirrored.

    Rows, then columns: the kernel is their product. It is added up shift by shift, each sum rounded alike in any batch.
    """

    def __init__(self, *, kernel_size: int, sigma: Sequence[float]):
        self.kernel_size, self.sigma = kernel_size, tuple(sigma)

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        weights = torch.from_numpy(self.weights(between(keyed.draws(keys, 1)[:, 0], *self.sigma)))
        changed = torch.empty_like(images)
        for part in parts(images, 0, len(images)):
            blurred = self.blur(images[part].to(torch.float32), weights[part])
            changed[part] = blurred if images.is_floating_point() else blurred.round_()
        return changed

    def blur(self, images: Tensor, weights: Tensor) -> Tensor:
        half = self.kernel_size // 2
        blurred = functional.pad(images, (half,) * 4, mode="reflect")
        for axis in (-2, -1):
            length = blurred.shape[axis] - 2 * half
            shifted = (blurred.narrow(axis, at, length) * weights[:, at, None, None, None] for at in range(self.kernel_size))
            total = next(shifted)
            for each in shifted:
                total.add_(each)
            blurred = total
        return blurred

    def weights(self, sigma: np.ndarray) -> np.ndarray:
        """(B,) -> (B, kernel_size) float32, of sum 1."""
        at = np.arange(self.kernel_size) - self.kernel_size // 2
        weight = np.exp(-0.5 * (at / sigma[:, None]) ** 2)
        return (weight / weight.sum(1, keepdims=True)).astype(np.float32)


def inverse_matrices(angle: np.ndarray, shear: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """From a place in the result to that in the image, both in pixels from the middle: (B, 2, 3) float64.

    The image is slanted along x, turned, zoomed and then shifted: the inverse of shift(zoom * turn(angle) @ slant(shear)).
    """
    cos, sin, tan = np.cos(np.radians(angle)), np.sin(np.radians(angle)), np.tan(np.radians(shear))
    forward = np.array([[cos, -(cos * tan + sin)], [sin, cos - sin * tan]])  # of determinant 1
    inverse = np.array([[forward[1, 1], -forward[0, 1]], [-forward[1, 0], forward[0, 0]]]).transpose(2, 0, 1) / scale[:, None, None]
    # not inverse @ shift: a product of matrices may round otherwise in a larger batch
    offset = -(inverse[:, :, 0] * shift[:, :1] + inverse[:, :, 1] * shift[:, 1:])
    return np.concatenate([inverse, offset[:, :, None]], axis=2)


def sampling_grid(matrices: np.ndarray, height: int, width: int) -> Tensor:
    """Where each pixel of the result lies in the image, as grid_sample counts: (B, 2, 3) -> (B, H, W, 2) float32."""
    x, y = np.arange(width) - (width - 1) / 2, (np.arange(height) - (height - 1) / 2)[:, None]
    m = matrices[:, :, :, None, None]
    places = [(m[:, row, 0] * x + m[:, row, 1] * y + m[:, row, 2]) / (half / 2) for row, half in enumerate((width, height))]
    return torch.from_numpy(np.stack(places, axis=-1).astype(np.float32))
