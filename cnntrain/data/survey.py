"""Sizes, formats and modes of the images of one split: what is known of them, else by the headers of their files."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from cnntrain.data.containers import NAMES
from cnntrain.data.decode import open_file, orientation_of, quiet_decoders
from cnntrain.data.facts import BAD, GOOD, UNKNOWN, load
from cnntrain.data.images import ImageSet

FILES_PER_TASK = 256
MOST_COMMON = 5
Header = tuple[int, int, str, str]  # height, width, mode, format


@dataclass
class Survey:
    """
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


def survey(images: ImageSet) -> Survey:
    """What is known of each file from an earlier look at its pixels; of the others their headers, read on threads."""
    facts = load(images).rows
    found = of_facts(facts[facts["state"] == GOOD])
    found.unreadable = np.flatnonzero(facts["state"] == BAD).tolist()
    unknown = np.flatnonzero(facts["state"] == UNKNOWN).tolist()
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        with quiet_decoders():
            parts = [unknown[start : start + FILES_PER_TASK] for start in range(0, len(unknown), FILES_PER_TASK)]
            for part, headers in zip(parts, pool.map(lambda part: [header(images, index) for index in part], parts), strict=True):
                for index, each in zip(part, headers, strict=True):
                    if each is None:
                        found.unreadable.append(index)
                        continue
                    found.sizes[each[:2]] += 1
                    found.modes[each[2]] += 1
                    found.formats[each[3]] += 1
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def of_facts(rows: np.ndarray) -> Survey:
    """From rows of facts.py about readable files."""
    sizes, counts = np.unique(np.stack([rows["height"], rows["width"]], axis=1), axis=0, return_counts=True)
    found = Survey(Counter({(height, width): n for (height, width), n in zip(sizes.tolist(), counts.tolist(), strict=True)}))
    for counter, key, name in ((found.modes, "mode", bytes.decode), (found.formats, "container", NAMES.__getitem__)):
        values, counts = np.unique(rows[key], return_counts=True)
        counter.update({name(value): count for value, count in zip(values.tolist(), counts.tolist(), strict=True)})
    return found


def header(images: ImageSet, index: int) -> Header | None:
    """None where there is none that can be read."""
    try:
        with open_file(images.at(index)) as file, Image.open(file, formats=NAMES) as image:
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
