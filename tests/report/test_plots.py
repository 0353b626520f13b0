"""Pictures, looked at pixel by pixel where that says something."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnntrain.report.plots import as_pictures, confusion_figure, figure_pixels, figure_png, image_grid


@pytest.mark.parametrize("num_classes", [1, 2, 10, 21, 101])
def test_any_number_of_classes_gives_a_readable_size(tmp_path: Path, num_classes: int) -> None:
    counts = np.eye(num_classes, dtype=int) * 5
    figure_png(tmp_path / "c.png", confusion_figure(counts, [f"class {k}" for k in range(num_classes)], "val"))
    with Image.open(tmp_path / "c.png") as picture:
        assert min(picture.size) >= 400
        assert max(picture.size) <= 2600


def texts(counts: list[list[int]], classes: list[str]) -> list[str]:
    (axes,) = confusion_figure(counts, classes).axes
    return [text.get_text() for text in axes.texts]


def test_counts_stand_in_cells_and_zeros_do_not() -> None:
    assert texts([[3, 1], [0, 2]], ["a", "b"]) == ["3", "1", "2"]


def test_numbers_end_at_twenty_classes_and_names_at_a_hundred() -> None:
    assert len(texts(np.eye(20, dtype=int).tolist(), ["x"] * 20)) == 20
    assert texts(np.eye(21, dtype=int).tolist(), ["x"] * 21) == []
    (axes,) = confusion_figure(np.eye(101, dtype=int), ["somename"] * 101).axes
    assert "somename" not in [label.get_text() for label in axes.get_yticklabels()]


def test_the_title_counts_what_is_wrong() -> None:
    (axes,) = confusion_figure([[3, 1], [0, 4]], ["a", "b"], "eval on val").axes
    assert axes.get_title(loc="left") == "eval on val\n87.50 % right, 1 of 8 wrong"
    (axes,) = confusion_figure([[0, 0], [0, 0]], ["a", "b"]).axes
    assert axes.get_title(loc="left") == "no images"


def test_strange_class_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    figure_png(tmp_path / "c.png", confusion_figure(np.eye(3, dtype=int), ["$x^{", "猫", "\x1b[2J" + "long" * 20]))
    (axes,) = confusion_figure(np.eye(3, dtype=int), ["$x^{", "猫", "abcdefghijklmnopqrstuvwxyz"]).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["$x^{", "猫", "abcdefgh…rstuvwxyz"]


def test_rows_are_coloured_by_share_right_blue_wrong_red() -> None:
    (axes,) = confusion_figure([[90, 10], [0, 5]], ["a", "b"]).axes
    right, wrong = axes.images
    assert right.get_array().tolist() == [[0.9, None], [None, 1.0]]
    assert wrong.get_array().tolist() == [[None, 0.1], [0.0, None]]


def test_a_figure_becomes_pixels() -> None:
    pixels = figure_pixels(confusion_figure([[1, 0], [0, 1]], ["a", "b"]))
    assert (pixels.dtype, pixels.ndim, pixels.shape[2]) == (np.uint8, 3, 3)
    assert (pixels[0, 0] == 255).all()


def test_grid_lays_images_row_by_row_with_white_gaps() -> None:
    images = np.stack([np.full((1, 2, 2), value, dtype=np.uint8) for value in (10, 20, 30)])
    grid = image_grid(images, num_columns=2, gap=1, smallest_side=2)
    assert grid.shape == (5, 5, 3)
    assert grid[:, :, 0].tolist() == [
        [10, 10, 255, 20, 20],
        [10, 10, 255, 20, 20],
        [255, 255, 255, 255, 255],
        [30, 30, 255, 255, 255],
        [30, 30, 255, 255, 255],
    ]


def test_small_images_are_enlarged_by_a_whole_factor() -> None:
    assert image_grid(np.zeros((1, 3, 28, 30), dtype=np.uint8)).shape == (56, 60, 3)


def test_network_inputs_become_pictures_by_their_own_range() -> None:
    images = np.array([[[[-1.0, 0.0, 1.0]]], [[[5.0, 5.0, 5.0]]]])
    assert as_pictures(images).tolist() == [[[[0, 128, 255]]], [[[0, 0, 0]]]]
