"""The convolution block: convolution, norm and activation in a chosen order, then pooling and dropout if asked for."""

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn

from cnntrain.errors import ConfigError, ShapeError, did_you_mean
from cnntrain.model.geometry import Padding, Size, pair, resolve_padding

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "none": nn.Identity,
}
POOLS = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}
MOST_NORM_GROUPS = 32  # Wu, He 2018, arXiv 1803.08494, table 3


class ConvBlock(nn.Sequential):
    """Convolution, norm and activation in the order's order, then pooling, then dropout; what is switched off is absent.

    The defaults with pool={"type": "max", "kernel_size": 2} are the textbook block: 3x3 convolution, BatchNorm, ReLU, 2x2 max-pooling.

    (N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride)) for padding "same" without pool

    Args:
        padding: zeros on each side, or "same": dilation * (kernel_size - 1) / 2.
        bias: null means only where there is no norm, whose own shift would replace it.
        norm_groups: groups of norm "group"; null means 32, or the largest divisor of the channels below.
        order: "conv_norm_act", "norm_act_conv" (He et al. 2016, arXiv 1603.05027) or "conv_act_norm".
        pool: {type: max | avg, kernel_size, stride, padding}.
        dropout: probability of dropping a whole channel.

    Raises:
        ShapeError: groups or norm_groups do not divide the channels, or padding "same" meets an even kernel.
    """

    conv: nn.Conv2d

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
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
        check_groups(groups, in_channels, out_channels)
        norm_first = order.startswith("norm")
        layers: dict[str, nn.Module] = {
            "conv": nn.Conv2d(
                in_channels,
                out_channels,
                pair(kernel_size),
                pair(stride),
                resolve_padding(padding, kernel_size, dilation),
                pair(dilation),
                groups,
                bias=norm == "none" if bias is None else bias,
            ),
            "norm": make_norm(norm, in_channels if norm_first else out_channels, norm_groups),
            # as the first layer it is handed a tensor that a shortcut may need as well
            "act": make_activation(activation, inplace=not (norm_first and norm == "none")),
            "pool": make_pool(**pool) if pool else nn.Identity(),
            "dropout": nn.Dropout2d(dropout) if dropout else nn.Identity(),
        }
        sequence = [*order.split("_"), "pool", "dropout"]
        super().__init__(active({name: layers[name] for name in sequence}))


class NormActBlock(nn.Sequential):
    """Norm and activation without a convolution: what closes a net of pre-activation blocks (He et al. 2016, arXiv 1603.05027).

    (N, in_channels, H, W) -> the same shape

    Raises:
        ShapeError: out_channels or stride ask for another shape.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: Size = 1,
        norm: str = "batch",
        norm_groups: int | None = None,
        activation: str = "relu",
    ):
        if out_channels != in_channels:
            raise ShapeError(f"out_channels={out_channels}, but norm_act keeps its input's channels; set out_channels to {in_channels}")
        if pair(stride) != (1, 1):
            raise ShapeError("norm_act has no convolution that could stride; set stride to 1, or downsample to max_pool or avg_pool")
        act = make_activation(activation, inplace=norm != "none")
        super().__init__(active({"norm": make_norm(norm, in_channels, norm_groups), "act": act}))


def make_norm(norm: str, channels: int, num_groups: int | None = None) -> nn.Module:
    """The norm of that name for (N, channels, H, W).

    Args:
        norm: batch, group (num_groups groups), layer (one group: mean and variance over C, H and W) or none.
        num_groups: null means 32, or the largest divisor of the channels below.

    Raises:
        ShapeError: num_groups does not divide channels.
    """
    if num_groups is not None and channels % num_groups:
        raise ShapeError(f"norm_groups={num_groups} does not divide {channels} channels; choose one of {divisors(channels)}")
    most = max(n for n in range(1, MOST_NORM_GROUPS + 1) if channels % n == 0)
    makers = {
        "batch": partial(nn.BatchNorm2d, channels),
        "group": partial(nn.GroupNorm, num_groups or most, channels),
        "layer": partial(nn.GroupNorm, 1, channels),
        "none": nn.Identity,
    }
    return pick("norm", norm, makers)()


def make_activation(activation: str, *, inplace: bool = True) -> nn.Module:
    """The activation of that name; only relu works in place, where its input is nobody else's."""
    maker = pick("activation", activation, ACTIVATIONS)
    return maker(inplace=inplace) if maker is nn.ReLU else maker()


def make_pool(type: str, kernel_size: Size = 2, stride: Size | None = None, padding: Size = 0) -> nn.Module:
    """Max or average pooling; stride null means kernel_size.

    Raises:
        ShapeError: a side's padding is more than half the kernel, so that a window could see nothing but padding.
    """
    kernels, paddings = pair(kernel_size), pair(padding)
    if any(2 * p > k for k, p in zip(kernels, paddings, strict=True)):
        raise ShapeError(
            f"pool with kernel_size {kernels[0]}x{kernels[1]} takes a padding of at most half of it, not {paddings[0]}x{paddings[1]}"
        )
    return pick("pool type", type, POOLS)(kernels, kernels if stride is None else pair(stride), paddings)


def check_groups(groups: int, in_channels: int, out_channels: int) -> None:
    """Raises ShapeError unless groups divides both numbers of channels."""
    for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        if channels % groups:
            raise ShapeError(
                f"groups={groups} does not divide {name}={channels}; choose a divisor of both {in_channels} and {out_channels}"
            )


def divisors(number: int) -> str:
    return ", ".join(str(n) for n in range(1, number + 1) if number % n == 0)


def pick(what: str, name: str, table: Mapping[str, Any]) -> Any:
    """table[name], or a ConfigError that names the choices."""
    if name not in table:
        raise ConfigError(f"{what}={name} is unknown; {did_you_mean(name, table)}")
    return table[name]


def active(layers: Mapping[str, nn.Module]) -> OrderedDict[str, nn.Module]:
    """The layers that do something, for nn.Sequential: what is switched off leaves no trace in the path."""
    return OrderedDict((name, layer) for name, layer in layers.items() if not isinstance(layer, nn.Identity))
