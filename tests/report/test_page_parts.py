"""Parts of a page: drawings, albums, rankings, words."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from cnntrain.metrics.calibration import reliability
from cnntrain.report.page.album import MOST_IN_A_GROUP, Album, Ranking
from cnntrain.report.page.groups import Groups
from cnntrain.report.page.pictures import Pixels, Shot, heat_over, kernel_sheet, map_sheet, thumbnail
from cnntrain.report.page.svg import Line, Plot, curves, reliability_plot, ticks
from cnntrain.report.page.text import Markup, level, name, plain, sentence
from cnntrain.report.progress import progress_line, shown
from cnntrain.report.screen import Screen


def opened(shot: Shot) -> Image.Image:
    import base64

    return Image.open(io.BytesIO(base64.b64decode(shot.url.partition(",")[2])))


def gray(count: int = 1, size: tuple[int, int] = (8, 8)) -> list[Pixels]:
    return [np.full((*size, 3), 7, np.uint8)] * count


@pytest.mark.parametrize(
    ("low", "high", "most", "wanted"),
    [(0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0.4, 2.9, 5, [0.5, 1, 1.5, 2, 2.5]), (1, 30, 6, [5, 10, 15, 20, 25, 30]), (3, 3, 5, [3])],
)
def test_ticks_are_round_numbers(low: float, high: float, most: int, wanted: list[float]) -> None:
    assert ticks(low, high, most) == pytest.approx(wanted)


def test_a_plot_puts_the_ends_of_the_data_on_the_ends_of_its_axes() -> None:
    plot = Plot((0, 10), (0, 1), width=176, height=146)
    assert (plot.x(0), plot.x(10), plot.y(0), plot.y(1)) == (52, 152, 112, 12)


def test_a_curve_skips_what_is_no_number_and_its_names_stay_text() -> None:
    drawn = curves([Line("<b>", "val", [1, 2, 3], [0.5, float("nan"), 0.7])], percent=True, alt='"><script>', best=3)
    points = re.search(r'points="([^"]*)"', drawn)
    assert points is not None
    assert len(points[1].split()) == 2
    assert "<script>" not in drawn
    assert curves([Line("", "val", [], [])], percent=False, alt="none") == ""


def test_a_gap_is_coloured_by_its_side() -> None:
    too_sure = reliability_plot(reliability(np.array([0.95, 0.95]), np.array([True, False])), x_name="said", alt="a")
    too_shy = reliability_plot(reliability(np.array([0.55, 0.55]), np.array([True, True])), x_name="said", alt="a")
    assert "gap over" in too_sure
    assert "gap under" not in too_sure
    assert "gap under" in too_shy


def test_a_small_picture_is_kept_pixel_by_pixel_and_a_large_one_is_made_smaller() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (8, 6, 3), dtype=np.uint8)
    shot = thumbnail(pixels, 96)
    assert np.array_equal(np.asarray(opened(shot).convert("RGB")), pixels)
    assert (shot.width, shot.height, shot.is_small) == (72, 96, True)
    large = thumbnail(np.zeros((300, 600, 3), np.uint8), 96)
    assert opened(large).size == (large.width, large.height) == (96, 48)


def test_sheets_hold_every_map_and_kernel() -> None:
    maps = map_sheet(np.zeros((3, 4, 4)), 16)
    assert opened(maps).size == (maps.width, maps.height) == (3 * 18 - 2, 16)
    kernels = kernel_sheet(np.ones((2, 3, 3, 3)), 9)
    assert opened(kernels).getpixel((0, 0)) == (255, 255, 255, 255)
    assert opened(heat_over(gray()[0], np.eye(4), 32)).size == (32, 32)


def test_a_group_holds_25_pictures_and_the_rest_by_name() -> None:
    album = Album(60, 1)
    for start in range(0, 60, 20):
        numbers = list(range(start, start + 20))
        album.take(numbers, [[("g", "f")]] * 20, lambda wanted: gray(len(wanted)))
    groups = Groups(album, [f"{n}.png" for n in range(60)], lambda number: f"said {number}", lists="eval-val.csv")
    groups.add("g", "all", range(60))
    assert MOST_IN_A_GROUP == len(groups.groups["g"]["shown"]) == 25
    assert groups.groups["g"]["named"] == list(range(25, 60))
    assert groups.groups["g"]["more"] == 0
    assert groups.data()["images"][40] == ["40.png", "said 40"]


def test_families_share_the_room_evenly() -> None:
    album = Album(100_000, 2500)  # room for two thumbnails each, and four are promised
    numbers = list(range(20))
    album.take(numbers, [[(f"group {n}", "one family")] for n in numbers], lambda wanted: gray(len(wanted)))
    assert len(album.shots) == 4


def test_a_ranking_keeps_the_highest_and_the_earlier_of_equals() -> None:
    ranking, asked = Ranking(3), []

    def keep(place: int) -> int:
        asked.append(place)
        return place

    ranking.add(np.array([0.1, -np.inf, np.nan, 0.9]), [0, 1, 2, 3], keep)
    ranking.add(np.array([0.5, 0.1, 0.9]), [4, 5, 6], keep)
    assert ranking.indices == [3, 6, 4]
    ranking.add(np.array([0.2, 0.3]), [7, 8], keep)
    assert asked == [3, 0, 2, 0]  # no picture is kept that does not come in


def test_names_are_escaped_and_kept_to_their_own_direction() -> None:
    assert name("<b>\u202e\x1b") == Markup("<bdi>&lt;b&gt;\\u202e\\x1b</bdi>")
    assert plain("x" * 200, 20) == "x" * 9 + "…" + "x" * 10
    assert sentence("{} {}", "<i>", name("a")) == "&lt;i&gt; <bdi>a</bdi>"


def test_a_share_above_zero_has_a_colour() -> None:
    assert [level(share) for share in (0, 0.001, 0.5, 1)] == [0, 1, 5, 10]


def test_progress_is_told_every_ten_seconds_where_no_terminal_is() -> None:
    stream, times = io.StringIO(), iter([0.0, 4.0, 11.0, 15.0])
    batches = list(shown([10, 10, 10], lambda size: size, 40, screen=Screen(stream), clock=lambda: next(times)))
    assert batches == [10, 10, 10]
    assert stream.getvalue() == "evaluating  20 of 40 images  2 images/s  11.0 s left\n"
    assert progress_line(1200, 3000, 3.0) == "1,200 of 3,000 images  400 images/s  4.5 s left"
