"""Tables for the terminal: the network by parts, a run's results, the classes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.box import ASCII
from rich.table import Table
from rich.text import Text

from cnntrain.measures import IN_TABLES, MEASURES
from cnntrain.report.figures import NOTHING, duration, metric_text, percent, size_text
from cnntrain.report.screen import Screen, printable, stdout

MOST_CLASSES_SHOWN = 20


def show(*tables: Table | str, screen: Screen | None = None) -> None:
    """Prints results, by default on stdout."""
    screen = screen or stdout()
    for table in tables:
        if isinstance(table, str):
            screen.tell(table)
        else:
            table.box = screen.table_box
            if table.box is not ASCII:  # 80 columns are few: no edges, and two blanks between columns
                table.show_edge = table.pad_edge = False
                table.padding = (0, 1, 0, 0)
            screen.print(table)


def make_table(title: str, left: Sequence[str], right: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table whose first columns are words (left-aligned) and whose others are numbers (right-aligned)."""
    table = Table(title=Text(printable(title)), title_justify="left", title_style="bold", box=ASCII)
    for name in left:
        table.add_column(Text(name), overflow="fold")
    for name in right:
        table.add_column(Text(name), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


# the network


def net_table(layers: Iterable[Any], name: str = "network") -> Table:
    """The network as stem, stages[i].blocks and head, below its input: equal blocks that follow each other share a row.

    It fits 80 columns: a row's input is the output above it, and layers go by short names.

    Args:
        layers: LayerShape (or mappings with its fields): path, kind, input_shape, output_shape (no batch), num_parameters.
        name: the network's name, for the title.
    """
    rows = net_rows(layers)
    total = sum(row["num_parameters"] for row in rows)
    cells = [("input", "", rows[0]["input"], "", "")] if rows else []
    for row in rows:
        share = f"{100 * row['num_parameters'] / max(1, total):.1f}"
        cells.append((row["part"], row["layers"], row["output"], f"{row['num_parameters']:,}", share))
    table = make_table(f"{name}: {total:,} parameters", ("part", "layers"), ("output", "parameters", "%"), cells)
    table.columns[0].no_wrap = True  # on a narrow terminal the layers give way
    return table


def net_rows(layers: Iterable[Any]) -> list[dict[str, Any]]:
    """The rows of net_table: part, layers (kinds with counts), input, output, num_parameters."""
    rows: list[dict[str, Any]] = []
    for (part, block), members in groupby((_fields(layer) for layer in layers), key=lambda layer: _part_of(layer["path"])):
        group = list(members)
        kinds = Counter(short(layer["kind"]) for layer in group)
        row = {
            "part": part,
            "blocks": [] if block is None else [block],
            "layers": ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in kinds.items()),
            "input": size_text(group[0]["input_shape"]),
            "output": size_text(group[-1]["output_shape"]),
            "num_parameters": sum(layer["num_parameters"] for layer in group),
        }
        if rows and block is not None and rows[-1]["blocks"] and _is_like(rows[-1], row):
            rows[-1]["blocks"].append(block)
            rows[-1]["num_parameters"] += row["num_parameters"]
        else:
            rows.append(row)
    for row in rows:
        row["part"] += _block_range(row.pop("blocks"))
    return rows


def short(kind: str) -> str:
    """Conv2d -> Conv; AdaptiveAvgPool2d -> AvgPool."""
    return kind.removesuffix("2d").removeprefix("Adaptive")


def _fields(layer: Any) -> dict[str, Any]:
    names = ("path", "kind", "input_shape", "output_shape", "num_parameters")
    return {name: layer[name] if isinstance(layer, Mapping) else getattr(layer, name) for name in names}


def _part_of(path: str) -> tuple[str, int | None]:
    """`stages.1.blocks.0.branch.0` -> (`stages[1].blocks`, 0); `stages.1.downsample` and `stem.conv` -> (..., None)."""
    words = path.split(".")
    if words[0] != "stages" or len(words) < 3:
        return words[0], None
    block = int(words[3]) if len(words) > 3 and words[2] == "blocks" else None
    return f"stages[{words[1]}].{words[2]}", block


def _is_like(one: dict[str, Any], other: dict[str, Any]) -> bool:
    same = all(one[name] == other[name] for name in ("part", "layers", "input", "output"))
    return same and one["num_parameters"] == len(one["blocks"]) * other["num_parameters"]


def _block_range(blocks: list[int]) -> str:
    if not blocks:
        return ""
    return f"[{blocks[0]}]" if len(blocks) == 1 else f"[{blocks[0]}-{blocks[-1]}]"


# results


def results_table(summary: Mapping[str, Any]) -> Table:
    """Best and last epoch of a summary.json, a column for each metric."""
    parts = {name: summary[name] for name in ("best", "last") if summary.get(name)}
    metrics = [name for name in IN_TABLES if any(name in part for part in parts.values())]
    rows = [
        (name, part.get("epoch", NOTHING), part.get("step", NOTHING), *(metric_text(metric, part.get(metric)) for metric in metrics))
        for name, part in parts.items()
    ]
    speed = metric_text("images_per_second", summary.get("images_per_second"))
    title = f"results after {duration(summary.get('seconds'))}, {speed} images/s"
    return make_table(title, ("",), ("epoch", "step", *metrics), rows)


def evaluation_table(result: Mapping[str, Any], title: str = "evaluation") -> Table:
    """The figures of an evaluation, one a row: images, the task's measures with their 95 % intervals, macro averages."""
    intervals = result.get("intervals", {})
    rows = [("images", f"{result['count']:,}", "")]
    rows += [(name, metric_text(name, result[name]), interval_text(name, intervals.get(name))) for name in MEASURES if name in result]
    if "all_right" in result:
        rows.append(("images all right", percent(result["all_right"]), interval_text("top1", intervals.get("all_right"))))
    rows += [(f"macro {name}", percent(value), "") for name, value in result.get("macro", {}).items()]
    if result.get("calibration_error") is not None:
        rows.append(("calibration error", percent(result["calibration_error"]), ""))
    if not intervals:
        return make_table(title, ("",), ("",), [row[:2] for row in rows])
    return make_table(title, ("",), ("", "95 % interval"), rows)


def interval_text(name: str, interval: Sequence[float] | None) -> str:
    """`79.60 to 87.40 %`."""
    if interval is None:
        return ""
    low, high = (metric_text(name, end) for end in interval)
    return f"{low.removesuffix(' %')} to {high}"


def per_class_table(per_class: Sequence[Mapping[str, Any]]) -> Table:
    """Precision, recall, F1 and, with several labels an image, average precision of each class that has images.

    Of more than 20 those with the lowest F1 or average precision.
    """
    present = [row for row in per_class if row["count"]]
    names = [name for name in ("average_precision", "precision", "recall", "f1") if any(name in row for row in present)]
    worst = "average_precision" if "average_precision" in names else "f1"
    hidden = len(present) - MOST_CLASSES_SHOWN
    if hidden > 0:
        present = sorted(present, key=lambda row: row[worst])[:MOST_CLASSES_SHOWN]
    title = (
        f"the {MOST_CLASSES_SHOWN} classes of {hidden + MOST_CLASSES_SHOWN} with the lowest {spoken(worst)}" if hidden > 0 else "classes"
    )
    rows = [(row["class"], f"{row['count']:,}", *(percent(row[name]) for name in names)) for row in present]
    return make_table(title, ("class",), ("images", *map(spoken, names)), rows)


def per_target_table(per_target: Sequence[Mapping[str, Any]]) -> Table:
    """Errors of each predicted number, in its own unit; of more than 20 those with the lowest R2."""
    hidden = len(per_target) - MOST_CLASSES_SHOWN
    shown = sorted(per_target, key=lambda row: row["r2"])[:MOST_CLASSES_SHOWN] if hidden > 0 else per_target
    title = f"the {MOST_CLASSES_SHOWN} numbers of {len(per_target)} with the lowest r2" if hidden > 0 else "numbers"
    names = ("mae", "rmse", "r2")
    rows = [(row["target"], *(metric_text(name, row[name]) for name in names)) for row in shown]
    return make_table(title, ("number",), names, rows)


def spoken(name: str) -> str:
    return name.replace("_", " ")
