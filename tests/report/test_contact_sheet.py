"""Contact sheets, measured in pixels."""

import io

import numpy as np
from PIL import Image

from cnntrain.report.contact_sheet import GAP, LINE, MARGIN, as_png, contact_sheet


def flat(value: int, height: int = 10, width: int = 20) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def test_every_picture_stands_in_its_cell() -> None:
    sheet = contact_sheet([[flat(10), flat(20), flat(30)], [flat(40), flat(50)]], caption="")
    assert sheet.shape == (2 * MARGIN + 2 * (10 + GAP), 2 * MARGIN + 3 * 20 + 2 * GAP, 3)
    for place, value in {(0, 0): 10, (0, 1): 20, (0, 2): 30, (1, 0): 40, (1, 1): 50, (1, 2): 255}.items():
        top, left = MARGIN + place[0] * (10 + GAP), MARGIN + place[1] * (20 + GAP)
        assert (sheet[top : top + 10, left : left + 20] == value).all()


def test_a_smaller_picture_stands_in_the_middle_at_its_own_size() -> None:
    sheet = contact_sheet([[flat(0), flat(0, 4, 6)]], caption="")
    cell = sheet[MARGIN : MARGIN + 10, MARGIN + 20 + GAP : MARGIN + 40 + GAP]
    assert (cell[3:7, 7:13] == 0).all()
    assert (cell == 0).all(2).sum() == 24


def test_words_take_lines_of_their_own_and_never_run_over_the_sheet() -> None:
    words = "a very long caption, which makes the sheet as wide as it is\nand a second line"
    plain, worded = (
        contact_sheet([[flat(0)]], caption=""),
        contact_sheet([[flat(0)]], caption=words, headings=["a" * 50], names=["b" * 200]),
    )
    assert worded.shape[0] == plain.shape[0] + 4 * LINE
    assert worded.shape[1] > plain.shape[1]
    assert (worded[:, -MARGIN // 2 :] == 255).all()
    assert (worded[:MARGIN] != 255).any()


def test_a_png_holds_the_sheet() -> None:
    sheet = contact_sheet([[flat(77)]], caption="x")
    assert (np.asarray(Image.open(io.BytesIO(as_png(sheet)))) == sheet).all()
