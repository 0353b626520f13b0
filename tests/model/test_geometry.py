"""Sizes of feature maps against pencil and torch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnntrain.errors import ShapeError
from cnntrain.model.geometry import ReceptiveField, output_length, output_size, pair, resolve_padding


def test_one_number_serves_both_axes() -> None:
    assert pair(3) == (3, 3)
    assert pair([3, 5]) == (3, 5)


def test_imagenet_stem_halves_224_twice() -> None:
    # He et al. 2015, table 1: conv1 gives 112x112, the 3x3 max-pooling 56x56
    after_conv = output_size(224, kernel_size=7, stride=2, padding=3)
    assert after_conv == (112, 112)
    assert output_size(after_conv, kernel_size=3, stride=2, padding=1) == (56, 56)


def test_each_axis_has_its_own_numbers() -> None:
    assert output_size([10, 20], kernel_size=[3, 5], stride=[1, 2], padding=[0, 2], dilation=[2, 1]) == (6, 10)


def test_kernel_that_does_not_fit_leaves_no_position() -> None:
    assert output_length(8, kernel_size=9) == 0
    assert output_length(1, kernel_size=2, stride=2) == 0


axis = st.integers(1, 4)


@settings(max_examples=40, deadline=None)
@given(st.tuples(st.integers(1, 20), st.integers(1, 20)), st.integers(1, 5), axis, st.integers(0, 3), axis)
def test_output_size_equals_torch(size: tuple[int, int], kernel_size: int, stride: int, padding: int, dilation: int) -> None:
    expected = output_size(size, kernel_size, stride, padding, dilation)
    conv = nn.Conv2d(1, 1, kernel_size, stride, padding, dilation)
    if min(expected) < 1:
        with pytest.raises(RuntimeError):
            conv(torch.zeros(1, 1, *size))
    else:
        assert conv(torch.zeros(1, 1, *size)).shape[2:] == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.sampled_from([1, 3, 5, 7]), st.integers(1, 3), st.integers(1, 4))
def test_same_padding_gives_ceil_of_size_over_stride(size: int, kernel_size: int, dilation: int, stride: int) -> None:
    padding = resolve_padding("same", kernel_size, dilation)
    assert output_size(size, kernel_size, stride, padding, dilation) == pair(-(-size // stride))


def test_same_padding_of_an_even_kernel_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"kernel_size is 4 \(dilation \* \(kernel_size - 1\) = 3 cannot be halved\)"):
        resolve_padding("same", 4)


def test_even_kernel_with_even_dilation_has_a_same_padding() -> None:
    assert resolve_padding("same", 2, 2) == (1, 1)  # reach 2 * (2 - 1) = 2


def test_padding_in_numbers_stays() -> None:
    assert resolve_padding([1, 2], 4) == (1, 2)


def test_two_3x3_convolutions_see_5x5() -> None:
    # Simonyan, Zisserman 2014, arXiv 1409.1556, section 2.3; and three see 7x7
    two = ReceptiveField().after(3).after(3)
    assert two == ReceptiveField(size=(5, 5), jump=(1, 1))
    assert two.after(3).size == (7, 7)


def test_imagenet_stem_sees_11_pixels_and_jumps_4() -> None:
    # 7 pixels, then two more positions of the 7x7 stride 2 map: 7 + 2 * 2
    assert ReceptiveField().after(7, stride=2).after(3, stride=2) == ReceptiveField(size=(11, 11), jump=(4, 4))


def test_receptive_field_is_the_patch_that_moves_one_output() -> None:
    layers = [(3, 2, 1), (3, 1, 2), (2, 2, 1)]  # kernel_size, stride, dilation
    field = ReceptiveField()
    net = nn.Sequential()
    for kernel_size, stride, dilation in layers:
        field = field.after(kernel_size, stride, dilation)
        conv = nn.Conv2d(1, 1, kernel_size, stride, dilation=dilation)
        nn.init.ones_(conv.weight)
        net.append(conv)
    image = torch.zeros(1, 1, 40, 40, requires_grad=True)
    net(image)[0, 0, 0, 0].backward()
    assert image.grad is not None
    touched = image.grad[0, 0].nonzero()
    extent = touched.max(dim=0).values - touched.min(dim=0).values + 1
    assert tuple(extent.tolist()) == field.size
