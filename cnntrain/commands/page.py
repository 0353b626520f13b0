"""eval-SPLIT.html: what an evaluation found, gathered for the page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from cnntrain.commands.evaluating import Evaluation
from cnntrain.commands.looks import inside_content, looks_content
from cnntrain.config.defaults import default_config, differences
from cnntrain.config.stored import plain as plain_data
from cnntrain.data.images import ImageSet
from cnntrain.data.shown import as_shown
from cnntrain.measures import MEASURES, OF_TRAINING
from cnntrain.report.figures import counted, metric_text
from cnntrain.report.page.build import page
from cnntrain.report.page.groups import Groups
from cnntrain.report.page.pictures import thumbnail
from cnntrain.report.page.svg import Line, curves
from cnntrain.report.page.text import Markup, name, plain, range_of_shares, sentence
from cnntrain.runs.folder import environment
from cnntrain.runs.history import read
from cnntrain.runs.summary import read_run

PICTURE_SIDE = 160  # pixels
SPOKEN = {"top1": "top-1 accuracy", "top5": "top-5 accuracy", "map": "mean average precision", "mae": "mean absolute error", "r2": "R2"}
CURVES_SAID = "Of training the mean over each epoch, augmented and while the weights still moved; of validation the end of the epoch."
PARTS = {
    "summary": "Summary",
    "curves": "Curves",
    "confusion": "Confusions",
    "classes": "Classes",
    "spread": "Spread",
    "pictures": "Pictures",
    "calibration": "Calibration",
    "looks": "Attention",
    "inside": "Inside",
    "data-part": "Images",
    "run": "Run",
}


def evaluation_page(found: Evaluation, *, table: str) -> bytes:
    """The whole file.

    Args:
        table: name of the file with all predictions.
    """
    review, result, images = found.review, found.result, found.images
    assert review.album is not None, "the evaluation took no pictures"
    answers = review.answers()
    at = {int(number): place for place, number in enumerate(answers.numbers.tolist())}
    groups = Groups(review.album, images.files, lambda number: answers.caption(at[number], review.names), lists=table)
    content = {
        **review.content(answers, result, groups),
        "lists": [
            {"title": each.title, "meaning": each.meaning, "pictures": ranked_pictures(found, each.key, answers, at)}
            for each in review.rankings
        ],
        "task_template": review.template,
        "cards": cards(result),
        "notes": review.notes(answers, result),
        "curves": curves_content(found.trained.run, result["task"]),
        "looks": looks_content(found.network, review, answers, at),
        "inside": inside_content(found.network, review),
        "images": image_facts(found),
        "bad": result["bad"],
        "bad_said": bad_sentence(result, images),
        "origin": origin_content(found),
        "title": f"{run_name(found.trained.folder)}: {images.split}",
        "lead": lead(found),
        "foot": "Written by cnntrain eval. This file needs no network and sends nothing anywhere.",
    }
    content["parts"] = [(id, label) for id, label in PARTS.items() if is_there(id, content)]
    data = groups.data() | {"matrix": review.matrix(answers)}
    return page("evaluation.html", content, data=data)


def is_there(part: str, content: Mapping[str, Any]) -> bool:
    if part == "confusion":
        return bool(content["task_template"] == "classes.html")
    named = {"spread": "targets", "calibration": "reliability"} | {same: same for same in ("curves", "looks", "inside")}
    return part not in named or bool(content.get(named[part]))


def ranked_pictures(found: Evaluation, key: str, answers: Any, at: Mapping[int, int]) -> list[dict[str, Any]]:
    ranking, files = found.review.best[key], found.images.files
    if not ranking.best:
        return []
    pictures = as_shown(torch.stack([kept for _, _, kept in ranking.best]), found.review.steps)  # type: ignore[misc]
    return [
        {
            "file": files[number],
            "said": answers.html_caption(at[number], found.review.names),
            "alt": f"{plain(files[number])}: {answers.caption(at[number], found.review.names)}",
            "shot": thumbnail(picture, PICTURE_SIDE),
        }
        for number, picture in zip(ranking.indices, pictures, strict=True)
    ]


def cards(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """The figures at the top, the task's own first."""
    intervals = result.get("intervals", {})
    rows = [(measure, SPOKEN.get(measure, measure), result[measure], "") for measure in MEASURES if measure in result]
    rows += [("top1", "images without a mistake", result.get("all_right"), "")]
    rows += [("top1", "calibration error", result.get("calibration_error"), "mean gap between how sure it is and how often it is right")]
    rows += [("top1", "macro F1", result.get("macro", {}).get("f1"), "each class counts alike")]
    made: list[dict[str, str]] = []
    for measure, what, value, more in rows:
        interval = intervals.get("all_right" if what.startswith("images") else measure) if not more else None
        parts = [between(measure, interval)] if interval else [more] if more else []
        if not made:
            parts.append(f"n = {result['count']:,}")
        if value is not None:
            made.append({"what": what, "value": metric_text(measure, value), "more": ", ".join(parts)})
    return made


def between(measure: str, interval: list[float]) -> str:
    """`79.6 to 87.4 % (95 %)`."""
    if MEASURES[measure].kind == "share":
        return f"{range_of_shares(interval)} (95 %)"
    return f"{metric_text(measure, interval[0])} to {metric_text(measure, interval[1])} (95 %)"


def curves_content(run: Path, task: str) -> dict[str, Any] | None:
    """Loss and the task's own measure over the epochs of RUN/metrics.jsonl; None where there is none."""
    epochs = [line for line in read(run / "metrics.jsonl") if line.get("event") == "epoch" and isinstance(line.get("epoch"), int)]
    if not epochs:
        return None
    main = next((measure for measure in MEASURES if f"val/{measure}" in epochs[-1] and measure != "loss"), "loss")
    best = max((line["epoch"] for line in epochs if line.get("is_best")), default=None)
    plots = []
    for measure, own in (("loss", "loss"), (main, OF_TRAINING[task])) if main != "loss" else (("loss", "loss"),):
        of_training = "training" if own == measure else f"training ({own})"
        both = [line_of(epochs, f"val/{measure}", "validation", "val"), line_of(epochs, f"train/{own}", of_training, "train")]
        lines = [line for line in both if line.xs]
        title = SPOKEN.get(measure, measure)
        ends = ", ".join(f"{line.name} ends at {metric_text(measure, line.ys[-1])}" for line in lines)
        alt = f"{title} over {len(epochs)} epochs: {ends}"
        drawn = curves(lines, percent=MEASURES[measure].kind == "share", alt=alt, best=best)
        plots.append({"title": title, "lines": lines, "plot": drawn})
    return {"plots": plots, "best": best, "said": CURVES_SAID}


def line_of(epochs: list[dict[str, Any]], metric: str, label: str, css: str) -> Line:
    known = [(line["epoch"], line[metric]) for line in epochs if isinstance(line.get(metric), int | float)]
    return Line(label, css, [float(x) for x, _ in known], [float(y) for _, y in known])


def image_facts(found: Evaluation) -> list[tuple[str, Any]]:
    images = found.images
    height, width = found.trained.kept.image_size
    kind = "gray" if found.trained.kept.channels == 1 else "colour"
    steps = ", ".join(str(step["type"]) for step in found.trained.kept.preprocessing["steps"])
    return [
        ("folder", name(images.directory, 200)),
        ("images", f"{found.result['count']:,}" + (f" of {len(images):,}" if found.result["bad"] else "")),
        ("seen by the network as", f"{width} x {height} pixels, {kind}"),
        ("prepared by", plain(steps, 300)),
    ]


def bad_sentence(result: Mapping[str, Any], images: ImageSet) -> str:
    number = len(result["bad"])
    left_out = f"{counted(number, 'image')} could not be read and {'is' if number == 1 else 'are'} left out"
    return f"{left_out}: all figures are over {result['count']:,} of {len(images):,}."


def run_name(checkpoint: Path) -> str:
    run = checkpoint.parent.parent.absolute()
    return f"{run.parent.name}/{run.name}" if run.parent.name else run.name


def lead(found: Evaluation) -> Markup:
    kinds = {"classification": "classes", "multilabel": "labels", "regression": "numbers"}
    asked = f"{len(found.trained.kept.classes):,} {kinds[found.result['task']]}"
    count, model = f"{found.result['count']:,}", name(found.trained.kept.model.get("name", "network"))
    averaged = ", averaged weights" if found.result.get("ema") else ""
    return sentence("{} on {} images, {}. Checkpoint {}{}.", model, count, asked, plain(found.trained.folder.name), averaged)


def origin_content(found: Evaluation) -> dict[str, Any]:
    """Where the run came from: what was typed, the configuration, how it differs from the defaults, versions then and now."""
    run = read_run(found.trained.run) or {}
    config = dict(found.trained.config)
    facts: list[tuple[str, Any]] = [("run folder", name(found.trained.run, 200))]
    typed = run.get("argv")
    if isinstance(typed, list):
        facts.append(("typed", sentence("<code>cnntrain {}</code>", name(" ".join(map(str, typed)), 600))))
    if isinstance(run.get("time"), str):
        facts.append(("started", plain(run["time"])))
    if isinstance(run.get("device"), str):
        facts.append(("trained on", plain(run["device"])))
    data = found.trained.kept.data.get("name", "folder")
    default = default_config(data) if config else {}
    shown = [(key, as_words(own), as_words(theirs)) for key, own, theirs in differences(config, default)] if default else []
    then, now = run, environment()
    packages = [key for key in ("cnntrain", "python", "torch", "torchvision", "platform") if then.get(key) or now.get(key)]
    versions = [(key, version_words(then.get(key), now.get(key))) for key in packages]
    commit = then.get("git")
    if isinstance(commit, dict):
        versions.append(("git", plain(f"{commit.get('commit')}{' with changes' if commit.get('dirty') else ''}")))
    return {
        "facts": facts,
        "differences": shown,
        "difference_title": f"Beside plain `cnntrain train data={plain(data)}`",
        "config": printable_yaml(config) if config else "",
        "versions": versions,
    }


def version_words(then: Any, now: Any) -> str:
    if then in (None, now):
        return plain(now)
    return f"{plain(then)} in training, {plain(now)} in evaluation"


def as_words(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or "-"
    return yaml.safe_dump(plain_data(value), default_flow_style=True, width=10_000).removesuffix("...\n").strip()


def printable_yaml(config: Mapping[str, Any]) -> str:
    """Line by line, so that only the line breaks are no escapes."""
    whole = yaml.safe_dump(plain_data(dict(config)), sort_keys=False, allow_unicode=True)
    return "\n".join(plain(line, 2000) for line in whole.splitlines())
