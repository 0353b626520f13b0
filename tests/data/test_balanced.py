"""Epochs in which each class comes equally often."""

import numpy as np
import pytest

from cnntrain.data.keyed import balanced_order, epoch_order

LABELS = np.array([0] * 6 + [1] * 3 + [2] * 1 + [4] * 2)  # 12 images of four classes; nothing is of class 3


def shown(order: np.ndarray, labels: np.ndarray = LABELS) -> dict[int, list[int]]:
    """Class -> how often each of its images comes."""
    times = np.bincount(order % len(labels), minlength=len(labels))
    return {int(label): sorted(times[labels == label].tolist()) for label in np.unique(labels)}


@pytest.mark.parametrize("epoch", range(5))
def test_twelve_images_of_four_classes_are_three_of_each(epoch: int) -> None:
    assert shown(balanced_order(7, epoch, LABELS)) == {0: [0, 0, 0, 1, 1, 1], 1: [1, 1, 1], 2: [3], 4: [1, 2]}


def test_what_is_left_over_goes_to_some_classes_drawn_anew_in_each_epoch() -> None:
    labels = np.array([0] * 9 + [1] + [2])  # 11 images: 4, 4 and 3
    per_class = [tuple(sum(times) for times in shown(balanced_order(0, epoch, labels), labels).values()) for epoch in range(30)]
    assert set(per_class) == {(3, 4, 4), (4, 3, 4), (4, 4, 3)}


def test_each_time_an_image_comes_it_has_a_number_of_its_own() -> None:
    order = balanced_order(7, 0, LABELS)
    assert len(set(order.tolist())) == len(order) == 12
    assert sorted(order[order % 12 == 9].tolist()) == [9, 21, 33]  # the one image of class 2: new keys, so a new crop each time


def test_it_is_a_function_of_seed_and_epoch() -> None:
    orders = {(seed, epoch): tuple(balanced_order(seed, epoch, LABELS)) for seed in range(2) for epoch in range(2)}
    assert len(set(orders.values())) == 4
    assert orders == {(seed, epoch): tuple(balanced_order(seed, epoch, LABELS)) for seed, epoch in orders}


def test_all_images_of_a_large_class_come_over_the_epochs() -> None:
    seen = {int(index) for epoch in range(12) for index in balanced_order(0, epoch, LABELS) % 12}
    assert seen == set(range(12))


def test_classes_of_one_size_are_shuffled_as_ever() -> None:
    labels = np.arange(30) % 3
    assert balanced_order(5, 2, labels).tolist() == epoch_order(5, 2, 30).tolist()
