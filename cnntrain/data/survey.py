"""Sizes, formats and modes of the images of one split, by the headers of their files alone."""

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from cnntrain.data.containers import NAMES
from cnntrain.data.decode import open_file, orientation_of, quiet_decoders
from cnntrain.data.images import ImageSet

FILES_PER_TASK = 256
MOST_COMMON = 5
Header = tuple[int, int, str, str]  # height, width, mode, format


@dataclass
class Survey:
    """What the headers say.

    Args:
        sizes: (height, width) of the upright picture -> number of images.
        modes: in Pillow's words, such as RGB, L or P.
        formats: such as JPEG.
        unreadable: places in the image set of the files without a header that can be read.
    """

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    unreadable: list[int] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """For JSON and tables; aspect is width / height."""
        found: dict[str, Any] = {"unreadable": len(self.unreadable), "modes": dict(self.modes), "formats": dict(self.formats)}
        if self.sizes:
            heights, widths = (np.repeat([size[axis] for size in self.sizes], list(self.sizes.values())) for axis in (0, 1))
            found |= {"height": spread(heights), "width": spread(widths), "aspect": spread(widths / heights)}
            found["common_sizes"] = [[*size, count] for size, count in self.sizes.most_common(MOST_COMMON)]
        return found


def survey(images: ImageSet, tell: Callable[[int, int], None] | None = None) -> Survey:
    """Read all headers, on threads.

    Args:
        tell: called with (images done, all images) now and then.
    """
    found = Survey()
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        with quiet_decoders():
            starts = range(0, len(images), FILES_PER_TASK)
            for start, headers in zip(starts, pool.map(lambda start: headers_from(images, start), starts), strict=True):
                for index, header in enumerate(headers, start):
                    if header is None:
                        found.unreadable.append(index)
                        continue
                    found.sizes[header[:2]] += 1
                    found.modes[header[2]] += 1
                    found.formats[header[3]] += 1
                if tell is not None:
                    tell(start + len(headers), len(images))
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def headers_from(images: ImageSet, start: int) -> list[Header | None]:
    return [header(images, index) for index in range(start, min(start + FILES_PER_TASK, len(images)))]


def header(images: ImageSet, index: int) -> Header | None:
    """None where there is none that can be read."""
    try:
        with open_file(images.path(index)) as file, Image.open(file, formats=NAMES) as image:
            width, height = image.size[::-1] if orientation_of(image) > 4 else image.size
            return height, width, image.mode, str(image.format)
    except Exception:  # decoders raise anything on a broken file
        return None


def spread(values: np.ndarray) -> dict[str, float]:
    return {"min": as_number(values.min()), "median": as_number(np.median(values)), "max": as_number(values.max())}


def as_number(value: Any) -> float:
    """A whole number as int, another rounded to four digits behind the point."""
    return int(value) if float(value).is_integer() else round(float(value), 4)


def imbalance(counts: dict[str, int]) -> float:
    """How many times as many images the largest class has as the smallest that has any."""
    present = [count for count in counts.values() if count]
    return as_number(max(present) / min(present)) if present else 1
