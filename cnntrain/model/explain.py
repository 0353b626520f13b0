"""A network explained: every layer's numbers with the formulas that give them, as plain data. No torch.

Multiply-adds count what convolutions and linear layers multiply and add for one image (He et al. 2015, table 1, count
the same and call them FLOPs); biases, norms, activations and poolings are left out. torch's FlopCounterMode counts each twice.
"""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from cnntrain.model.advice import advice
from cnntrain.model.geometry import as_text, left_over
from cnntrain.model.layers import Block, Layer, Shape, Window
from cnntrain.model.outline import Outline

BYTES = 4  # of a number in a feature map, float32


def explain(net: Outline) -> dict[str, Any]:
    """The whole network: {name, image, num_classes, totals, parts, blocks, layers, warnings}."""
    layers = [explain_layer(layer) for layer in net.layers]
    blocks = [explain_block(block) for block in net.blocks]
    totals = totals_of(layers)
    totals["multiply_adds"] += net.other_multiply_adds
    return {
        "name": net.name,
        "image": list(net.image),
        "num_classes": net.layers[-1].output_shape[-1],
        "totals": totals,
        "parts": list(explain_parts(net, layers)),
        "blocks": blocks,
        "layers": layers,
        "warnings": advice(net),
    }


def explain_layer(layer: Layer) -> dict[str, Any]:
    """One layer; sizes as one number where height and width agree, null where a layer has none."""
    window, seen = layer.window, layer.field
    parameters, multiply_adds = parameters_formula(layer), multiply_adds_formula(layer)
    rows, columns = dropped(layer)
    return {
        "path": layer.path,
        "kind": layer.kind,
        "input_shape": list(layer.input_shape),
        "output_shape": list(layer.output_shape),
        "kernel_size": None if window is None else plain(window.kernel_size),
        "stride": None if window is None else plain(window.stride),
        "padding": None if window is None else plain(window.padding),
        "dilation": None if window is None else plain(window.dilation),
        "groups": layer.groups if layer.kind == "Conv2d" else None,
        "size_formula": size_formula(layer),
        "receptive_field": None if seen is None else plain(seen.size),
        "effective_stride": None if seen is None else plain(seen.jump),
        "dropped_border": plain((rows[0], columns[0])),
        "dropped_pixels": plain((rows[1], columns[1])),
        "parameters": layer.num_parameters,
        "parameters_formula": parameters,
        "multiply_adds": num_multiply_adds(layer),
        "multiply_adds_formula": multiply_adds,
        "activation_bytes": activation_bytes(layer),
        "fully_connected": as_fully_connected(layer),
    }


def plain(sizes: tuple[int, int]) -> int | list[int]:
    """(3, 3) -> 3, and (3, 5) -> [3, 5], as the YAML has them."""
    return sizes[0] if sizes[0] == sizes[1] else list(sizes)


# sizes


def size_formula(layer: Layer) -> str | None:
    """The formula of README.md with the numbers put in; one for height and one for width where they differ."""
    if layer.window is None:
        return gathered(layer)
    texts = [length_formula(*each) for each in axes(layer)]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]} high, {texts[1]} wide"


def axes(layer: Layer) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Input length, kernel_size, stride, padding, dilation and output length, of height and of width."""
    assert layer.window is not None, layer
    window: Window = layer.window
    for axis in (0, 1):
        yield (
            layer.input_shape[axis + 1],
            window.kernel_size[axis],
            window.stride[axis],
            window.padding[axis],
            window.dilation[axis],
            layer.output_shape[axis + 1],
        )


def length_formula(length: int, kernel_size: int, stride: int, padding: int, dilation: int, result: int) -> str:
    """floor((224 + 2*3 - 7) / 2) + 1 = 112; with dilation D the kernel reaches D*(K - 1) + 1 positions."""
    reach = f"{kernel_size}" if dilation == 1 else f"({dilation}*({kernel_size} - 1) + 1)"
    return f"floor(({length} + 2*{padding} - {reach}) / {stride}) + 1 = {result}"


def gathered(layer: Layer) -> str | None:
    """How a head brings a map to a list of numbers."""
    if layer.kind in ("AdaptiveAvgPool2d", "GlobalMaxPool", "AdaptiveMaxPool2d") and layer.output_shape[1:] == (1, 1):
        what = "mean" if "Avg" in layer.kind else "maximum"
        return f"one {what} of {layer.input_shape[1]}*{layer.input_shape[2]} positions for each of {layer.input_shape[0]} channels"
    if layer.kind == "Flatten":
        return f"{product(layer.input_shape)} = {prod(layer.output_shape):,}"
    return None


def dropped(layer: Layer) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns that the floor drops: (of the padded input, of them real ones) each."""
    if layer.window is None:
        return (0, 0), (0, 0)
    rows, columns = (left_over(n, kernel_size=k, stride=s, padding=p, dilation=d) for n, k, s, p, d, _ in axes(layer))
    return rows, columns


# parameters and multiply-adds


def factors(layer: Layer) -> list[str]:
    """What the numbers of a weight multiply up from: kernel, channels in, channels out."""
    if layer.kind == "Linear":
        return [str(layer.input_shape[-1]), str(layer.output_shape[-1])]
    assert layer.window is not None, layer
    channels = str(layer.input_shape[0])
    channels = channels if layer.groups == 1 else f"({channels}/{layer.groups})"
    return [*map(str, layer.window.kernel_size), channels, str(layer.output_shape[0])]


def parameters_formula(layer: Layer) -> str | None:
    """None for a layer without parameters."""
    if not layer.num_parameters:
        return None
    if not is_counted(layer):
        own = layer.num_parameters
        return f"2*{own // 2} = {own:,}" if layer.weights * 2 == own else f"{own:,}"
    bias = layer.num_parameters - layer.weights
    text = "*".join(factors(layer)) + (f" + {bias}" if bias else "")
    return f"{text} = {layer.num_parameters:,}"


def multiply_adds_formula(layer: Layer) -> str | None:
    """Each weight is used once at each position of the output; None for a layer that does not count."""
    if not is_counted(layer):
        return None
    return f"{'*'.join([*factors(layer), *map(str, positions(layer))])} = {num_multiply_adds(layer):,}"


def num_multiply_adds(layer: Layer) -> int:
    return layer.weights * prod(positions(layer)) if is_counted(layer) else 0


def positions(layer: Layer) -> Shape:
    """Where the weights are used: the output's height and width, or what a linear layer has before its features."""
    return layer.output_shape[1:] if layer.kind == "Conv2d" else layer.output_shape[:-1]


def is_counted(layer: Layer) -> bool:
    return layer.kind in ("Conv2d", "Linear")


def activation_bytes(layer: Layer) -> int:
    """Memory of the output for one image in float32; 0 where it takes its input's place. Training keeps them until the backward pass."""
    return 0 if layer.in_place else BYTES * prod(layer.output_shape)


def as_fully_connected(layer: Layer) -> dict[str, int]:
    """The same layer if each number of its output had a weight for each number of its input."""
    if layer.kind != "Conv2d":
        return {"parameters": layer.num_parameters, "multiply_adds": num_multiply_adds(layer)}
    weights, outputs = prod(layer.input_shape) * prod(layer.output_shape), prod(layer.output_shape)
    has_bias = layer.num_parameters > layer.weights
    return {"parameters": weights + (outputs if has_bias else 0), "multiply_adds": weights}


def product(shape: Sequence[int]) -> str:
    return "*".join(map(str, shape))


# parts


def totals_of(layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sums over layers."""
    sums = {name: sum(layer[name] for layer in layers) for name in ("parameters", "multiply_adds", "activation_bytes")}
    dense = {name: sum(layer["fully_connected"][name] for layer in layers) for name in ("parameters", "multiply_adds")}
    return {**sums, "fully_connected": dense}


def part_of(path: str) -> str:
    """stages.0.blocks.1.act -> stages.0, and stem.conv -> stem."""
    return ".".join(path.split(".")[: 2 if path.startswith("stages.") else 1])


def explain_parts(net: Outline, layers: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Stem, stages and head, each with its sums; a part without layers is left out."""
    for name in dict.fromkeys(part_of(layer["path"]) for layer in layers):
        own = [layer for layer in layers if part_of(layer["path"]) == name]
        blocks = [block for block in net.blocks if part_of(block.path) == name]
        last = explain_block(blocks[-1]) if blocks else own[-1]
        yield {
            "path": name,
            "block": blocks[0].kind if blocks else None,
            "num_blocks": len(blocks),
            "input_shape": own[0]["input_shape"],
            "output_shape": last["output_shape"],
            "receptive_field": last["receptive_field"],
            "effective_stride": last["effective_stride"],
            **totals_of(own),
        }


def explain_block(block: Block) -> dict[str, Any]:
    """One block, and why its shortcut is what it is."""
    return {
        "path": block.path,
        "kind": block.kind,
        "input_shape": list(block.input_shape),
        "output_shape": list(block.output_shape),
        "receptive_field": None if block.field is None else plain(block.field.size),
        "effective_stride": None if block.field is None else plain(block.field.jump),
        "stride": plain(block.stride),
        "shortcut": block.shortcut,
        "why": None if block.shortcut is None else why(block),
    }


def why(block: Block) -> str:
    """The reason for the kind of shortcut. Source: He et al. 2015, arXiv 1512.03385, section 3.3."""
    before, after = block.input_shape[0], block.output_shape[0]
    changes = [f"{before} channels become {after}"] if before != after else []
    changes += [f"stride {as_text(block.stride)} shrinks the map"] if block.stride != (1, 1) else []
    if block.shortcut == "identity":
        return f"{before} channels and stride 1 keep the shape, so the input is added as it is"
    if block.shortcut == "zero_pad":
        skips = "" if block.stride == (1, 1) else f" of every {nth(block.stride)} row and column"
        return f"{' and '.join(changes)}: the input{skips} is added, with {after - before} channels of zeros"
    if not changes:
        return f"shortcut {block.asked} asks for a 1x1 convolution even where the shape stays"
    return f"{' and '.join(changes)}: a 1x1 convolution brings the input to the sum's shape"


def nth(stride: tuple[int, int]) -> str:
    """2nd, 3rd, 4th; for two different strides 2nd and 3rd."""
    words = [f"{step}{ {2: 'nd', 3: 'rd'}.get(step, 'th') }" for step in stride]
    return words[0] if words[0] == words[1] else " and ".join(words)
