"""Where the parts of a diagram go: a network's layers as cards, cards in lines, sizes in inches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnntrain.report.net_drawing import BOX_HEIGHT, BOX_WIDTH, GAP, map_size
from cnntrain.report.net_text import below, computes, runs_of_alike, steps, words_of

Net = Mapping[str, Any]
LABEL_WIDTH, MAP_WIDTH, MARGIN = 1.75, 1.5, 0.3
TITLE, IMAGE, BETWEEN = 0.95, 1.05, 0.18
LINE_WIDTH = 11.6  # of blocks, before the next line begins
MOST_STEPS = 6
LANE = 0.5  # from the branch down to the shortcut
SIDE = 0.22  # of a frame, to its first box
RADIUS = 0.12  # of the sum


@dataclass(frozen=True)
class Card:
    """A block, or the layers of a stem or head, as it is drawn.

    Args:
        before, branch, shortcut, after: steps (see net_text.steps) in front of the split, on both lanes, and behind the sum.
        kind: of the shortcut; None where there is none.
        times: blocks that it stands for.
    """

    before: list[list[Net]]
    branch: list[list[Net]]
    shortcut: list[list[Net]]
    after: list[list[Net]]
    kind: str | None = None
    times: int = 1

    @property
    def width(self) -> float:
        gaps = len(self.before) + len(self.branch) + len(self.after) - (self.kind is None)
        inner = sum(map(step_width, [*self.before, *self.branch, *self.after])) + GAP * gaps
        return inner + (0 if self.kind is None else 2 * RADIUS) + (2 * SIDE if self.framed else 0)

    @property
    def framed(self) -> bool:
        return self.kind is not None or self.times > 1

    @property
    def height(self) -> float:
        """Frame and lanes; a frame without a lower lane leaves room for the number of blocks."""
        return BOX_HEIGHT + (LANE + 0.32 if self.kind is not None else 0.5 if self.framed else 0)


def cards_of(net: Net, part: Net) -> list[Card]:
    """What a row shows, from left to right."""
    layers, blocks = below(net["layers"], part["path"]), below(net["blocks"], part["path"])
    loose = steps([layer for layer in layers if ".blocks." not in layer["path"]])
    cards = [Card([], shortened(loose), [], [])] if loose else []
    for alike in runs_of_alike(blocks, layers):
        path = alike[0]["path"]
        own = steps(below(layers, path))
        lane = [f"{step[0]['path'][len(path) + 1 :]}." for step in own]
        beside = [step for step, name in zip(own, lane, strict=True) if name.startswith("shortcut.")]
        inner = [number for number, name in enumerate(lane) if name.startswith("branch.")]
        kind = alike[0]["shortcut"] if inner else None
        if kind is None:
            cards.append(Card([], shortened(own), [], [], times=len(alike)))
            continue
        before, branch, after = own[: inner[0]], [own[number] for number in inner], own[inner[-1] + 1 :]
        after = [step for step in after if step not in beside]
        cards.append(Card(before, branch, beside, after, kind, len(alike)))
    return cards


def shortened(own: list[list[Net]]) -> list[list[Net]]:
    """At most six steps; an empty one stands for those between."""
    return own if len(own) <= MOST_STEPS else [*own[: MOST_STEPS - 2], [], own[-1]]


def lines_of(cards: Sequence[Card]) -> list[list[Card]]:
    """Cards broken into lines."""
    lines: list[list[Card]] = [[]]
    for card in cards:
        if lines[-1] and line_width([*lines[-1], card]) > LINE_WIDTH:
            lines.append([])
        lines[-1].append(card)
    return lines


def line_width(cards: Sequence[Card]) -> float:
    return sum(card.width for card in cards) + 0.34 * (len(cards) - 1)


def line_height(cards: Sequence[Card]) -> float:
    return max(0.9, *(card.height + 0.3 for card in cards))


def step_width(step: Sequence[Net]) -> float:
    if any(computes(layer) for layer in step):
        return BOX_WIDTH
    return max([0.5, *(0.16 + 0.064 * len(words_of(layer, wide=False)) for layer in step)])


def row_height(net: Net, part: Net, lines: Sequence[Sequence[Card]]) -> float:
    """Of a part's panel: its lines, or the map that it gives."""
    shape = part["output_shape"]
    _, face, depth = map_size(shape if len(shape) == 3 else (1, 1, 1), max(net["image"][1:]))
    return max(sum(map(line_height, lines)) + 0.26, face + 0.6 * depth + 0.62)


def net_size(net: Net) -> tuple[float, float]:
    """Width and height of the whole drawing."""
    rows = [(part, lines_of(cards_of(net, part))) for part in net["parts"]]
    width = max([3.4, *(line_width(line) for _, lines in rows for line in lines)])
    height = sum(row_height(net, part, lines) for part, lines in rows) + BETWEEN * (len(rows) - 1)
    return 2 * MARGIN + LABEL_WIDTH + width + MAP_WIDTH, TITLE + IMAGE + height + MARGIN
