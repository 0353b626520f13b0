"""Mixup and cutmix: against torchvision with the same draws, by counting pixels, and as a function of (seed, step) alone."""

import inspect
from math import sqrt
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from cnntrain.config.components.mixes import MIXES, mix_faults, task_faults
from cnntrain.config.components.registry import register
from cnntrain.data.mixing import BUILDERS, Mixing, blend, build_mixing, kept_share, paste, rectangle

NEXT = torch.tensor([5, 0, 1, 2, 3, 4])  # torchvision's partners: the batch rolled by one


def batch(count: int = 6, size: tuple[int, int] = (8, 10)) -> tuple[Tensor, Tensor]:
    """Images that no two are alike, each a class of its own, so that the targets tell who was mixed with whom."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, *size, generator=generator), torch.arange(count)


def mixing(*mixes: dict[str, Any], count: int = 6, seed: int = 0) -> Mixing:
    return build_mixing(mixes, num_classes=count, seed=seed)


def test_the_table_equals_the_builders_signatures() -> None:
    assert set(MIXES) == set(BUILDERS)
    for name, component in MIXES.items():
        parameters = inspect.signature(BUILDERS[name]).parameters.values()
        assert {p.name: p.default for p in parameters} == {n: p.default for n, p in component.parameters.items()}


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_blend_is_torchvisions_mixup(share: float) -> None:
    images, labels = batch()
    reference = v2.MixUp(num_classes=6)
    drawn = {"lam": share, "labels": labels, "batch_size": 6}
    torch.testing.assert_close(blend(images, NEXT, share), reference.transform(images, drawn))
    one_hot = torch.eye(6)
    torch.testing.assert_close(blend(one_hot, NEXT, share), reference.transform(labels, drawn))


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("middle", [(0, 0), (4, 5), (7, 9), (2, 8)])
def test_a_rectangle_is_torchvisions_cutmix(share: float, middle: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = batch()
    reference = v2.CutMix(num_classes=6)
    monkeypatch.setattr(reference._dist, "sample", lambda _: torch.tensor(share))
    at = iter([torch.tensor([middle[1]]), torch.tensor([middle[0]])])  # it draws the column first
    with monkeypatch.context() as patch:
        patch.setattr(torch, "randint", lambda *_, **__: next(at))
        drawn = reference.make_params([images])
    box = rectangle(share, (8, 10), middle)
    assert (box[1], box[0], box[3], box[2]) == drawn["box"]
    assert kept_share(box, (8, 10)) == pytest.approx(drawn["lam_adjusted"])
    assert torch.equal(paste(images, NEXT, box), reference.transform(images, drawn | {"labels": labels, "batch_size": 6}))


def test_a_rectangle_by_hand() -> None:
    # share 0.75: a quarter of 8 x 12 pixels, sides halved: 4 x 6, so 2 and 3 to each side of (1, 11), cut off at the border
    assert rectangle(0.75, (8, 12), (1, 11)) == (0, 8, 3, 12)
    assert kept_share((0, 8, 3, 12), (8, 12)) == 1 - 12 / 96


@pytest.mark.parametrize("step", range(6))
def test_mixup_weighs_pixels_and_targets_alike(step: int) -> None:
    images, labels = batch()
    mixed, targets = mixing({"type": "mixup", "alpha": 1.0})(images, labels, step)
    assert (mixed.dtype, targets.dtype, targets.shape) == (torch.float32, torch.float32, (6, 6))
    torch.testing.assert_close(targets.sum(1), torch.ones(6))
    torch.testing.assert_close(mixed, torch.einsum("nk,kchw->nchw", targets, images))  # image k is class k


@pytest.mark.parametrize("step", range(12))
def test_cutmix_gives_a_target_the_share_of_its_pixels(step: int) -> None:
    images, labels = batch()
    mixed, targets = mixing({"type": "cutmix"})(images, labels, step)
    for number in range(6):
        share_of = torch.stack([(mixed[number] == images[k]).all(0).float().mean() for k in range(6)])
        torch.testing.assert_close(targets[number], share_of)
        assert sum(v > 0 for v in share_of.tolist()) <= 2


def test_what_is_mixed_depends_on_seed_and_step_alone() -> None:
    images, labels = batch()
    spec: Any = [{"type": "mixup"}, {"type": "cutmix"}]
    again = [mixing(*spec)(images, labels, step) for step in (3, 0, 3)]
    torch.manual_seed(99)
    np.random.seed(99)
    assert all(torch.equal(a, b) for a, b in zip(again[0], again[2], strict=True))
    assert torch.equal(mixing(*spec)(images, labels, 3)[0], again[0][0])
    assert not torch.equal(again[0][1], again[1][1])
    assert not torch.equal(mixing(*spec, seed=1)(images, labels, 3)[1], again[0][1])


def test_the_input_is_left_alone() -> None:
    images, labels = batch()
    before = images.clone()
    for step in range(8):
        mixing({"type": "mixup"}, {"type": "cutmix"})(images, labels, step)
    assert torch.equal(images, before)
    assert torch.equal(labels, torch.arange(6))


def test_channels_last_images_stay_so() -> None:
    images, labels = batch()
    images = images.to(memory_format=torch.channels_last)
    for kind in MIXES:
        mixed, _ = mixing({"type": kind})(images, labels, 0)
        assert mixed.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(mixed, mixing({"type": kind})(images.contiguous(), labels, 0)[0])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_come_from_the_beta_distribution(alpha: float) -> None:
    change = mixing({"type": "mixup", "alpha": alpha}, count=2)
    images = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1)
    swapped = []  # steps in which the two images met each other, and not themselves
    for step in range(1500):
        mixed, targets = change(images, torch.arange(2), step)
        if not torch.equal(targets, torch.eye(2)):
            swapped.append(float(1 - mixed[0, 0, 0, 0]))
    shares = np.array(swapped)
    assert abs(len(shares) - 750) < 4 * sqrt(375)
    variance = 1 / (4 * (2 * alpha + 1))
    assert abs(shares.mean() - 0.5) < 4 * sqrt(variance / len(shares))
    assert abs(shares.var() - variance) < 0.2 * variance


def test_p_is_the_share_of_batches_and_mixes_take_turns() -> None:
    images, labels = batch()
    change = mixing({"type": "mixup", "p": 0.5}, {"type": "cutmix"})
    kinds = {"none": 0, "mixup": 0, "cutmix": 0}
    for step in range(400):
        mixed, targets = change(images, labels, step)
        if torch.equal(targets, torch.eye(6)):
            kinds["none"] += 1
        else:
            pasted = torch.isin(mixed, images).all()
            kinds["cutmix" if pasted else "mixup"] += 1
    # mixup is drawn half the time and mixes half of those; a cutmix rectangle may be empty now and then
    assert abs(kinds["mixup"] - 100) < 4 * sqrt(400 * 0.25 * 0.75)
    assert kinds["cutmix"] > 140


def test_targets_of_several_classes_are_mixed_as_they_are() -> None:
    images, _ = batch()
    several = torch.tensor([[1.0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]])
    change = mixing({"type": "mixup", "alpha": 1.0})
    mixed, targets = change(images, several, 1)
    by_class = change(images, torch.arange(6), 1)
    assert torch.equal(mixed, by_class[0])
    torch.testing.assert_close(targets, by_class[1] @ several)


def test_a_users_own_mix_gets_a_keyed_generator() -> None:
    @register("mix", "darker_for_test")
    def darker(*, strength: float) -> Any:
        """Darken a batch."""
        return lambda images, targets, generator: (images * (1 - strength * float(generator.random())), targets)

    images, labels = batch()
    spec = {"type": "darker_for_test", "strength": 0.5}
    assert mix_faults("transforms.mix", [spec]) == []
    assert mix_faults("transforms.mix", [{"type": "darker_for_test"}])[0].startswith("transforms.mix[0].strength is missing")
    one, targets = mixing(spec)(images, labels, 2)
    assert torch.equal(one, mixing(spec)(images, labels, 2)[0])
    assert float(one.max()) < float(images.max())
    assert torch.equal(targets, torch.eye(6))


@pytest.mark.parametrize(
    ("mixes", "sentence"),
    [
        ("mixup", "transforms.mix=mixup must be a list such as [{type: mixup}]; [] mixes nothing"),
        ({"type": "mixup"}, "transforms.mix={type:mixup} must be a list such as [{type: mixup}]"),
        (["mixup"], "transforms.mix[0]=mixup must be a mapping with a type, such as {type: mixup}"),
        ([{"type": "mixupp"}], "transforms.mix[0].type=mixupp: no such mix; did you mean mixup?"),
        ([{"type": "mixup", "alfa": 1}], "transforms.mix[0].alfa: mixup takes no alfa; did you mean alpha?"),
        ([{"type": "cutmix", "alpha": 0}], "transforms.mix[0].alpha=0 must be a number > 0"),
        ([{"type": "cutmix", "p": 0}], "transforms.mix[0].p=0 must be a number > 0 and <= 1"),
    ],
)
def test_a_mistake_is_told_with_its_place(mixes: Any, sentence: str) -> None:
    (fault,) = mix_faults("transforms.mix", mixes)
    assert sentence in fault


def test_numbers_are_mixed_by_mixup_alone() -> None:
    mixes = [{"type": "mixup"}, {"type": "cutmix"}]
    sentence = "transforms.mix[1].type=cutmix needs classes, but the targets are numbers; take mixup"
    assert task_faults("transforms.mix", mixes, "regression") == [sentence]
    assert task_faults("transforms.mix", mixes, "multilabel") == task_faults("transforms.mix", mixes, "classification") == []
