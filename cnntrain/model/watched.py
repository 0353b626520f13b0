"""A network with a user's own parts, as whole numbers: made and run on the meta device, each layer watched.

Receptive fields follow the tensors from function to function, so that sums, concatenations and shortcuts inside a
user's own block are told too; after a function that is not known here they are not told any more.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from cnntrain.config.schema import ModelConfig
from cnntrain.model.conv import ConvBlock
from cnntrain.model.explain import num_multiply_adds
from cnntrain.model.factory import make_plan
from cnntrain.model.geometry import ReceptiveField, pair
from cnntrain.model.layers import Block, Layer, Shape, Window
from cnntrain.model.network import Network
from cnntrain.model.outline import Outline
from cnntrain.model.residual import ZeroPadShortcut
from cnntrain.model.shapes import is_layer, shape_of, trace
from cnntrain.model.stage import Stage

FIELD = "_cnntrain_field"  # attribute of a tensor: its ReceptiveField, or None where it cannot be told
POSITIONWISE = frozenset(
    "add sub mul div neg abs pow exp log sqrt clamp maximum minimum where relu leaky_relu gelu silu elu tanh sigmoid softplus softmax "  # noqa: SIM905
    "hardswish hardsigmoid batch_norm dropout dropout2d feature_dropout cat chunk split clone contiguous to float".split()
)
MOVING = {  # names of a function's arguments behind its input
    "conv2d": ("weight", "bias", "stride", "padding", "dilation", "groups"),
    "max_pool2d": ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "avg_pool2d": ("kernel_size", "stride", "padding", "ceil_mode"),
}
WHOLE = ("flatten", "mean", "amax", "sum", "max", "adaptive_avg_pool2d", "adaptive_max_pool2d")  # a number out of all positions


def watched(model: ModelConfig, *, in_channels: int, num_classes: int, image_size: tuple[int, int]) -> Outline:
    """The same as outline(), for any network that the factory can make.

    Raises:
        ShapeError: a part does not fit its input.
    """
    image = (in_channels, *image_size)
    plan = make_plan(model, in_channels, num_classes, image_size)
    with torch.device("meta"):
        network = plan.make()
    shapes = trace(network, image)
    fields, blocks, multiply_adds = run(network, model, image)
    assert [path for path, _ in fields] == [each.path for each in shapes], "two runs of one network"
    layers = [layer_of(network.get_submodule(each.path), each, field) for each, (_, field) in zip(shapes, fields, strict=True)]
    return Outline(model.name, image, layers, blocks, multiply_adds - sum(map(num_multiply_adds, layers)))


def layer_of(module: nn.Module, seen: Any, field: ReceptiveField | None) -> Layer:
    """A traced layer with what its module tells."""
    weight = getattr(module, "weight", None)
    return Layer(
        path=seen.path,
        kind=seen.kind,
        input_shape=seen.input_shape,
        output_shape=seen.output_shape,
        num_parameters=seen.num_parameters,
        field=field,
        window=window_of(module),
        groups=module.groups if isinstance(module, nn.Conv2d) else 1,
        weights=weight.numel() if isinstance(weight, Tensor) else 0,
        in_place=bool(getattr(module, "inplace", False)) or isinstance(module, nn.Flatten),
    )


def window_of(module: nn.Module) -> Window | None:
    """Of convolutions and poolings whose padding is the same on both sides."""
    if isinstance(module, ZeroPadShortcut):
        return Window((1, 1), module.stride, (0, 0))
    if not isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) or isinstance(module.padding, str):
        return None
    if getattr(module, "ceil_mode", False):
        return None
    dilation = (1, 1) if isinstance(module, nn.AvgPool2d) else pair(module.dilation)
    return Window(pair(module.kernel_size), pair(module.stride), pair(module.padding), dilation)


def run(network: Network, model: ModelConfig, image: Shape) -> tuple[list[tuple[str, ReceptiveField | None]], list[Block], int]:
    """Each layer's name and receptive field in the order of the computation, the blocks, and all multiply-adds."""
    fields: list[tuple[str, ReceptiveField | None]] = []
    maps: dict[nn.Module, tuple[Shape, Shape, ReceptiveField | None]] = {}

    def hook(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def record(module: nn.Module, inputs: Any, output: Any) -> None:
            if is_layer(module):
                window, field = window_of(module), getattr(inputs[0] if inputs else None, FIELD, None)
                if window is not None and field is not None:
                    setattr(output, FIELD, field.after(window.kernel_size, window.stride, window.dilation, window.padding))
                fields.append((path, getattr(output, FIELD, None)))
            maps[module] = (shape_of(inputs[0] if inputs else None), shape_of(output), getattr(output, FIELD, None))

        return record

    handles = [module.register_forward_hook(hook(path)) for path, module in network.named_modules()]
    x = torch.zeros(1, *image, device="meta")
    setattr(x, FIELD, ReceptiveField())
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter, Follow():
            network.eval()(x)
    finally:
        for handle in handles:
            handle.remove()
    blocks = [
        block_of(f"stages.{s}.blocks.{b}", model.stages[s], b, block, maps[block])
        for s, stage in enumerate(network.stages)
        if isinstance(stage, Stage)
        for b, block in enumerate(stage.blocks)
    ]
    return fields, blocks, counter.get_total_flops() // 2  # it counts a multiplication and an addition each


def block_of(path: str, stage: Any, number: int, block: nn.Module, maps: tuple[Shape, Shape, ReceptiveField | None]) -> Block:
    strides = number == 0 and stage.get("downsample", "stride") == "stride"
    stride = pair(stage.get("stride", 1) if strides else 1)
    return Block(path, stage["block"], *maps, stride=stride, shortcut=shortcut_of(block), asked=stage.get("shortcut", "auto"))


def shortcut_of(block: nn.Module) -> str | None:
    """identity, projection, zero_pad; None for a block that has no `shortcut`, or one of another kind."""
    shortcut = dict(block.named_children()).get("shortcut")
    kinds: dict[type, str] = {nn.Identity: "identity", ConvBlock: "projection", ZeroPadShortcut: "zero_pad"}
    return kinds.get(type(shortcut))


class Follow(TorchFunctionMode):
    """Gives each function's output the receptive field that its inputs make."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        outputs = [each for each in (result if isinstance(result, tuple | list) else [result]) if isinstance(each, Tensor)]
        inputs = list(maps_in([args, kwargs or {}]))
        if outputs and inputs:
            moved = moved_by(getattr(func, "__name__", ""), args, kwargs or {})
            for output in outputs:
                setattr(output, FIELD, after_function(func, moved, inputs, output))
        return result


def maps_in(value: Any) -> Any:
    """The tensors in arguments that have a field; weights have none."""
    if isinstance(value, Tensor):
        if hasattr(value, FIELD):
            yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from maps_in(each)
    elif isinstance(value, dict):
        yield from maps_in(list(value.values()))


def after_function(func: Any, moved: Window | None, inputs: list[Tensor], output: Tensor) -> ReceptiveField | None:
    """What a position of a function's output sees; None where that is not known."""
    first, *rest = [getattr(each, FIELD) for each in inputs]
    if first is None or None in rest:
        return None
    joined: ReceptiveField = first
    for field in rest:
        joined = joined.beside(field)
    if moved is not None:
        return joined.after(moved.kernel_size, moved.stride, moved.dilation, moved.padding)
    x, name = inputs[0], getattr(func, "__name__", "").strip("_")
    if x.ndim == 2:  # behind a flattening every number knows what the list knows
        return joined
    keeps = output.ndim == 4 and output.shape[2:] == x.shape[2:]
    if name in WHOLE and x.ndim == 4 and not keeps:
        return joined.after((x.shape[2], x.shape[3]))
    is_known = {name, name[1:]} & POSITIONWISE or name in WHOLE  # name[1:] of iadd and radd
    return joined if is_known else None


def moved_by(name: str, args: Any, kwargs: Any) -> Window | None:
    """How a convolution or pooling that is no layer moves; None for any other function."""
    if name not in MOVING:
        return None
    given = {**dict(zip(("input", *MOVING[name]), args, strict=False)), **kwargs}
    if given.get("ceil_mode") or isinstance(given.get("padding"), str):
        return None
    kernel_size = given["weight"].shape[2:] if name == "conv2d" else given["kernel_size"]
    stride = given.get("stride") or (1 if name == "conv2d" else kernel_size)
    return Window(*(pair(one(size)) for size in (kernel_size, stride, given.get("padding", 0), given.get("dilation", 1))))


def one(size: Any) -> Any:
    """torch takes (2,) for (2, 2)."""
    return size if isinstance(size, int) or len(size) == 2 else size[0]
