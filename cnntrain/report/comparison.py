"""Two networks on the same images: the table and the sentence that say which is better, and how sure that is."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from cnntrain.report.figures import metric_text
from cnntrain.report.tables import make_table

LIKELY_CHANCE = 0.05
SPOKEN = {
    "both": "both right",
    "only_first": "only the first right",
    "only_second": "only the second right",
    "neither": "both wrong",
    "first_nearer": "the first is nearer",
    "second_nearer": "the second is nearer",
    "equal": "equally near",
}


def verdict(result: Mapping[str, Any]) -> str:
    """One or two sentences."""
    difference, interval, count = result["difference"], result["interval"], result["count"]
    if difference is None or interval is None:
        return "There are too few images to compare."
    low, high = interval if difference >= 0 else (-interval[1], -interval[0])  # as seen from the better one
    better = "first" if difference > 0 else "second"
    shares = result["measure"] in ("top1", "all_right")
    if shares:
        size = f"{100 * abs(difference):.1f} points more of the {count:,} images right (95 % interval {100 * low:.1f} to {100 * high:.1f})"
    else:
        size = f"errors smaller by {abs(difference):.3g} standard deviations on {count:,} images (95 % interval {low:.3g} to {high:.3g})"
    said = f"The {better} has {size}." if difference else f"They are equally good on {count:,} images."
    p = result["p_value"]
    test = f"{chance(p)} of comparisons ({result['test']}, p = {p:.2g})"
    if p < LIKELY_CHANCE:
        return f"{said} Chance alone would part two equals so far in {test}."
    return f"{said} Two equals would part so far by chance in {test}: more images are needed to tell."


def chance(p: float) -> str:
    return f"{100 * p:.2g} %" if p >= 0.001 else "less than 0.1 %"


def comparison_table(result: Mapping[str, Any]) -> Table:
    """Both figures, the difference with its interval, and on how many images they part."""
    key = result["measure"] if result["measure"] in result["first"] else "mae"
    kind = "top1" if key == "all_right" else key
    rows = [("images", f"{result['count']:,}")]
    rows += [(f"{side}: {key.replace('_', ' ')}", metric_text(kind, result[side][key])) for side in ("first", "second")]
    rows += [(words, f"{result[name]:,}") for name, words in SPOKEN.items() if name in result]
    rows += [("difference", difference_text(result)), ("95 % interval", interval_text(result["interval"], kind))]
    rows += [(f"p ({result['test']})", f"{result['p_value']:.2g}")]
    return make_table("first against second", ("",), ("",), rows)


def difference_text(result: Mapping[str, Any]) -> str:
    value = result["difference"]
    if value is None:
        return "-"
    return f"{100 * value:+.2f} points" if result["measure"] in ("top1", "all_right") else f"{value:+.3g} std"


def interval_text(interval: Sequence[float] | None, kind: str) -> str:
    if interval is None:
        return "-"
    return f"{100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}" if kind == "top1" else f"{interval[0]:+.3g} to {interval[1]:+.3g}"
