"""Affine maps and blurs of batches: torchvision's functions with the same numbers."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode, functional

from cnntrain.data import keyed
from cnntrain.data.warps import Affine, GaussianBlur, inverse_matrices

KEYS = keyed.sample_keys(0, 1, np.arange(400))


def batch(count: int, channels: int = 3, height: int = 15, width: int = 22) -> Tensor:
    return torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "keywords",
    [
        {"degrees": 30.0},
        {"degrees": 0.0, "translate": (0.3, 0.2)},
        {"degrees": 0.0, "scale": (0.5, 1.5)},
        {"degrees": 0.0, "shear": 30.0},
        {"degrees": 180.0, "translate": (0.1, 0.4), "scale": (0.8, 1.2), "shear": 10.0},
    ],
    ids=["turn", "shift", "zoom", "slant", "all"],
)
def test_an_affine_map_is_torchvisions(keywords: dict[str, Any]) -> None:
    images = batch(20)
    step = Affine(**keywords)
    angle, shear, scale, shift = step.draw(15, 22, KEYS[:20])
    found = step(images, KEYS[:20])
    for number, image in enumerate(images):
        wanted = functional.affine(
            image,
            angle=float(angle[number]),
            translate=[int(v) for v in shift[number]],
            scale=float(scale[number]),
            shear=[float(shear[number]), 0.0],
            interpolation=InterpolationMode.BILINEAR,
        )
        assert (found[number].int() - wanted.int()).abs().max() <= 1


def test_a_quarter_turn_and_a_shift_by_hand() -> None:
    matrix = inverse_matrices(np.array([90.0, 0.0]), np.zeros(2), np.array([1.0, 2.0]), np.array([[0.0, 0.0], [3.0, -1.0]]))
    # turned by 90 degrees clockwise (y points down), what lies at (1, 0) from the middle came from (0, -1)
    assert (matrix[0] @ [1, 0, 1]).round(12).tolist() == [0, -1]
    # zoomed by 2, then shifted by (3, -1): the middle has come from -(3, -1) / 2
    assert (matrix[1] @ [0, 0, 1]).tolist() == [-1.5, 0.5]


def test_what_is_drawn_fills_its_range_evenly() -> None:
    angle, shear, scale, shift = Affine(degrees=20.0, translate=(0.1, 0.5), scale=(0.5, 2.0), shear=10.0).draw(10, 40, KEYS)
    for drawn, (low, high) in ((angle, (-20, 20)), (shear, (-10, 10)), (scale, (0.5, 2.0))):
        assert low <= drawn.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < drawn.max() <= high
    assert set(shift[:, 0]) == set(range(-4, 5))  # a tenth of 40 pixels
    assert set(shift[:, 1]) == set(range(-5, 6))  # half of 10


@pytest.mark.parametrize("kernel_size", [1, 3, 9])
def test_a_blur_is_torchvisions(kernel_size: int) -> None:
    images = batch(6)
    step = GaussianBlur(kernel_size=kernel_size, sigma=(0.1, 2.0))
    sigma = 0.1 + keyed.draws(KEYS[:6], 1)[:, 0] * 1.9
    found = step(images, KEYS[:6])
    for number, image in enumerate(images):
        wanted = functional.gaussian_blur(image, [kernel_size] * 2, [float(sigma[number])] * 2)
        assert (found[number].int() - wanted.int()).abs().max() <= 1
    as_float = step(images / 255, KEYS[:6])
    assert (as_float * 255 - found).abs().max() <= 0.51
