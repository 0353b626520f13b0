"""A network's layers one by one with their formulas, and two networks beside each other."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from cnntrain.report.figures import NOTHING, counted, scaled, size_of_memory
from cnntrain.report.figures import size_text as shape_text
from cnntrain.report.net_text import seen, show_warnings, side_by_side, size_text, title
from cnntrain.report.screen import Screen, printable, stdout

Net = Mapping[str, Any]
SUMS = {"parameters": "parameters", "multiply_adds": "multiply-adds", "activation_bytes": "activations"}


# every formula


def show_formulas(net: Net, *, whole: bool, screen: Screen | None = None) -> None:
    """Each layer with the numbers put into its formulas, and each block's shortcut.

    Args:
        whole: all of the network, with title and warnings.
    """
    screen = screen or stdout()
    if whole:
        screen.tell(title(net), style="bold")
    blocks = {block["path"]: block for block in net["blocks"]}
    for number, layer in enumerate(net["layers"]):
        if whole or number:
            screen.tell("")
        for path in [path for path in blocks if f"{layer['path']}.".startswith(f"{path}.")]:
            for line in block_lines(blocks.pop(path)):
                screen.print(line)
            screen.tell("")
        screen.print(Text.assemble((layer["path"], "bold"), f"  {heading(layer)}"))
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, text in layer_lines(layer):
            grid.add_row(f"  {name}", Text(text))
        screen.print(grid)
    if whole:
        show_warnings(net, screen)


def block_lines(block: Net) -> Iterator[Text]:
    head = Text.assemble((block["path"], "bold"), f"  block {block['kind']}, ")
    head.append(f"{shape_text(block['input_shape'])} -> {shape_text(block['output_shape'])}")
    yield head
    if block["shortcut"] is not None:
        yield Text(f"  {block['shortcut'].replace('_', '-')} shortcut: {block['why']}")


def heading(layer: Net) -> str:
    if layer["kernel_size"] is None:
        return layer["kind"]
    words = [f"kernel {side_by_side(layer['kernel_size'])}", f"stride {size_text(layer['stride'])}"]
    words += [f"{name} {size_text(layer[name])}" for name in ("padding", "dilation")]
    words += [f"groups {layer['groups']}"] if layer["groups"] is not None else []
    return f"{layer['kind']}: {', '.join(words)}"


def layer_lines(layer: Net) -> Iterator[tuple[str, str]]:
    """What there is to say of one layer, line by line."""
    shapes = f"{shape_text(layer['input_shape'])} -> {shape_text(layer['output_shape'])}"
    yield "size", shapes if layer["size_formula"] is None else f"{shapes}:  {layer['size_formula']}"
    if layer["receptive_field"] is not None:
        yield "sees", f"{side_by_side(layer['receptive_field'])} pixels, a step is {size_text(layer['effective_stride'])}"
    if layer["dropped_border"] not in (0, [0, 0]):
        yield "dropped", left_over_words(layer["dropped_border"], layer["dropped_pixels"])
    for name in ("parameters", "multiply_adds"):
        if layer[f"{name}_formula"] is not None:
            yield SUMS[name], layer[f"{name}_formula"]
    memory = layer["activation_bytes"]
    yield "activations", f"{memory:,} bytes" if memory else "none of its own: it takes its input's place"
    dense = layer["fully_connected"]["parameters"]
    if dense != layer["parameters"]:
        inputs, outputs = ("*".join(map(str, layer[f"{side}_shape"])) for side in ("input", "output"))
        times = dense / max(1, layer["parameters"])
        yield "as linear", f"({inputs}) * ({outputs}) = {dense:,} parameters, {times:,.0f} times as many"


def left_over_words(border: int | Sequence[int], pixels: int | Sequence[int]) -> str:
    """What the floor drops: rows and columns of the padded input, and whether any of them is real."""
    rows, columns = (border, border) if isinstance(border, int) else border
    told = " and ".join(counted(number, word) for number, word in ((rows, "row"), (columns, "column")) if number)
    real = pixels not in (0, [0, 0])
    return f"{told} at the far border, which the floor leaves over ({'of the map itself' if real else 'padding alone'})"


# two networks


def show_beside(this: Net, other: Net, settings: Sequence[Mapping[str, Any]], screen: Screen | None = None) -> None:
    """Titles, what differs in the YAML, sizes and costs part by part."""
    screen = screen or stdout()
    for net in (this, other):
        screen.tell(title(net), style="bold")
    names = names_of(this, other)
    screen.tell("")
    screen.print(settings_table(settings, names))
    screen.tell("")
    screen.print(beside_table(this, other, names))
    screen.tell("")
    screen.print(totals_table(this, other, names))
    for name, net in zip(names, (this, other), strict=True):
        if net["warnings"]:
            screen.tell("")
            screen.tell(f"{name}:", style="bold")
            show_warnings(net, screen, first_line=False)


def names_of(this: Net, other: Net) -> tuple[str, str]:
    """Headings: the networks' names, or first and second where these agree."""
    names = printable(this["name"]), printable(other["name"])
    return names if names[0] != names[1] else ("first", "second")


def settings_table(settings: Sequence[Mapping[str, Any]], names: tuple[str, str]) -> Table:
    table = plain_table(("setting",), names)
    for each in settings:
        table.add_row(each["key"], *(NOTHING if each[name] is None else str(each[name]) for name in ("this", "against")))
    return table


def beside_table(this: Net, other: Net, names: tuple[str, str]) -> Table:
    """Each part's map, receptive field, parameters and multiply-adds in both networks."""
    table = plain_table(("part", ""), ("output", "sees", "parameters", "mult-adds"))
    paths = [part["path"] for part in this["parts"]]
    paths[-1:-1] = [part["path"] for part in other["parts"] if part["path"] not in paths]
    for path in paths:
        for number, (name, net) in enumerate(zip(names, (this, other), strict=True)):
            part = next(iter(each for each in net["parts"] if each["path"] == path), None)
            cells = ("-", "", "", "")
            if part is not None:
                cells = (shape_text(part["output_shape"]), seen(part), f"{part['parameters']:,}", scaled(part["multiply_adds"]))
            table.add_row("" if number else path, name, *cells, style="dim" if number else "")
    return table


def totals_table(this: Net, other: Net, names: tuple[str, str]) -> Table:
    table = plain_table(("in all",), (*names, "difference"))
    for key, word in SUMS.items():
        one, two = this["totals"][key], other["totals"][key]
        write = size_of_memory if key == "activation_bytes" else scaled
        exact = f"{one:,}", f"{two:,}"
        cells = exact if key == "parameters" else (write(one), write(two))
        times = f" ({two / one:.2f} times)" if one else ""
        table.add_row(word, *cells, f"{'+' if two >= one else '-'}{write(abs(two - one))}{times}")
    table.add_row("layers", str(len(this["layers"])), str(len(other["layers"])), f"{len(other['layers']) - len(this['layers']):+d}")
    convs = [sum(layer["kind"] == "Conv2d" for layer in net["layers"]) for net in (this, other)]
    table.add_row("convolutions", *map(str, convs), f"{convs[1] - convs[0]:+d}")
    return table


def plain_table(left: Sequence[str], right: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in left:
        table.add_column(Text(name), overflow="fold")
    for name in right:
        table.add_column(Text(name), justify="right", overflow="fold")
    return table
