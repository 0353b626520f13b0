"""Pictures inside of a page, as data: URLs: thumbnails, heat over a picture, feature maps, kernels."""

import base64
import io
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALL = 48  # pixels; a picture with shorter sides is kept as it is and enlarged by the browser, pixel by pixel
JPEG_QUALITY = 74
GAP = 2
HEAT, MAPS, SIGNED = "inferno", "viridis", "RdBu_r"
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Shot:
    """A picture as it stands in a page.

    Args:
        url: data:image/...;base64,...
        width, height: in CSS pixels.
        is_small: enlarged by whole pixels rather than smoothly.
    """

    url: str
    width: int
    height: int
    is_small: bool = False

    @property
    def css(self) -> str:
        return "px" if self.is_small else ""


def thumbnail(picture: Pixels, side: int) -> Shot:
    """A picture (H, W, 3) whose longer side takes `side` pixels on the page."""
    from PIL import Image

    height, width = picture.shape[:2]
    factor = side / max(height, width)
    shown = max(1, round(width * factor)), max(1, round(height * factor))
    gray = bool((picture[..., :1] == picture).all())
    image = Image.fromarray(picture[..., 0] if gray else picture)
    if max(height, width) <= SMALL:
        return Shot(png(image), *shown, is_small=True)
    if factor < 1:
        image = image.resize(shown, Image.Resampling.BOX if factor < 0.5 else Image.Resampling.BICUBIC)
    return Shot(jpeg(image), *shown)


def heat_over(picture: Pixels, heat: NDArray[Any], side: int) -> Shot:
    """The picture, darkened, with heat (h, w) in 0..1 shining on it."""
    from PIL import Image

    height, width = picture.shape[:2]
    factor = side / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    ground = Image.fromarray(picture).resize(size, Image.Resampling.NEAREST if max(height, width) <= SMALL else Image.Resampling.BICUBIC)
    warm = Image.fromarray(np.asarray(heat, dtype=np.float32)).resize(size, Image.Resampling.BICUBIC)
    share = np.clip(np.asarray(warm), 0, 1)[..., None]
    gray = np.asarray(ground.convert("L"), dtype=np.float32)[..., None]
    colours = coloured(share[..., 0], HEAT).astype(np.float32)
    mixed = gray * (0.75 - 0.45 * share) + colours * (0.15 + 0.6 * share)
    return Shot(jpeg(Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))), *size)


def map_sheet(maps: NDArray[Any], side: int) -> Shot:
    """Feature maps (C, h, w) side by side, each from its own smallest to its own largest value."""
    low = maps.min((1, 2), keepdims=True)
    spread = maps.max((1, 2), keepdims=True) - low
    scaled = np.divide(maps - low, spread, out=np.zeros(maps.shape), where=spread > 0)
    return sheet([coloured(each, MAPS) for each in scaled], side)


def kernel_sheet(kernels: NDArray[Any], side: int) -> Shot:
    """Kernels (O, C, k, k) side by side: in colour where C is 3, else blue below 0 and red above; gray or white is 0."""
    largest = np.abs(kernels).max((1, 2, 3), keepdims=True)
    scaled = 0.5 + 0.5 * np.divide(kernels, largest, out=np.zeros(kernels.shape), where=largest > 0)
    if kernels.shape[1] == 3:
        return sheet([(255 * each.transpose(1, 2, 0)).round().astype(np.uint8) for each in scaled], side)
    return sheet([coloured(each.mean(0), SIGNED) for each in scaled], side)


def sheet(tiles: list[Pixels], side: int) -> Shot:
    """Tiles of one size in a grid that is a little wider than high, each enlarged to about `side` pixels; gaps are clear."""
    from PIL import Image

    height, width = tiles[0].shape[:2]
    factor = max(1, round(side / max(height, width)))
    columns = min(len(tiles), ceil(sqrt(2 * len(tiles))))
    rows = ceil(len(tiles) / columns)
    pitch = height * factor + GAP, width * factor + GAP
    grid = np.zeros((rows * pitch[0] - GAP, columns * pitch[1] - GAP, 4), np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * pitch[0], place % columns * pitch[1]
        grid[top : top + height * factor, left : left + width * factor, :3] = tile.repeat(factor, 0).repeat(factor, 1)
        grid[top : top + height * factor, left : left + width * factor, 3] = 255
    image = Image.fromarray(grid)
    if len(tiles) * height * width > 4096:  # 256 colours cannot be told from all of them here, and take a third of the bytes
        image = image.quantize(256, method=Image.Quantize.FASTOCTREE)
    return Shot(png(image), grid.shape[1], grid.shape[0], is_small=True)


def coloured(values: NDArray[Any], ramp: str) -> Pixels:
    """Values (h, w) in 0..1 as colours (h, w, 3)."""
    from matplotlib import colormaps

    return np.asarray(colormaps[ramp](values, bytes=True)[..., :3])


def png(image: Any) -> str:
    return as_url(image, "png", optimize=True)


def jpeg(image: Any) -> str:
    return as_url(image, "jpeg", quality=JPEG_QUALITY)


def as_url(image: Any, kind: str, **settings: Any) -> str:
    data = io.BytesIO()
    image.save(data, kind, **settings)
    return f"data:image/{kind};base64," + base64.b64encode(data.getvalue()).decode("ascii")
