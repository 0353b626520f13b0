"""The table of transforms, and the mistakes that it answers without torch."""

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from cnntrain.config.components.data import DETERMINISTIC, TRANSFORMS, transform_faults
from cnntrain.config.components.registry import register
from cnntrain.data.transforms import BUILDERS

CONF = Path(__file__).parents[2] / "conf" / "transforms"
RESIZE, TO_TENSOR, NORMALIZE = {"type": "resize"}, {"type": "to_tensor"}, {"type": "normalize"}


def faults(*steps: Any, place: str = "transforms.train", image_size: Any = 32) -> list[str]:
    return transform_faults(place, list(steps), image_size=image_size)


def test_the_table_equals_the_builders_signatures() -> None:
    assert set(TRANSFORMS) == set(BUILDERS)
    for name, component in TRANSFORMS.items():
        parameters = inspect.signature(BUILDERS[name]).parameters.values()
        assert {p.name: p.default for p in parameters} == {n: p.default for n, p in component.parameters.items()}
        assert all(p.kind is p.KEYWORD_ONLY for p in parameters)


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [8, 64, [48, 80]])
def test_every_shipped_list_is_faultless(path: Path, size: Any) -> None:
    config = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(config, dict)
    assert set(config) == {"train", "eval"}
    for split, steps in config.items():
        assert transform_faults("transforms." + str(split), steps, image_size=size) == []


def test_only_those_that_say_so_mirror() -> None:
    mirrored = [path.stem for path in sorted(CONF.glob("*.yaml")) if "flip}" in path.read_text()]
    assert mirrored == ["imagenet", "photos_flip", "small_flip"]


def test_the_check_imports_no_torch() -> None:
    code = "import sys, cnntrain.config.components.data, cnntrain.data.folder, cnntrain.data.digits; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


MISTAKES: dict[str, tuple[list[Any], str]] = {
    "not a mapping": (["resize"], "transforms.train[0]=resize must be a mapping with a type, such as {type: resize}"),
    "no type": ([{"size": 3}], "transforms.train[0]={size:3} must be a mapping with a type"),
    "unknown": ([{"type": "resise"}], "transforms.train[0].type=resise: no such transform; did you mean resize?"),
    "unknown key": ([{"type": "resize", "sise": 3}], "transforms.train[0].sise: resize takes no sise; did you mean size?"),
    "wrong value": ([{"type": "resize", "size": 0}], "transforms.train[0].size=0 must be a whole number or [height, width] >= 1"),
    "wrong word": ([{"type": "resize", "mode": "squish"}], "transforms.train[0].mode=squish is not one of squash, shorter"),
    "wrong pair": (
        [{"type": "random_resized_crop", "scale": [1.0, 0.5]}],
        "transforms.train[0].scale=[1.0,0.5] must be two numbers, [smallest, largest]",
    ),
    "one shift": ([{"type": "affine", "translate": [0.1]}], "transforms.train[0].translate=[0.1] must be two numbers"),
    "even kernel": ([{"type": "gaussian_blur", "kernel_size": 4}], "transforms.train[0].kernel_size=4 must be odd"),
    "mean alone": ([{"type": "normalize", "mean": [0.5]}], "transforms.train[0].std is missing: mean is given in numbers"),
    "no to_tensor": ([RESIZE, NORMALIZE], "transforms.train has no to_tensor; add {type: to_tensor} before normalize"),
    "two to_tensor": ([RESIZE, TO_TENSOR, TO_TENSOR], "transforms.train[2].type=to_tensor: transforms.train[1] is one already"),
    "normalize first": (
        [RESIZE, NORMALIZE, TO_TENSOR],
        "transforms.train[1].type=normalize must come after to_tensor, which is transforms.train[2]",
    ),
    "erasing first": ([RESIZE, {"type": "random_erasing"}, TO_TENSOR], "transforms.train[1].type=random_erasing must come after to_tensor"),
    "colour last": (
        [RESIZE, TO_TENSOR, NORMALIZE, {"type": "grayscale"}],
        "transforms.train[3].type=grayscale must come before normalize, which is transforms.train[2]",
    ),
    "no size": ([TO_TENSOR], "transforms.train: no step brings all images to one size; add {type: resize}"),
    "shorter only": ([{"type": "resize", "mode": "shorter"}, TO_TENSOR], "transforms.train: no step brings all images to one size"),
    "other size": (
        [{"type": "resize", "size": 40}, TO_TENSOR],
        "transforms.train: images end as 40x40 pixels, but data.image_size is 32x32",
    ),
    "factor last": ([{"type": "resize", "factor": 1.25}, TO_TENSOR], "images end as 40x40 pixels, but data.image_size is 32x32"),
    "crop of anything": (
        [{"type": "random_crop"}, TO_TENSOR],
        "transforms.train[0].type=random_crop needs a resize before it, so that no image is smaller; add {type: resize}",
    ),
    "cutout of all": ([RESIZE, TO_TENSOR, {"type": "cutout", "side": 33}], "transforms.train[2].side=33 blanks out most of 32x32 pixels"),
    "blur of nothing": (
        [{"type": "resize", "size": 4}, {"type": "gaussian_blur", "kernel_size": 9}, RESIZE, TO_TENSOR],
        "transforms.train[1].kernel_size=9 is too large for 4x4 pixels",
    ),
    "cutout first": ([RESIZE, {"type": "cutout"}, TO_TENSOR], "transforms.train[1].type=cutout must come after to_tensor"),
    "jitter of nothing": (
        [RESIZE, {"type": "color_jitter", "hue": 0}, TO_TENSOR],
        "transforms.train[1].type=color_jitter changes nothing; give it brightness, contrast, saturation or hue",
    ),
    "affine of nothing": (
        [RESIZE, {"type": "affine", "scale": [1.0, 1.0]}, TO_TENSOR],
        "transforms.train[1].type=affine changes nothing; give it degrees, translate, scale or shear",
    ),
    "two flips": (
        [RESIZE, {"type": "horizontal_flip"}, {"type": "alternating_flip"}, TO_TENSOR],
        "transforms.train[2].type=alternating_flip: transforms.train[1] mirrors left and right already; take one of them out",
    ),
    "crop too large": (
        [{"type": "resize", "size": 20}, {"type": "random_crop", "padding": 5}, TO_TENSOR],
        "transforms.train[1].size: 32x32 does not fit into 20x20 pixels with padding 5",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_place(name: str) -> None:
    steps, sentence = MISTAKES[name]
    found = faults(*steps)
    assert len(found) == 1
    assert sentence in found[0]


def test_all_mistakes_of_all_steps_come_at_once() -> None:
    assert len(faults({"type": "resise"}, {"type": "random_crop", "size": 0, "pad": 1}, 3)) == 4


@pytest.mark.parametrize("name", sorted(set(TRANSFORMS) - set(DETERMINISTIC)))
def test_evaluation_takes_no_random_step(name: str) -> None:
    step = {"type": name, **{"color_jitter": {"hue": 0.1}, "affine": {"shear": 5.0}}.get(name, {})}
    steps = [RESIZE, TO_TENSOR, step] if name in ("random_erasing", "cutout") else [RESIZE, step, TO_TENSOR]
    assert faults(*steps) == []
    at = steps.index(step)
    assert faults(*steps, place="transforms.eval") == [f"transforms.eval[{at}].type={name}: evaluation takes no random step; take it out"]


def test_not_a_list_is_told() -> None:
    assert transform_faults("transforms.eval", {"type": "resize"})[0].startswith("transforms.eval={type:resize} must be a list of steps")


def test_without_an_image_size_the_sizes_are_not_judged() -> None:
    assert faults({"type": "resize", "size": 40}, TO_TENSOR, image_size=None) == []


def test_a_users_own_transform_is_checked_by_its_signature() -> None:
    @register("transform", "negative_for_rules")
    def negative(*, strength: float) -> Any:
        return lambda image: image * -strength

    assert faults(RESIZE, {"type": "negative_for_rules", "strength": 1.0}, TO_TENSOR) == []
    assert (
        "transforms.train[1].strength=x must be a number" in faults(RESIZE, {"type": "negative_for_rules", "strength": "x"}, TO_TENSOR)[0]
    )
