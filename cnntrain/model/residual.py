"""Residual blocks: out = act(branch(x) + shortcut(x))."""

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from cnntrain.errors import ShapeError
from cnntrain.model.conv import ConvBlock, NormActBlock, make_activation, pick
from cnntrain.model.geometry import Size, pair


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2015, arXiv 1512.03385, figure 2).

    (N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride))

    Args:
        shortcut: auto, projection or zero_pad; see make_shortcut.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: Size = 1,
        kernel_size: Size = 3,
        dilation: Size = 1,
        groups: int = 1,
        norm: str = "batch",
        norm_groups: int | None = None,
        activation: str = "relu",
        shortcut: str = "auto",
    ):
        super().__init__()
        conv = partial(ConvBlock, kernel_size=kernel_size, dilation=dilation, groups=groups, norm=norm, norm_groups=norm_groups)
        self.branch = nn.Sequential(
            conv(in_channels, out_channels, stride=stride, activation=activation),
            conv(out_channels, out_channels, activation="none"),
        )
        self.shortcut = make_shortcut(shortcut, in_channels, out_channels, stride=stride, norm=norm, norm_groups=norm_groups)
        self.act = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.branch(x) + self.shortcut(x))


class BottleneckBlock(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut (He et al. 2015, arXiv 1512.03385, figure 5 right).

    The stride sits on the 3x3 convolution, as in torchvision's "v1.5" (Goyal et al. 2017, arXiv 1706.02677, section 5.1).
    expansion=4 is a ResNet; expansion=2 with groups=32 a ResNeXt 32x4d, and with groups=1 a wide ResNet of factor 2.

    (N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride))

    Args:
        expansion: out_channels over the channels of the 3x3 convolution.

    Raises:
        ShapeError: expansion does not divide out_channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: Size = 1,
        expansion: int = 4,
        kernel_size: Size = 3,
        dilation: Size = 1,
        groups: int = 1,
        norm: str = "batch",
        norm_groups: int | None = None,
        activation: str = "relu",
        shortcut: str = "auto",
    ):
        if out_channels % expansion:
            raise ShapeError(
                f"expansion={expansion} does not divide out_channels={out_channels}; set out_channels to a multiple of {expansion}"
            )
        super().__init__()
        width = out_channels // expansion
        conv = partial(ConvBlock, norm=norm, norm_groups=norm_groups)
        middle = partial(conv, kernel_size=kernel_size, stride=stride, dilation=dilation, groups=groups)
        self.branch = nn.Sequential(
            conv(in_channels, width, kernel_size=1, activation=activation),
            middle(width, width, activation=activation),
            conv(width, out_channels, kernel_size=1, activation="none"),
        )
        self.shortcut = make_shortcut(shortcut, in_channels, out_channels, stride=stride, norm=norm, norm_groups=norm_groups)
        self.act = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.branch(x) + self.shortcut(x))


class PreActResidualBlock(nn.Module):
    """Norm and activation before each of two convolutions, nothing after the sum (He et al. 2016, arXiv 1603.05027, figure 4e).

    A projection shortcut starts from the activated input, which it shares with the branch, as in the authors' own code;
    an identity (or zero-padded) one from the block's input.

    (N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: Size = 1,
        kernel_size: Size = 3,
        dilation: Size = 1,
        groups: int = 1,
        norm: str = "batch",
        norm_groups: int | None = None,
        activation: str = "relu",
        shortcut: str = "auto",
    ):
        super().__init__()
        conv = partial(ConvBlock, kernel_size=kernel_size, dilation=dilation, groups=groups, bias=False)
        self.shortcut = make_shortcut(shortcut, in_channels, out_channels, stride=stride, norm="none", norm_groups=None)
        first_act = NormActBlock(in_channels, in_channels, norm=norm, norm_groups=norm_groups, activation=activation)
        first_conv = conv(in_channels, out_channels, stride=stride, norm="none", activation="none")
        second = conv(out_channels, out_channels, order="norm_act_conv", norm=norm, norm_groups=norm_groups, activation=activation)
        shares_act = isinstance(self.shortcut, ConvBlock)
        self.act = first_act if shares_act else nn.Identity()
        self.branch = nn.Sequential(first_conv, second) if shares_act else nn.Sequential(first_act, first_conv, second)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(x)
        return self.branch(x) + self.shortcut(x)


class ZeroPadShortcut(nn.Module):
    """Every stride-th position, and zeros for the new channels: no parameters (He et al. 2015, arXiv 1512.03385, option A).

    (N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride))

    Raises:
        ShapeError: out_channels is below in_channels.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: Size = 1):
        if out_channels < in_channels:
            raise ShapeError(f"shortcut=zero_pad can add channels, but not go from {in_channels} to {out_channels}; set shortcut to auto")
        super().__init__()
        self.stride = pair(stride)
        self.new_channels = out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride[0], :: self.stride[1]], (0, 0, 0, 0, 0, self.new_channels))


def make_shortcut(shortcut: str, in_channels: int, out_channels: int, *, stride: Size, norm: str, norm_groups: int | None) -> nn.Module:
    """The path beside the branch: identity where the shape stays, else what `shortcut` says.

    Args:
        shortcut: auto (1x1 projection where the shape changes), projection (everywhere), zero_pad (where the shape changes).
    """
    same_shape = in_channels == out_channels and pair(stride) == (1, 1)

    def projection() -> nn.Module:
        return ConvBlock(
            in_channels, out_channels, kernel_size=1, stride=stride, bias=False, norm=norm, norm_groups=norm_groups, activation="none"
        )

    def zero_pad() -> nn.Module:
        return ZeroPadShortcut(in_channels, out_channels, stride=stride)

    makers = {
        "auto": nn.Identity if same_shape else projection,
        "projection": projection,
        "zero_pad": nn.Identity if same_shape else zero_pad,
    }
    return pick("shortcut", shortcut, makers)()
