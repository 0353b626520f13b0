"""A network as a drawing for a lesson: stem, stages and head as rows, blocks with branch and shortcut, maps with their sizes."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnntrain.report.figures import scaled
from cnntrain.report.net_drawing import BOX_HEIGHT, EDGE, FAINT, FILLS, GAP, INK, PANEL, PAPER, SHORTCUT, Pen, map_size
from cnntrain.report.net_layout import (
    BETWEEN,
    IMAGE,
    LABEL_WIDTH,
    LANE,
    MAP_WIDTH,
    MARGIN,
    RADIUS,
    SIDE,
    TITLE,
    Card,
    cards_of,
    line_height,
    lines_of,
    net_size,
    row_height,
    step_width,
)
from cnntrain.report.net_text import computes, size_text, words_of
from cnntrain.report.screen import printable
from cnntrain.runs.durable import write_atomically

Net = Mapping[str, Any]
PARAMETERS, WORK = "#3572b0", "#c77a2a"
DPI = 150


def net_figure(nets: Sequence[Net]) -> Any:
    """A matplotlib Figure of one network, or of two beside each other."""
    from matplotlib.figure import Figure

    sizes = [net_size(net) for net in nets]
    width = sum(size[0] for size in sizes) + 0.4 * (len(nets) - 1)
    height = max(size[1] for size in sizes)
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    axes.axis("off")
    x = 0.0
    for net, size in zip(nets, sizes, strict=True):
        draw_net(Pen(axes), net, x, size[0])
        x += size[0] + 0.4
    return figure


def write_figure(path: Path, figure: Any) -> None:
    """Writes an SVG (letters as shapes, so that it looks the same everywhere) or a PNG; the same bytes each time."""
    import matplotlib

    data, kind = io.BytesIO(), path.suffix.lower().removeprefix(".")
    with matplotlib.rc_context({"svg.hashsalt": "cnntrain", "svg.fonttype": "path"}):
        figure.savefig(data, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else {"Software": None})
    write_atomically(path, data.getvalue())


def draw_net(pen: Pen, net: Net, x: float, width: float) -> None:
    totals, largest = net["totals"], max(net["image"][1:])
    pen.text(x + MARGIN, 0.36, printable(net["name"]), 17, bold=True, ha="left")
    told = f"{totals['parameters']:,} parameters   ·   {scaled(totals['multiply_adds'])} multiply-adds an image"
    pen.text(x + MARGIN, 0.68, told, 9.5, color=FAINT, ha="left")
    left, right = x + MARGIN + LABEL_WIDTH, x + width - MARGIN
    y, centre = TITLE, right - MAP_WIDTH / 2
    pen.text(x + MARGIN + 0.18, y + 0.36, "image", 10.5, bold=True, ha="left")
    pen.feature_map(left + 0.55, y + 0.36, net["image"], largest)
    pen.text(left + 1.1, y + 0.36, times(net["image"]), 8.5, bold=True, ha="left")
    out = (left + 0.55, y + 0.78)
    y += IMAGE
    for part in net["parts"]:
        lines = lines_of(cards_of(net, part))
        height = row_height(net, part, lines)
        pen.box((x + MARGIN, y), (width - 2 * MARGIN, height), (PANEL, EDGE), radius=0.12, line=0.8, z=0)
        draw_label(pen, part, totals, x + MARGIN + 0.18, y)
        lane = draw_lines(pen, lines, (left, y + (height - sum(map(line_height, lines))) / 2), out, centre, y)
        draw_result(pen, part, centre, lane, largest)
        out = (centre, y + height)
        y += height + BETWEEN


def draw_label(pen: Pen, part: Net, totals: Net, x: float, y: float) -> None:
    """Name, and the shares of parameters and of work."""
    pen.text(x, y + 0.24, part["path"], 10.5, bold=True, ha="left")
    if part["block"]:
        pen.text(x, y + 0.42, f"{part['num_blocks']} × {printable(part['block'])}", 7.5, color=FAINT, ha="left")
    for number, (key, word, color) in enumerate((("parameters", "parameters", PARAMETERS), ("multiply_adds", "multiply-adds", WORK))):
        place = y + (0.6 if part["block"] else 0.5) + 0.26 * number
        share = part[key] / totals[key] if totals[key] else 0.0
        pen.text(x, place, f"{scaled(part[key])} {word}", 6.8, ha="left")
        pen.bar(x, place + 0.07, 1.2, share, color)


def draw_lines(
    pen: Pen, lines: Sequence[Sequence[Card]], corner: tuple[float, float], out: tuple[float, float], centre: float, top: float
) -> float:
    """The blocks of a row; the way comes from above, and leaves to the map on the right at the height that is returned."""
    left, y = corner
    lane = y
    for number, cards in enumerate(lines):
        height = line_height(cards)
        lane = y + (height - max(card.height for card in cards)) / 2 + (0.18 if any(card.framed for card in cards) else 0) + BOX_HEIGHT / 2
        start = left - 0.2
        turn = top - BETWEEN / 2 if number == 0 else y
        pen.line([out, (out[0], turn), (start, turn), (start, lane), (left, lane)])
        x = left
        for place, card in enumerate(cards):
            if place:
                pen.line([(x - 0.34, lane), (x, lane)])
            draw_card(pen, card, x, lane)
            x += card.width + 0.34
        end = x - 0.34
        if number == len(lines) - 1:
            pen.line([(end, lane), (centre - 0.62, lane)])
        else:
            out = (end + 0.2, y + height)
            pen.line([(end, lane), (end + 0.2, lane), out], arrow=False)
        y += height
    return lane


def draw_card(pen: Pen, card: Card, x: float, lane: float) -> None:
    """One block with its lanes, its upper one at the height `lane`."""
    top = lane - BOX_HEIGHT / 2 - 0.18
    if card.framed:
        size = (card.width, card.height)
        for shift in (0.08, 0.04) if card.times > 1 else ():
            pen.box((x + shift, top - shift), size, (PAPER, EDGE), radius=0.1, z=1)
        pen.box((x, top), size, (PAPER, "#c3ccd5"), radius=0.1, z=1.2)
        if card.times > 1:
            pen.text(x + card.width - 0.12, top + card.height - 0.17, f"× {card.times}", 11, bold=True, ha="right")
    at = x + (SIDE if card.framed else 0)
    if card.framed:
        pen.line([(x, lane), (at, lane)], arrow=False)
    at = draw_steps(pen, card.before, at, lane)
    if card.before:
        pen.line([(at, lane), (at + GAP, lane)], arrow=not card.branch)
        at += GAP
    split = at - (0.1 if card.kind is not None else 0)
    at = draw_steps(pen, card.branch, at, lane)
    if card.kind is not None:
        centre = at + GAP + RADIUS
        pen.line([(at, lane), (centre - RADIUS, lane)])
        draw_shortcut(pen, card, split, centre, lane)
        at = centre + RADIUS
        if card.after:
            pen.line([(at, lane), (at + GAP, lane)])
            at = draw_steps(pen, card.after, at + GAP, lane)
    if card.framed:
        pen.line([(at, lane), (x + card.width, lane)], arrow=False)


def draw_shortcut(pen: Pen, card: Card, split: float, centre: float, lane: float) -> None:
    """The lower lane, from the split to the sum."""
    low, middle = lane + BOX_HEIGHT / 2 + LANE - 0.24, (split + centre) / 2
    pen.dot(split, lane)
    pen.line([(split, lane), (split, low), (centre, low), (centre, lane + RADIUS)], color=SHORTCUT, width=1.6)
    pen.plus(centre, lane)
    if not card.shortcut:
        pen.text(middle, low - 0.11, "identity", 7.5, color=SHORTCUT)
        return
    main = next(layer for layer in card.shortcut[0] if computes(layer))
    word = box_words(main) if card.kind == "projection" else f"zero-padded /{size_text(main['stride'])}"
    width = 1.5
    pen.box((middle - width / 2, low - 0.17), (width, 0.34), FILLS["shortcut"])
    pen.text(middle, low - 0.055, word, 7.2, bold=True)
    pen.text(middle, low + 0.075, f"{main['input_shape'][0]} → {main['output_shape'][0]}", 6.3, color=FAINT)


def draw_steps(pen: Pen, own: Sequence[Sequence[Net]], x: float, lane: float) -> float:
    """Boxes in a row; returns where the last one ends."""
    for number, step in enumerate(own):
        if number:
            pen.line([(x, lane), (x + GAP, lane)])
            x += GAP
        draw_step(pen, step, x, lane)
        x += step_width(step)
    return x


def draw_step(pen: Pen, step: Sequence[Net], x: float, lane: float) -> None:
    width = step_width(step)
    middle, top = x + width / 2, lane - BOX_HEIGHT / 2
    if not step:
        pen.text(middle, lane, "· · ·", 12, color=FAINT)
        return
    main = next((layer for layer in step if computes(layer)), step[0])
    if not computes(main):
        pen.box((x, top + 0.1), (width, BOX_HEIGHT - 0.2), FILLS["point"])
        for number, layer in enumerate(step[:3]):
            pen.text(middle, lane + 0.12 * (number - (min(3, len(step)) - 1) / 2), words_of(layer, wide=False), 7)
        return
    pen.box((x, top), (width, BOX_HEIGHT), FILLS[look_of(main)])
    around = [words_of(layer, wide=False) for layer in step if layer is not main]
    words = box_words(main)
    lines = [
        (words, min(8.2, 106 / len(words)), True),
        (change_of(main), 7.2, False),
        *([(" · ".join(around), 6.4, False)] if around else []),
    ]
    for number, (text, size, bold) in enumerate(lines):
        pen.text(middle, lane + 0.165 * (number - (len(lines) - 1) / 2), text, size, bold=bold, color=FAINT if number == 2 else INK)


def look_of(layer: Net) -> str:
    if layer["kind"] == "Linear":
        return "linear"
    return "conv" if layer["multiply_adds"] else "pool"


def box_words(layer: Net) -> str:
    return words_of(layer, wide=False).replace("x", "×", 1) if layer["kernel_size"] is not None else words_of(layer, wide=False)


def change_of(layer: Net) -> str:
    """64 → 128 where channels change, else what comes out."""
    before, after = layer["input_shape"], layer["output_shape"]
    if layer["kind"] in ("Conv2d", "Linear"):
        return f"{before[0]} → {after[0]}"
    return times(after)


def draw_result(pen: Pen, part: Net, x: float, y: float, largest: int) -> None:
    """What a row gives: a map with its size and receptive field, or a list of numbers."""
    shape = part["output_shape"]
    if len(shape) == 1:
        pen.numbers(x - 0.28, y, shape[0])
        pen.text(x - 0.1, y, f"{shape[0]:,}\noutputs", 8.5, bold=True, ha="left")
        return
    pen.feature_map(x, y - 0.12, shape, largest)
    _, face, depth = map_size(shape, largest)
    half = face / 2 + 0.3 * depth
    pen.text(x, y + half + 0.04, times(shape), 8.2, bold=True)
    if part["receptive_field"] is not None:
        pen.text(x, y + half + 0.19, f"sees {size_text(part['receptive_field'])} px", 7, color=FAINT)


def times(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))
