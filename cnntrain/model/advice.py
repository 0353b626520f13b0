"""Warnings that teach: what a network's numbers say about it, each with what to change. No torch."""

from collections.abc import Callable
from math import prod
from typing import Any

from cnntrain.model.geometry import left_over
from cnntrain.model.layers import Layer
from cnntrain.model.outline import Outline

LARGE_SHARE = 0.9
DIVISOR = 8  # channels that tensor cores and vector units take at once in 16 bits
DEEP = 20  # convolutions; He et al. 2015, arXiv 1512.03385, figure 1: a plain net of 56 trains worse than one of 20


def advice(net: Outline) -> list[dict[str, str]]:
    """[{kind, path, message}], in the order of RULES."""
    return [{"kind": rule.__name__, "path": path, "message": text} for rule in RULES for path, text in rule(net)]


def windows(net: Outline) -> list[Layer]:
    """Convolutions and poolings on the way from the image to the head, without shortcuts."""
    return [layer for layer in net.layers if layer.window is not None and ".shortcut" not in layer.path]


def stage_of(layer: Layer) -> str:
    return ".".join(layer.path.split(".")[: 2 if layer.path.startswith("stages") else 1])


def last_stage(net: Outline) -> str:
    return stage_of(windows(net)[-1]) if windows(net) else ""


def sees_more_than_the_image(net: Outline) -> list[tuple[str, str]]:
    """The first layer whose receptive field is larger than the image."""
    for layer in windows(net):
        if layer.field is None:
            return []
        for seen, side in zip(layer.field.size, net.image[1:], strict=True):
            if seen > side:
                usual = stage_of(layer) == last_stage(net)
                remedy = (
                    "usual in the last stage, whose positions all know the whole image"
                    if usual
                    else "what follows only mixes what it knows; a larger data.image_size, or fewer strides before, uses the depth better"
                )
                return [(layer.path, f"one position sees {seen} pixels, more than the {side} of the image: {remedy}")]
    return []


def sees_little_of_the_image(net: Outline) -> list[tuple[str, str]]:
    """The last map's positions see less than half of the image's side."""
    last = windows(net)[-1:]
    if not last or last[0].field is None:
        return []
    seen, side = min(zip(last[0].field.size, net.image[1:], strict=True), key=lambda pair: pair[0] / pair[1])
    if 2 * seen >= side:
        return []
    return [
        (
            last[0].path,
            f"the last map's positions see {seen} of the image's {side} pixels, so nothing larger is seen whole; "
            "one more stage with stride 2, or a smaller data.image_size, makes it more",
        )
    ]


def works_on_one_position(net: Outline) -> list[tuple[str, str]]:
    """A map of 1x1 that larger kernels still work on."""
    for layer in windows(net):
        kernel = prod(layer.window.kernel_size) if layer.window else 1
        if layer.kind == "Conv2d" and layer.input_shape[1:] == (1, 1) and kernel > 1:
            before = " before the last stage" if stage_of(layer) != last_stage(net) else ""
            text = (
                f"its map is 1x1 already{before}: {kernel - 1} of the {kernel} weights of each kernel meet only padding; "
                "raise data.image_size, or lower a stride before it"
            )
            return [(layer.path, text)]
    return []


def holds_most_parameters(net: Outline) -> list[tuple[str, str]]:
    """A stage (of several) or head with 90 % of the parameters."""
    total = sum(layer.num_parameters for layer in net.layers)
    names = list(dict.fromkeys(stage_of(layer) for layer in net.layers))
    found = []
    for name in names if len(names) > 1 else ():
        own = sum(layer.num_parameters for layer in net.layers if stage_of(layer) == name)
        if total and own >= LARGE_SHARE * total:
            remedy = flattens(net) if name == "head" else f"halving model.{name}.out_channels leaves a quarter to a half of them"
            if remedy:
                found.append((name, f"{100 * own / total:.0f} % of the {total:,} parameters are here: {remedy}"))
    return found


def flattens(net: Outline) -> str:
    """What to do about a head that is tied to every position; nothing where its map is pooled already."""
    first = next((layer for layer in net.layers if layer.path.startswith("head") and layer.kind == "Flatten"), None)
    if first is None or first.input_shape[1:] == (1, 1):
        return ""
    size = f"{first.input_shape[1]}x{first.input_shape[2]}"
    return (
        f"its first layer has a weight for each position of the {size} map, and fits no other image size; "
        "model.head.pool=avg needs one for each channel"
    )


def channels_do_not_divide(net: Outline) -> list[tuple[str, str]]:
    """Channels that a GPU pads to the next multiple of eight."""
    odd: dict[int, str] = {}
    for layer in net.layers:
        channels = layer.output_shape[0]
        if layer.kind == "Conv2d" and channels > DIVISOR and channels % DIVISOR:
            odd.setdefault(channels, layer.path)
    found = []
    for channels, path in odd.items():
        padded = -(-channels // DIVISOR) * DIVISOR
        text = f"{channels} channels do not divide by {DIVISOR}: a GPU computes them like {padded}, so {padded} cost no more time"
        found.append((path, text))
    return found


def drops_the_border(net: Outline) -> list[tuple[str, str]]:
    """Real rows or columns that no window reaches, because the floor drops them."""
    found = []
    for layer in windows(net):
        window, lost = layer.window, []
        assert window is not None, layer
        for axis, word in enumerate(("row", "column")):
            _, real = left_over(
                layer.input_shape[axis + 1],
                kernel_size=window.kernel_size[axis],
                stride=window.stride[axis],
                padding=window.padding[axis],
                dilation=window.dilation[axis],
            )
            lost += [f"{real} {word}{'s' if real > 1 else ''}"] if real else []
        if lost:
            size = f"{layer.input_shape[1]}x{layer.input_shape[2]}"
            text = f"the floor drops {' and '.join(lost)} of its {size} map; an image size that divides evenly down to here loses none"
            found.append((layer.path, text))
    return found


def skips_positions(net: Outline) -> list[tuple[str, str]]:
    """A stride beyond the kernel, in the branch."""
    found = []
    for layer in windows(net):
        window = layer.window
        assert window is not None, layer
        if any(s > k for k, s in zip(window.kernel_size, window.stride, strict=True)):
            seen, all_of = prod(map(min, window.kernel_size, window.stride)), prod(window.stride)
            found.append((layer.path, f"its stride is larger than its kernel: it never looks at {all_of - seen} of {all_of} positions"))
    return found


def is_deep_without_shortcuts(net: Outline) -> list[tuple[str, str]]:
    """A plain net of more than 20 convolutions."""
    convs = [layer for layer in net.layers if layer.kind == "Conv2d"]
    if len(convs) <= DEEP or any(block.shortcut for block in net.blocks) or any(".shortcut" in layer.path for layer in net.layers):
        return []
    text = (
        f"{len(convs)} convolutions without a shortcut: plain nets this deep end with a higher training error than shallower ones "
        "(degradation; He et al. 2015, figure 1); block: residual has the same layers beside shortcuts"
    )
    return [("stages", text)]


def normalises_over_the_map(net: Outline) -> list[tuple[str, str]]:
    """GroupNorm and LayerNorm, whose mean and variance are taken over height and width."""
    first = next((layer for layer in net.layers if layer.kind == "GroupNorm"), None)
    if first is None:
        return []
    return [
        (
            first.path,
            "this norm's mean and variance are taken over the whole map, so every position depends a little on all of the image; "
            "the receptive fields here count convolutions and poolings",
        )
    ]


def counts_more_than_layers(net: Outline) -> list[tuple[str, str]]:
    """Multiply-adds of functions that no layer tells of."""
    if not net.other_multiply_adds:
        return []
    return [("", f"{net.other_multiply_adds:,} multiply-adds are in functions that are no layers; they stand in the total alone")]


def knows_no_receptive_field(net: Outline) -> list[tuple[str, str]]:
    """From some layer of a user's own part on nothing is known about what a position sees."""
    first = next((layer for layer in net.layers if layer.field is None), None)
    return [] if first is None else [(first.path, "from here on receptive fields cannot be told: a function before it is not known")]


RULES: tuple[Callable[[Outline], Any], ...] = (
    sees_more_than_the_image,
    sees_little_of_the_image,
    works_on_one_position,
    drops_the_border,
    holds_most_parameters,
    is_deep_without_shortcuts,
    skips_positions,
    channels_do_not_divide,
    normalises_over_the_map,
    counts_more_than_layers,
    knows_no_receptive_field,
)
