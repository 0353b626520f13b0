"""From an image file to pixels, the same way in training, evaluation and the check of the data, which needs no torch."""

import errno
import io
import os
import stat
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from cnntrain.config.schema import MOST_PIXELS
from cnntrain.data import containers, jpeg
from cnntrain.data.broken import Broken
from cnntrain.data.containers import NAMES
from cnntrain.data.images import ImageSet, Inside
from cnntrain.data.pixels import ORIENTATION, TURNS, convert, is_deep, upright

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_SIDE = 32  # of at_least: what the hashes of facts.py need
LARGE = 24_000_000  # pixels from which pictures are decoded one at a time, whatever the number of threads
MANY_COPIES = ("WEBP", "AVIF")  # their decoders hold a picture several times: 16 bytes a pixel, where the others take 4 to 12
GRAY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
NUM_SAMPLED = 64
Image.MAX_IMAGE_PIXELS = None  # max_pixels takes its place, and gives a reason instead of a warning
one_at_a_time = threading.Lock()


class BadImage(Broken):
    """A file that gives no pixels.

    Args:
        kind: a key of findings.KINDS with the verdict skip.
        detail: a few words.
    """

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return BadImage, (self.kind, self.detail)


@dataclass(frozen=True)
class Decoded:
    """Pixels and what there is to say of the file.

    Args:
        pixels: (H, W) or (H, W, 3) uint8; smaller than the file's where a smaller scale was allowed.
        height: of the upright picture in full.
        width: likewise.
        container: one of containers.NAMES.
        mode: of the file, in Pillow's words, such as RGB, P or I;16.
        frames: 1, or how many there are.
    """

    pixels: np.ndarray
    height: int
    width: int
    container: str
    mode: str
    frames: int
    rotated: bool
    transparent: bool
    deep: bool


def read_image(path: Path | Inside, channels: int, *, at_least: tuple[int, int] | None = None, max_pixels: int = MOST_PIXELS) -> "Tensor":
    """Decode one file.

    Its content decides the format. Turned upright by its EXIF orientation; transparent parts laid on white; deeper
    channels brought to 8 bits; any colour space brought to RGB; of several frames the first.

    Args:
        channels: 1 for gray, 3 for red, green, blue.
        at_least: (height, width); a JPEG may be decoded at 1/2, 1/4 or 1/8 as long as both sides stay at least twice
            these (and 64). The result depends on the file and these two alone.
        max_pixels: of the whole picture; more are refused before decoding.

    Returns:
        (channels, H, W) uint8.

    Raises:
        BadImage: why it cannot be read, such as `truncated`.
    """
    return as_tensor(decode(read_bytes(path, max_pixels), channels, at_least=at_least, max_pixels=max_pixels).pixels)


def as_tensor(pixels: np.ndarray) -> "Tensor":
    """(H, W) or (H, W, 3) -> (1 or 3, H, W)."""
    import torch

    return torch.from_numpy(pixels[:, :, None] if pixels.ndim == 2 else pixels).permute(2, 0, 1)


def read_bytes(path: Path | Inside, max_pixels: int = MOST_PIXELS) -> bytes:
    """The content of a regular file, or of an image inside of one.

    Raises:
        BadImage: there is no such file, it may not be read, or is larger than a picture of max_pixels can be.
    """
    with open_file(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size == 0:
            raise BadImage("empty_file", "empty file")
        if size > 4 * max_pixels + 2**20:  # uncompressed colour with transparency
            raise BadImage("too_large", f"{size / 2**20:,.0f} MiB are more than {max_pixels / 1e6:g} million pixels can take")
        try:
            return file.read()
        except OSError as error:
            raise BadImage("not_readable", error.strerror or str(error)) from error


def open_file(path: Path | Inside) -> BinaryIO:
    """Opens a regular file and nothing else, since reading from a pipe would wait for ever; or an image inside of one.

    Raises:
        BadImage: it is something else, is not there, or may not be read.
    """
    if isinstance(path, Inside):
        try:
            return io.BytesIO(path.read())
        except OSError as error:
            raise BadImage("not_readable", error.strerror or str(error)) from error
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.EOPNOTSUPP, errno.ELOOP) or (error.errno == errno.ENOENT and os.path.islink(path)):
            raise BadImage("not_a_file", "a link to nothing" if os.path.islink(path) else "not a regular file") from error
        raise BadImage("not_readable", error.strerror or str(error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BadImage("not_a_file", "not a regular file")
    return open(descriptor, "rb")


def decode(
    data: bytes, channels: int, *, at_least: tuple[int, int] | None = None, max_pixels: int = MOST_PIXELS, luma: bool = False
) -> Decoded:
    """Decode the content of a file; see `read_image`.

    Args:
        luma: with at_least and 1 channel, a JPEG's colours are not even decoded: a third faster, and now and then a gray
            level apart.

    Raises:
        BadImage: why it cannot be read.
    """
    container = containers.container_of(data)
    if container is None:
        raise BadImage("not_an_image", containers.what_else(data))
    try:
        containers.check_whole(data, container)
        most = max_pixels if container not in MANY_COPIES else max_pixels * 2 // 3
        with Image.open(io.BytesIO(data), formats=(container,)) as image:
            if image.width * image.height > most:
                of_these = "" if most == max_pixels else f", the most of {container}"
                raise BadImage("too_large", f"{image.width}x{image.height} is more than {most / 1e6:g} million pixels{of_these}")
            with one_at_a_time if image.width * image.height > LARGE else nullcontext():
                return decode_opened(image, data, container, channels, at_least=at_least, luma=luma)
    except BadImage:
        raise
    except Broken as error:
        raise BadImage(error.kind, error.detail) from error
    except MemoryError as error:
        raise BadImage("too_large", "not enough memory to decode it") from error
    except Exception as error:  # decoders raise anything on a broken file
        raise failed(error, container) from error


def allow_smaller(image: Image.Image, at_least: tuple[int, int], *, luma: bool) -> None:
    """Pillow takes the smallest scale that is not below the size it is given."""
    height, width = (2 * max(side, SMALLEST_SIDE) for side in at_least)
    image.draft("L" if luma else None, (height, width) if orientation_of(image) > 4 else (width, height))


def decode_opened(
    image: Image.Image, data: bytes, container: str, channels: int, *, at_least: tuple[int, int] | None, luma: bool
) -> Decoded:
    mode, deep, size = image.mode, is_deep(image), image.size
    if at_least is not None and container == "JPEG":
        allow_smaller(image, at_least, luma=luma)
    image.load()
    if container == "JPEG" and jpeg.ends_early(image, data):
        raise BadImage("truncated", "truncated")
    size = size if container == "JPEG" else image.size
    orientation = orientation_of(image)  # asked behind the pixels, where a PNG may have it
    pixels, transparent = convert(image, channels, depth=data[24] if container == "PNG" else 8)
    width, height = size[::-1] if orientation > 4 else size
    return Decoded(
        pixels=upright(pixels, orientation),
        height=height,
        width=width,
        container=container,
        mode=mode,
        frames=1 if container == "JPEG" else frames_of(image),  # a second picture in a JPEG is a preview
        rotated=orientation != 1,
        transparent=transparent,
        deep=deep,
    )


def orientation_of(image: Image.Image) -> int:
    """1 to 8; 1, which is upright, where the EXIF data are broken or say nothing."""
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # broken EXIF beside good pixels: nobody knows the orientation, so it stays
        return 1
    return orientation if orientation in TURNS else 1


def frames_of(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # the first one is whole, a later one is not
        return 2


def failed(error: Exception, container: str) -> BadImage:
    """What a decoder's exception means."""
    if isinstance(error, UnidentifiedImageError):
        return BadImage("broken", f"broken {container} header")
    text = str(error) or type(error).__name__
    return BadImage("truncated", "truncated") if "truncated" in text.lower() else BadImage("broken", text)


def resolve_channels(images: ImageSet, configured: int | None) -> int:
    """`configured`, or 1 if all of up to 64 files spread over the set are stored as gray, else 3."""
    if configured is not None:
        return configured
    chosen = np.unique(np.linspace(0, len(images) - 1, min(NUM_SAMPLED, len(images))).astype(int))
    return detect_channels([images.at(int(index)) for index in chosen])


def detect_channels(paths: Sequence[Path | Inside]) -> int:
    """1 if all files are stored as gray, else 3. Unreadable ones are left to the decoder's report."""
    with quiet_decoders():
        return 1 if all(is_gray(path) for path in paths) else 3


def is_gray(path: Path | Inside) -> bool:
    """By the header alone; a palette is gray if each of its colours is."""
    try:
        with open_file(path) as file, Image.open(file, formats=NAMES) as image:
            if image.mode != "P":
                return image.mode in GRAY_MODES
            if image.width * image.height > LARGE:
                return False
            palette = np.array(image.convert("RGB"))
            return bool((palette == palette[:, :, :1]).all())
    except Exception:
        return True


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Pillow warns of odd metadata, which is read all the same."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
