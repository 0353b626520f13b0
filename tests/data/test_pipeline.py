"""Pipelines: resolved to numbers, built from them again, keyed image by image."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from cnntrain.config.components.registry import register
from cnntrain.data import keyed
from cnntrain.data.pipeline import Pipeline, Statistics, build_pipeline
from cnntrain.errors import ConfigError

RESIZE, TO_TENSOR = {"type": "resize"}, {"type": "to_tensor"}
KEYS = keyed.sample_keys(0, 1, np.arange(40))
EACH_IMAGE = ["rotation", "affine", "color_jitter", "grayscale", "gaussian_blur", "rand_augment", "trivial_augment", "augmix"]
STRONG: dict[str, dict[str, Any]] = {
    "affine": {"degrees": 20.0, "translate": [0.2, 0.1], "scale": [0.8, 1.2], "shear": 5.0},
    "color_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "grayscale": {"p": 0.5},
}


def build(*steps: dict[str, Any], size: tuple[int, int] = (8, 8), channels: int = 3, statistics: Statistics | None = None) -> Pipeline:
    return build_pipeline(steps, image_size=size, channels=channels, statistics=statistics)


def batch(count: int, channels: int = 3, side: int = 8) -> Tensor:
    return torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def last_normalize(channels: int, statistics: Statistics | None = None, **keywords: Any) -> dict[str, Any]:
    pipeline = build(RESIZE, TO_TENSOR, {"type": "normalize", **keywords}, channels=channels, statistics=statistics)
    return pipeline.steps[-1]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", EACH_IMAGE)
def test_a_step_draws_by_image_not_by_batch(name: str, channels: int) -> None:
    pipeline = build(RESIZE, {"type": name, **STRONG.get(name, {})}, TO_TENSOR, channels=channels)
    images = batch(40, channels)
    whole = pipeline.finish(images, KEYS)
    backwards = torch.cat([pipeline.finish(images[i : i + 1], KEYS[i : i + 1]) for i in reversed(range(40))]).flip(0)
    assert torch.equal(whole, backwards)
    assert not torch.equal(whole, pipeline.finish(images, KEYS + np.uint64(1))) or (name, channels) == ("grayscale", 1)


@register("transform", "own_noise")
class OwnNoise:
    """A transform as a user would write it, which draws from torch's global generator."""

    def __call__(self, image: Tensor) -> Tensor:
        return torch.rand(image.shape).mul(255).to(image.dtype)


def test_torchs_own_generator_is_left_as_it_was() -> None:
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    images = batch(4)
    noisy = build(RESIZE, {"type": "own_noise"}, TO_TENSOR).finish(images, KEYS[:4])
    assert not torch.equal(noisy, images / 255)
    assert torch.equal(torch.rand(3), wanted)


def test_two_equal_steps_draw_different_numbers() -> None:
    flip = {"type": "horizontal_flip"}
    images = batch(40)
    twice = build(RESIZE, flip, flip, TO_TENSOR).finish(images, KEYS)
    assert not torch.equal(twice, v2.functional.to_dtype(images, torch.float32, scale=True))


def test_the_size_is_image_size_and_the_factor_multiplies_it() -> None:
    pipeline = build({"type": "resize", "factor": 1.25}, {"type": "center_crop"}, TO_TENSOR, size=(8, 16))
    assert pipeline.start(batch(1, side=30)[0]).shape == (3, 8, 16)
    assert build({"type": "resize", "factor": 1.25}, {"type": "random_crop"}, TO_TENSOR, size=(8, 16)).fixed_size == (10, 20)


@pytest.mark.parametrize(
    ("steps", "fixed"),
    [
        ([RESIZE], (8, 8)),
        ([{"type": "resize", "mode": "shorter", "factor": 1.5}, {"type": "center_crop"}], (8, 8)),
        ([{"type": "resize", "mode": "shorter", "factor": 1.5}, {"type": "random_crop"}], None),
        ([{"type": "random_resized_crop"}], None),
        ([{"type": "horizontal_flip"}, RESIZE], None),
    ],
)
def test_what_is_the_same_in_every_epoch_has_a_fixed_size(steps: list[dict[str, Any]], fixed: tuple[int, int] | None) -> None:
    assert build(*steps, TO_TENSOR).fixed_size == fixed


def test_a_resized_crop_brings_its_read_size_into_the_head_and_the_description() -> None:
    pipeline = build({"type": "random_resized_crop"}, TO_TENSOR, size=(64, 64))
    # the smallest part has 0.08 of the area and a side of 3/4 of the other: 64 * sqrt(4/3) / sqrt(0.08) = 261.3
    assert pipeline.describe()["steps"][0]["read_size"] == 262
    assert pipeline.start(batch(1, side=400)[0]).shape == (3, 262, 262)
    assert pipeline.start(batch(1, side=200)[0]).shape == (3, 200, 200)
    assert build({"type": "random_resized_crop", "read_size": 99}, TO_TENSOR).start(batch(1, side=200)[0]).shape == (3, 99, 99)


@pytest.mark.parametrize(("size", "after"), [(20, (20, 20)), (300, (262, 262))])
def test_a_head_of_one_size_is_brought_down_only_where_it_is_larger(size: int, after: tuple[int, int]) -> None:
    pipeline = build({"type": "resize", "size": size}, {"type": "random_resized_crop"}, TO_TENSOR, size=(64, 64))
    assert pipeline.fixed_size == after
    assert len(pipeline.head) == (1 if after[0] == size else 2)


@pytest.mark.parametrize(
    ("steps", "at_least"),
    [
        ([{"type": "resize", "size": [20, 30]}, {"type": "center_crop"}], (20, 30)),
        ([{"type": "resize", "mode": "shorter", "factor": 2.0}, {"type": "center_crop"}], (16, 16)),
        ([{"type": "random_resized_crop", "read_size": 25}], (25, 25)),
        ([{"type": "horizontal_flip"}, RESIZE], None),
    ],
)
def test_as_much_is_decoded_as_the_first_step_needs(steps: list[dict[str, Any]], at_least: tuple[int, int] | None) -> None:
    assert build(*steps, TO_TENSOR).at_least == at_least


def test_images_of_different_sizes_go_through_the_tail() -> None:
    pipeline = build({"type": "horizontal_flip", "p": 1.0}, RESIZE, TO_TENSOR)
    images = [batch(1, side=side)[0] for side in (8, 11, 20)]
    wanted = [v2.functional.resize(image.flip(-1), [8, 8]).float().div(255) for image in images]
    assert torch.equal(pipeline.finish(images, KEYS[:3]), torch.stack(wanted))


def test_normalize_resolves_imagenets_numbers() -> None:
    step = last_normalize(3)
    assert (step["mean"], step["std"]) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    step = last_normalize(1)
    assert (step["mean"], step["std"]) == ([0.449], [0.226])  # means of the three


def test_normalize_takes_one_number_for_all_channels_or_one_each() -> None:
    step = last_normalize(3, mean=[0.5], std=[1.0, 2.0, 3.0])
    assert (step["mean"], step["std"]) == ([0.5, 0.5, 0.5], [1.0, 2.0, 3.0])
    with pytest.raises(ConfigError, match=r"transforms\[2\].mean has 2 numbers for 3 channels; give 1 or 3"):
        last_normalize(3, mean=[0.5, 0.5], std=[1.0])


def test_the_datas_own_numbers_can_come_later() -> None:
    measured = Statistics(mean=(0.25,), std=(0.5,))
    waiting = build(RESIZE, TO_TENSOR, {"type": "normalize", "mean": "data"}, channels=1)
    assert waiting.needs_statistics
    ready = waiting.with_statistics(measured)
    assert not ready.needs_statistics
    assert ready.steps[-1] == last_normalize(1, measured, mean="data")
    assert ready.finish(torch.full((1, 1, 8, 8), 255, dtype=torch.uint8), KEYS[:1]).unique().item() == 1.5  # (1 - 0.25) / 0.5


def test_a_description_is_plain_data_and_builds_the_same_pipeline() -> None:
    steps: list[dict[str, Any]] = [{"type": "resize", "factor": 1.25}, {"type": "random_crop"}, {"type": "rotation"}, TO_TENSOR]
    steps.append({"type": "normalize", "mean": "data"})
    pipeline = build(*steps, size=(8, 16), statistics=Statistics((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)))
    again = Pipeline.from_description(json.loads(json.dumps(pipeline.describe())))
    assert again.describe() == pipeline.describe()
    images = torch.stack([pipeline.start(image) for image in batch(5, side=30)])
    assert torch.equal(images, torch.stack([again.start(image) for image in batch(5, side=30)]))
    assert torch.equal(again.finish(images, KEYS[:5]), pipeline.finish(images, KEYS[:5]))


def test_a_users_transform_works_on_one_image_and_is_keyed() -> None:
    @register("transform", "salt_for_pipeline")
    def salt(*, share: float = 0.5) -> Any:
        return lambda image: torch.where(torch.rand(image.shape) < share, 255, image).to(torch.uint8)

    pipeline = build(RESIZE, {"type": "salt_for_pipeline", "share": 0.3}, TO_TENSOR)
    images = batch(3)
    assert torch.equal(pipeline.finish(images, KEYS[:3])[2:], pipeline.finish(images[2:], KEYS[2:3]))


def test_a_users_transform_that_breaks_the_shape_is_told() -> None:
    @register("transform", "cut_for_pipeline")
    def cut() -> Any:
        return lambda image: image[:, 1:]

    with pytest.raises(ConfigError, match=r"transforms: images end as torch.float32 of shape \(3, 7, 8\), not as float32 of \(3, 8, 8\)"):
        build(RESIZE, {"type": "cut_for_pipeline"}, TO_TENSOR).finish(batch(2), KEYS[:2])


def test_building_tells_the_rules_too() -> None:
    with pytest.raises(ConfigError, match=r"transforms\[0\].type=resise: no such transform; did you mean resize\?"):
        build({"type": "resise"})
    with pytest.raises(ConfigError, match=r"transforms.eval\[1\].type=rotation: evaluation takes no random step"):
        build_pipeline([RESIZE, {"type": "rotation"}, TO_TENSOR], image_size=(8, 8), channels=3, statistics=None, place="transforms.eval")
