"""Contact sheets: each row is one image, first as it is, then as it was drawn again and again."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.report.screen import printable

GAP, MARGIN = 4, 8  # pixels
FONT_SIZE, LINE = 12, 16
INK, FAINT, PAPER = (34, 34, 34), (110, 110, 110), (255, 255, 255)
Picture = NDArray[np.uint8]


def contact_sheet(rows: Sequence[Sequence[Picture]], *, caption: str, headings: Sequence[str] = (), names: Sequence[str] = ()) -> Picture:
    """
    Args:
        rows: pictures (H, W, 3) uint8; a smaller one stands in the middle of its cell, at its own size.
        caption: lines of text above.
        headings: a word above each column.
        names: a word below each row.

    Returns:
        The sheet, (H', W', 3) uint8.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = (max(picture.shape[axis] for row in rows for picture in row) for axis in (0, 1))
    lines = [printable(line) for line in caption.splitlines()]
    font = ImageFont.load_default(FONT_SIZE)
    columns = max(map(len, rows))
    text_width = int(max(font.getlength(line) for line in [*lines, ""]))
    top = MARGIN + LINE * (len(lines) + bool(headings))
    pitch = height + GAP + LINE * bool(names)
    size = (2 * MARGIN + max(text_width, columns * (width + GAP) - GAP), top + MARGIN + len(rows) * pitch)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((MARGIN, MARGIN // 2 + number * LINE), line, INK, font)
    for number, word in enumerate(headings):
        draw.text((MARGIN + number * (width + GAP), top - LINE), cut(printable(word), width, font), FAINT, font)
    for place, row in enumerate(rows):
        for number, picture in enumerate(row):
            h, w = picture.shape[:2]
            corner = (MARGIN + number * (width + GAP) + (width - w) // 2, top + place * pitch + (height - h) // 2)
            sheet.paste(Image.fromarray(picture), corner)
        if names:
            draw.text((MARGIN, top + place * pitch + height + 1), cut(printable(names[place]), size[0] - 2 * MARGIN, font), FAINT, font)
    return np.asarray(sheet)


def enlarged(picture: Picture, smallest_side: int) -> Picture:
    """By the largest whole factor that keeps the shorter side within smallest_side; never smaller."""
    factor = max(1, smallest_side // min(picture.shape[:2]))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def cut(word: str, width: int, font: Any) -> str:
    """The word, or as much of its beginning as there is room for."""
    word = word[:width]  # no letter is narrower than a pixel
    while word and font.getlength(word) > width:
        word = word[:-1]
    return word


def as_png(sheet: Picture) -> bytes:
    """A sheet as the content of a PNG file."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(sheet).save(data, "PNG", optimize=True)
    return data.getvalue()
