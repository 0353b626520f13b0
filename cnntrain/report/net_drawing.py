"""What a diagram of a network is drawn from: boxes, lanes, maps and arrows, in inches with y downwards."""

from collections.abc import Sequence
from math import log2
from typing import Any

INK, FAINT, LINE = "#1f2933", "#6b7785", "#8895a3"
PAPER, PANEL, EDGE = "#ffffff", "#f6f8fa", "#dde3e9"
SHORTCUT = "#2a8a5b"
FILLS = {  # what a box does -> its fill and its edge
    "conv": ("#dcebf8", "#3572b0"),
    "pool": ("#fdebd6", "#c77a2a"),
    "linear": ("#ebe2f5", "#7b57ab"),
    "point": ("#edf0f3", "#8a949e"),
    "shortcut": ("#ddf1e5", SHORTCUT),
}
BOX_WIDTH, BOX_HEIGHT, GAP = 1.12, 0.62, 0.24


Point = tuple[float, float]


class Pen:
    """Draws on a matplotlib Axes whose unit is an inch."""

    def __init__(self, axes: Any):
        self.axes = axes

    def text(self, x: float, y: float, text: str, size: float = 8, *, bold: bool = False, color: str = INK, ha: str = "center") -> None:
        weight = "bold" if bold else "normal"
        self.axes.text(
            x, y, text, fontsize=size, fontweight=weight, color=color, ha=ha, va="center", family="sans-serif", parse_math=False, zorder=6
        )

    def box(self, place: Point, size: Point, look: tuple[str, str], *, radius: float = 0.07, line: float = 1.0, z: float = 3) -> None:
        """A rounded rectangle from its upper left corner, with a fill and an edge."""
        from matplotlib.patches import FancyBboxPatch

        style = f"round,pad=0,rounding_size={radius}"
        self.axes.add_patch(FancyBboxPatch(place, *size, boxstyle=style, fc=look[0], ec=look[1], lw=line, zorder=z))

    def line(self, points: Sequence[Point], *, color: str = LINE, width: float = 1.3, arrow: bool = True, dashed: bool = False) -> None:
        """A way of straight pieces with rounded corners, with an arrow at its end."""
        from matplotlib.patches import FancyArrowPatch, PathPatch

        path, last = rounded(points, short=0.05 if arrow else 0.0)
        self.axes.add_patch(PathPatch(path, fc="none", ec=color, lw=width, ls="--" if dashed else "-", capstyle="round", zorder=2))
        if arrow:
            end = points[-1]
            style = "-|>,head_length=3.4,head_width=1.9"
            self.axes.add_patch(
                FancyArrowPatch(last, end, arrowstyle=style, color=color, lw=width, shrinkA=0, shrinkB=0, mutation_scale=1, zorder=2.5)
            )

    def plus(self, x: float, y: float, radius: float = 0.12) -> None:
        """The sum of branch and shortcut."""
        from matplotlib.patches import Circle

        self.axes.add_patch(Circle((x, y), radius, fc=PAPER, ec=SHORTCUT, lw=1.5, zorder=4))
        for dx, dy in ((0.55 * radius, 0.0), (0.0, 0.55 * radius)):
            self.axes.plot([x - dx, x + dx], [y - dy, y + dy], color=SHORTCUT, lw=1.5, zorder=5, solid_capstyle="round")

    def dot(self, x: float, y: float) -> None:
        from matplotlib.patches import Circle

        self.axes.add_patch(Circle((x, y), 0.032, fc=SHORTCUT, ec=SHORTCUT, zorder=4))

    def bar(self, x: float, y: float, width: float, share: float, color: str) -> None:
        """A thin bar that is full to a share."""
        self.box((x, y), (width, 0.06), ("#e6ebf0", "none"), radius=0.03, line=0, z=3)
        if share > 0:
            self.box((x, y), (max(0.06, width * share), 0.06), (color, "none"), radius=0.03, line=0, z=4)

    def feature_map(self, x: float, y: float, shape: Sequence[int], largest: int) -> None:
        """A map as a block around (x, y): its face shrinks with height and width, its depth grows with the channels."""
        from matplotlib.patches import Polygon

        face_w, face_h, depth = map_size(shape, largest)
        left, top = x - (face_w + depth) / 2, y - (face_h - 0.6 * depth) / 2
        right, bottom, up = left + face_w, top + face_h, 0.6 * depth
        faces = [
            ("#cfe3f5", [(left, top), (right, top), (right, bottom), (left, bottom)]),
            ("#e7f1fa", [(left, top), (left + depth, top - up), (right + depth, top - up), (right, top)]),
            ("#a9c9e6", [(right, top), (right + depth, top - up), (right + depth, bottom - up), (right, bottom)]),
        ]
        for fill, corners in faces:
            self.axes.add_patch(Polygon(corners, fc=fill, ec="#3572b0", lw=0.9, joinstyle="round", zorder=3))

    def numbers(self, x: float, y: float, count: int) -> None:
        """A list of numbers as a column of dots, with a gap where there are more than six."""
        from matplotlib.patches import Circle

        places = range(count) if count <= 6 else (0, 1, 2, 4, 5, 6)
        middle = (count - 1) / 2 if count <= 6 else 3
        for place in places:
            self.axes.add_patch(Circle((x, y + 0.13 * (place - middle)), 0.045, fc="#ebe2f5", ec="#7b57ab", lw=1, zorder=4))
        if count > 6:
            for step in (-0.035, 0, 0.035):
                self.axes.add_patch(Circle((x, y + step), 0.009, fc="#7b57ab", ec="none", zorder=4))


def map_size(shape: Sequence[int], largest: int) -> tuple[float, float, float]:
    """Width and height of a map's face, and its depth."""
    _, height, width = shape
    scale = 0.56 / largest**0.5
    return max(0.07, scale * width**0.5), max(0.07, scale * height**0.5), 0.05 + 0.045 * log2(max(1, shape[0]))


def rounded(points: Sequence[Point], *, short: float, radius: float = 0.09) -> tuple[Any, Point]:
    """A path with rounded corners that ends short of the last point, where an arrow's head goes on; and its end."""
    from matplotlib.path import Path

    steps, codes = [points[0]], [Path.MOVETO]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        steps += [toward(corner, before, radius), corner, toward(corner, after, radius)]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    last = toward(points[-1], points[-2], short)
    return Path([*steps, last], [*codes, Path.LINETO]), last


def toward(start: Point, end: Point, distance: float) -> Point:
    """The point at a distance from start in the direction of end, at most half of the way."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = max(1e-9, (dx * dx + dy * dy) ** 0.5)
    part = min(distance, length / 2) / length
    return start[0] + part * dx, start[1] + part * dy
