"""From an image file to pixels, the same way in training and evaluation."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from cnntrain.data.images import ImageSet

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # decoders that a file may reach
MOST_PIXELS = 178_956_970  # Pillow's own limit for refusing: 0.5 GiB of colour pixels
GRAY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
WHITE = (255, 255, 255, 255)
NUM_SAMPLED = 64


def read_image(path: Path, channels: int) -> Tensor:
    """Decode one file.

    Turned upright by its EXIF orientation; transparent parts laid on white; 16-bit gray cut to its upper 8
    bits; any colour space brought to RGB; of several frames the first.

    Returns:
        (channels, H, W) uint8; 1 channel is gray, 3 are red, green, blue.

    Raises:
        ValueError: why it cannot be read, such as `truncated`.
    """
    try:
        if path.stat().st_size == 0:
            raise ValueError("empty file")
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"{image.width}x{image.height} is more than {MOST_PIXELS // 10**6} million pixels")
            pixels = to_channels(eight_bit(upright(image)), channels)
    except Exception as error:  # decoders raise anything on a broken file
        raise ValueError(reason(error)) from error
    return torch.from_numpy(pixels[:, :, None] if channels == 1 else pixels).permute(2, 0, 1)


def upright(image: Image.Image) -> Image.Image:
    image.load()
    with suppress(Exception):  # broken EXIF beside good pixels: nobody knows the orientation, so it stays
        ImageOps.exif_transpose(image, in_place=True)
    return image


def eight_bit(image: Image.Image) -> Image.Image:
    """Pillow's own conversion of 16-bit gray clips at 255 and gives white."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise ValueError("gray values beyond 16 bit")
        return Image.fromarray((values.astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("floating-point pixels, of unknown range")
    return image


def to_channels(image: Image.Image, channels: int) -> np.ndarray:
    """Flatten on white and convert; (H, W) for 1 channel, (H, W, 3) for 3, uint8, writable."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
    mode = "L" if channels == 1 else "RGB"
    return np.array(image if image.mode == mode else image.convert(mode))  # convert copies even where nothing changes


def reason(error: Exception) -> str:
    """A few words for the table of unreadable files."""
    if isinstance(error, UnidentifiedImageError):
        return "not a " + ", ".join(FORMATS) + " file"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MOST_PIXELS // 10**6} million pixels"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if "truncated" in str(error).lower():
        return "truncated"
    return str(error) or type(error).__name__


def resolve_channels(images: ImageSet, configured: int | None) -> int:
    """`configured`, or 1 if all of up to 64 files spread over the set are stored as gray, else 3."""
    if configured is not None:
        return configured
    chosen = np.unique(np.linspace(0, len(images) - 1, min(NUM_SAMPLED, len(images))).astype(int))
    return detect_channels([images.path(int(index)) for index in chosen])


def detect_channels(paths: Sequence[Path]) -> int:
    """1 if all files are stored as gray, else 3. Unreadable ones are left to the decoder's report."""
    with quiet_decoders():
        return 1 if all(is_gray(path) for path in paths) else 3


def is_gray(path: Path) -> bool:
    """By the header alone; a palette is gray if each of its colours is."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.mode != "P":
                return image.mode in GRAY_MODES
            palette = np.array(image.convert("RGB"))
            return bool((palette == palette[:, :, :1]).all())
    except Exception:
        return True


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Pillow warns of odd metadata and of big pictures below the limit; both are read all the same."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
