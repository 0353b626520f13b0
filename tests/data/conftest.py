"""Small folders of real image files, written with Pillow."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnntrain.data.images import ImageSet, Names

CLASSES = ("a", "b", "c")


@pytest.fixture
def make_set(tmp_path: Path) -> Callable[..., ImageSet]:
    """make_set(20, channels=1, sizes=((8, 8),)): noise as PNG files, over three classes, sizes (height, width) in turn."""

    def make(count: int, *, channels: int = 3, sizes: tuple[tuple[int, int], ...] = ((8, 8),)) -> ImageSet:
        generator = np.random.default_rng(count)
        files = []
        for number in range(count):
            name = CLASSES[number * len(CLASSES) // count]
            (tmp_path / name).mkdir(exist_ok=True)
            shape = sizes[number % len(sizes)] + (() if channels == 1 else (channels,))
            files.append(f"{name}/{number:03d}.png")
            Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / files[-1])
        return ImageSet("train", tmp_path, CLASSES, Names.of(files), np.array([CLASSES.index(f[0]) for f in files], np.int64))

    return make
