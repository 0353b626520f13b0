"""From a decoded picture of any mode to uint8 gray or colour, upright, on white. No torch."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from cnntrain.data.broken import Broken

ORIENTATION, BITS_PER_SAMPLE, PHOTOMETRIC = 0x0112, 258, 262  # tags of TIFF 6.0; EXIF has the first one too
WHITE_IS_ZERO = 0
WHITE = (255, 255, 255, 255)
BAND_PIXELS = 4_000_000  # a large picture is converted in bands of rows: 7 bytes a pixel at the peak instead of 20
# EXIF orientation -> the upright picture, as a view (EXIF 2.32, table 6)
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: p.swapaxes(0, 1)[:, ::-1],
    7: lambda p: p.swapaxes(0, 1)[::-1, ::-1],
    8: lambda p: p.swapaxes(0, 1)[::-1],
}


def convert(image: Image.Image, channels: int, *, depth: int) -> tuple[np.ndarray, bool]:
    """A loaded picture as gray (1 channel) or red, green, blue (3), transparent parts laid on white.

    Args:
        depth: bits a channel in a PNG file; it counts there alone.

    Returns:
        (H, W) or (H, W, 3) uint8, writable; and whether a part was transparent.

    Raises:
        Broken: values of unknown range.
    """
    tags = getattr(image, "tag_v2", {})
    depth, negative = tags.get(BITS_PER_SAMPLE, (depth,))[0], tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
    if image.width * image.height <= BAND_PIXELS:  # what nearly all pictures are
        return flat(eight_bit(image, depth, negative), channels)
    pixels = np.empty((image.height, image.width) if channels == 1 else (image.height, image.width, 3), np.uint8)
    transparent = False
    rows = max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        pixels[top : top + rows], clear = flat(eight_bit(band, depth, negative), channels)
        transparent |= clear
    return pixels, transparent


def flat(image: Image.Image, channels: int) -> tuple[np.ndarray, bool]:
    """See `convert`; for a picture of at most 8 bits a channel."""
    transparent = False
    if image.has_transparency_data:
        image = image.convert("LA").convert("RGBA") if image.mode == "La" else image.convert("RGBA")
        transparent = image.getchannel("A").getextrema() != (255, 255)
        if transparent:
            image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
    mode = "L" if channels == 1 else "RGB"
    return np.array(image if image.mode == mode else image.convert(mode)), transparent


def eight_bit(image: Image.Image, depth: int, negative: bool) -> Image.Image:
    """Deep gray by its upper 8 bits (Pillow's own conversion clips at 255 and gives white), floats in [0, 1] times 255.

    Raises:
        Broken: values of unknown range.
    """
    if image.mode == "F":
        floats = np.asarray(image)
        low, high = float(floats.min()), float(floats.max())
        if not 0 <= low <= high <= 1:  # false where one is not a number too
            raise Broken("float_range", f"floating-point pixels from {low:g} to {high:g}; 0 to 1 is understood")
        return Image.fromarray((floats * 255 + 0.5).astype(np.uint8))
    if not image.mode.startswith("I"):
        return with_scaled_key(image, depth)
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    bits = depth if 8 < depth < 16 else 16
    if low < 0 or high >= 1 << bits:
        raise Broken("integer_range", f"gray values from {low} to {high}; 0 to {(1 << bits) - 1} is understood")
    upper = (values >> (bits - 8)).astype(np.uint8)
    gray = Image.fromarray(~upper if negative else upper)  # Pillow turns a negative of 8 bits itself
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return gray
    return Image.merge("LA", (gray, Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))))


def with_scaled_key(image: Image.Image, depth: int) -> Image.Image:
    """A PNG's transparent colour is given in the file's own depth, which Pillow forgets: 2, 4 or 16 bits.

    Source: PNG specification, section 11.3.2.1 (tRNS).
    """
    key = image.info.get("transparency")
    if depth == 16 and isinstance(key, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in key)
    elif depth in (2, 4) and image.mode == "L" and isinstance(key, int):
        image.info["transparency"] = key * 255 // ((1 << depth) - 1)
    return image


def is_deep(image: Image.Image) -> bool:
    """More than 8 bits a channel; to be asked before the pixels are loaded."""
    if image.mode[0] in "IF":
        return True
    if image.format == "PPM":
        return any(isinstance(tile.args, tuple) and isinstance(tile.args[-1], int) and tile.args[-1] > 255 for tile in image.tile)  # type: ignore[attr-defined]
    return any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turned and mirrored as the EXIF orientation says; torch takes no view that runs backwards, so it is a copy."""
    return np.ascontiguousarray(TURNS[orientation](pixels)) if orientation in TURNS else pixels
