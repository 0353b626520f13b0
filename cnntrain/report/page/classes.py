"""The part of a page where an image has one class: confusions, classes, rankings, calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.metrics.calibration import Bin, calibration_error, reliability
from cnntrain.metrics.intervals import share_interval
from cnntrain.report.figures import counted
from cnntrain.report.page.groups import Groups
from cnntrain.report.page.svg import count_bars, reliability_plot
from cnntrain.report.page.text import Markup, level, name, plain, sentence, short_percent

MOST_CLASSES_IN_TABLE = 30  # of more the matrix is painted
MOST_CLASSES_PAINTED = 1000
MOST_PAIRS = 20
MOST_CLASSES_LISTED = 1000
WORTH_SAYING = 0.03  # calibration error from which a network counts as too sure of itself, or not sure enough


@dataclass(frozen=True)
class ClassAnswers:
    """What was said of each image, in the order of the set.

    Args:
        numbers: (M,) int64, the image's number in the set.
        true, said: (M,) int64 classes.
        sure: (M,) float, the probability of `said`.
        true_share: (M,) float, the probability of `true`.
    """

    numbers: NDArray[np.int64]
    true: NDArray[np.int64]
    said: NDArray[np.int64]
    sure: NDArray[np.float64]
    true_share: NDArray[np.float64]

    @property
    def right(self) -> NDArray[np.bool_]:
        return self.true == self.said

    def bins(self) -> list[Bin]:
        return reliability(self.sure, self.right)

    def caption(self, place: int, classes: Sequence[str]) -> str:
        """`shirt, said t-shirt 81 %`."""
        true, said = plain(classes[self.true[place]], 40), plain(classes[self.said[place]], 40)
        if self.right[place]:
            return f"{said} {100 * self.sure[place]:.1f} %, right"
        return f"{true}, said {said} {100 * self.sure[place]:.1f} %"

    def html_caption(self, place: int, classes: Sequence[str]) -> Markup:
        right = bool(self.right[place])
        said = sentence('<b class="{}">{}</b> {}', "ok" if right else "no", name(classes[self.said[place]], 40), percents(self.sure[place]))
        if right:
            return said
        return sentence("{} · truly {} {}", said, name(classes[self.true[place]], 40), percents(self.true_share[place]))


def class_content(answers: ClassAnswers, classes: Sequence[str], result: Mapping[str, Any], groups: Groups) -> dict[str, Any]:
    """What classes.html names."""
    counts = confusion_of(answers, len(classes))
    members = members_of(answers)
    for (true, said), places in members.items():
        own, other = plain(classes[true], 40), plain(classes[said], 40)
        title = f"{own}, rightly said" if true == said else f"{own} taken for {other}"
        groups.add(f"{true}:{said}", f"{title}: {counted(len(places), 'picture')}", answers.numbers[places])
    of_class = np.bincount(answers.true, minlength=len(classes))
    total, right = len(answers.true), int(answers.right.sum())
    caption = f"{total - right:,} of {total:,} images are wrong"
    if len(classes) > MOST_CLASSES_PAINTED:
        caption = f"{caption}; a matrix of {len(classes):,} classes is too large to be shown"
    return {
        "classes": list(classes),
        "matrix": matrix_rows(counts, of_class, classes) if len(classes) <= MOST_CLASSES_IN_TABLE else None,
        "painted": MOST_CLASSES_IN_TABLE < len(classes) <= MOST_CLASSES_PAINTED,
        "matrix_caption": caption,
        "pairs": confused_pairs(counts, of_class, classes),
        "per_class": per_class_rows(answers, result, groups, classes),
        "reliability": calibration_content(answers.bins()),
    }


def matrix_data(answers: ClassAnswers, classes: Sequence[str]) -> dict[str, Any] | None:
    """The matrix for the script that paints it: names, and [row, column, count, share of the row] of cells that are not empty."""
    if not MOST_CLASSES_IN_TABLE < len(classes) <= MOST_CLASSES_PAINTED:
        return None
    counts, of_class = confusion_of(answers, len(classes)), np.bincount(answers.true, minlength=len(classes))
    cells = [[true, said, count, round(count / int(of_class[true]), 3)] for (true, said), count in counts.items()]
    return {"names": [plain(each, 40) for each in classes], "cells": cells}


def confusion_of(answers: ClassAnswers, num_classes: int) -> dict[tuple[int, int], int]:
    """(true, said) -> images, where there are any."""
    pairs, counts = np.unique(answers.true * num_classes + answers.said, return_counts=True)
    return {divmod(int(pair), num_classes): int(count) for pair, count in zip(pairs, counts, strict=True)}


def members_of(answers: ClassAnswers) -> dict[tuple[int, int], list[int]]:
    """(true, said) -> places of its images, the surest mistakes and the least sure right answers first."""
    found: dict[tuple[int, int], list[int]] = {}
    order = np.argsort(np.where(answers.right, answers.sure, -answers.sure), kind="stable")
    for place in order.tolist():
        found.setdefault((int(answers.true[place]), int(answers.said[place])), []).append(place)
    return found


def matrix_rows(counts: dict[tuple[int, int], int], of_class: NDArray[Any], classes: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for true, own in enumerate(classes):
        cells = []
        for said, other in enumerate(classes):
            count = counts.get((true, said), 0)
            share = count / max(1, int(of_class[true]))
            shade = level(share) if true == said else level(share**0.5)  # one image in a hundred must be seen
            pictures = "picture" if count == 1 else "pictures"
            label = f"{plain(own, 40)} said to be {plain(other, 40)}: {count} {pictures}"
            cells.append({"key": f"{true}:{said}", "count": count, "css": f"{'r' if true == said else 'w'} s{shade}", "label": label})
        rows.append({"name": own, "cells": cells})
    return rows


def confused_pairs(counts: dict[tuple[int, int], int], of_class: NDArray[Any], classes: Sequence[str]) -> list[dict[str, Any]]:
    """The pairs with the most images, most first."""
    wrong = sorted(((count, pair) for pair, count in counts.items() if pair[0] != pair[1]), key=lambda each: (-each[0], each[1]))
    return [
        {
            "key": f"{true}:{said}",
            "text": sentence("{} → {}", name(classes[true], 40), name(classes[said], 40)),
            "count": count,
            "share": count / int(of_class[true]),
            "back": counts.get((said, true), 0),
            "back_key": f"{said}:{true}",
            "back_label": f"{plain(classes[said], 40)} taken for {plain(classes[true], 40)}: {counts.get((said, true), 0)}",
        }
        for count, (true, said) in wrong[:MOST_PAIRS]
    ]


def per_class_rows(answers: ClassAnswers, result: Mapping[str, Any], groups: Groups, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Of more than 1,000 classes those with the lowest recall; a class opens what is wrong with it, else its pictures."""
    rows = []
    hits = np.bincount(answers.true[answers.right], minlength=len(classes))
    order = np.lexsort((-answers.sure, answers.right))  # wrong ones first, the surest of them at the front
    for number, row in enumerate(result["per_class"]):
        rows.append({**row, "number": number, "name": classes[number], "interval": share_interval(int(hits[number]), row["count"])})
    if len(rows) > MOST_CLASSES_LISTED:
        rows = sorted(rows, key=lambda row: (row["recall"] is None, row["recall"]))[:MOST_CLASSES_LISTED]
    own: dict[int, list[int]] = {}
    for place in order.tolist():
        own.setdefault(int(answers.true[place]), []).append(place)
    for row in rows:
        row["key"] = f"class:{row['number']}"
        title = f"{plain(row['name'], 40)}: {row['count']:,} images, {row['count'] - int(hits[row['number']]):,} of them wrong"
        groups.add(row["key"], title, answers.numbers[own.get(row["number"], [])])
    return rows


def calibration_content(bins: list[Bin], *, decisions: str = "images") -> dict[str, Any]:
    """The reliability diagram, the histogram below it, and what they say in a sentence."""
    error = calibration_error(bins)
    known = [each for each in bins if each.said is not None and each.right is not None]
    total = sum(each.count for each in known)
    lean = sum(each.count * ((each.said or 0) - (each.right or 0)) for each in known) / max(1, total)
    verdict = "its probabilities can be taken at their word"
    if error is not None and error >= WORTH_SAYING:
        verdict = "it is surer than it may be" if lean > 0 else "it is right more often than it says"
    if error is None:
        return {"said": "Nothing was said.", "plot": "", "counts": "", "counts_title": ""}
    apart = f"What it says and what is right lie {short_percent(error)} apart on average"
    text = f"{apart} (expected calibration error, {len(bins)} bins): {verdict}."
    edges = [each.low for each in bins] + [1.0]
    return {
        "said": text,
        "plot": reliability_plot(bins, x_name="said", alt=f"Reliability diagram. {text}"),
        "counts": count_bars(
            [each.count for each in bins], edges, x_name="said", alt=f"How often each probability was said, over {total:,} {decisions}"
        ),
        "counts_title": "How sure it is",
    }


def class_notes(answers: ClassAnswers, classes: Sequence[str], result: Mapping[str, Any]) -> list[Markup]:
    """What a person should know first, a sentence each."""
    counts, of_class = confusion_of(answers, len(classes)), np.bincount(answers.true, minlength=len(classes))
    notes = []
    known = [row for row in result["per_class"] if row["count"]]
    if len(known) > 1 and (worst := min(known, key=lambda row: row["recall"]))["recall"] < 1:
        found, count = short_percent(worst["recall"]), counted(worst["count"], "image")
        notes.append(sentence("Hardest class: {}, of whose {} it finds {}.", name(worst["class"]), count, found))
    for pair in confused_pairs(counts, of_class, classes)[:1]:
        notes.append(sentence("Most confused: {}, {} of the class ({} images).", pair["text"], short_percent(pair["share"]), pair["count"]))
    never = [row["class"] for row in known if row["precision"] is None]
    if never:
        shown = Markup(", ").join(name(each) for each in never[:5])
        notes.append(sentence("Never said: {}{}.", shown, f" and {len(never) - 5} more" if len(never) > 5 else ""))
    error = calibration_error(answers.bins())
    if error is not None:
        sure, right = float(np.nanmean(answers.sure)), short_percent(result["top1"])
        lean = "Too sure of itself" if sure > result["top1"] else "Less sure than it could be"
        said = f"{lean}: it says {short_percent(sure)} on average and is right in {right}."
        notes.append(sentence("{}", said if error >= WORTH_SAYING else "Its probabilities fit what is right."))
    bold = int(((answers.sure >= 0.9) & ~answers.right).sum())
    if bold:
        which = f"{counted(bold, 'image')} {'is' if bold == 1 else 'are'}"
        notes.append(sentence("{} wrong with a probability of 90 % or more: look there for wrong labels first.", which))
    return notes


def percents(share: float) -> str:
    return f"{100 * share:.1f} %"
