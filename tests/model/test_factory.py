"""From the model section to a network, and shape faults by their place in the YAML."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnntrain.config.components import registry
from cnntrain.config.components.model import BLOCKS, HEADS, STEMS
from cnntrain.config.schema import ModelConfig
from cnntrain.errors import ConfigError, ShapeError
from cnntrain.model.factory import BUILDERS, build_model, check_model

GOLDEN = Path(__file__).parents[1] / "golden" / "tiny_resnet_keys.txt"
LINEAR = {"type": "linear"}


def model(*stages: dict[str, Any], stem: dict[str, Any] | None = None, head: dict[str, Any] | None = None, **keys: Any) -> ModelConfig:
    return ModelConfig(stem=stem or {"type": "none"}, stages=list(stages), head=head or LINEAR, **keys)


def check(config: ModelConfig, *, image_size: tuple[int, int] = (8, 8)) -> list[tuple[int, ...]]:
    return [layer.output_shape for layer in check_model(config, in_channels=3, num_classes=5, image_size=image_size)]


def build(config: ModelConfig, *, image_size: tuple[int, int] = (8, 8)) -> Any:
    return build_model(config, in_channels=3, num_classes=5, image_size=image_size)


def kinds(config: ModelConfig) -> list[str]:
    return [layer.kind for layer in check_model(config, in_channels=3, num_classes=5, image_size=(8, 8))]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Any]:
    for table in ("_builders", "_components"):
        monkeypatch.setattr(registry, table, {kind: {} for kind in registry.KINDS})
    return registry.register


def test_only_the_first_block_of_a_stage_strides() -> None:
    network = build(model({"block": "conv", "num_blocks": 3, "out_channels": 8, "stride": 2}))
    assert [block.conv.stride for block in network.stages[0].blocks] == [(2, 2), (1, 1), (1, 1)]
    assert [block.conv.in_channels for block in network.stages[0].blocks] == [3, 8, 8]


@pytest.mark.parametrize(("downsample", "pooling"), [("max_pool", "MaxPool2d"), ("avg_pool", "AvgPool2d")])
def test_pooling_takes_the_place_of_the_stride(downsample: str, pooling: str) -> None:
    config = model({"block": "residual", "num_blocks": 2, "out_channels": 8, "stride": 2, "downsample": downsample})
    stage = build(config).stages[0]
    assert type(stage.downsample).__name__ == pooling
    assert [block.branch[0].conv.stride for block in stage.blocks] == [(1, 1), (1, 1)]
    assert stage(torch.zeros(1, 3, 8, 8)).shape == (1, 8, 4, 4)


def test_models_norm_and_activation_serve_parts_that_name_none() -> None:
    own = {"block": "conv", "out_channels": 8, "norm": "layer", "activation": "tanh"}
    config = model({"block": "conv", "out_channels": 8}, own, norm="none", activation="gelu", head={"type": "mlp", "hidden": [4]})
    assert kinds(config) == ["Conv2d", "GELU", "Conv2d", "GroupNorm", "Tanh", "AdaptiveAvgPool2d", "Flatten", "Linear", "GELU", "Linear"]


def test_models_norm_stays_out_of_the_head() -> None:
    assert "BatchNorm1d" not in kinds(model(head={"type": "mlp", "hidden": [4]}, norm="batch"))


def test_flattening_head_learns_the_maps_size() -> None:
    config = model({"block": "conv", "out_channels": 4, "stride": 2}, head={"type": "linear", "pool": "none"})
    assert build(config, image_size=(10, 7)).head.linear.in_features == 4 * 5 * 4


def test_init_and_zero_init_reach_the_network() -> None:
    network = build(model({"block": "residual", "out_channels": 3}, init="normal", zero_init_residual=True))
    branch = network.stages[0].blocks[0].branch
    assert branch[0].conv.weight.std().item() == pytest.approx(0.01, rel=0.3)
    assert branch[1].norm.weight.tolist() == [0, 0, 0]


def test_same_seed_gives_the_same_network() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        states.append(build(model({"block": "residual", "out_channels": 8})).state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_checking_draws_no_random_number() -> None:
    before = torch.get_rng_state()
    check(model({"block": "residual", "out_channels": 8}))
    assert torch.equal(torch.get_rng_state(), before)


def test_state_dict_keys_are_the_golden_ones() -> None:
    config = model(
        {"block": "residual", "out_channels": 4},
        {"block": "bottleneck", "out_channels": 8, "stride": 2},
        {"block": "preact_residual", "num_blocks": 2, "out_channels": 12},
        {"block": "norm_act", "out_channels": 12},
        stem={"type": "conv", "out_channels": 4},
        head={"type": "mlp", "hidden": [6]},
    )
    assert list(build(config).state_dict()) == GOLDEN.read_text().split()


# faults

CONV = {"block": "conv", "out_channels": 8}
HALF = {**CONV, "stride": 2}
FAULTS = {
    "pooling shrinks the map to nothing": (
        model(HALF, HALF, HALF, {**HALF, "downsample": "max_pool"}),
        r"^model\.stages\[3\]: max_pool with kernel_size 2, stride 2, padding 0 does not fit its 1x1 input: "
        r"floor\(\(1 \+ 2\*0 - 1\*\(2 - 1\) - 1\) / 2\) \+ 1 = 0 \(images are 8x8\); "
        r"lower model\.stages\[3\]\.stride, or raise data\.image_size$",
    ),
    "kernel larger than its padded input": (
        model({**CONV, "kernel_size": 11, "padding": 1}),
        r"^model\.stages\[0\]: conv with kernel_size 11, stride 1, padding 1 does not fit its 8x8 input: .* = 0 \(images are 8x8\); "
        r"lower model\.stages\[0\]\.kernel_size, or raise data\.image_size$",
    ),
    "a block's pool": (
        model({**CONV, "num_blocks": 4, "pool": {"type": "avg", "kernel_size": 2}}),
        r"^model\.stages\[0\]: avg_pool .* does not fit its 1x1 input: .* leave out model\.stages\[0\]\.pool or make it smaller",
    ),
    "a stem's pool": (
        model(stem={"type": "conv", "out_channels": 8, "stride": 4, "pool": {"type": "max", "kernel_size": 3}}),
        r"^model\.stem: max_pool with kernel_size 3, stride 3, padding 0 does not fit its 2x2 input: .* leave out model\.stem\.pool",
    ),
    "groups of the stem": (
        model(stem={"type": "conv", "out_channels": 8, "groups": 2}),
        r"^model\.stem: stem conv does not fit its 3x8x8 input: groups=2 does not divide in_channels=3; choose a divisor of both 3 and 8$",
    ),
    "groups of a block": (
        model(CONV, {"block": "residual", "out_channels": 12, "groups": 8}),
        r"^model\.stages\[1\]: block residual does not fit its 8x8x8 input: groups=8 does not divide out_channels=12",
    ),
    "groups of the norm": (
        model({**CONV, "norm": "group", "norm_groups": 3}),
        r"^model\.stages\[0\]: block conv does not fit its 3x8x8 input: norm_groups=3 does not divide 8 channels",
    ),
    "an even kernel beside a shortcut": (
        model({"block": "residual", "out_channels": 8, "kernel_size": 2}),
        r"^model\.stages\[0\]: block residual does not fit its 3x8x8 input: padding=same needs an odd kernel_size",
    ),
    "pool padding": (
        model({**CONV, "pool": {"type": "max", "kernel_size": 2, "padding": 2}}),
        r"^model\.stages\[0\]: block conv does not fit its 3x8x8 input: pool with kernel_size 2x2 takes a padding of at most half",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_shape_fault_names_place_size_and_remedy(name: str) -> None:
    config, message = FAULTS[name]
    for make in (check, build):
        with pytest.raises(ShapeError, match=message):
            make(config)


def test_unknown_component_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.stages\[0\]\.block=cnov is unknown; did you mean conv\?"):
        check(model({"block": "cnov", "out_channels": 8}))


def test_unknown_name_inside_a_part_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"^model\.stages\[0\]: norm=bach is unknown; did you mean batch\?$"):
        check(model({**CONV, "norm": "bach"}))


# a user's own parts


class Own(nn.Module):
    """A convolution that gives `times` as many channels as it is asked for."""

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, kernel_size: int = 1, activation: str = "relu", times: int = 1
    ):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, times * out_channels, kernel_size, stride)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def test_users_block_is_built_with_its_real_input(register: Callable[[str, str], Any]) -> None:
    register("block", "own")(Own)
    network = build(model({"block": "own", "num_blocks": 2, "out_channels": 4, "stride": 2, "kernel_size": 2}, activation="gelu"))
    first, second = network.stages[0].blocks
    assert (first.conv.in_channels, second.conv.in_channels, network.head.linear.in_features) == (3, 4, 4)
    assert (first.conv.stride, first.activation) == ((2, 2), "gelu")


def test_users_stem_and_head_are_built(register: Callable[[str, str], Any]) -> None:
    register("stem", "wide")(lambda in_channels: nn.Conv2d(in_channels, 7, 3))
    register("head", "own")(
        lambda in_channels, num_classes, input_size: nn.Sequential(
            nn.Flatten(), nn.Linear(in_channels * input_size[0] * input_size[1], num_classes)
        )
    )
    assert build(model(stem={"type": "wide"}, head={"type": "own"}))(torch.zeros(2, 3, 8, 8)).shape == (2, 5)


def test_exception_in_a_users_block_is_told_with_its_place(register: Callable[[str, str], Any]) -> None:
    def explode(in_channels: int, *_: int, **__: int) -> nn.Module:
        raise RuntimeError(f"no luck with {in_channels} channels")

    register("block", "explode")(explode)
    with pytest.raises(
        ShapeError, match=r"^model\.stages\[0\]: block explode failed on its 3x8x8 input: RuntimeError: no luck with 3 channels$"
    ):
        check(model({"block": "explode", "out_channels": 8}))


def test_kernel_of_a_users_block_is_told(register: Callable[[str, str], Any]) -> None:
    register("block", "own")(Own)
    with pytest.raises(ShapeError, match=r"^model\.stages\[0\]: conv with kernel_size 9, .* = 0 \(images are 8x8\)"):
        check(model({"block": "own", "out_channels": 4, "kernel_size": 9}))


def test_a_users_block_that_gives_other_channels_is_refused(register: Callable[[str, str], Any]) -> None:
    register("block", "own")(Own)
    block = {"block": "own", "out_channels": 4}
    with pytest.raises(ShapeError, match=r"^model\.stages\[1\]: block own gives 8 channels, but out_channels=4 is asked of it; give "):
        check(model(block, {**block, "times": 2}))


def test_part_that_gives_the_wrong_shape_is_refused(register: Callable[[str, str], Any]) -> None:
    for kind in ("block", "head"):
        register(kind, "flatten")(lambda *_, **__: nn.Flatten())
    with pytest.raises(
        ShapeError, match=r"model\.stages\[0\]: block flatten makes 192 of its 3x8x8 input, but channels x height x width is"
    ):
        check(model({"block": "flatten", "out_channels": 4}))
    with pytest.raises(ShapeError, match=r"model\.head: head flatten makes 192 of its 3x8x8 input, but 5 is needed"):
        check(model(head={"type": "flatten"}))


def test_every_shipped_component_has_a_builder() -> None:
    assert {kind: set(table) for kind, table in BUILDERS.items()} == {"stem": set(STEMS), "block": set(BLOCKS), "head": set(HEADS)}
