"""A JPEG that was cut is told from one that only looks so."""

import io

import numpy as np
import pytest
from dirt import coded, drawing
from PIL import Image

from cnntrain.data.decode import BadImage, decode

END = b"\xff\xd9"


def grainy(side: int = 120) -> Image.Image:
    """A drawing with noise, so that every block takes some bytes."""
    noise = np.random.default_rng(0).integers(-20, 20, (side, side, 3))
    return Image.fromarray((np.asarray(drawing(3, side)).astype(int) + noise).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("scale", [None, (32, 32)])
def test_an_end_marker_behind_a_cut_makes_no_whole_picture(mode: str, scale: tuple[int, int] | None) -> None:
    data = coded(grainy().convert(mode), "JPEG")
    for share in (0.3, 0.5, 0.7, 0.9, 0.97):
        with pytest.raises(BadImage, match=r"^truncated$"):
            decode(data[: int(len(data) * share)] + END, 3, at_least=scale, luma=False)
    assert decode(data, 3, at_least=scale).pixels.shape[2] == 3


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_picture_that_is_gray_to_its_end_is_whole(mode: str, progressive: bool) -> None:
    pixels = np.asarray(grainy()).copy()
    pixels[40:] = 128
    for rows in (pixels, np.full_like(pixels, 128), pixels[:, :41]):
        image = Image.fromarray(rows).convert(mode)
        for subsampling in (0, 2):
            keywords = {} if mode == "L" else {"subsampling": subsampling}
            for side in (rows, rows[:, :33]):
                height, width = side.shape[:2]
                data = coded(image.crop((0, 0, width, height)), "JPEG", progressive=progressive, **keywords)
                assert decode(data, 1).pixels.shape == (height, width)


def test_a_scan_that_a_progressive_picture_has_begun_must_come() -> None:
    data = coded(grainy(), "JPEG", progressive=True)
    starts = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    assert len(starts) == 10  # what libjpeg writes for colours: the last four bring the lowest bits
    for start in starts[1:]:
        with Image.open(io.BytesIO(data[:start] + END)) as image:
            image.load()  # Pillow takes it for whole
        with pytest.raises(BadImage, match=r"^truncated$"):
            decode(data[:start] + END, 3)
    assert decode(data, 3).pixels.shape == (120, 120, 3)


def test_the_decoders_that_copy_most_take_two_thirds_of_the_pixels() -> None:
    picture = drawing(1, 100)
    for form in ("WEBP", "AVIF"):
        data = coded(picture, form)
        with pytest.raises(BadImage) as caught:
            decode(data, 3, max_pixels=14_999)
        assert (caught.value.kind, caught.value.detail) == (
            "too_large",
            f"100x100 is more than 0.009999 million pixels, the most of {form}",
        )
        assert decode(data, 3, max_pixels=15_000).width == 100
    assert decode(coded(picture, "PNG"), 3, max_pixels=10_000).width == 100
