"""`cnntrain eval checkpoint=RUN against=OTHER`: two networks on the same images, paired image by image."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnntrain.commands.evaluating import Evaluation, Trained, evaluate_on
from cnntrain.commands.review import Review
from cnntrain.config.schema import EvalConfig
from cnntrain.data.images import ImageSet
from cnntrain.data.shown import as_shown
from cnntrain.engine.tasks import Regression
from cnntrain.errors import ConfigError
from cnntrain.measures import CLASSIFICATION, MULTILABEL
from cnntrain.metrics.intervals import exact_sign_test, mean_interval, paired_interval
from cnntrain.report.console import say
from cnntrain.report.page.album import Album
from cnntrain.runs.summary import read_run

MEASURED = {CLASSIFICATION: "top1", MULTILABEL: "all_right"}
DIFFER = ("only_first", "only_second", "first_nearer", "second_nearer")
OF_PAIRS = ("both", "only_first", "only_second", "neither")


@dataclass(frozen=True)
class Comparison:
    """Two evaluations and what parts them.

    Args:
        groups: name -> numbers of its images: those of OF_PAIRS; of numbers first_nearer, second_nearer, equal.
        album: thumbnails of each group.
        result: what compare-SPLIT.json holds.
        rows: what compare-SPLIT.csv holds, without its header.
    """

    first: Evaluation
    second: Evaluation
    groups: dict[str, list[int]]
    album: Album
    result: dict[str, Any]
    rows: list[list[str]]

    @property
    def header(self) -> list[str]:
        cells = self.first.outcomes.header
        return ["file", *(f"first {each}" for each in cells), *(f"second {each}" for each in cells), "group"]


def compare(images: ImageSet, first: Trained, second: Trained, config: EvalConfig) -> Comparison:
    """
    Raises:
        ConfigError: the two were trained for different things.
    """
    theirs = as_second_sees(images, first, second)
    warn_of_other_training_images(first, second)
    one = evaluate_on(images, first, replace(config, report=False))
    goods = goodness(one.review)
    album = Album(len(images), len(OF_PAIRS))

    def watch(review: Review, found: dict[str, np.ndarray]) -> None:
        """Takes thumbnails while the second network's batches pass, when both answers are known."""
        inputs, numbers = review.inputs, found["numbers"].tolist()
        assert inputs is not None
        good = score_of(review, found)
        names = [group_of(goods[n], float(good[place])) if n in goods else None for place, n in enumerate(numbers)]
        places = [[] if each is None else [(each, each)] for each in names]
        album.take(numbers, places, lambda wanted: as_shown(inputs[wanted], review.steps))

    two = evaluate_on(theirs, second, config, watch=watch if config.report else None)
    others = goodness(two.review)
    both = sorted(goods.keys() & others.keys())  # an image that either could not read is left out
    groups: dict[str, list[int]] = {}
    for number in both:
        groups.setdefault(group_of(goods[number], others[number]), []).append(number)
    result = compared(one, two, groups, np.array([goods[n] - others[n] for n in both]), len(both))
    of_first, of_second = ({row[0]: row[1:] for row in each.rows} for each in (one, two))
    group_by_number = {number: name for name, members in groups.items() for number in members}
    files = [images.files[number] for number in both]
    rows = [[file, *of_first[file], *of_second[file], group_by_number[n]] for file, n in zip(files, both, strict=True)]
    return Comparison(one, two, groups, album, result, rows)


def as_second_sees(images: ImageSet, first: Trained, second: Trained) -> ImageSet:
    """The same images with their targets in the second network's order of classes."""
    ours, theirs, task = first.kept.classes, second.kept.classes, first.kept.task["name"]
    if task != second.kept.task["name"]:
        raise ConfigError(f"{first.run} was trained for {task} and {second.run} for {second.kept.task['name']}: they cannot be compared")
    if set(ours) != set(theirs):
        sides = ((first.run, ours, theirs), (second.run, theirs, ours))
        only = [f"{name} (only {run})" for run, own, other in sides for name in own if name not in other]
        raise ConfigError(f"the two runs have different classes: {', '.join(only[:5])}{', ...' if len(only) > 5 else ''}")
    order = np.array([ours.index(name) for name in theirs])  # of the second's classes in the first's
    targets = np.argsort(order)[images.targets] if task == CLASSIFICATION else images.targets[:, order]
    return replace(images, classes=tuple(theirs), targets=targets, max_pixels=second.kept.data_config.max_pixels)


def warn_of_other_training_images(first: Trained, second: Trained) -> None:
    """A network that has learned the images it is asked about looks better than it is."""
    trained_on = [((read_run(each.run) or {}).get("data") or {}).get("train", {}).get("digest") for each in (first, second)]
    if None not in trained_on and trained_on[0] != trained_on[1]:
        say(f"{first.run} and {second.run} were trained on different images: make sure that neither has learned those compared here")


def score_of(review: Review, found: dict[str, np.ndarray]) -> np.ndarray:
    """(B,) how good each answer is: 1 right and 0 wrong; of numbers minus the mean error, in standard deviations of the training set."""
    if "sure" in found:
        return (found["true"] == found["said"]).astype(float)
    if "there" in found:
        return (found["there"] == (found["share"] > 0.5)).all(1).astype(float)
    assert isinstance(review.task, Regression), review.task.name
    return -(np.abs(found["said"] - found["true"]) / np.asarray(review.task.std)).mean(1)


def goodness(review: Review) -> dict[int, float]:
    found = review.collected()
    return dict(zip(found["numbers"].tolist(), score_of(review, found).tolist(), strict=True))


def group_of(first: float, second: float) -> str:
    """Right and wrong are 1 and 0; errors of numbers are below 0."""
    if {first, second} <= {0.0, 1.0}:
        return OF_PAIRS[2 * (first == 0.0) + (second == 0.0)]
    return "equal" if first == second else "first_nearer" if first > second else "second_nearer"


def compared(one: Evaluation, two: Evaluation, groups: dict[str, list[int]], differences: np.ndarray, count: int) -> dict[str, Any]:
    """All figures; the difference is first - second, and above 0 where the first is better."""
    task = one.result["task"]
    sides = {
        "first": {"run": str(one.trained.run), "checkpoint": one.trained.folder.name},
        "second": {"run": str(two.trained.run), "checkpoint": two.trained.folder.name},
    }
    sizes = {name: len(members) for name, members in groups.items()}
    if task in MEASURED:
        b, c = sizes.get("only_first", 0), sizes.get("only_second", 0)
        both, interval, test = sizes.get("both", 0), paired_interval(b, c, count), "McNemar, exact"
        for side, hits in (("first", both + b), ("second", both + c)):
            sides[side][MEASURED[task]] = hits / count  # type: ignore[assignment]
        figures = {name: sizes.get(name, 0) for name in OF_PAIRS}
    else:
        b, c = sizes.get("first_nearer", 0), sizes.get("second_nearer", 0)
        interval, test = mean_interval(differences), "sign test, exact"
        figures = {name: sizes.get(name, 0) for name in ("first_nearer", "second_nearer", "equal")}
        for side, each in (("first", one), ("second", two)):
            sides[side]["mae"] = each.result["mae"]
    return {
        "split": one.images.split,
        "directory": str(one.images.directory),
        "task": task,
        "count": count,
        "measure": MEASURED.get(task, "error in standard deviations"),
        **sides,
        "difference": float(differences.mean()) if count else None,
        "interval": None if interval is None else list(interval),
        "test": test,
        "p_value": exact_sign_test(b, c),
        **figures,
        "differ": [one.images.files[number] for name in DIFFER for number in groups.get(name, ())],
    }
