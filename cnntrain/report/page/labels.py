"""The part of a page where an image has any number of labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.metrics.calibration import Bin, reliability
from cnntrain.report.figures import counted
from cnntrain.report.page.classes import calibration_content
from cnntrain.report.page.groups import Groups
from cnntrain.report.page.text import Markup, name, plain, sentence, short_percent

MOST_PAIRS = 20
KINDS = {"found": "rightly said", "missed": "there, but not said", "said": "said, but not there"}


@dataclass(frozen=True)
class LabelAnswers:
    """What was said of each image, in the order of the set.

    Args:
        numbers: (M,) int64, the image's number in the set.
        there: (M, K) bool.
        share: (M, K) float, the probability of each label.
    """

    numbers: NDArray[np.int64]
    there: NDArray[np.bool_]
    share: NDArray[np.float64]

    @property
    def said(self) -> NDArray[np.bool_]:
        return self.share > 0.5

    @property
    def right(self) -> NDArray[np.bool_]:
        """(M,) whether every decision of an image is right."""
        return (self.there == self.said).all(1)

    def bins(self) -> list[Bin]:
        """Of all decisions: the probability of what was said, there or not."""
        sure = np.where(self.said, self.share, 1 - self.share)
        return reliability(sure.ravel(), (self.said == self.there).ravel())

    def caption(self, place: int, classes: Sequence[str]) -> str:
        found = self.html_caption(place, classes)
        return found.striptags()

    def html_caption(self, place: int, classes: Sequence[str]) -> Markup:
        parts = []
        for css, chosen in (("ok", self.there & self.said), ("no", self.there & ~self.said), ("no", ~self.there & self.said)):
            names = [name(classes[k], 40) for k in np.flatnonzero(chosen[place]).tolist()]
            parts.append(sentence('<b class="{}">{}</b>', css, Markup(", ").join(names)) if names else Markup(""))
        words = ("right: ", "missed: ", "wrongly said: ")
        said = [sentence("{}{}", word, part) for word, part in zip(words, parts, strict=True) if part]
        return Markup(" · ").join(said) if said else Markup("no label, and none said")


def label_content(answers: LabelAnswers, classes: Sequence[str], result: Mapping[str, Any], groups: Groups) -> dict[str, Any]:
    """What labels.html names."""
    there, said = answers.there, answers.said
    chosen = {"found": there & said, "missed": there & ~said, "said": ~there & said}
    rows = []
    for k, row in enumerate(result["per_class"]):
        labels, counts = {}, {}
        for kind, which in chosen.items():
            places = np.flatnonzero(which[:, k])
            share = answers.share[places, k]
            places = places[np.argsort(-share if kind == "said" else share, kind="stable")]  # the most telling first
            labels[kind], counts[kind] = f"{plain(classes[k], 40)}, {KINDS[kind]}: {len(places):,}", len(places)
            groups.add(f"{k}:{kind}", labels[kind], answers.numbers[places])
        rows.append({**row, "name": classes[k], "key": str(k), "labels": labels, **counts})
    return {
        "per_class": rows,
        "pairs": swapped(answers, classes, groups),
        "reliability": calibration_content(answers.bins(), decisions="decisions"),
    }


def swapped(answers: LabelAnswers, classes: Sequence[str], groups: Groups) -> list[dict[str, Any]]:
    """Pairs of labels of which one was missed and the other wrongly said, in the same image."""
    missed, wrongly = answers.there & ~answers.said, ~answers.there & answers.said
    pairs: dict[tuple[int, int], list[int]] = {}
    for place in np.flatnonzero(missed.any(1) & wrongly.any(1)).tolist():
        for one in np.flatnonzero(missed[place]).tolist():
            for other in np.flatnonzero(wrongly[place]).tolist():
                pairs.setdefault((one, other), []).append(place)
    most = Counter({pair: len(places) for pair, places in pairs.items()}).most_common(MOST_PAIRS)
    found = []
    for (one, other), count in most:
        key = f"pair:{one}:{other}"
        title = f"{plain(classes[one], 40)} missed, {plain(classes[other], 40)} said: {count:,}"
        groups.add(key, title, answers.numbers[pairs[one, other]])
        found.append({"key": key, "text": sentence("{} → {}", name(classes[one], 40), name(classes[other], 40)), "count": count})
    return found


def label_notes(answers: LabelAnswers, classes: Sequence[str], result: Mapping[str, Any]) -> list[Markup]:
    """What a person should know first, a sentence each."""
    notes = []
    known = [row for row in result["per_class"] if row["average_precision"] is not None]
    if len(known) > 1:
        worst = min(known, key=lambda row: row["average_precision"])
        found, count = short_percent(worst["average_precision"]), counted(worst["count"], "image")
        notes.append(sentence("Hardest label: {}, average precision {} over {}.", name(worst["class"]), found, count))
    missed = (answers.there & ~answers.said).sum(0)
    if missed.any():
        most = int(missed.argmax())
        notes.append(sentence("Most often missed: {}, {} times.", name(classes[most]), f"{int(missed[most]):,}"))
    wrongly = (~answers.there & answers.said).sum(0)
    if wrongly.any():
        most = int(wrongly.argmax())
        notes.append(sentence("Most often wrongly said: {}, {} times.", name(classes[most]), f"{int(wrongly[most]):,}"))
    unseen = [row["class"] for row in result["per_class"] if not row["count"]]
    if unseen:
        shown = Markup(", ").join(name(each) for each in unseen[:5])
        notes.append(sentence("In no image of this set: {}{}.", shown, f" and {len(unseen) - 5} more" if len(unseen) > 5 else ""))
    return notes
