"""Sizes that grow with the training, worked out by hand."""

import pytest

from cnntrain.config.progressive import size_at


@pytest.mark.parametrize(
    ("progress", "size"),
    [(0.0, 32), (0.19, 32), (0.2, 40), (0.39, 40), (0.4, 48), (0.6, 56), (0.79, 56), (0.8, 64), (1.0, 64)],
)
def test_half_the_size_grows_in_steps_of_eight_until_four_fifths(progress: float, size: int) -> None:
    assert size_at(progress, (64, 64), start=0.5, until=0.8) == (size, size)


def test_small_images_grow_in_steps_of_four() -> None:
    assert [size_at(i / 4, (32, 32), start=0.5, until=1.0)[0] for i in range(5)] == [16, 20, 24, 28, 32]
    assert size_at(0, (8, 8), start=0.01, until=1.0) == (4, 4)
    assert size_at(0, (3, 3), start=0.01, until=1.0) == (3, 3)


def test_a_size_that_is_no_multiple_is_reached_at_the_end() -> None:
    assert [size_at(i / 2, (70, 131), start=0.5, until=1.0) for i in range(3)] == [(32, 64), (48, 96), (70, 131)]


def test_it_never_shrinks() -> None:
    sizes = [size_at(i / 1000, (100, 75), start=0.3, until=0.9) for i in range(1001)]
    assert sizes == sorted(sizes)
    assert sizes[0] == (24, 16)  # 30 and 22.5, down to a multiple of 8
    assert sizes.index((100, 75)) == 900
