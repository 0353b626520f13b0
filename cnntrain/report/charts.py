"""Pictures of an evaluation where an image has several labels, or numbers. Drawn without pyplot, as in plots.py."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from cnntrain.report.figures import counted, metric_text, percent
from cnntrain.report.plots import FAINT, INK, MATHTEXT_OFF, MOST_CLASSES_WITH_NAMES, RIGHT, short

MOST_TARGETS = 9
MOST_POINTS = 5000  # more lie on each other, and a picture of them all would take seconds


def precision_figure(per_class: Sequence[Mapping[str, Any]], title: str = "average precision") -> Any:
    """The average precision of each class that occurs, as bars from the highest down.

    Args:
        per_class: rows of MultilabelTotals.per_class.
    """
    from matplotlib.figure import Figure

    rows = sorted((row for row in per_class if row["count"]), key=lambda row: row["average_precision"])
    named = len(rows) <= MOST_CLASSES_WITH_NAMES
    figure = Figure(figsize=(6.5, min(16.0, 1.2 + (0.22 if named else 0.02) * len(rows))), layout="constrained")
    axes = figure.add_subplot()
    values = [row["average_precision"] for row in rows]
    axes.barh(range(len(rows)), values, height=0.8 if named else 1.0, color=RIGHT)
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.5, max(0.5, len(rows) - 0.5))
    axes.set_yticks(range(len(rows)) if named else [], [short(row["class"]) for row in rows] if named else [], **MATHTEXT_OFF)
    for place, row in enumerate(rows if named else ()):
        inside = row["average_precision"] > 0.3
        text = f"{percent(row['average_precision'])}, {counted(row['count'], 'image')}"
        axes.text(
            row["average_precision"] + (-0.01 if inside else 0.01),
            place,
            text,
            ha="right" if inside else "left",
            va="center",
            fontsize=7,
            color="white" if inside else INK,
        )
    _quieten(axes)
    mean = sum(values) / len(values) if values else None
    axes.set_title(f"{title}, mean {percent(mean)}", loc="left", fontsize=10, color=INK, pad=10, **MATHTEXT_OFF)
    return figure


def scatter_figure(predicted: NDArray[Any], true: NDArray[Any], per_target: Sequence[Mapping[str, Any]]) -> Any:
    """Predicted against true numbers, a field for each target; a right prediction lies on the line.

    Args:
        predicted, true: (N, D); of more than 5,000 images an even part is drawn, of more than 9 targets the first 9.
        per_target: D rows of RegressionTotals.per_target.
    """
    from matplotlib.figure import Figure

    shown = per_target[:MOST_TARGETS]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(0.6 + 3.9 * columns, 0.4 + 4.0 * rows), layout="constrained")
    some = slice(None, None, max(1, -(-len(true) // MOST_POINTS)))
    for place, row in enumerate(shown):
        axes = figure.add_subplot(rows, columns, place + 1)
        theirs, ours = true[some, place], predicted[some, place]
        axes.scatter(theirs, ours, s=9, color=RIGHT, alpha=0.45, linewidths=0)
        low, high = float(min(theirs.min(), ours.min())), float(max(theirs.max(), ours.max()))
        edge = 0.04 * (high - low) or 1.0
        ends = (low - edge, high + edge)
        axes.plot(ends, ends, color=FAINT, linewidth=0.8)
        axes.set(xlim=ends, ylim=ends, aspect="equal")
        axes.set_xlabel("true", fontsize=9, color=FAINT)
        axes.set_ylabel("predicted", fontsize=9, color=FAINT)
        _quieten(axes)
        figures = f"mae {metric_text('mae', row['mae'])}, r2 {metric_text('r2', row['r2'])}"
        axes.set_title(f"{short(row['target'])}\n{figures}", loc="left", fontsize=10, color=INK, **MATHTEXT_OFF)
    return figure


def _quieten(axes: Any) -> None:
    axes.tick_params(length=0, labelsize=8, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_edgecolor("#d0d0d0")
