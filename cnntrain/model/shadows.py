"""The builders' shadows: what each part's layers are, for the same keywords, in whole numbers. No torch.

A test holds each equal to its builder, layer by layer. They stand in the order of conv.py, stem.py, residual.py and head.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cnntrain.model.geometry import Padding, Size, pair, resolve_padding
from cnntrain.model.layers import FLAT_NORMS, Map, NoOutline, Tape, Window


def conv_block(
    path: str,
    tape: Tape,
    x: Map,
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
) -> Map:
    window = Window(pair(kernel_size), pair(stride), resolve_padding(padding, kernel_size, dilation), pair(dilation))
    in_place = not (order.startswith("norm") and norm == "none")
    for name in order.split("_"):
        if name == "conv":
            has_bias = norm == "none" if bias is None else bias
            x = tape.conv(f"{path}.conv", x, out_channels, window, groups=groups, bias=has_bias)
        elif name == "norm":
            x = tape.norm(f"{path}.norm", x, norm, norm_groups)
        else:
            x = tape.act(f"{path}.act", x, activation, in_place=in_place)
    x = tape.pool(f"{path}.pool", x, **pool) if pool else x
    return tape.same(f"{path}.dropout", "Dropout2d" if dropout else None, x)


def conv_stem(path: str, tape: Tape, x: Map, *, out_channels: int, **keywords: Any) -> Map:
    return conv_block(path, tape, x, out_channels, **keywords)


def no_stem(path: str, tape: Tape, x: Map) -> Map:  # noqa: ARG001 - every stem is called alike
    return x


def norm_act_block(
    path: str,
    tape: Tape,
    x: Map,
    out_channels: int,
    *,
    stride: Size = 1,
    norm: str = "batch",
    norm_groups: int | None = None,
    activation: str = "relu",
) -> Map:
    if out_channels != x.shape[0] or pair(stride) != (1, 1):
        raise NoOutline(f"{path}: norm_act keeps its input's shape")
    return tape.act(f"{path}.act", tape.norm(f"{path}.norm", x, norm, norm_groups), activation, in_place=norm != "none")


def residual_block(
    path: str,
    tape: Tape,
    x: Map,
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
) -> Map:
    conv: dict[str, Any] = {"kernel_size": kernel_size, "dilation": dilation, "groups": groups, "norm": norm, "norm_groups": norm_groups}
    y = conv_block(f"{path}.branch.0", tape, x, out_channels, stride=stride, activation=activation, **conv)
    y = conv_block(f"{path}.branch.1", tape, y, out_channels, activation="none", **conv)
    beside = shortcut_of(path, tape, x, out_channels, shortcut, stride=stride, norm=norm, norm_groups=norm_groups)
    return tape.act(f"{path}.act", summed(y, beside), activation)


def bottleneck_block(
    path: str,
    tape: Tape,
    x: Map,
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
) -> Map:
    if out_channels % expansion:
        raise NoOutline(f"{path}: expansion={expansion} does not divide {out_channels} channels")
    width = out_channels // expansion
    norms: dict[str, Any] = {"norm": norm, "norm_groups": norm_groups}
    middle: dict[str, Any] = {"kernel_size": kernel_size, "stride": stride, "dilation": dilation, "groups": groups}
    y = conv_block(f"{path}.branch.0", tape, x, width, kernel_size=1, activation=activation, **norms)
    y = conv_block(f"{path}.branch.1", tape, y, width, activation=activation, **middle, **norms)
    y = conv_block(f"{path}.branch.2", tape, y, out_channels, kernel_size=1, activation="none", **norms)
    beside = shortcut_of(path, tape, x, out_channels, shortcut, stride=stride, **norms)
    return tape.act(f"{path}.act", summed(y, beside), activation)


def preact_residual_block(
    path: str,
    tape: Tape,
    x: Map,
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
) -> Map:
    conv: dict[str, Any] = {"kernel_size": kernel_size, "dilation": dilation, "groups": groups, "bias": False}
    norms: dict[str, Any] = {"norm": norm, "norm_groups": norm_groups}
    shares_act = shortcut_kind(shortcut, x.shape[0], out_channels, stride) == "projection"
    place, number = (f"{path}.act", 0) if shares_act else (f"{path}.branch.0", 1)
    activated = norm_act_block(place, tape, x, x.shape[0], activation=activation, **norms)
    x = activated if shares_act else x
    y = conv_block(f"{path}.branch.{number}", tape, activated, out_channels, stride=stride, norm="none", activation="none", **conv)
    y = conv_block(f"{path}.branch.{number + 1}", tape, y, out_channels, order="norm_act_conv", activation=activation, **norms, **conv)
    return summed(y, shortcut_of(path, tape, x, out_channels, shortcut, stride=stride, norm="none", norm_groups=None))


def shortcut_kind(shortcut: str, in_channels: int, out_channels: int, stride: Size) -> str:
    """identity, projection or zero_pad."""
    same_shape = in_channels == out_channels and pair(stride) == (1, 1)
    return {"auto": "identity" if same_shape else "projection", "projection": "projection"}.get(
        shortcut, "identity" if same_shape else "zero_pad"
    )


def shortcut_of(
    path: str, tape: Tape, x: Map, out_channels: int, shortcut: str, *, stride: Size, norm: str, norm_groups: int | None
) -> Map:
    kind = shortcut_kind(shortcut, x.shape[0], out_channels, stride)
    path = f"{path}.shortcut"
    if kind == "projection":
        return conv_block(
            path, tape, x, out_channels, kernel_size=1, stride=stride, bias=False, norm=norm, norm_groups=norm_groups, activation="none"
        )
    if kind == "identity":
        return x
    if out_channels < x.shape[0]:
        raise NoOutline(f"{path}: zero_pad adds channels")
    window = Window((1, 1), pair(stride), (0, 0))
    return tape.add(path, "ZeroPadShortcut", x, tape.moved(x, out_channels, window), window=window)


def summed(branch: Map, shortcut: Map) -> Map:
    if branch.shape != shortcut.shape:
        raise NoOutline("branch and shortcut differ in shape")
    return replace(branch, field=branch.field.beside(shortcut.field))


def flattened(path: str, tape: Tape, x: Map, pool: str) -> Map:
    """A head's pooling over the whole map, and its flattening; either way a number depends on all positions."""
    channels, height, width = x.shape
    whole = x.field.after((height, width))
    if pool != "none":
        kind = {"avg": "AdaptiveAvgPool2d", "max": "GlobalMaxPool"}[pool]
        x = tape.add(f"{path}.pool", kind, x, Map((channels, 1, 1), whole))
    return tape.add(f"{path}.flatten", "Flatten", x, Map((x.shape[0] * x.shape[1] * x.shape[2],), whole), in_place=True)


def linear(path: str, tape: Tape, x: Map, out_features: int, *, bias: bool = True) -> Map:
    weights = x.shape[0] * out_features
    y = Map((out_features,), x.field)
    return tape.add(path, "Linear", x, y, weights=weights, num_parameters=weights + (out_features if bias else 0))


def linear_head(path: str, tape: Tape, x: Map, num_classes: int, *, pool: str = "avg", dropout: float = 0.0) -> Map:
    x = tape.same(f"{path}.dropout", "Dropout" if dropout else None, flattened(path, tape, x, pool))
    return linear(f"{path}.linear", tape, x, num_classes)


def mlp_head(
    path: str,
    tape: Tape,
    x: Map,
    num_classes: int,
    *,
    pool: str = "avg",
    hidden: Sequence[int] = (512, 256),
    norm: str = "none",
    activation: str = "relu",
    dropout: float = 0.0,
) -> Map:
    x = flattened(path, tape, x, pool)
    for number, width in enumerate(hidden):
        place = f"{path}.hidden{number}"
        x = linear(f"{place}.linear", tape, x, width, bias=norm == "none")
        x = tape.same(f"{place}.norm", FLAT_NORMS[norm], x, num_parameters=2 * width, weights=width)
        x = tape.act(f"{place}.act", x, activation)
        x = tape.same(f"{place}.dropout", "Dropout" if dropout else None, x)
    return linear(f"{path}.linear", tape, x, num_classes)


STEMS: dict[str, Callable[..., Map]] = {"conv": conv_stem, "none": no_stem}
BLOCKS: dict[str, Callable[..., Map]] = {
    "conv": conv_block,
    "residual": residual_block,
    "bottleneck": bottleneck_block,
    "preact_residual": preact_residual_block,
    "norm_act": norm_act_block,
}
HEADS: dict[str, Callable[..., Map]] = {"linear": linear_head, "mlp": mlp_head}
WITH_SHORTCUT = ("residual", "bottleneck", "preact_residual")
