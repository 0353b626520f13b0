"""Tables of `cnntrain data stats`: classes with bars, sizes, colours."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from cnntrain.report.tables import make_table

BAR = 24  # characters
MOST_CLASSES = 20


def data_tables(result: Mapping[str, Any]) -> list[Table]:
    """From the plain data that format=json prints."""
    splits = result["splits"]
    tables = [class_table(splits)] if all("classes" in split for split in splits.values()) else [target_table(splits)]
    colours = ("gray",) if result["channels"] == 1 else ("red", "green", "blue")
    rows = zip(colours, (f"{v:.4f}" for v in result["mean"]), (f"{v:.4f}" for v in result["std"]), strict=True)
    return [*tables, size_table(splits), make_table("training images: 0 is black, 1 is white", ("channel",), ("mean", "std"), rows)]


def class_table(splits: Mapping[str, Any]) -> Table:
    """Images of each class and split, the largest class first; of many classes the largest and the smallest."""
    counts = [split["classes"] for split in splits.values()]
    classes = sorted(dict.fromkeys(name for each in counts for name in each), key=lambda name: -counts[0].get(name, 0))
    most = max(1, max(counts[0].values(), default=1))
    shown = classes if len(classes) <= MOST_CLASSES else [*classes[: MOST_CLASSES // 2], None, *classes[-MOST_CLASSES // 2 :]]
    rows = [
        ("...", "", *("" for _ in counts))
        if name is None
        else (name, "#" * round(BAR * counts[0].get(name, 0) / most), *(f"{each.get(name, 0):,}" for each in counts))
        for name in shown
    ]
    rows.append(("all", "", *(f"{split['images']:,}" for split in splits.values())))
    first = next(iter(splits))
    title = f"{len(classes)} classes; in {first} the largest is {splits[first]['imbalance']:g} times the smallest"
    return make_table(title, ("class", first), tuple(splits), rows)


def target_table(splits: Mapping[str, Any]) -> Table:
    rows = [
        (split, name, *(f"{value[word]:g}" for word in ("min", "median", "max")))
        for split, facts in splits.items()
        for name, value in facts["targets"].items()
    ]
    return make_table("targets", ("split", "target"), ("min", "median", "max"), rows)


def size_table(splits: Mapping[str, Any]) -> Table:
    """One column a split: height, width and aspect as least, median and most; the commonest sizes, modes and formats."""
    words = {"height": "height, pixels", "width": "width, pixels", "aspect": "width / height"}
    rows = [
        (
            text,
            *(
                " / ".join(f"{split[key][word]:g}" for word in ("min", "median", "max")) if key in split else ""
                for split in splits.values()
            ),
        )
        for key, text in words.items()
    ]
    sizes = (", ".join(f"{h}x{w} ({n:,})" for h, w, n in split.get("common_sizes", [])[:3]) for split in splits.values())
    rows.append(("commonest, height x width", *sizes))
    for key in ("modes", "formats"):
        rows.append((key, *(", ".join(f"{name} ({count:,})" for name, count in split[key].items()) for split in splits.values())))
    if any(split["unreadable"] for split in splits.values()):
        rows.append(("unreadable", *(f"{split['unreadable']:,}" for split in splits.values())))
    return make_table("sizes: least / median / most", ("", *splits), (), rows)
