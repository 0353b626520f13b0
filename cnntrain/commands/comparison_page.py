"""compare-SPLIT.html: what parts two networks, with the pictures on which they differ."""

from typing import Any

from cnntrain.commands.comparing import DIFFER, OF_PAIRS, Comparison
from cnntrain.commands.evaluating import Evaluation, Trained
from cnntrain.measures import CLASSIFICATION
from cnntrain.report.comparison import SPOKEN, difference_text, verdict
from cnntrain.report.figures import counted, metric_text
from cnntrain.report.page.build import page
from cnntrain.report.page.groups import Groups
from cnntrain.report.page.text import Markup, name, plain, range_of_shares, sentence

OF_NUMBERS = ("first_nearer", "second_nearer", "equal")


def comparison_page(found: Comparison, *, table: str) -> bytes:
    """The whole file.

    Args:
        table: name of the file with all predictions.
    """
    one, two, result = found.first, found.second, found.result
    answers = one.review.answers(), two.review.answers()
    at = [{int(number): place for place, number in enumerate(each.numbers.tolist())} for each in answers]
    sides = list(zip(answers, at, (one.review.names, two.review.names), strict=True))

    def caption(number: int) -> str:
        return "; ".join(f"{side}: {a.caption(t[number], names)}" for side, (a, t, names) in zip(("first", "second"), sides, strict=True))

    def html_caption(number: int) -> Markup:
        both = zip(("1st", "2nd"), sides, strict=True)
        return Markup("<br>").join(sentence("{}: {}", side, a.html_caption(t[number], names)) for side, (a, t, names) in both)

    groups = Groups(found.album, one.images.files, caption, lists=table)
    for key, members in found.groups.items():
        groups.add(key, f"{SPOKEN[key].capitalize()}: {counted(len(members), 'image')}", members)
    rows = per_class(found) if result["task"] == CLASSIFICATION else []
    of_classes = [("classes", "Classes")] if rows else []
    content = {
        "title": f"{one.trained.run.name} against {two.trained.run.name}: {one.images.split}",
        "lead": sentence("{} of {}, each asked of both networks.", counted(result["count"], "image"), name(one.images.directory, 200)),
        "parts": [("summary", "Summary"), ("table", "Image by image"), *of_classes, ("pictures", "Pictures")],
        "cards": cards(result),
        "verdict_title": "Which is better?",
        "verdict": verdict(result),
        "first": described(one),
        "second": described(two),
        "table": pair_table(found),
        "table_said": "Only the images on which the two differ say which is better.",
        "per_class": rows,
        "lists": [picture_list(found, key, caption, html_caption) for key in DIFFER if found.groups.get(key)],
        "foot": "Written by cnntrain eval. This file needs no network and sends nothing anywhere.",
    }
    return page("comparison.html", content, data=groups.data())


def cards(result: dict[str, Any]) -> list[dict[str, str]]:
    key = result["measure"] if result["measure"] in result["first"] else "mae"
    kind, interval = "top1" if key == "all_right" else key, result["interval"]
    between = "" if interval is None else f"{interval[0]:.3g} to {interval[1]:.3g} (95 %), "
    if kind == "top1" and interval is not None:
        between = f"{range_of_shares(interval).replace(' %', ' points')} (95 %), "
    spoken = key.replace("top1", "top-1 accuracy").replace("all_right", "images without a mistake")
    return [
        {"what": "difference, first - second", "value": difference_text(result), "more": f"{between}n = {result['count']:,}"},
        {"what": f"first: {spoken}", "value": metric_text(kind, result["first"][key]), "more": ""},
        {"what": f"second: {spoken}", "value": metric_text(kind, result["second"][key]), "more": ""},
        {"what": "p", "value": f"{result['p_value']:.2g}", "more": result["test"]},
    ]


def described(found: Evaluation) -> Markup:
    trained: Trained = found.trained
    averaged = ", averaged weights" if trained.averaged else ""
    model = name(trained.kept.model.get("name", "network"))
    return sentence("{}, {}, {}{}", model, name(trained.run, 200), plain(trained.folder.name), averaged)


def pair_table(found: Comparison) -> dict[str, Any]:
    def cell(key: str) -> dict[str, Any]:
        count = len(found.groups.get(key, ()))
        return {"key": key, "count": count, "label": f"{SPOKEN[key]}: {counted(count, 'image')}"}

    if found.result["measure"] in ("top1", "all_right"):
        both, first, second, neither = map(cell, OF_PAIRS)
        rows = [{"name": "first right", "cells": [both, first]}, {"name": "first wrong", "cells": [second, neither]}]
        return {"heads": ["second right", "second wrong"], "rows": rows}
    return {"heads": [SPOKEN[key] for key in OF_NUMBERS], "rows": [{"name": "images", "cells": [cell(key) for key in OF_NUMBERS]}]}


def per_class(found: Comparison) -> list[dict[str, Any]]:
    """How many of each class either finds, over the images that both answered; the largest difference first."""
    answers, names = found.first.review.answers(), found.first.review.names
    true = dict(zip(answers.numbers.tolist(), answers.true.tolist(), strict=True))
    counts: dict[int, dict[str, int]] = {}
    for key, members in found.groups.items():
        for number in members:
            own = counts.setdefault(true[number], dict.fromkeys(OF_PAIRS, 0))
            own[key] += 1
    rows = []
    for label, own in counts.items():
        count = sum(own.values())
        first, second = (own["both"] + own["only_first"]) / count, (own["both"] + own["only_second"]) / count
        only = {"only_first": own["only_first"], "only_second": own["only_second"]}
        rows.append({"name": names[label], "count": count, "first": first, "second": second, **only})
    return sorted(rows, key=lambda row: (-abs(row["first"] - row["second"]), row["name"]))


def picture_list(found: Comparison, key: str, caption: Any, html_caption: Any) -> dict[str, Any]:
    files, shots = found.first.images.files, found.album.shots
    shown = [number for number in found.groups[key] if number in shots]
    pictures = [{"shot": shots[n], "alt": f"{plain(files[n])}: {caption(n)}", "said": html_caption(n), "file": files[n]} for n in shown]
    few = f", {len(shown)} of {len(found.groups[key]):,}" if len(shown) < len(found.groups[key]) else f", {len(shown)}"
    return {"title": f"{SPOKEN[key].capitalize()}{few}", "pictures": pictures}
