"""Shapes layer by layer, learnt by running the net once; a layer that does not fit its input is told in whole numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnntrain.errors import ShapeError
from cnntrain.model.geometry import as_text, output_length, output_size, pair

KINDS: dict[type[nn.Module], str] = {nn.Conv2d: "conv", nn.MaxPool2d: "max_pool", nn.AvgPool2d: "avg_pool"}
Shape = tuple[int, ...]
SHAPE_ONLY = (nn.Conv2d, nn.BatchNorm2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)


@dataclass(frozen=True)
class LayerShape:
    """One layer of a table.

    Args:
        path: its name in the network, such as stages.0.blocks.1.branch.0.conv.
        kind: its class, such as Conv2d.
        input_shape, output_shape: (C, H, W) or (features,), without the batch.
        num_parameters: its own, counted once where a layer is used twice.
    """

    path: str
    kind: str
    input_shape: Shape
    output_shape: Shape
    num_parameters: int


class DoesNotFit(ShapeError):
    """A kernel that is larger than its padded input.

    Args:
        path: the layer's name in the module that was run.
        sentence: layer, input size and arithmetic.
    """

    def __init__(self, path: str, sentence: str):
        super().__init__(sentence)
        self.path = path


def trace(network: nn.Module, input_shape: Shape) -> list[LayerShape]:
    """Every layer's shapes in the order of the computation, for a batch of 2 in eval mode; on any device, meta included.

    Layers are modules without children or with parameters of their own; identities are left out.

    Args:
        input_shape: (C, H, W).

    Raises:
        DoesNotFit: a convolution or pooling whose kernel is larger than its padded input.
    """
    return watch(network, input_shape)[0]


def output_shape(module: nn.Module, input_shape: Shape) -> Shape:
    """The shape, without the batch, of what the module gives for (C, H, W); () if that is no tensor. Raises as trace."""
    return watch(module, input_shape)[1]


def watch(network: nn.Module, input_shape: Shape) -> tuple[list[LayerShape], Shape]:
    """Runs the net on zeros with a hook on each layer; see trace and output_shape."""
    layers: list[LayerShape] = []
    seen: set[nn.Module] = set()

    def record(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            own = 0 if module in seen else sum(p.numel() for p in module.parameters(recurse=False))
            seen.add(module)
            layers.append(LayerShape(path, type(module).__name__, shape_of(inputs[0] if inputs else None), shape_of(output), own))

        return hook

    def check(path: str) -> Callable[[nn.Module, Any], None]:
        return lambda module, inputs: check_fit(path, module, shape_of(inputs[0] if inputs else None))

    handles = []
    first = next(network.parameters(), None)
    x = torch.zeros(2, *input_shape, device=None if first is None else first.device)
    replaced = []
    for path, module in network.named_modules():
        if is_layer(module):
            handles += [module.register_forward_pre_hook(check(path)), module.register_forward_hook(record(path))]
        if x.is_meta and isinstance(module, SHAPE_ONLY):
            module.forward = shape_only(module)  # type: ignore[assignment]
            replaced.append(module)
    modes = {module: module.training for module in network.modules()}
    try:
        with torch.no_grad():
            y = network.eval()(x)
    finally:
        for handle in handles:
            handle.remove()
        for module in replaced:
            del module.forward
        for module, mode in modes.items():
            module.training = mode
    return layers, shape_of(y)


def shape_only(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """The layer's forward without torch's own shape functions, which would import torch._dynamo and sympy: 1-3 s."""
    usual = layer.forward

    def forward(x: Tensor) -> Tensor:
        shape = shape_after(layer, x)
        return usual(x) if shape is None else x.new_empty(shape)

    return forward


def shape_after(layer: nn.Module, x: Tensor) -> Shape | None:
    """What SHAPE_ONLY layers make of (N, C, H, W) or, a Linear, of (N, features); None where torch shall say what is wrong."""
    if isinstance(layer, nn.Linear):
        return (*x.shape[:-1], layer.out_features) if x.shape[-1] == layer.in_features else None
    if x.ndim != 4:
        return None
    if isinstance(layer, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
        sides = layer.output_size if isinstance(layer.output_size, tuple) else (layer.output_size,) * 2
        return *x.shape[:2], *(given or own for given, own in zip(sides, x.shape[2:], strict=True))
    if isinstance(layer, nn.BatchNorm2d):
        return tuple(x.shape) if x.shape[1] == layer.num_features else None
    assert isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d), layer
    wrong_input = isinstance(layer, nn.Conv2d) and x.shape[1] != layer.in_channels
    if wrong_input or isinstance(layer.padding, str) or getattr(layer, "ceil_mode", False) or getattr(layer, "return_indices", False):
        return None
    dilation = 1 if isinstance(layer, nn.AvgPool2d) else layer.dilation
    size = output_size(tuple(x.shape[2:]), layer.kernel_size, layer.stride, layer.padding, dilation)
    return len(x), layer.out_channels if isinstance(layer, nn.Conv2d) else x.shape[1], *size


def is_layer(module: nn.Module) -> bool:
    childless = next(module.children(), None) is None
    has_own = next(module.parameters(recurse=False), None) is not None
    empty_container = isinstance(module, nn.Identity | nn.Sequential | nn.ModuleList)
    return has_own or (childless and not empty_container)


def shape_of(value: Any) -> Shape:
    return tuple(value.shape[1:]) if isinstance(value, Tensor) else ()


def check_fit(path: str, layer: nn.Module, input_shape: Shape) -> None:
    """Raises DoesNotFit where a convolution or pooling would have no position on its (C, H, W) input."""
    if len(input_shape) != 3 or not isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return
    if isinstance(layer.padding, str) or getattr(layer, "ceil_mode", False):  # only in a user's own block
        return
    kind = KINDS.get(type(layer), type(layer).__name__)
    kernels, strides, paddings = pair(layer.kernel_size), pair(layer.stride), pair(layer.padding)
    dilations = (1, 1) if isinstance(layer, nn.AvgPool2d) else pair(layer.dilation)
    for length, k, s, p, d in zip(input_shape[1:], kernels, strides, paddings, dilations, strict=True):
        num = output_length(length, kernel_size=k, stride=s, padding=p, dilation=d)
        if num < 1:
            raise DoesNotFit(
                path,
                f"{kind} with kernel_size {as_text(kernels)}, stride {as_text(strides)}, padding {as_text(paddings)}"
                + (f", dilation {as_text(dilations)}" if dilations != (1, 1) else "")
                + f" does not fit its {input_shape[1]}x{input_shape[2]} input: "
                f"floor(({length} + 2*{p} - {d}*({k} - 1) - 1) / {s}) + 1 = {num}",
            )
