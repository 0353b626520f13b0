"""Colour steps on batches: torchvision's functions with the same factors, to one gray level."""

from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from cnntrain.data import keyed
from cnntrain.data.colours import ColorJitter, Grayscale, jitter, turn_hue

KEYS = keyed.sample_keys(0, 1, np.arange(500))
ADJUST = (functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation, functional.adjust_hue)
FACTORS = torch.tensor([[0.4, 0.3, 0.2, -0.4], [1.7, 1.6, 1.9, 0.3], [1.0, 0.9, 1.2, 0.1], [0.0, 0.0, 0.0, 0.5]])


def batch(count: int = 4, channels: int = 3) -> Tensor:
    """Noise beside flat, gray, black and white patches, where hue and contrast have their corner cases."""
    images = torch.randint(0, 256, (count, channels, 12, 13), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[:, :, :3, :3], images[:, :, 3:6, :3], images[:, :, 6:8, :5] = 0, 255, 93
    return images


def by_torchvision(image: Tensor, order: tuple[int, ...], factors: list[float]) -> Tensor:
    for kind in order:
        image = ADJUST[kind](image, factors[kind])
    return image


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", range(4))
def test_one_change_is_torchvisions(kind: int, channels: int) -> None:
    images = batch(channels=channels)
    found = jitter(images, (kind,), FACTORS)
    wanted = torch.stack([by_torchvision(image, (kind,), f) for image, f in zip(images, FACTORS.tolist(), strict=True)])
    assert (found - wanted.float()).abs().max() <= 1
    assert torch.equal(found, found.floor())
    apart = (found != wanted).float().mean()
    assert apart < 0.01, f"{apart:.1%} of the numbers differ by a gray level"


@pytest.mark.parametrize("kind", range(4))
def test_one_change_of_float_images_is_torchvisions(kind: int) -> None:
    images = batch() / 255
    wanted = torch.stack([by_torchvision(image, (kind,), f) for image, f in zip(images, FACTORS.tolist(), strict=True)])
    torch.testing.assert_close(jitter(images, (kind,), FACTORS), wanted, rtol=0, atol=5e-5)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_changes_one_after_the_other_are_torchvisions(order: tuple[int, ...]) -> None:
    images = batch()
    found = jitter(images[:3], order, FACTORS[:3])
    wanted = torch.stack([by_torchvision(image, order, f) for image, f in zip(images[:3], FACTORS.tolist(), strict=False)])
    # a gray level of one change may be stretched by the next ones: by 1.7 * 1.6 * 1.9 at most
    assert (found - wanted.float()).abs().max() <= 6
    assert (found != wanted).float().mean() < 0.02


def test_a_third_of_a_turn_carries_red_to_green_to_blue() -> None:
    red = torch.tensor([200.0, 50.0, 50.0]).reshape(1, 3, 1, 1)
    turned = [turn_hue(red, torch.full((1, 1, 1, 1), turn), 255.0).flatten().floor().tolist() for turn in (1 / 3, -1 / 3, 0.5)]
    assert turned == [[50, 200, 50], [50, 50, 200], [50, 200, 200]]


def test_factors_are_even_in_their_range_and_every_order_comes() -> None:
    factors, orders = ColorJitter(brightness=0.4, contrast=2.0, saturation=0.1, hue=0.2).draw(KEYS)
    ranges = [(0.6, 1.4), (0.0, 3.0), (0.9, 1.1), (-0.2, 0.2)]  # a factor is never below 0
    for column, (low, high) in zip(factors.T, ranges, strict=True):
        assert low - 1e-6 <= column.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < column.max() <= high + 1e-6
        assert abs(column.mean() - (low + high) / 2) < 4 * (high - low) / np.sqrt(12 * 500)
    counts = np.bincount(orders)
    assert len(counts) == len(list(permutations(range(4))))
    assert counts.min() > 2  # 500 / 24 = 21 of each


def test_each_image_is_changed_in_its_own_order() -> None:
    step = ColorJitter(brightness=0.4, contrast=0.0, saturation=0.9, hue=0.1)
    images = batch(20)
    found = step(images, KEYS[:20])
    factors, orders = step.draw(KEYS[:20])
    assert step.kinds == [0, 2, 3]
    for image, changed, own, number in zip(images, found, factors.tolist(), orders, strict=True):
        assert (changed.int() - by_torchvision(image, step.orders[number], own).int()).abs().max() <= 4
    assert found.dtype == torch.uint8


def test_gray_is_torchvisions_for_the_share_p_and_the_rest_is_left() -> None:
    images = batch(200)
    found = Grayscale(p=0.3)(images, KEYS[:200])
    wanted = functional.rgb_to_grayscale(images, 3)
    is_gray = (found[:, 0] == found[:, 1]).flatten(1).all(1)
    assert (found[is_gray].int() - wanted[is_gray].int()).abs().max() <= 1
    assert torch.equal(found[~is_gray], images[~is_gray])
    assert abs(int(is_gray.sum()) - 60) < 4 * np.sqrt(200 * 0.3 * 0.7)
    assert torch.equal(Grayscale(p=1.0)(batch(channels=1), KEYS[:4]), batch(channels=1))
