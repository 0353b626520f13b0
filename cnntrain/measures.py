"""What is measured in each task: one list of names for metrics.jsonl, summary.json, tables, TensorBoard and objectives.

A metric is a split and a measure, such as val/top1.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

CLASSIFICATION, MULTILABEL, REGRESSION = TASKS = ("classification", "multilabel", "regression")


@dataclass(frozen=True)
class Measure:
    """How a measure is written, and what is better."""

    kind: Literal["share", "loss", "number"]
    higher_is_better: bool


MEASURES = {
    "top1": Measure("share", higher_is_better=True),
    "map": Measure("share", higher_is_better=True),  # mean average precision
    "mae": Measure("number", higher_is_better=False),
    "loss": Measure("loss", higher_is_better=False),
    "top5": Measure("share", higher_is_better=True),
    "f1": Measure("share", higher_is_better=True),
    "rmse": Measure("number", higher_is_better=False),
    "r2": Measure("number", higher_is_better=True),
}
# of validation, the one that decides which epoch is best first; with 5 classes or fewer there is no top5
OF_TASK = {CLASSIFICATION: ("top1", "loss", "top5"), MULTILABEL: ("map", "loss", "f1"), REGRESSION: ("mae", "loss", "rmse", "r2")}
MAIN = tuple(measures[0] for measures in OF_TASK.values())
OF_TRAINING = {CLASSIFICATION: "top1", MULTILABEL: "f1", REGRESSION: "mae"}  # beside the loss
IN_TABLES = tuple(f"{split}/{name}" for split in ("val", "train") for name in MEASURES)
IN_LINES = tuple(f"{split}/{name}" for split in ("train", "val") for name in ("loss", *(m for m in MEASURES if m != "loss")))


def objectives(task: str) -> tuple[str, ...]:
    """What may decide the best epoch; the default first."""
    return tuple(f"val/{name}" for name in OF_TASK[task] if name != "top5")


AUTO = "auto"
OBJECTIVES = (AUTO, *dict.fromkeys(name for task in TASKS for name in objectives(task)))


def measure_of(metric: str) -> Measure | None:
    """Of val/top1 the measure top1; None for what is no measure of a task, such as lr."""
    return MEASURES.get(metric.rpartition("/")[2])


def higher_is_better(metric: str) -> bool:
    measure = measure_of(metric)
    assert measure is not None, metric
    return measure.higher_is_better


def main_metric(metrics: Iterable[str]) -> str | None:
    """The first of val/top1, val/map, val/mae that is among them."""
    return next((metric for metric in metrics if metric.startswith("val/") and metric.rpartition("/")[2] in MAIN), None)


def metrics_of(task: str) -> tuple[str, ...]:
    """All names that a run of this task writes at the end of an epoch, in the order of tables."""
    return (*(f"val/{name}" for name in OF_TASK[task]), f"train/{OF_TRAINING[task]}", "train/loss")
