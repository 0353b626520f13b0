"""The part of a page where numbers are predicted of an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.metrics.intervals import mean_interval
from cnntrain.report.figures import counted, metric_text
from cnntrain.report.page.groups import Groups
from cnntrain.report.page.svg import count_bars, scatter
from cnntrain.report.page.text import Markup, name, plain, sentence

NUM_PARTS = 10
NUM_BARS = 21
MOST_TARGETS = 12


@dataclass(frozen=True)
class NumberAnswers:
    """What was said of each image, in the order of the set.

    Args:
        numbers: (M,) int64, the image's number in the set.
        true, said: (M, D) float, in the user's units.
    """

    numbers: NDArray[np.int64]
    true: NDArray[np.float64]
    said: NDArray[np.float64]

    def caption(self, place: int, targets: Sequence[str]) -> str:
        parts = [f"{plain(each, 40)} {text(self.true[place, d])}, said {text(self.said[place, d])}" for d, each in enumerate(targets[:4])]
        return "; ".join(parts)

    def html_caption(self, place: int, targets: Sequence[str]) -> Markup:
        parts = [
            sentence("{} {}, said <b>{}</b>", name(each, 40), text(self.true[place, d]), text(self.said[place, d]))
            for d, each in enumerate(targets[:4])
        ]
        return Markup(" · ").join(parts)


def number_content(answers: NumberAnswers, targets: Sequence[str], result: Mapping[str, Any], groups: Groups) -> dict[str, Any]:
    """What numbers.html names."""
    missed = answers.said - answers.true
    rows, shown = [], []
    for d, row in enumerate(result["per_target"]):
        interval, bias = mean_interval(np.abs(missed[:, d])), float(missed[:, d].mean()) if len(missed) else 0.0
        cells = [(row[key], text(row[key])) for key in ("mae",)]
        cells += [(interval[0] if interval else -1, f"{text(interval[0])} to {text(interval[1])}" if interval else "-")]
        cells += [(row[key], text(row[key])) for key in ("rmse", "r2")] + [(bias, f"{bias:+.4g}")]
        rows.append({"name": targets[d], "cells": cells})
        if d < MOST_TARGETS and len(missed):
            shown.append(one_target(answers, d, targets[d], groups))
    hidden = len(targets) - MOST_TARGETS
    return {
        "per_target": rows,
        "targets": shown,
        "hidden_targets": f"{hidden:,} more numbers stand in the table above alone." if hidden > 0 else "",
    }


def one_target(answers: NumberAnswers, d: int, target: str, groups: Groups) -> dict[str, Any]:
    true, missed = answers.true[:, d], answers.said[:, d] - answers.true[:, d]
    bins = []
    for number, places in enumerate(np.array_split(np.argsort(true, kind="stable"), min(NUM_PARTS, len(true)))):
        error, between = float(np.abs(missed[places]).mean()), f"{text(true[places[0]])} and {text(true[places[-1]])}"
        key, title = f"{d}:{number}", f"{plain(target, 40)} between {between}: {counted(len(places), 'image')}, mean error {text(error)}"
        groups.add(key, title, answers.numbers[places[np.argsort(-np.abs(missed[places]), kind="stable")]])
        bias = f"{float(missed[places].mean()):+.4g}"
        bins.append({"key": key, "text": between, "count": f"{len(places):,}", "error": text(error), "bias": bias})
    known = missed[np.isfinite(missed)]
    far = float(np.abs(known).max(initial=0)) or 1.0
    counts, edges = np.histogram(known, bins=NUM_BARS, range=(-far, far))
    alt = f"How often each error of {plain(target, 40)} occurs"
    histogram = count_bars(counts.tolist(), edges.tolist(), x_name="predicted - true", alt=alt, percent=False)
    plot = scatter(true, answers.said[:, d], alt=f"Predicted against true {plain(target, 40)} of {counted(len(true), 'image')}")
    return {"name": target, "plot": plot, "bins": bins, "histogram": histogram}


def part_of(true: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) numbers -> the tenth of the images, by size, that each is in: (N,) int64 in 0..9."""
    found = np.empty(len(true), np.int64)
    for number, places in enumerate(np.array_split(np.argsort(true, kind="stable"), max(1, min(NUM_PARTS, len(true))))):
        found[places] = number
    return found


def number_notes(answers: NumberAnswers, targets: Sequence[str], result: Mapping[str, Any]) -> list[Markup]:
    """What a person should know first, a sentence each."""
    notes = []
    missed = answers.said - answers.true
    for d, row in enumerate(result["per_target"][:MOST_TARGETS]):
        interval = mean_interval(missed[:, d])
        if interval is not None and interval[0] * interval[1] > 0:
            side = "too large" if interval[0] > 0 else "too small"
            notes.append(sentence("{} is predicted {} by {} on average.", name(targets[d]), side, text(abs(float(missed[:, d].mean())))))
        if row["r2"] is not None and row["r2"] <= 0:
            notes.append(sentence("For {} the mean of the set would be as good a prediction (R2 {}).", name(targets[d]), text(row["r2"])))
    return notes


def text(value: float | None) -> str:
    return metric_text("mae", value)
