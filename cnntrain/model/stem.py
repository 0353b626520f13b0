"""Stems: the layers that meet the image."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from cnntrain.model.conv import ConvBlock
from cnntrain.model.geometry import Padding, Size


class ConvStem(ConvBlock):
    """One convolution block; 7x7 with stride 2 and a 3x3 max-pooling is ImageNet's (He et al. 2015, arXiv 1512.03385, table 1).

    (N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride)) for padding "same" without pool
    """

    def __init__(
        self,
        in_channels: int,
        *,
        out_channels: int,
        kernel_size: Size = 3,
        stride: Size = 1,
        padding: Padding = "same",
        dilation: Size = 1,
        groups: int = 1,
        bias: bool | None = None,
        norm: str = "batch",
        norm_groups: int | None = None,
        activation: str = "relu",
        order: str = "conv_norm_act",
        pool: Mapping[str, Any] | None = None,
        dropout: float = 0.0,
    ):
        super().__init__(
            in_channels,
            out_channels,
            kernel_size=kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
            norm=norm,
            norm_groups=norm_groups,
            activation=activation,
            order=order,
            pool=pool,
            dropout=dropout,
        )


def make_no_stem(in_channels: int) -> nn.Module:  # noqa: ARG001 - every stem is called with the image's channels
    """The image itself, (N, in_channels, H, W)."""
    return nn.Identity()
