"""The layers of a network as whole numbers, and the tape that adds them up one by one. No torch."""

from dataclasses import dataclass, field
from typing import Any

from cnntrain.model.geometry import ReceptiveField, Size, output_size, pair

Shape = tuple[int, ...]
ACTIVATIONS = {
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "gelu": "GELU",
    "silu": "SiLU",
    "elu": "ELU",
    "tanh": "Tanh",
    "none": None,
}
POOLS = {"max": "MaxPool2d", "avg": "AvgPool2d"}
NORMS = {"batch": "BatchNorm2d", "group": "GroupNorm", "layer": "GroupNorm", "none": None}
FLAT_NORMS = {"batch": "BatchNorm1d", "layer": "LayerNorm", "none": None}


class NoOutline(Exception):
    """This network cannot be told without torch."""


@dataclass(frozen=True)
class Window:
    """How a convolution or a pooling moves over its input; (vertical, horizontal) each."""

    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Layer:
    """One layer of the network.

    Args:
        path: its name in the network, such as stages.0.blocks.1.branch.0.conv.
        kind: its class in torch, such as Conv2d.
        input_shape, output_shape: (C, H, W) or (features,), without the batch.
        num_parameters: its own.
        field: what a position of its output sees; None where that cannot be told.
        window: of a convolution or pooling.
        groups: of a convolution.
        weights: numbers in its weight, without the bias; 0 where there is none.
        in_place: its output takes its input's memory.
    """

    path: str
    kind: str
    input_shape: Shape
    output_shape: Shape
    num_parameters: int = 0
    field: ReceptiveField | None = None
    window: Window | None = None
    groups: int = 1
    weights: int = 0
    in_place: bool = False


@dataclass(frozen=True)
class Block:
    """One block of a stage.

    Args:
        path: such as stages.0.blocks.1.
        kind: its name in the YAML.
        field: what a position of its output sees; None where that cannot be told.
        shortcut: identity, projection or zero_pad; None where the block has none (or its own way of one).
        asked: the YAML's word for the shortcut.
        stride: as the block got it.
    """

    path: str
    kind: str
    input_shape: Shape
    output_shape: Shape
    field: ReceptiveField | None
    stride: tuple[int, int] = (1, 1)
    shortcut: str | None = None
    asked: str = "auto"


@dataclass(frozen=True)
class Map:
    """A feature map on its way: its shape, and what a position of it sees."""

    shape: Shape
    field: ReceptiveField


@dataclass
class Tape:
    """Keeps the layers in the order of the computation."""

    layers: list[Layer] = field(default_factory=list)

    def add(self, path: str, kind: str, x: Map, y: Map, **facts: Any) -> Map:
        self.layers.append(Layer(path, kind, x.shape, y.shape, field=y.field, **facts))
        return y

    def conv(self, path: str, x: Map, out_channels: int, window: Window, *, groups: int, bias: bool) -> Map:
        if x.shape[0] % groups or out_channels % groups:
            raise NoOutline(f"{path}: groups={groups} does not divide the channels")
        weights = out_channels * (x.shape[0] // groups) * window.kernel_size[0] * window.kernel_size[1]
        y = self.moved(x, out_channels, window)
        return self.add(
            path, "Conv2d", x, y, window=window, groups=groups, weights=weights, num_parameters=weights + (out_channels if bias else 0)
        )

    def pool(self, path: str, x: Map, *, type: str, kernel_size: Size = 2, stride: Size | None = None, padding: Size = 0) -> Map:
        window = Window(pair(kernel_size), pair(kernel_size if stride is None else stride), pair(padding))
        if any(2 * p > k for k, p in zip(window.kernel_size, window.padding, strict=True)):
            raise NoOutline(f"{path}: more padding than half of the kernel")
        return self.add(path, POOLS[type], x, self.moved(x, x.shape[0], window), window=window)

    def moved(self, x: Map, channels: int, window: Window) -> Map:
        size = output_size((x.shape[1], x.shape[2]), window.kernel_size, window.stride, window.padding, window.dilation)
        if min(size) < 1:
            raise NoOutline("a kernel is larger than its input")
        return Map((channels, *size), x.field.after(window.kernel_size, window.stride, window.dilation, window.padding))

    def norm(self, path: str, x: Map, norm: str, num_groups: int | None) -> Map:
        if num_groups is not None and x.shape[0] % num_groups:
            raise NoOutline(f"{path}: norm_groups={num_groups} does not divide the channels")
        return self.same(path, NORMS[norm], x, num_parameters=2 * x.shape[0], weights=x.shape[0])

    def same(self, path: str, kind: str | None, x: Map, **facts: Any) -> Map:
        """A layer that keeps its input's shape, or none."""
        return x if kind is None else self.add(path, kind, x, x, **facts)

    def act(self, path: str, x: Map, activation: str, *, in_place: bool = True) -> Map:
        return self.same(path, ACTIVATIONS[activation], x, in_place=in_place and activation == "relu")
