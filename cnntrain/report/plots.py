"""Pictures: the confusion matrix and grids of images. Drawn without pyplot, so that no window system is ever asked."""

import io
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.report.figures import percent
from cnntrain.report.screen import printable
from cnntrain.runs.durable import write_atomically

MOST_CLASSES_WITH_NUMBERS = 20
MOST_CLASSES_WITH_NAMES = 100
LONGEST_NAME = 18
RIGHT, WRONG = "#1b5e9e", "#c4421a"
INK, FAINT = "#222222", "#8a8a8a"
FIGURE_DPI = 150
MATHTEXT_OFF: dict[str, Any] = {"parse_math": False}  # a class may be called `$5`


def figure_png(path: Path, figure: Any) -> None:
    """Writes a matplotlib Figure as a PNG.

    Args:
        path: the file; replaced in one step.

    Raises:
        DiskFull, CannotGoOn: it cannot be written.
    """
    data = io.BytesIO()
    with _quiet_fonts():
        figure.savefig(data, format="png", dpi=FIGURE_DPI)
    write_atomically(path, data.getvalue())


def confusion_figure(confusion: Any, classes: Sequence[str], title: str = "") -> Any:
    """The confusion matrix: each row's shares in blue where right and red where wrong; counts where they can be read.

    Args:
        confusion: (K, K) counts, row = true class, column = predicted class.
        classes: K names.
        title: what was evaluated.
    """
    from matplotlib.figure import Figure

    counts = np.asarray(confusion, dtype=np.int64)
    num_classes = len(classes)
    assert counts.shape == (num_classes, num_classes), (counts.shape, num_classes)
    images = counts.sum(1, keepdims=True)
    shares = np.divide(counts, images, out=np.zeros(counts.shape), where=images > 0)

    side = min(13.0, max(3.4, 0.46 * num_classes if num_classes <= MOST_CLASSES_WITH_NUMBERS else 0.15 * num_classes + 4))
    names = [short(name) for name in classes]
    margin = 0.6 + (0.075 * max(map(len, names)) if num_classes <= MOST_CLASSES_WITH_NAMES else 0.3)
    figure = Figure(figsize=(side + margin + 0.5, side + margin + 0.8), layout="constrained")
    axes = figure.add_subplot()
    _paint(axes, shares)
    _name_axes(axes, names)
    if num_classes <= MOST_CLASSES_WITH_NUMBERS:
        _write_counts(axes, counts, shares)
    total, right = int(counts.sum()), int(np.trace(counts))
    line = f"{percent(right / total)} right, {total - right:,} of {total:,} wrong" if total else "no images"
    axes.set_title(f"{printable(title)}\n{line}" if title else line, loc="left", fontsize=10, color=INK, pad=10, **MATHTEXT_OFF)
    return figure


def figure_pixels(figure: Any, dpi: int = 100) -> NDArray[np.uint8]:
    """A Figure as (H, W, 3) uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    with _quiet_fonts():
        canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def image_grid(images: Any, *, num_columns: int = 8, gap: int = 2, smallest_side: int = 64) -> NDArray[np.uint8]:
    """Images side by side on white; small ones are enlarged by a whole factor.

    Args:
        images: (N, C, H, W) uint8, C 1 or 3, N at least 1.
        num_columns: images in one row, at most.
        gap: pixels between two images.
        smallest_side: images are enlarged until their shorter side has about this many pixels.

    Returns:
        (rows * H', columns * W', 3) uint8 with the gaps.
    """
    pictures = np.asarray(images)
    assert pictures.dtype == np.uint8, pictures.dtype
    assert pictures.ndim == 4, pictures.shape
    pictures = np.broadcast_to(pictures, (len(pictures), 3, *pictures.shape[2:]))
    factor = max(1, smallest_side // min(pictures.shape[2:]))
    pictures = pictures.repeat(factor, axis=2).repeat(factor, axis=3)
    count, _, height, width = pictures.shape
    columns = min(num_columns, count)
    rows = math.ceil(count / columns)
    grid = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        grid[top : top + height, left : left + width] = picture.transpose(1, 2, 0)
    return grid


def as_pictures(images: Any) -> NDArray[np.uint8]:
    """Network inputs as pictures: each image's own smallest value becomes black, its largest white.

    Args:
        images: (N, C, H, W) float, normalised in whatever way.

    Returns:
        (N, C, H, W) uint8.
    """
    values = np.asarray(images, dtype=np.float32)
    low = values.min((1, 2, 3), keepdims=True)
    spread = values.max((1, 2, 3), keepdims=True) - low
    scaled = np.divide(values - low, spread, out=np.zeros_like(values), where=spread > 0)
    return (scaled * 255).round().astype(np.uint8)


def _paint(axes: Any, shares: NDArray[Any]) -> None:
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    diagonal = np.eye(len(shares), dtype=bool)
    # powers of wrong shares: one image in a hundred taken for another class must be seen
    for colour, hidden, power in ((RIGHT, ~diagonal, 1.0), (WRONG, diagonal, 0.4)):
        cells = np.ma.masked_array(shares, hidden)
        ramp = LinearSegmentedColormap.from_list("ramp", ["#ffffff", colour])
        axes.imshow(cells, cmap=ramp, norm=PowerNorm(power, vmin=0, vmax=1), interpolation="nearest")
    if len(shares) <= MOST_CLASSES_WITH_NAMES:
        edges = np.arange(len(shares) + 1) - 0.5
        axes.set_xticks(edges, minor=True)
        axes.set_yticks(edges, minor=True)
        axes.grid(which="minor", color="#e8e8e8", linewidth=0.6 if len(shares) <= 40 else 0.25)
    axes.tick_params(which="both", length=0, labelsize=9 if len(shares) <= 30 else 6, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_edgecolor("#d0d0d0")


def _name_axes(axes: Any, names: list[str]) -> None:
    axes.set_xlabel("predicted class", fontsize=9, color=FAINT)
    axes.set_ylabel("true class", fontsize=9, color=FAINT)
    if len(names) > MOST_CLASSES_WITH_NAMES:
        return
    places = range(len(names))
    upright = max(map(len, names)) > 3
    axes.set_xticks(places, names, rotation=90 if upright else 0, **MATHTEXT_OFF)
    axes.set_yticks(places, names, **MATHTEXT_OFF)


def _write_counts(axes: Any, counts: NDArray[Any], shares: NDArray[Any]) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            size = 8 if count < 1000 else 6.5 if count < 10_000 else 5.5
            ink = "white" if shares[row, column] > 0.5 else INK
            axes.text(column, row, f"{count}", ha="center", va="center", fontsize=size, color=ink)


def short(name: str) -> str:
    name = printable(name)
    if len(name) <= LONGEST_NAME:
        return name
    return name[: LONGEST_NAME // 2 - 1] + "…" + name[-LONGEST_NAME // 2 :]  # class_0041_a and class_0041_b stay apart


def _quiet_fonts() -> warnings.catch_warnings:
    """Class names may be in any script; a glyph that the font lacks is drawn as a box and not worth a warning each."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)
