"""Steps that change a whole batch at once; their random numbers come from a table of keys."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from math import ceil, log, sqrt

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cnntrain.data import keyed

NUMBERS_AT_ONCE = 1 << 18  # of float32, that steps in many passes work on together: 1 MiB stays in a core's cache
NUM_TRIES = 10  # rectangles drawn until one fits, as in torchvision
LONGEST = 20  # times the shorter side: beyond it a strip is squashed, or a thin line of pixels would fill the memory
NO_KEYS = np.zeros(1, dtype=np.uint64)  # for steps without randomness
NUMPY_MODES = {"zeros": "constant", "reflect": "reflect", "edge": "edge"}


class Step(ABC):
    """One step of a pipeline: (B, C, H, W) -> (B, C, h, w).

    Image i depends on image i and keys[i] alone, so a batch of one gives the same bits.
    """

    draws_from_torch = False  # whether it takes numbers from torch's global generator
    takes_turns = False  # whether it gets the images' own keys, for their lowest bit (keyed.sample_keys), instead of keys of its place

    @abstractmethod
    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        """Apply.

        Args:
            images: (B, C, H, W) uint8, or float32 after to_tensor; left as they are.
            keys: (B,) uint64, of this step.
        """

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of what comes out, for steps of a pipeline's head."""
        raise NotImplementedError(type(self).__name__)

    def each(self, images: list[Tensor], keys: np.ndarray) -> list[Tensor]:
        """The same for (C, H, W) images of different sizes."""
        return [self(alone(image), keys[i : i + 1])[0] for i, image in enumerate(images)]


class Resize(Step):
    """Antialiased where the interpolation is smooth; the kernel that torchvision.transforms.v2.functional.resize uses."""

    def __init__(self, size: tuple[int, int], *, shorter: bool, interpolation: str):
        self.size, self.shorter, self.interpolation = size, shorter, interpolation

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:  # noqa: ARG002
        size = self.output_size(images.shape[-2], images.shape[-1])
        if size == tuple(images.shape[-2:]):
            return images
        if self.interpolation == "nearest":
            return functional.interpolate(images, size, mode="nearest")
        return functional.interpolate(images, size, mode=self.interpolation, antialias=True, align_corners=False)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        if not self.shorter:
            return self.size
        short = max(self.size)
        long = min(int(short * max(height, width) / min(height, width)), LONGEST * short)
        return (short, long) if height <= width else (long, short)


class Shorten(Step):
    """The shorter side brought down to `size` pixels, aspect kept; a smaller image stays as it is."""

    def __init__(self, size: int, *, interpolation: str):
        self.size, self.resize = size, Resize((size, size), shorter=True, interpolation=interpolation)

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        return self.resize(images, keys) if min(images.shape[-2:]) > self.size else images

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        return self.resize.output_size(height, width) if min(height, width) > self.size else (height, width)


class CenterCrop(Step):
    """The middle of the image, its corner rounded as torchvision rounds it (a half to the even number)."""

    def __init__(self, size: tuple[int, int]):
        self.size = size

    def output_size(self, height: int, width: int) -> tuple[int, int]:  # noqa: ARG002
        return self.size

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:  # noqa: ARG002
        (height, width), (h, w) = images.shape[-2:], self.size
        top, left = round((height - h) / 2), round((width - w) / 2)
        return images[..., top : top + h, left : left + w]


class RandomCrop(Step):
    """Pad each side, then cut out (h, w) at a place drawn for each image."""

    def __init__(self, size: tuple[int, int], *, padding: int, padding_mode: str):
        self.size, self.padding, self.mode = size, padding, NUMPY_MODES[padding_mode]

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        pixels = images.numpy()
        if self.padding:
            sides = (self.padding, self.padding)
            pixels = np.pad(pixels, ((0, 0), (0, 0), sides, sides), mode=self.mode)  # type: ignore[call-overload]
        windows = np.lib.stride_tricks.sliding_window_view(pixels, self.size, axis=(2, 3))  # (B, C, rows, columns, h, w)
        places = keyed.whole(keyed.draws(keys, 2), np.array(windows.shape[2:4]))
        cut = windows[np.arange(len(pixels)), :, places[:, 0], places[:, 1]]  # (B, C, h, w)
        return torch.from_numpy(np.ascontiguousarray(cut))


class RandomResizedCrop(Step):
    """A random part of each image, brought to one size (Szegedy et al. 2014, arXiv 1409.4842, section 6).

    Where no drawn part fits, the middle with the nearest allowed ratio. Ten times as fast as torchvision's,
    which spends 0.3 ms an image on its draws and dispatch.

    Args:
        read_size: shorter side, in pixels, of the image that parts are cut from, at most; see `read_size`.
    """

    def __init__(self, size: tuple[int, int], *, scale: Sequence[float], ratio: Sequence[float], interpolation: str, read_size: int):
        self.resize = Resize(size, shorter=False, interpolation=interpolation)
        self.scale, self.ratio = tuple(scale), tuple(ratio)
        self.shorten = Shorten(read_size, interpolation=interpolation)

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        images = self.shorten(images, keys)
        return torch.cat(self.cut(list(images), self.parts(images.shape[-2], images.shape[-1], keys)))

    def each(self, images: list[Tensor], keys: np.ndarray) -> list[Tensor]:
        images = self.shorten.each(images, keys)
        sides = np.array([image.shape[1:] for image in images])
        return [image[0] for image in self.cut(images, self.parts(sides[:, 0], sides[:, 1], keys))]

    def cut(self, images: list[Tensor], parts: np.ndarray) -> list[Tensor]:
        """Each image's part, (1, C, h, w). numpy copies it out: torch would wake its threads for so little."""
        cuts = []
        for image, (y, x, h, w) in zip(images, parts.tolist(), strict=True):
            pixels = np.ascontiguousarray(image[:, y : y + h, x : x + w].permute(1, 2, 0).numpy())
            cuts.append(self.resize(alone(torch.from_numpy(pixels).permute(2, 0, 1)), NO_KEYS))
        return cuts

    def parts(self, height: int | np.ndarray, width: int | np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Top, left, height and width of each image's part, (B, 4) int64, for sides that are one number or (B,)."""
        unit = keyed.draws(keys, 2 + 2 * NUM_TRIES)
        height, width = np.broadcast_to(height, len(unit)), np.broadcast_to(width, len(unit))
        area = (height * width)[:, None] * between(unit[:, 2 : 2 + NUM_TRIES], *self.scale)
        ratio = np.exp(between(unit[:, 2 + NUM_TRIES :], log(self.ratio[0]), log(self.ratio[1])))
        h, w = np.rint(np.sqrt(area / ratio)).astype(int), np.rint(np.sqrt(area * ratio)).astype(int)  # (B, NUM_TRIES)
        fits = (h > 0) & (w > 0) & (h <= height[:, None]) & (w <= width[:, None])
        first = (np.arange(len(unit)), fits.argmax(axis=1))
        middle_ratio = np.clip(width / height, self.ratio[0], self.ratio[1])
        middle_h = np.minimum(height, np.rint(width / middle_ratio).astype(int)).clip(1)
        middle_w = np.minimum(width, np.rint(height * middle_ratio).astype(int)).clip(1)
        found = fits.any(axis=1)
        h, w = np.where(found, h[first], middle_h), np.where(found, w[first], middle_w)
        top = np.where(found, keyed.whole(unit[:, 0], height - h + 1), (height - h) // 2)
        left = np.where(found, keyed.whole(unit[:, 1], width - w + 1), (width - w) // 2)
        return np.stack([top, left, h, w], axis=1)


def read_size(size: tuple[int, int], *, scale: Sequence[float], ratio: Sequence[float]) -> int:
    """The shorter side from which even the smallest part has the pixels that it is brought to.

    A part with share s of an image of sides S <= L and ratio r is sqrt(s S L r) wide and sqrt(s S L / r) high; the
    least of both over L >= S is sqrt(s r) S and sqrt(s / r) S.
    """
    height, width = size
    return ceil(max(width / sqrt(ratio[0]), height * sqrt(ratio[1])) / sqrt(scale[0]))


class Flip(Step):
    """Mirror along one axis (-1: left and right, -2: top and bottom) with probability p."""

    def __init__(self, axis: int, *, p: float):
        self.axis, self.p = axis, p

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        chosen = torch.from_numpy(keyed.draws(keys, 1)[:, 0] < self.p)
        return torch.where(chosen[:, None, None, None], images.flip(self.axis), images)


class AlternatingFlip(Step):
    """Mirror left and right in every second epoch: half of the images in the even ones, the others in the odd ones.

    So two epochs show each image both ways, where chance shows half of them twice alike.
    Source: Jordan 2024, arXiv 2404.00498, section 3.6
    """

    takes_turns = True

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        chosen = torch.from_numpy((keys & np.uint64(1)).astype(bool))
        return torch.where(chosen[:, None, None, None], images.flip(-1), images)


class ToTensor(Step):
    """uint8 0..255 -> float32 in [0, 1]."""

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:  # noqa: ARG002
        return images.to(torch.float32, copy=True).div_(255)


class Normalize(Step):
    """(x - mean) / std for each channel."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        self.mean = torch.tensor(mean, dtype=torch.float32)[:, None, None]
        self.std = torch.tensor(std, dtype=torch.float32)[:, None, None]

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:  # noqa: ARG002
        # two operations, each exactly rounded: a fused one may round otherwise at a batch's edge
        return images.sub(self.mean).div_(self.std)


class RandomErasing(Step):
    """Set a rectangle to 0 with probability p (Zhong et al. 2017, arXiv 1708.04896, algorithm 1)."""

    def __init__(self, *, p: float, scale: Sequence[float], ratio: Sequence[float]):
        self.p, self.scale, self.ratio = p, tuple(scale), (log(ratio[0]), log(ratio[1]))

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        height, width = images.shape[-2:]
        unit = keyed.draws(keys, 3 + 2 * NUM_TRIES)
        area = height * width * between(unit[:, 3 : 3 + NUM_TRIES], *self.scale)
        ratio = np.exp(between(unit[:, 3 + NUM_TRIES :], *self.ratio))
        h, w = np.rint(np.sqrt(area * ratio)).astype(int), np.rint(np.sqrt(area / ratio)).astype(int)  # (B, NUM_TRIES)
        fits = (h < height) & (w < width)
        first = (np.arange(len(unit)), fits.argmax(axis=1))
        h, w = h[first], w[first]
        erased = (unit[:, 0] < self.p) & fits.any(axis=1)
        top, left = keyed.whole(unit[:, 1], height - h + 1), keyed.whole(unit[:, 2], width - w + 1)
        mask = inside(top, h, height)[:, :, None] & inside(left, w, width)[:, None, :] & erased[:, None, None]
        return images.masked_fill(torch.from_numpy(mask)[:, None], 0)


class Cutout(Step):
    """Set a square to 0 whose middle lies anywhere in the image, and whose sides are cut off at its border.

    Source: DeVries, Taylor 2017, arXiv 1708.04552, section 3.2
    """

    def __init__(self, *, side: int):
        self.side = side

    def __call__(self, images: Tensor, keys: np.ndarray) -> Tensor:
        height, width = images.shape[-2:]
        middle = keyed.whole(keyed.draws(keys, 2), np.array([height, width]))
        start, length = middle - self.side // 2, np.full(len(keys), self.side)
        mask = inside(start[:, 0], length, height)[:, :, None] & inside(start[:, 1], length, width)[:, None, :]
        return images.masked_fill(torch.from_numpy(mask)[:, None], 0)


def parts(images: Tensor, first: int, end: int, numbers_at_once: int = NUMBERS_AT_ONCE) -> Iterator[slice]:
    """The images first .. end - 1, a few at a time."""
    most = max(1, numbers_at_once // images[0].numel())
    for start in range(first, end, most):
        yield slice(start, min(start + most, end))


def alone(image: Tensor) -> Tensor:
    """(C, H, W) -> (1, C, H, W), in torch's own channels_last where each pixel's channels lie together: it resizes that
    layout in a third of the time, and takes it for the other where the strides are those of image[None]."""
    return image.permute(1, 2, 0)[None].permute(0, 3, 1, 2)


def between(unit: np.ndarray, low: float, high: float) -> np.ndarray:
    return low + unit * (high - low)


def inside(start: np.ndarray, length: np.ndarray, total: int) -> np.ndarray:
    """(B,) starts and lengths -> (B, total) bool, true from start to start + length."""
    at = np.arange(total)
    inside: np.ndarray = (at >= start[:, None]) & (at < (start + length)[:, None])
    return inside
