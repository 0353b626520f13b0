"""A network on the terminal: one table of all layers for the eye, or each layer with its formulas."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.table import Table
from rich.text import Text

from cnntrain.report.figures import NOTHING, counted, scaled, size_of_memory
from cnntrain.report.figures import size_text as shape_text
from cnntrain.report.screen import Screen, printable, stdout

WIDE = 104  # columns, from which on a layer's norm, padding and dilation are told in the table too
NORMS = ("BatchNorm2d", "GroupNorm", "BatchNorm1d", "LayerNorm")
WORDS = {
    "Conv2d": "conv",
    "MaxPool2d": "max pool",
    "AvgPool2d": "avg pool",
    "AdaptiveAvgPool2d": "mean of the map",
    "GlobalMaxPool": "maximum of the map",
    "ZeroPadShortcut": "zero-padded",
    "Flatten": "map to a list",
    "Linear": "fully connected",
    "BatchNorm2d": "batch norm",
    "BatchNorm1d": "batch norm",
    "GroupNorm": "group norm",
    "LayerNorm": "layer norm",
    "Dropout2d": "dropout",
    "Dropout": "dropout",
}
Net = Mapping[str, Any]


def show_net(net: Net, screen: Screen | None = None) -> None:
    """Title, layers, sums, comparison and warnings."""
    screen = screen or stdout()
    screen.tell(title(net), style="bold")
    screen.print(layer_table(net, wide=screen.width >= WIDE))
    screen.tell("")
    screen.print(Text(LEGEND, style="dim"))
    screen.tell("")
    screen.print(sums_table(net))
    screen.tell("")
    screen.print(Text(dense_sentence(net)))
    show_warnings(net, screen)


LEGEND = (
    "sees: receptive field, the pixels of the image that one position depends on; step: pixels from one position to the next; "
    "/2: stride 2; format=full or layer=NAME shows every formula"
)


def title(net: Net) -> str:
    totals = net["totals"]
    return (
        f"{printable(net['name'])}: {totals['parameters']:,} parameters, {scaled(totals['multiply_adds'])} multiply-adds "
        f"({shape_text(net['image'])} images, {counted(net['num_classes'], 'output')})"
    )


def show_warnings(net: Net, screen: Screen, *, first_line: bool = True) -> None:
    """Each on lines of its own, after an empty one."""
    if net["warnings"] and first_line:
        screen.tell("")
    for warning in net["warnings"]:
        line = Text("! ")
        line.append(f"{warning['path']}: " if warning["path"] else "", style="bold")
        line.append(printable(warning["message"]))
        screen.print(line)


def dense_sentence(net: Net) -> str:
    """What the same maps would cost if every number had a weight for every number of the layer before."""
    totals, dense = net["totals"], net["totals"]["fully_connected"]
    if dense["parameters"] == totals["parameters"]:
        return "It has no convolution: every layer is fully connected already."
    times = dense["parameters"] / max(1, totals["parameters"])
    return (
        f"With fully connected layers between the same maps it would have {scaled(dense['parameters'])} parameters, "
        f"{times:,.0f} times as many, and {scaled(dense['multiply_adds'])} multiply-adds: a convolution looks at a small window, "
        "and uses the same weights at every position."
    )


# the table


def layer_table(net: Net, *, wide: bool) -> Table:
    """Parts, blocks and layers from the image to the head; equal blocks that follow each other are told once."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("layer", no_wrap=True)
    table.add_column("", overflow="fold")
    for name in ("output", "sees", "step", "parameters", "mult-adds"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("image", "", shape_text(net["image"]), "1", "1", "", "")
    for part in net["parts"]:
        told = f"{part['num_blocks']} x {part['block']}" if part["block"] else ""
        table.add_row(*row(part["path"], told, part), style="bold")
        for line in part_rows(net, part, wide=wide):
            table.add_row(*line)
    return table


def part_rows(net: Net, part: Net, *, wide: bool) -> Iterator[tuple[str, ...]]:
    """The rows below a part's own."""
    layers = below(net["layers"], part["path"])
    blocks = below(net["blocks"], part["path"])
    for step in steps([each for each in layers if ".blocks." not in each["path"]]):
        yield step_row(step, part["path"], 1, wide=wide)
    for alike in runs_of_alike(blocks, layers):
        first, last = alike[0], alike[-1]
        number = first["path"].rpartition(".")[2] + ("" if first is last else f"-{last['path'].rpartition('.')[2]}")
        own = below(layers, first["path"])
        lines = steps(own)
        if first["shortcut"] is None and len(lines) == 1:
            cells = list(step_row(lines[0], first["path"], 1, wide=wide))
            cells[0] = f" blocks.{number}"
            cells[3] = seen(last)
            yield tuple(cells)
            continue
        totals = {name: sum(each[name] for each in own) for name in ("parameters", "multiply_adds")}
        yield row(f" blocks.{number}", shortcut_words(first, len(alike)), {**last, **totals})
        for step in lines:
            yield step_row(step, first["path"], 2, wide=wide)
        if first["shortcut"] is not None and own[-1]["path"] != f"{first['path']}.act":
            yield row("  sum", "", {**first, "parameters": 0, "multiply_adds": 0})


def shortcut_words(block: Net, number: int) -> str:
    """identity shortcut, and of several blocks: identity, each of 2."""
    kind = (block["shortcut"] or "").replace("_", "-")
    if number == 1:
        return f"{kind} shortcut" if kind else ""
    return f"{kind}, each of {number}".removeprefix(", ")


def below(rows: Sequence[Net], path: str) -> list[Net]:
    return [each for each in rows if f"{each['path']}.".startswith(f"{path}.")]


def runs_of_alike(blocks: Sequence[Net], layers: Sequence[Net]) -> list[list[Net]]:
    """Blocks that follow each other and have equal layers."""

    def signature(block: Net) -> list[Any]:
        names = ("kind", "input_shape", "output_shape", "kernel_size", "stride", "padding", "dilation", "groups", "parameters")
        own = [[each["path"][len(block["path"]) :], *(each[name] for name in names)] for each in below(layers, block["path"])]
        return [block["shortcut"], *own]

    return [list(group) for _, group in groupby(blocks, key=signature)]


def steps(layers: Sequence[Net]) -> list[list[Net]]:
    """Layers in steps, each of one that computes and the norms and activations around it."""
    found: list[list[Net]] = []
    for layer in layers:
        if found and home(found[-1][0]) == home(layer) and joins(found[-1], layer):
            found[-1].append(layer)
        else:
            found.append([layer])
    return found


def home(layer: Net) -> str:
    """What a layer is part of; a shortcut that is one layer is a lane of its own."""
    path: str = layer["path"]
    return path if path.endswith(".shortcut") else path.rpartition(".")[0]


def joins(step: Sequence[Net], layer: Net) -> bool:
    """A norm or activation goes with what is before it; a computing layer only with norms and activations."""
    return not computes(layer) or not any(computes(each) for each in step)


def computes(layer: Net) -> bool:
    return bool(layer["multiply_adds"]) or layer["input_shape"] != layer["output_shape"] or layer["kernel_size"] is not None


def step_row(step: Sequence[Net], path: str, depth: int, *, wide: bool) -> tuple[str, ...]:
    main = next((each for each in step if computes(each)), step[0])
    name = main["path"][len(path) + 1 :]
    name = name.removesuffix(".conv") if depth == 2 else name
    told = words_of(main, wide=wide)
    told = f"sum, {told}" if depth == 2 and name == "act" else told
    if wide:
        around = [f"{words_of(each, wide=True)}" for each in step if each is not main]
        told = ", ".join([told, *around])
    total = {name: sum(each[name] for each in step) for name in ("parameters", "multiply_adds")}
    return row(" " * depth + name, told, {**step[-1], **total})


def row(name: str, told: str, numbers: Net) -> tuple[str, ...]:
    parameters, multiply_adds = numbers["parameters"], numbers["multiply_adds"]
    return (
        name,
        told,
        shape_text(numbers["output_shape"]),
        seen(numbers),
        NOTHING if numbers["effective_stride"] is None else size_text(numbers["effective_stride"]),
        f"{parameters:,}" if parameters else "",
        scaled(multiply_adds) if multiply_adds else "",
    )


def seen(numbers: Net) -> str:
    return NOTHING if numbers["receptive_field"] is None else size_text(numbers["receptive_field"])


def words_of(layer: Net, *, wide: bool) -> str:
    """3x3 conv /2, and where there is room its padding, dilation and groups."""
    word: str = WORDS.get(layer["kind"]) or (layer["kind"] if layer["parameters"] else layer["kind"].lower())
    if layer["kernel_size"] is None or layer["kind"] == "ZeroPadShortcut":
        return word
    text = f"{side_by_side(layer['kernel_size'])} {word}"
    text += f" /{size_text(layer['stride'])}" if layer["stride"] != 1 else ""
    if layer["groups"] not in (None, 1):
        text += " depthwise" if layer["groups"] == layer["input_shape"][0] else f" {layer['groups']} groups"
    if wide:
        text += f", padding {size_text(layer['padding'])}" if layer["padding"] else ""
    text += f", dilation {size_text(layer['dilation'])}" if layer["dilation"] != 1 else ""
    return text


def side_by_side(size: int | Sequence[int]) -> str:
    """3 -> 3x3."""
    return f"{size}x{size}" if isinstance(size, int) else shape_text(size)


def size_text(size: int | Sequence[int]) -> str:
    """3 -> 3, and [3, 5] -> 3x5."""
    return str(size) if isinstance(size, int) else shape_text(size)


def sums_table(net: Net) -> Table:
    """Each part's share of parameters, work and memory."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("part", no_wrap=True)
    for name in ("parameters", "share", "mult-adds", "share", "activations", "as fully\nconnected"):
        table.add_column(name, justify="right", no_wrap=True)
    totals = net["totals"]
    for part in [*net["parts"], {"path": "in all", **totals}]:
        table.add_row(
            part["path"],
            f"{part['parameters']:,}",
            share(part["parameters"], totals["parameters"]),
            scaled(part["multiply_adds"]),
            share(part["multiply_adds"], totals["multiply_adds"]),
            size_of_memory(part["activation_bytes"]),
            scaled(part["fully_connected"]["parameters"]),
            style="bold" if part["path"] == "in all" else "",
        )
    return table


def share(number: int, total: int) -> str:
    return f"{100 * number / total:.1f} %" if total else NOTHING
