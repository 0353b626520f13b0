"""Drawings of a page as SVG: they take their colours from the page's style, light or dark. Pure functions of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10

import numpy as np
from numpy.typing import NDArray

from cnntrain.metrics.calibration import Bin
from cnntrain.report.page.text import Markup, plain, sentence

WIDTH, HEIGHT = 520, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 12, 34
MOST_POINTS = 2000


@dataclass(frozen=True)
class Line:
    """A curve; `css` is the class that colours it."""

    name: str
    css: str
    xs: list[float]
    ys: list[float]


class Plot:
    """An empty field with axes: x and y of data become pixels."""

    def __init__(self, xs: tuple[float, float], ys: tuple[float, float], *, width: int = WIDTH, height: int = HEIGHT):
        self.xs, self.ys, self.width, self.height = xs, ys, width, height
        self.parts: list[Markup] = []

    def x(self, value: float) -> float:
        low, high = self.xs
        return round(LEFT + (value - low) / (high - low or 1) * (self.width - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        low, high = self.ys
        return round(self.height - BOTTOM - (value - low) / (high - low or 1) * (self.height - TOP - BOTTOM), 1)

    def add(self, pattern: str, *parts: object) -> None:
        self.parts.append(sentence(pattern, *parts))

    def axes(self, x_ticks: Sequence[float], y_ticks: Sequence[float], x_name: str, *, percent: tuple[bool, bool] = (False, False)) -> None:
        for value in y_ticks:
            at = self.y(value)
            self.add('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>', LEFT, self.width - RIGHT, at, at)
            self.add('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>', LEFT - 7, at + 4, tick_text(value, percent[1]))
        for value in x_ticks:
            place = (self.x(value), self.height - BOTTOM + 16)
            self.add('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>', *place, tick_text(value, percent[0]))
        middle = (LEFT + self.width - RIGHT) / 2
        self.add('<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>', middle, self.height - 3, x_name)

    def drawn(self, alt: str, css: str = "plot") -> Markup:
        """The whole drawing; `alt` says in words what it shows."""
        head = sentence('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">', css, self.width, self.height, alt)
        return head + Markup("").join(self.parts) + Markup("</svg>")


def curves(lines: Sequence[Line], *, percent: bool, alt: str, best: float | None = None) -> Markup:
    """Curves over epochs, with a mark at the best one."""
    known = [y for line in lines for y in line.ys if isfinite(y)]
    xs = [x for line in lines for x in line.xs]
    if not known:
        return Markup("")
    low, high = min(known), max(known)
    edge = 0.06 * (high - low) or 0.05
    bottom, top = (max(0.0, low - edge), min(1.0, high + edge)) if percent else (max(0.0, low - edge), high + edge)
    first, last = min(xs), max(xs)
    plot = Plot((first, last) if last > first else (first - 0.5, last + 0.5), (bottom, top))
    plot.axes([tick for tick in ticks(*plot.xs, 6) if tick == int(tick)], ticks(bottom, top, 5), "epoch", percent=(False, percent))
    if best is not None:
        at = plot.x(best)
        plot.add('<line class="best" x1="{}" x2="{}" y1="{}" y2="{}"/>', at, at, TOP, plot.height - BOTTOM)
    for line in lines:
        points = [(plot.x(x), plot.y(y)) for x, y in zip(line.xs, line.ys, strict=True) if isfinite(y)]
        if len(points) == 1:
            plot.add('<circle class="dot {}" cx="{}" cy="{}" r="3.5"/>', line.css, *points[0])
        plot.add('<polyline class="line {}" points="{}"/>', line.css, " ".join(f"{x},{y}" for x, y in points))
    return plot.drawn(alt)


def reliability_plot(bins: Sequence[Bin], *, x_name: str, alt: str) -> Markup:
    """Bars of what was right against what was said; the line is perfect calibration, the gap is coloured."""
    plot = Plot((0, 1), (0, 1), width=420, height=330)
    steps = [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    plot.axes(steps, steps, x_name, percent=(True, True))
    for each in bins:
        if each.said is None or each.right is None:
            continue
        left, width = plot.x(each.low) + 1, plot.x(each.high) - plot.x(each.low) - 2
        high, low, ground = plot.y(max(each.said, each.right)), plot.y(min(each.said, each.right)), plot.y(0)
        over = "over" if each.said > each.right else "under"
        said = f"{each.count:,} said {100 * each.said:.1f} % on average, {100 * each.right:.1f} % are right"
        plot.add("<g><title>{}</title>", said)
        plot.add('<rect class="bar" x="{}" y="{}" width="{}" height="{}"/>', left, low, width, round(ground - low, 1))
        plot.add('<rect class="gap {}" x="{}" y="{}" width="{}" height="{}"/></g>', over, left, high, width, round(low - high, 1))
    plot.add('<line class="ideal" x1="{}" y1="{}" x2="{}" y2="{}"/>', plot.x(0), plot.y(0), plot.x(1), plot.y(1))
    return plot.drawn(alt, "plot square")


def count_bars(counts: Sequence[int], edges: Sequence[float], *, x_name: str, alt: str, percent: bool = True) -> Markup:
    """A histogram: counts between edges."""
    plot = Plot((edges[0], edges[-1]), (0, max([*counts, 1])), width=420, height=240)
    inner = [edges[0], (edges[0] + edges[-1]) / 2, edges[-1]]
    plot.axes(inner, ticks(0, max([*counts, 1]), 3), x_name, percent=(percent, False))
    for count, low, high in zip(counts, edges, edges[1:], strict=False):
        said = f"{count:,} between {tick_text(low, percent)} and {tick_text(high, percent)}"
        place = (plot.x(low) + 1, plot.y(count), max(0.5, plot.x(high) - plot.x(low) - 2), plot.y(0) - plot.y(count))
        plot.add('<rect class="bar" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>', *place, said)
    return plot.drawn(alt, "plot square")


def scatter(true: NDArray[np.float64], said: NDArray[np.float64], *, alt: str) -> Markup:
    """Predicted against true numbers; right ones lie on the line. Of many an even part."""
    some = slice(None, None, max(1, -(-len(true) // MOST_POINTS)))
    known = np.isfinite(said[some]) & np.isfinite(true[some])
    theirs, ours = true[some][known], said[some][known]
    if not len(theirs):
        return Markup("")
    low, high = float(min(theirs.min(), ours.min())), float(max(theirs.max(), ours.max()))
    edge = 0.04 * (high - low) or 1.0
    ends = (low - edge, high + edge)
    plot = Plot(ends, ends, width=420, height=380)
    plot.axes(ticks(*ends, 5), ticks(*ends, 5), "true (across), predicted (up)")
    plot.add('<line class="ideal" x1="{}" y1="{}" x2="{}" y2="{}"/>', plot.x(ends[0]), plot.y(ends[0]), plot.x(ends[1]), plot.y(ends[1]))
    for x, y in zip(theirs.tolist(), ours.tolist(), strict=True):
        plot.add('<circle class="point" cx="{}" cy="{}" r="2.6"/>', plot.x(x), plot.y(y))
    return plot.drawn(alt, "plot square")


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` + 1 round numbers between low and high: steps of 1, 2 or 5 times a power of ten."""
    spread = high - low
    if not (isfinite(spread) and spread > 0):
        return [low]
    power = 10.0 ** floor(log10(spread / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if spread / (power * factor) <= most)
    first = -floor(-low / step)
    return [round(number * step, 10) for number in range(first, floor(high / step + 1e-9) + 1)]


def tick_text(value: float, percent: bool) -> str:
    return f"{100 * value:.4g} %" if percent else plain(f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}")
