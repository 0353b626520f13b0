"""Residual blocks: which shortcut where, what it computes, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnntrain.errors import ConfigError, ShapeError
from cnntrain.model.conv import ConvBlock
from cnntrain.model.residual import BottleneckBlock, PreActResidualBlock, ResidualBlock, ZeroPadShortcut

BLOCKS = [ResidualBlock, BottleneckBlock, PreActResidualBlock]
every_block = pytest.mark.parametrize("block_class", BLOCKS)
BlockClass = Callable[..., nn.Module]


@every_block
def test_projection_only_where_the_shape_changes(block_class: BlockClass) -> None:
    assert isinstance(block_class(8, 8).shortcut, nn.Identity)
    assert isinstance(block_class(8, 16).shortcut, ConvBlock)
    assert isinstance(block_class(8, 8, stride=2).shortcut, ConvBlock)
    assert isinstance(block_class(8, 8, stride=[1, 2]).shortcut, ConvBlock)


@every_block
def test_projection_everywhere_if_asked_for(block_class: BlockClass) -> None:
    assert isinstance(block_class(8, 8, shortcut="projection").shortcut, ConvBlock)


@every_block
def test_zero_padding_only_where_the_shape_changes(block_class: BlockClass) -> None:
    assert isinstance(block_class(8, 8, shortcut="zero_pad").shortcut, nn.Identity)
    assert isinstance(block_class(8, 16, stride=2, shortcut="zero_pad").shortcut, ZeroPadShortcut)


@every_block
@pytest.mark.parametrize("shortcut", ["auto", "projection", "zero_pad"])
@pytest.mark.parametrize("stride", [1, 2, [2, 1]])
def test_size_is_ceil_of_size_over_stride(block_class: BlockClass, shortcut: str, stride: int | list[int]) -> None:
    block = block_class(8, 16, stride=stride, kernel_size=5, dilation=2, groups=2, norm="group", activation="silu", shortcut=shortcut)
    rows, columns = (stride, stride) if isinstance(stride, int) else stride
    assert block(torch.randn(2, 8, 7, 9)).shape == (2, 16, -(-7 // rows), -(-9 // columns))


def test_zero_padded_shortcut_takes_every_second_pixel_and_adds_zeros() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    expected = torch.tensor([[[[0.0, 2.0], [8.0, 10.0]], [[0.0, 0.0], [0.0, 0.0]]]])
    assert torch.equal(ZeroPadShortcut(1, 2, stride=2)(x), expected)


@pytest.mark.parametrize("block_class", [ResidualBlock, BottleneckBlock])
def test_silent_branch_leaves_the_activated_input(block_class: BlockClass) -> None:
    block = block_class(8, 8).eval()
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(block(x), x.relu())


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_silent_pre_activation_branch_leaves_the_input(norm: str) -> None:
    block = PreActResidualBlock(8, 8, norm=norm).eval()
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(block(x.clone()), x)


def test_pre_activation_projection_starts_from_the_activated_input() -> None:
    block: Any = PreActResidualBlock(4, 4, shortcut="projection").eval()
    x = torch.randn(2, 4, 5, 5)
    h = block.act(x)
    assert bool((h >= 0).all())
    first: Any = block.branch[0]
    second: Any = block.branch[1]
    expected = second.conv(second.act(second.norm(first.conv(h)))) + block.shortcut.conv(h)
    assert torch.allclose(block(x), expected)


def test_stride_sits_on_the_middle_convolution_of_a_bottleneck() -> None:
    branch: Any = BottleneckBlock(8, 16, stride=2).branch
    assert [(layer.conv.kernel_size, layer.conv.stride) for layer in branch] == [((1, 1), (1, 1)), ((3, 3), (2, 2)), ((1, 1), (1, 1))]


def test_bottleneck_width_is_out_channels_over_expansion() -> None:
    plain: Any = BottleneckBlock(8, 64).branch
    grouped: Any = BottleneckBlock(8, 64, expansion=2, groups=32).branch
    assert [layer.conv.out_channels for layer in plain] == [16, 16, 64]
    assert [layer.conv.out_channels for layer in grouped] == [32, 32, 64]


def test_expansion_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"expansion=4 does not divide out_channels=66; set out_channels to a multiple of 4"):
        BottleneckBlock(8, 66)


@every_block
def test_even_kernel_is_refused(block_class: BlockClass) -> None:
    with pytest.raises(ShapeError, match=r"padding=same needs an odd kernel_size, but kernel_size is 2"):
        block_class(8, 8, kernel_size=2)


def test_zero_padding_to_fewer_channels_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"zero_pad can add channels, but not go from 16 to 8; set shortcut to auto"):
        ResidualBlock(16, 8, shortcut="zero_pad")


def test_unknown_shortcut_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"shortcut=projektion is unknown; did you mean projection\?"):
        ResidualBlock(8, 8, shortcut="projektion")
