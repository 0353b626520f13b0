"""The convolution block: order of layers, what is absent, and what is refused."""

from typing import Any

import pytest
import torch
from torch import nn

from cnntrain.errors import ConfigError, ShapeError
from cnntrain.model.conv import ConvBlock, NormActBlock, make_norm, make_pool


def names(block: nn.Module) -> list[str]:
    return [name for name, _ in block.named_children()]


def test_textbook_block_is_one_setting() -> None:
    block = ConvBlock(3, 16, pool={"type": "max", "kernel_size": 2})
    reference = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
    reference.load_state_dict(dict(zip(reference.state_dict(), block.state_dict().values(), strict=True)))
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(block(x), reference(x))


@pytest.mark.parametrize("order", ["conv_norm_act", "norm_act_conv", "conv_act_norm"])
def test_layers_run_in_the_order_asked_for(order: str) -> None:
    assert "_".join(names(ConvBlock(4, 8, order=order))) == order


def test_what_is_switched_off_is_absent() -> None:
    assert names(ConvBlock(4, 8, norm="none", activation="none")) == ["conv"]
    assert names(ConvBlock(4, 8, pool={"type": "avg"}, dropout=0.1)) == ["conv", "norm", "act", "pool", "dropout"]


def test_bias_only_where_there_is_no_norm() -> None:
    assert ConvBlock(4, 8).conv.bias is None
    assert ConvBlock(4, 8, norm="none").conv.bias is not None
    assert ConvBlock(4, 8, bias=True).conv.bias is not None
    assert ConvBlock(4, 8, norm="none", bias=False).conv.bias is None


def test_norm_before_the_convolution_counts_its_input() -> None:
    norm: Any = ConvBlock(4, 8, order="norm_act_conv").norm
    assert norm.num_features == 4


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_activation_before_the_convolution_leaves_the_input_alone(norm: str) -> None:
    x = torch.full((2, 4, 4, 4), -1.0)
    ConvBlock(4, 4, order="norm_act_conv", norm=norm)(x)
    NormActBlock(4, 4, norm=norm)(x)
    assert torch.equal(x, torch.full((2, 4, 4, 4), -1.0))


def test_numbers_reach_the_convolution() -> None:
    conv = ConvBlock(4, 8, kernel_size=[3, 5], stride=2, padding=0, dilation=[1, 2], groups=2).conv
    found = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups)
    assert found == ((3, 5), (2, 2), (0, 0), (1, 2), 2)


def test_layer_norm_has_mean_0_and_variance_1_over_channels_and_positions() -> None:
    y = make_norm("layer", 6)(3 + 2 * torch.randn(2, 6, 5, 5))
    assert y.mean((1, 2, 3)).tolist() == pytest.approx([0, 0], abs=1e-5)
    assert y.var((1, 2, 3), correction=0).tolist() == pytest.approx([1, 1], abs=1e-3)


@pytest.mark.parametrize(("channels", "groups"), [(64, 32), (16, 16), (48, 24), (37, 1)])
def test_group_norm_has_32_groups_or_the_largest_divisor_below(channels: int, groups: int) -> None:
    norm = make_norm("group", channels)
    assert isinstance(norm, nn.GroupNorm)
    assert norm.num_groups == groups


def test_pool_without_stride_does_not_overlap() -> None:
    assert make_pool("avg", 3)(torch.zeros(1, 1, 9, 9)).shape[2:] == (3, 3)
    assert make_pool("max", 3, 2, 1)(torch.zeros(1, 1, 8, 8)).shape[2:] == (4, 4)


def test_groups_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"groups=3 does not divide in_channels=64; choose a divisor of both 64 and 96"):
        ConvBlock(64, 96, groups=3)
    with pytest.raises(ShapeError, match=r"groups=3 does not divide out_channels=64"):
        ConvBlock(96, 64, groups=3)


def test_norm_groups_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"norm_groups=5 does not divide 12 channels; choose one of 1, 2, 3, 4, 6, 12"):
        ConvBlock(3, 12, norm="group", norm_groups=5)


def test_pool_padding_above_half_the_kernel_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"kernel_size 2x2 takes a padding of at most half of it, not 2x2"):
        make_pool("max", 2, padding=2)


def test_unknown_names_are_refused_with_a_hint() -> None:
    with pytest.raises(ConfigError, match=r"norm=bach is unknown; did you mean batch\?"):
        ConvBlock(3, 4, norm="bach")
    with pytest.raises(ConfigError, match=r"activation=rellu is unknown; did you mean relu\?"):
        ConvBlock(3, 4, activation="rellu")


def test_norm_act_keeps_its_shape_or_refuses() -> None:
    assert NormActBlock(4, 4)(torch.randn(2, 4, 3, 3)).shape == (2, 4, 3, 3)
    with pytest.raises(ShapeError, match=r"out_channels=8, but norm_act keeps its input's channels; set out_channels to 4"):
        NormActBlock(4, 8)
    with pytest.raises(ShapeError, match=r"norm_act has no convolution that could stride"):
        NormActBlock(4, 4, stride=2)
