"""The network by pencil: equal to what torch makes, layer by layer, for random networks and for the papers' own."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from random_nets import IMAGES, MODELS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnntrain.config.schema import ModelConfig
from cnntrain.errors import ShapeError
from cnntrain.model import shadows
from cnntrain.model.explain import explain
from cnntrain.model.factory import BUILDERS, build_model, check_model
from cnntrain.model.layers import NoOutline
from cnntrain.model.outline import Outline, outline

CONF = Path(__file__).parents[2] / "conf" / "model"
SHADOWS = {"stem": shadows.STEMS, "block": shadows.BLOCKS, "head": shadows.HEADS}


def shipped(name: str) -> ModelConfig:
    return ModelConfig(**yaml.safe_load((CONF / f"{name}.yaml").read_text()))


def at_224(name: str) -> Outline:
    return outline(shipped(name), in_channels=3, num_classes=1000, image_size=(224, 224))


def numbers(layer: Any) -> tuple[Any, ...]:
    return layer.path, layer.kind, layer.input_shape, layer.output_shape, layer.num_parameters


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MODELS, IMAGES)
def test_every_layer_is_what_hooks_see_and_what_does_not_fit_is_not_told(model: ModelConfig, image_size: tuple[int, int]) -> None:
    try:
        net = outline(model, in_channels=4, num_classes=3, image_size=image_size)
    except NoOutline:
        with pytest.raises(ShapeError):
            check_model(model, in_channels=4, num_classes=3, image_size=image_size)
        return
    assert list(map(numbers, net.layers)) == list(map(numbers, check_model(model, in_channels=4, num_classes=3, image_size=image_size)))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MODELS, IMAGES)
def test_sums_are_torchs_own_counts(model: ModelConfig, image_size: tuple[int, int]) -> None:
    try:
        net = explain(outline(model, in_channels=4, num_classes=3, image_size=image_size))
    except NoOutline:
        return
    network = build_model(model, in_channels=4, num_classes=3, image_size=image_size).eval()
    assert net["totals"]["parameters"] == sum(parameter.numel() for parameter in network.parameters())
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(2, 4, *image_size))  # GroupNorm refuses one image of one pixel
    assert 2 * 2 * net["totals"]["multiply_adds"] == counter.get_total_flops()


def made_linear(network: nn.Module) -> nn.Module:
    """Positive weights, nothing after them, and means for maxima, so that all that a position sees moves it."""
    for path, module in list(network.named_modules()):
        parent = network.get_submodule(path.rpartition(".")[0])
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
        elif isinstance(module, nn.MaxPool2d):
            setattr(parent, path.rpartition(".")[2], nn.AvgPool2d(module.kernel_size, module.stride, module.padding))
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.ReLU | nn.GELU):
            setattr(parent, path.rpartition(".")[2], nn.Identity())
    return network.double().eval()


def inner_position(field: Any, size: tuple[int, int], image: int) -> list[int] | None:
    """A position of the map that sees nothing beyond the image."""
    found = []
    for first, seen, jump, length in zip(field.start, field.size, field.jump, size, strict=True):
        inside = [at for at in range(length) if first + at * jump >= 0 and first + at * jump + seen <= image]
        found += inside[len(inside) // 2 :][:1]
    return found if len(found) == 2 else None


def assert_sees_what_the_gradient_touches(model: ModelConfig, image: int, *, channels: int) -> bool:
    """Whether there was an inner position to look at."""
    net = outline(model, in_channels=channels, num_classes=3, image_size=(image, image))
    body: list[Any] = [*net.blocks] or [layer for layer in net.layers if layer.path.startswith("stem")]
    if not body:
        return False
    field, shape = body[-1].field, body[-1].output_shape
    assert field is not None, body[-1]
    at = inner_position(field, (shape[1], shape[2]), image)
    if at is None:
        return False
    network: Any = made_linear(build_model(model, in_channels=channels, num_classes=3, image_size=(image, image)))
    picture = torch.zeros(1, channels, image, image, dtype=torch.double, requires_grad=True)
    network.stages(network.stem(picture))[0, :, at[0], at[1]].sum().backward()
    assert picture.grad is not None
    touched = picture.grad[0].abs().sum(0).nonzero()
    first, last = touched.min(0).values.tolist(), touched.max(0).values.tolist()
    assert first == [start + where * jump for start, where, jump in zip(field.start, at, field.jump, strict=True)]
    assert [b - a + 1 for a, b in zip(first, last, strict=True)] == list(field.size)
    return True


SEEN: list[bool] = []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MODELS)
def test_a_position_sees_the_bounding_box_of_its_gradient(model: ModelConfig) -> None:
    try:
        SEEN.append(assert_sees_what_the_gradient_touches(model, 60, channels=4))
    except NoOutline:
        SEEN.append(False)


def test_most_of_those_networks_had_an_inner_position() -> None:
    # of 60; the rest does not fit or reaches beyond 60 pixels
    assert sum(SEEN) >= len(SEEN) // 4


@pytest.mark.parametrize("name", ["plain20", "resnet20", "small_vgg"])
def test_a_shipped_network_sees_the_bounding_box_of_its_gradient(name: str) -> None:
    assert assert_sees_what_the_gradient_touches(shipped(name), 160, channels=3)


@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_every_shipped_network_is_told_without_torch(name: str) -> None:
    net = outline(shipped(name), in_channels=3, num_classes=10, image_size=(64, 48))
    assert list(map(numbers, net.layers)) == list(
        map(numbers, check_model(shipped(name), in_channels=3, num_classes=10, image_size=(64, 48)))
    )


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, table in BUILDERS.items() for name in table])
def test_a_shadow_has_its_builders_keywords_and_defaults(kind: str, name: str) -> None:
    def keywords(function: Any) -> dict[str, Any]:
        found = inspect.signature(function).parameters.values()
        return {each.name: each.default for each in found if each.kind is each.KEYWORD_ONLY}

    own = keywords(SHADOWS[kind][name])
    if (kind, name) == ("stem", "conv"):  # its others are the block's
        own |= {key: default for key, default in keywords(shadows.conv_block).items() if key not in own}
    theirs = keywords(BUILDERS[kind][name])
    assert own.items() <= theirs.items()


@pytest.mark.parametrize(("name", "giga"), [("resnet18", 1.81), ("resnet34", 3.66), ("resnet50", 4.09)])
def test_multiply_adds_of_the_papers_networks(name: str, giga: float) -> None:
    # torchvision's docs list 1.81, 3.66 and 4.09 GFLOPS (multiply-adds) for resnet18, resnet34 and resnet50
    assert round(explain(at_224(name))["totals"]["multiply_adds"] / 1e9, 2) == giga


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_map_sizes_of_the_paper(name: str) -> None:
    # He et al. 2015, arXiv 1512.03385, table 1: conv1 112, conv2_x 56, conv3_x 28, conv4_x 14, conv5_x 7
    net = explain(at_224(name))
    conv1 = next(layer for layer in net["layers"] if layer["path"] == "stem.conv")
    assert conv1["output_shape"] == [64, 112, 112]
    assert [part["output_shape"][1] for part in net["parts"][1:-1]] == [56, 28, 14, 7]


def test_resnet18_sees_7_then_43_then_99_pixels() -> None:
    # by hand: 7; pool 3 at jump 2: 11; four 3x3 at jump 4: 11 + 4*2*4 = 43; 3x3 at jump 4, three at jump 8: 43 + 8 + 48 = 99
    net = explain(at_224("resnet18"))
    by_path = {layer["path"]: layer["receptive_field"] for layer in net["layers"]}
    assert [by_path[path] for path in ("stem.conv", "stages.0.blocks.1.act", "stages.1.blocks.1.act")] == [7, 43, 99]
    assert [part["receptive_field"] for part in net["parts"][:3]] == [11, 43, 99]
    assert [part["effective_stride"] for part in net["parts"][:-1]] == [4, 4, 8, 16, 32]
