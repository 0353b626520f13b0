"""Steps on whole batches: worked out by hand, and image by image the same."""

from math import sqrt
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from cnntrain import randomness
from cnntrain.data import keyed
from cnntrain.data.batched import (
    NUMBERS_AT_ONCE,
    AlternatingFlip,
    CenterCrop,
    Cutout,
    Flip,
    Normalize,
    RandomCrop,
    RandomErasing,
    RandomResizedCrop,
    Resize,
    Step,
    ToTensor,
    read_size,
)
from cnntrain.data.colours import ColorJitter, Grayscale
from cnntrain.data.warps import Affine, GaussianBlur

KEYS = keyed.sample_keys(0, 1, np.arange(200))


def batch(count: int, channels: int = 3, height: int = 6, width: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator)


def test_keys_of_a_table_are_those_of_single_numbers() -> None:
    assert [key >> 1 for key in KEYS[:3].tolist()] == [randomness.key(0, randomness.AUGMENT, 1, i) >> 1 for i in range(3)]
    assert keyed.step_keys(KEYS, 2)[5] == randomness.mix(int(KEYS[5]) ^ (3 << 32))


def test_an_order_has_every_image_once_and_changes_with_seed_and_epoch() -> None:
    orders = [keyed.epoch_order(seed, epoch, 50).tolist() for seed, epoch in ((0, 1), (0, 2), (1, 1))]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert keyed.epoch_order(0, 1, 50).tolist() == orders[0]


def test_draws_are_uniform_and_unlike_each_other() -> None:
    table = keyed.draws(keyed.sample_keys(3, 1, np.arange(10_000)), 2)
    assert table.min() >= 0
    assert table.max() < 1
    assert abs(table.mean() - 0.5) < 4 / sqrt(12 * table.size)  # four standard errors
    assert abs(np.corrcoef(table.T)[0, 1]) < 4 / sqrt(len(table))


def test_the_lowest_bit_of_a_key_takes_turns() -> None:
    turns = np.array([keyed.sample_keys(3, epoch, np.arange(1000)) & np.uint64(1) for epoch in range(5)])
    assert (turns[1:] != turns[:-1]).all()
    assert abs(int(turns[0].sum()) - 500) < 4 * sqrt(250)
    assert (turns[0] != keyed.sample_keys(4, 0, np.arange(1000)) & np.uint64(1)).any()


STEPS = pytest.mark.parametrize(
    "step",
    [
        RandomCrop((6, 7), padding=2, padding_mode="zeros"),
        RandomCrop((3, 4), padding=0, padding_mode="zeros"),
        RandomResizedCrop((4, 5), scale=(0.2, 1.0), ratio=(0.5, 2.0), interpolation="bilinear", read_size=5),
        Flip(-1, p=0.5),
        Flip(-2, p=0.5),
        RandomErasing(p=0.7, scale=(0.1, 0.4), ratio=(0.3, 3.3)),
        ToTensor(),
        Normalize((100.0, 120.0, 7.0), (3.0, 7.0, 11.0)),
        CenterCrop((3, 4)),
        Resize((4, 4), shorter=False, interpolation="bilinear"),
        AlternatingFlip(),
        Cutout(side=3),
        ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.2),
        Grayscale(p=0.5),
        Affine(degrees=20.0, translate=(0.2, 0.1), scale=(0.8, 1.2), shear=5.0),
        GaussianBlur(kernel_size=5, sigma=(0.1, 2.0)),
    ],
    ids=lambda step: type(step).__name__,
)


@STEPS
@pytest.mark.parametrize("as_float", [False, True], ids=["uint8", "float32"])
@pytest.mark.parametrize("size", [(6, 7), (33, 61)])
def test_a_batch_equals_its_images_one_by_one_and_the_input_is_left_alone(step: Step, as_float: bool, size: tuple[int, int]) -> None:
    images = batch(20, height=size[0], width=size[1])
    images = images / 255 if as_float else images
    before = images.clone()
    whole = step(images, KEYS[:20])
    single = torch.cat([step(images[i : i + 1], KEYS[i : i + 1]) for i in range(20)])
    assert torch.equal(whole, single)
    assert torch.equal(images, before)


@STEPS
def test_a_batch_may_be_cut_anywhere(step: Step) -> None:
    images = batch(200)
    whole = step(images, KEYS)
    for cut in (1, 7, 128):
        assert torch.equal(whole, torch.cat([step(images[:cut], KEYS[:cut]), step(images[cut:], KEYS[cut:])]))


def test_more_images_than_are_worked_on_at_once_are_all_changed() -> None:
    side = 128
    images = batch(3 * NUMBERS_AT_ONCE // (3 * side * side) + 1, height=side, width=side)
    blurred = GaussianBlur(kernel_size=3, sigma=(1.0, 1.0))(images, KEYS[: len(images)])
    for image, found in zip(images, blurred, strict=True):
        assert (v2.functional.gaussian_blur(image, [3, 3], [1.0, 1.0]).int() - found.int()).abs().max() <= 1


def test_a_crop_shows_the_padded_image_at_every_place() -> None:
    image = batch(1, channels=2, height=3, width=3)
    step = RandomCrop((3, 3), padding=1, padding_mode="zeros")
    crops = step(image.expand(200, -1, -1, -1), KEYS)
    padded = torch.nn.functional.pad(image[0], (1, 1, 1, 1))
    places = [padded[:, y : y + 3, x : x + 3].flatten().tolist() for y in range(3) for x in range(3)]
    seen = [places.index(crop.flatten().tolist()) for crop in crops]
    assert set(seen) == set(range(9))
    counts = np.bincount(seen)
    assert counts.min() > 22 - 4 * sqrt(200 * 8 / 81)  # 200 / 9 = 22.2 of each, four standard deviations


@pytest.mark.parametrize(
    ("mode", "row"), [("zeros", [0, 0, 1, 2, 3, 0, 0]), ("edge", [1, 1, 1, 2, 3, 3, 3]), ("reflect", [3, 2, 1, 2, 3, 2, 1])]
)
def test_padding_modes(mode: str, row: list[int]) -> None:
    image = torch.tensor([1, 2, 3], dtype=torch.uint8).expand(1, 1, 3, 3)
    whole = RandomCrop((7, 7), padding=2, padding_mode=mode)(image, KEYS[:1])
    assert whole[0, 0, 3].tolist() == row


def test_a_flip_takes_about_half_and_mirrors_those() -> None:
    images = batch(200)
    flipped = Flip(-1, p=0.5)(images, KEYS)
    is_mirrored = [torch.equal(f, i.flip(-1)) for f, i in zip(flipped, images, strict=True)]
    assert all(m or torch.equal(f, i) for m, f, i in zip(is_mirrored, flipped, images, strict=True))
    assert abs(sum(is_mirrored) - 100) < 4 * sqrt(50)
    assert torch.equal(Flip(-2, p=1.0)(images, KEYS), images.flip(-2))
    assert torch.equal(Flip(-1, p=0.0)(images, KEYS), images)


def test_an_alternating_flip_shows_every_image_both_ways_in_two_epochs() -> None:
    images = batch(200)
    keys = [keyed.sample_keys(0, epoch, np.arange(200)) for epoch in range(4)]
    shown = [(AlternatingFlip()(images, each) != images).flatten(1).any(1) for each in keys]
    assert all(torch.equal(one, ~other) for one, other in zip(shown[1:], shown[:-1], strict=True))
    assert abs(int(shown[0].sum()) - 100) < 4 * sqrt(50)
    assert torch.equal(AlternatingFlip()(images, keys[0])[shown[0]], images.flip(-1)[shown[0]])


@pytest.mark.parametrize("side", [4, 5])
def test_cutout_blanks_a_square_whose_middle_may_be_any_pixel(side: int) -> None:
    images = batch(200, channels=2, height=7, width=9).float()
    blank = Cutout(side=side)(images, KEYS) == 0
    assert torch.equal(blank[:, 0], blank[:, 1])
    squares = []
    for y in range(7):
        for x in range(9):
            square = torch.zeros(7, 9, dtype=torch.bool)
            square[max(0, y - side // 2) : y - side // 2 + side, max(0, x - side // 2) : x - side // 2 + side] = True
            squares.append(square)
    for mask in blank[:, 0]:
        assert any(torch.equal(mask, square) for square in squares)
    middles = [tuple(mask.flatten().tolist()) for mask in blank[:, 0]]
    assert len(set(middles)) > 40  # of 63


def test_erasing_blanks_one_rectangle_of_the_asked_area() -> None:
    images = batch(200, channels=2, height=20, width=30).float()
    erased = RandomErasing(p=1.0, scale=(0.1, 0.2), ratio=(0.5, 2.0))(images, KEYS) == 0
    assert torch.equal(erased[:, 0], erased[:, 1])
    for mask in erased[:, 0]:
        rows, columns = mask.any(1).sum().item(), mask.any(0).sum().item()
        assert mask.sum().item() == rows * columns
        assert 60 - 15 <= rows * columns <= 120 + 15  # 600 pixels; sides are rounded by half a pixel at most
    assert torch.equal(RandomErasing(p=0.0, scale=(0.1, 0.2), ratio=(0.5, 2.0))(images, KEYS), images)


def test_a_resized_crop_is_a_part_of_the_asked_area_and_ratio() -> None:
    step = RandomResizedCrop((5, 6), scale=(0.3, 0.6), ratio=(0.5, 2.0), interpolation="bilinear", read_size=40)
    images = batch(200, height=40, width=60)
    parts = step.parts(40, 60, KEYS)
    assert len(np.unique(parts, axis=0)) > 150
    for image, cut, (top, left, h, w) in zip(images, step(images, KEYS), parts.tolist(), strict=True):
        assert 0 <= top <= 40 - h
        assert 0 <= left <= 60 - w
        assert 2400 * 0.3 - 50 < h * w < 2400 * 0.6 + 50  # sides are rounded by half a pixel, of at most 40 + 60
        assert 0.5 * 0.95 < w / h < 2.0 * 1.05
        assert torch.equal(cut, v2.functional.resized_crop(image, top, left, h, w, [5, 6]))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 64), (64, 48)])
@pytest.mark.parametrize("scale", [(0.08, 1.0), (0.08, 0.08), (0.3, 0.5)])
def test_from_its_read_size_no_part_is_enlarged(height: int, width: int, scale: tuple[float, float]) -> None:
    ratio = (3 / 4, 4 / 3)
    shorter = read_size((height, width), scale=scale, ratio=ratio)
    step = RandomResizedCrop((height, width), scale=scale, ratio=ratio, interpolation="bilinear", read_size=shorter)
    for shape in ((shorter, shorter), (shorter, 2 * shorter), (3 * shorter, shorter)):
        parts = step.parts(*shape, keyed.sample_keys(1, 0, np.arange(5000)))
        assert parts[:, 2].min() >= height - 1  # a side is rounded by half a pixel
        assert parts[:, 3].min() >= width - 1


def test_the_read_size_by_hand() -> None:
    # the smallest part of a square: 0.25 of its area, as wide as 1/2 of its side if it is square, 1/2 * sqrt(1/4) at ratio 1/4
    assert read_size((10, 10), scale=(0.25, 1.0), ratio=(1.0, 1.0)) == 20
    assert read_size((10, 10), scale=(0.25, 1.0), ratio=(0.25, 4.0)) == 40
    assert read_size((10, 30), scale=(0.25, 1.0), ratio=(1.0, 1.0)) == 60


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (7, 9)])
def test_a_resized_crop_first_brings_the_shorter_side_down(shape: tuple[int, int]) -> None:
    keywords: dict[str, Any] = {"scale": (0.5, 1.0), "ratio": (0.5, 2.0), "interpolation": "bilinear"}
    images = batch(3, height=shape[0], width=shape[1])
    small = v2.functional.resize(images, [10]) if min(shape) > 10 else images
    wanted = RandomResizedCrop((4, 4), read_size=1000, **keywords)(small, KEYS[:3])
    assert torch.equal(RandomResizedCrop((4, 4), read_size=10, **keywords)(images, KEYS[:3]), wanted)


def test_images_of_different_sizes_are_cut_as_each_alone() -> None:
    step = RandomResizedCrop((4, 4), scale=(0.2, 1.0), ratio=(0.5, 2.0), interpolation="bilinear", read_size=12)
    images = [batch(1, height=height, width=width)[0] for height, width in ((8, 9), (30, 20), (5, 40))]
    alone = [step(image[None], KEYS[place : place + 1])[0] for place, image in enumerate(images)]
    assert all(torch.equal(a, b) for a, b in zip(step.each(images, KEYS[:3]), alone, strict=True))


def test_a_resized_crop_that_fits_nowhere_takes_the_middle() -> None:
    step = RandomResizedCrop((5, 5), scale=(1.0, 1.0), ratio=(1.0, 1.0), interpolation="bilinear", read_size=40)
    assert step.parts(10, 40, KEYS[:2]).tolist() == [[0, 15, 10, 10]] * 2
    assert step.parts(40, 10, KEYS[:2]).tolist() == [[15, 0, 10, 10]] * 2


def test_to_tensor_divides_by_255_exactly() -> None:
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert ToTensor()(levels, KEYS[:1]).flatten().tolist() == [np.float32(np.float32(v) / np.float32(255)) for v in range(256)]


def test_normalize_equals_torchvision() -> None:
    images = ToTensor()(batch(5), KEYS[:5])
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    assert torch.equal(Normalize(mean, std)(images, KEYS[:5]), v2.Normalize(mean, std)(images))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("size", [(5, 9), (40, 31), (17, 23)])
def test_resize_equals_torchvision(interpolation: str, size: tuple[int, int]) -> None:
    images = batch(2, height=17, width=23)
    wanted = v2.Resize(size, interpolation=v2.InterpolationMode(interpolation))(images)
    assert torch.equal(Resize(size, shorter=False, interpolation=interpolation)(images, KEYS[:2]), wanted)


@pytest.mark.parametrize(("shape", "wanted"), [((1, 8000), (6, 120)), ((8000, 1), (120, 6)), ((2, 40), (6, 120)), ((2, 39), (6, 117))])
def test_a_strip_is_squashed_to_20_times_its_shorter_side(shape: tuple[int, int], wanted: tuple[int, int]) -> None:
    found = Resize((6, 6), shorter=True, interpolation="bilinear")(torch.zeros(1, 3, *shape, dtype=torch.uint8), KEYS[:1])
    assert tuple(found.shape[2:]) == wanted


@pytest.mark.parametrize("shape", [(17, 23), (23, 17), (9, 9)])
def test_resize_of_the_shorter_side_and_center_crop_equal_torchvision(shape: tuple[int, int]) -> None:
    images = batch(1, height=shape[0], width=shape[1])
    wanted = v2.Compose([v2.Resize(11), v2.CenterCrop(8)])(images)
    found = CenterCrop((8, 8))(Resize((11, 11), shorter=True, interpolation="bilinear")(images, KEYS[:1]), KEYS[:1])
    assert torch.equal(found, wanted)
