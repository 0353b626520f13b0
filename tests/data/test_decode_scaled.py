"""A JPEG may be decoded at a smaller scale; nothing else about it changes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from cnntrain.data.decode import read_image

ORIENTATION = 0x0112


def photo(path: Path, width: int, height: int, **keywords: object) -> Path:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(path, **keywords)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("at_least", "scale"),
    [
        ((32, 32), 8),
        ((33, 32), 4),
        ((32, 44), 4),
        ((60, 80), 4),
        ((65, 80), 4),
        ((66, 80), 2),
        ((130, 170), 2),
        ((140, 100), 1),
        ((8, 8), 8),
    ],
)
def test_it_equals_pillows_own_smaller_decode(tmp_path: Path, at_least: tuple[int, int], scale: int) -> None:
    path = photo(tmp_path / "x.jpg", 700, 520)
    image = Image.open(path)
    image.draft(None, (700 // scale, 520 // scale))
    expected = np.asarray(image)
    found = read_image(path, 3, at_least=at_least)
    assert found.shape == (3, -(-520 // scale), -(-700 // scale))
    assert np.array_equal(found.permute(1, 2, 0).numpy(), expected)


@pytest.mark.parametrize("size", [(1000, 90), (300, 300), (127, 127), (128, 129), (64, 2000)])
def test_both_sides_stay_twice_as_long_as_asked_for(tmp_path: Path, size: tuple[int, int]) -> None:
    found = read_image(photo(tmp_path / "x.jpg", *size), 3, at_least=(40, 32))
    assert found.shape[1] >= min(80, size[1])
    assert found.shape[2] >= min(64, size[0])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_sides_are_those_of_the_upright_picture(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = photo(tmp_path / "x.jpg", 640, 320, exif=exif)  # upright 320 x 640 from orientation 5 on
    found = read_image(path, 3, at_least=(40, 80) if orientation < 5 else (80, 40))
    image = Image.open(path)
    image.draft(None, (160, 80))
    upright = ImageOps.exif_transpose(image)
    assert upright.size == ((160, 80) if orientation < 5 else (80, 160))
    assert np.array_equal(found.permute(1, 2, 0).numpy(), np.asarray(upright))


def test_other_formats_are_decoded_in_full(tmp_path: Path) -> None:
    for name in ("x.png", "x.bmp", "x.webp"):
        assert read_image(photo(tmp_path / name, 400, 300), 3, at_least=(10, 10)).shape == (3, 300, 400)
