"""RandAugment, TrivialAugment and AugMix: torchvision's changes and strengths, drawn by key, the same in any batch."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from cnntrain.data import keyed, policies
from cnntrain.data.batched import Step
from cnntrain.data.changes import NEAREST, SMOOTH
from cnntrain.data.policies import MIXED, MIXED_ALL, RAND, WIDE, AugMix, RandAugment, Space, TrivialAugment

NAMES = {  # ours -> torchvision's
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "color": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "auto_contrast": "AutoContrast",
    "equalize": "Equalize",
}
MAGNITUDES = {
    **dict.fromkeys(("brightness", "color", "contrast", "sharpness"), (-0.9, -0.33, 0.0, 0.27, 0.9)),
    **dict.fromkeys(("shear_x", "shear_y"), (-0.99, -0.07, 0.0, 0.213, 0.3)),
    **dict.fromkeys(("translate_x", "translate_y"), (-9.7, -1.0, 0.0, 4.9, 11.0)),
    "rotate": (-135.0, -13.7, 0.0, 27.1, 30.0),
    "posterize": (0.0, 1.0, 4.0, 7.0, 8.0),
    "solarize": (0.0, 0.31, 0.5, 0.73, 1.0),
}
RATHER = ("color", "contrast")  # sums of three products, which torchvision's kernels may round otherwise, and then cut off


def photo(count: int, channels: int = 3, height: int = 20, width: int = 26) -> Tensor:
    """Noise on slopes, with a flat image among them."""
    generator = np.random.default_rng(5)
    slope = np.add.outer(np.linspace(0, 120, height), np.linspace(0, 90, width))
    pixels = slope + generator.integers(0, 45, (count, channels, height, width))
    pixels[-1] = 77
    return torch.from_numpy(pixels.astype(np.uint8))


def by_torchvision(name: str, image: Tensor, amount: float, interpolation: InterpolationMode) -> Tensor:
    changed: Tensor = v2.RandAugment()._apply_image_or_video_transform(image, NAMES[name], amount, interpolation, {})
    return changed


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_a_change_of_a_batch_is_torchvisions_of_each_image(name: str, channels: int) -> None:
    images = photo(5, channels)
    amounts = np.array(MAGNITUDES.get(name, (0.0,) * 5))
    for table, interpolation in ((NEAREST, InterpolationMode.NEAREST), (SMOOTH, InterpolationMode.BILINEAR)):
        changed = table[name](images, amounts)
        wanted = torch.stack([by_torchvision(name, i, a, interpolation) for i, a in zip(images, amounts.tolist(), strict=True)])
        apart = (changed.int() - wanted.int()).abs()
        if name in RATHER or (table is SMOOTH and name in MAGNITUDES):
            assert apart.max() <= 1
            assert (apart > 0).float().mean() < 0.01
        else:
            assert torch.equal(changed, wanted)


def test_equalizing_by_hand() -> None:
    image = torch.tensor([[10, 10, 20, 30]], dtype=torch.uint8).repeat(1, 1, 255, 1)  # 510 of level 10, 255 each of 20 and 30
    # step = (1020 - 255) // 255 = 3: nothing is below 10; (510 + 1) // 3 = 170 of 20; (765 + 1) // 3 = 255 of 30
    assert NEAREST["equalize"](image, np.zeros(1))[0, 0, 0].tolist() == [0, 0, 170, 255]


@pytest.mark.parametrize(
    ("ours", "space", "count"),
    [
        (RAND, v2.RandAugment._AUGMENTATION_SPACE, 31),
        (WIDE, v2.TrivialAugmentWide._AUGMENTATION_SPACE, 31),
        (MIXED, v2.AugMix._PARTIAL_AUGMENTATION_SPACE, 10),
        (MIXED_ALL, v2.AugMix._AUGMENTATION_SPACE, 10),
    ],
    ids=["rand", "trivial", "augmix", "augmix all"],
)
def test_what_may_be_chosen_and_how_strong_is_as_in_torchvision(ours: Any, space: Any, count: int) -> None:
    assert {NAMES[name] for name in ours} == set(space)
    for name, amounts in ours.items():
        strengths, signed = space[NAMES[name]]
        wanted = strengths(count, 20, 26)
        if wanted is not None:
            assert torch.equal(amounts(count, 20, 26), wanted.to(torch.float32))
        assert signed == (name not in (*policies.UNSIGNED, *policies.NO_STRENGTH))


STEPS: dict[str, Step] = {
    "rand": RandAugment(num_ops=2, magnitude=9),
    "trivial": TrivialAugment(),
    "augmix": AugMix(severity=3, mixture_width=3, chain_depth=None, alpha=1.0, all_ops=True),
    "augmix plain": AugMix(severity=10, mixture_width=2, chain_depth=2, alpha=0.3, all_ops=False),
}


@pytest.mark.parametrize("name", STEPS)
def test_an_image_is_changed_alike_in_any_batch_and_any_layout(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    step, images, keys = STEPS[name], photo(60), keyed.sample_keys(0, 3, np.arange(60))
    before = images.clone()
    whole = step(images, keys)
    assert torch.equal(images, before)
    assert not torch.equal(whole, images)
    assert torch.equal(torch.cat([step(images[i : i + 1], keys[i : i + 1]) for i in range(60)]), whole)
    assert torch.equal(torch.stack(step.each(list(images), keys)), whole)
    assert torch.equal(step(images.to(memory_format=torch.channels_last), keys), whole)
    assert torch.equal(step(images / 255, keys), whole.to(torch.float32).div(255))
    monkeypatch.setattr(policies, "BYTES_AT_ONCE", 5000)
    assert torch.equal(step(images, keys), whole)


def test_rand_augment_is_torchvisions_changes_in_the_drawn_order() -> None:
    images, keys = photo(60), keyed.sample_keys(0, 4, np.arange(60))
    changed = RandAugment(num_ops=3, magnitude=11)(images, keys)  # 0.12 slants rows by whole pixels and a half, a tie between two
    unit = keyed.draws(keys, 6)
    signed = num_exact = 0
    for image, got, numbers in zip(images, changed, unit.tolist(), strict=True):
        for choice, direction in zip(numbers[::2], numbers[1::2], strict=True):
            name = list(RAND)[int(choice * len(RAND))]
            amount = float(RAND[name](31, 20, 26)[11])
            if v2.RandAugment._AUGMENTATION_SPACE[NAMES[name]][1] and direction <= 0.5:
                amount, signed = -amount, signed + 1
            image = by_torchvision(name, image, amount, InterpolationMode.NEAREST)
        exact = not any(list(RAND)[int(choice * len(RAND))] in RATHER for choice in numbers[::2])
        num_exact += exact
        # a level apart before equalize or posterize is more behind it
        assert torch.equal(got, image) if exact else (got.int() - image.int()).abs().float().mean() < 2
    assert num_exact > 20
    assert signed > 20


def test_every_change_is_chosen_equally_often_and_each_strength() -> None:
    seen: dict[str, list[float]] = {name: [] for name in RAND}

    def watching(name: str) -> Any:
        def change(images: Tensor, amounts: np.ndarray) -> Tensor:
            seen[name] += amounts.tolist()
            return images

        return change

    step = TrivialAugment()
    step.space = Space(WIDE, {name: watching(name) for name in WIDE}, 31)
    step(photo(14 * 300, 1, 2, 2), keyed.sample_keys(0, 0, np.arange(14 * 300)))
    assert all(230 < len(amounts) < 370 for name, amounts in seen.items() if name != "identity")  # 300 of each, 17 the deviation
    assert len(set(np.abs(seen["rotate"]))) == 31
    assert abs(np.mean(np.array(seen["brightness"]) > 0) - 0.5) < 0.12
    assert set(seen["posterize"]) == {2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0}


def test_augmix_blends_the_image_with_its_chains_by_shares_of_sum_1() -> None:
    step, images, keys = (
        AugMix(severity=3, mixture_width=2, chain_depth=1, alpha=1.0, all_ops=True),
        photo(50),
        keyed.sample_keys(0, 5, np.arange(50)),
    )
    shares = step.shares(keys)
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert abs(shares[:, 0].mean() - 0.5) < 0.12  # Beta(1, 1)
    unit = keyed.draws(keys, 8).reshape(50, 2, 4)
    chains = [step.space.apply(images, unit[:, chain, 1:3], keyed.whole(unit[:, chain, 3], 3)) for chain in range(2)]
    parts = torch.stack([images, *chains]).to(torch.float64)
    wanted = (parts * torch.from_numpy(shares.T.astype(np.float64))[:, :, None, None, None]).sum(0)
    assert (step(images, keys) - wanted).abs().max() < 0.501


def test_chains_of_drawn_depth_have_one_to_three_changes() -> None:
    count = 3000
    depths = 1 + keyed.whole(keyed.draws(keyed.sample_keys(0, 0, np.arange(count)), 1)[:, 0], policies.MOST_DEEP)
    assert np.bincount(depths, minlength=4)[1:].min() > 900
    step = AugMix(severity=1, mixture_width=1, chain_depth=None, alpha=1.0, all_ops=True)
    calls: list[int] = []
    step.space = Space({"identity": RAND["brightness"]}, {"identity": NEAREST["identity"]}, 10)
    real = Space.apply

    class Counting(Space):
        def apply(self, images: Tensor, unit: np.ndarray, strengths: np.ndarray) -> Tensor:
            calls.append(len(images))
            return real(self, images, unit, strengths)

    step.space = Counting(step.space.amounts, step.space.changes, 10)
    step(photo(count, 1, 2, 2), keyed.sample_keys(0, 0, np.arange(count)))
    assert calls == [count, int((depths > 1).sum()), int((depths > 2).sum())]
