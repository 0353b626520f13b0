"""Batches brought to the size of their step."""

import pytest
import torch
from torchvision.transforms.v2 import functional

from cnntrain.data.growing import GrowingImages


@pytest.mark.parametrize(("step", "size"), [(0, 16), (5, 24), (10, 32), (19, 32)])
def test_images_are_resized_as_torchvision_does(step: int, size: int) -> None:
    images, labels = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.arange(3)
    grown, targets = GrowingImages((32, 32), start=0.5, until=0.5, total_steps=20)(images, labels, step)
    torch.testing.assert_close(grown, functional.resize(images, [size, size], antialias=True))
    assert targets is labels


def test_the_full_size_is_the_image_itself() -> None:
    images = torch.rand(2, 1, 8, 12)
    assert GrowingImages((8, 12), start=0.5, until=0.5, total_steps=2)(images, torch.arange(2), 1)[0] is images


def test_channels_last_images_stay_so() -> None:
    images = torch.rand(2, 3, 16, 16).to(memory_format=torch.channels_last)
    grown, _ = GrowingImages((16, 16), start=0.5, until=1.0, total_steps=2)(images, torch.arange(2), 0)
    assert grown.shape == (2, 3, 8, 8)
    assert grown.is_contiguous(memory_format=torch.channels_last)
