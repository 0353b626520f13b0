"""What evaluation and TensorBoard show of each task: a row for each image, tables, a picture."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cnntrain.engine.tasks import Regression, Task, Totals
from cnntrain.measures import CLASSIFICATION, MULTILABEL, REGRESSION
from cnntrain.metrics.classification import MOST_CLASSES_IN_CONFUSION, ClassificationTotals
from cnntrain.metrics.regression import RegressionTotals
from cnntrain.report.charts import precision_figure, scatter_figure
from cnntrain.report.plots import confusion_figure
from cnntrain.report.tables import per_class_table, per_target_table

if TYPE_CHECKING:
    from rich.table import Table

BETWEEN_LABELS = "|"


class Outcomes(ABC):
    """How the predictions of one task are shown.

    Args:
        task: whose outputs are shown.
        names: of the classes, or of the predicted numbers.
    """

    picture: str  # ends the name of its file and names it in TensorBoard
    mistakes: str  # what TensorBoard calls the images that went wrong

    def __init__(self, task: Task, names: Sequence[str]):
        self.task, self.names = task, tuple(names)

    @property
    @abstractmethod
    def header(self) -> list[str]:
        """Names of the cells."""

    @abstractmethod
    def cells(self, outputs: Tensor, targets: Tensor) -> list[list[str]]:
        """What is written of each image of a batch, in the order of the header."""

    @abstractmethod
    def wrongness(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(B,) float32, on the device: 0 where all is right, more where a person should look first."""

    @abstractmethod
    def tables(self, result: dict[str, Any]) -> "list[Table]":
        """Beside the table of the figures."""

    @abstractmethod
    def figure(self, totals: Totals) -> Any | None:
        """A matplotlib Figure, or None where there is too much to draw."""


class OfClassification(Outcomes):
    picture, mistakes = "confusion", "misclassified"

    @property
    def header(self) -> list[str]:
        return ["true", "predicted", "probability", "correct"]

    def cells(self, outputs: Tensor, targets: Tensor) -> list[list[str]]:
        best = outputs.softmax(1).max(1)
        found = zip(targets.tolist(), best.indices.tolist(), best.values.tolist(), strict=True)
        return [[self.names[true], self.names[said], f"{share:.6f}", lower(true == said)] for true, said, share in found]

    def wrongness(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The probability of the wrong class that was said."""
        best = outputs.softmax(1).max(1)
        return best.values * (best.indices != targets)

    def tables(self, result: dict[str, Any]) -> "list[Table]":
        return [per_class_table(result["per_class"])]

    def figure(self, totals: Totals) -> Any | None:
        assert isinstance(totals, ClassificationTotals), type(totals)
        if len(self.names) > MOST_CLASSES_IN_CONFUSION:
            return None
        return confusion_figure(totals.confusion(), self.names)


class OfMultilabel(Outcomes):
    picture, mistakes = "average-precision", "wrong-labels"

    @property
    def header(self) -> list[str]:
        return ["true", "predicted", "correct", *(f"probability of {name}" for name in self.names)]

    def cells(self, outputs: Tensor, targets: Tensor) -> list[list[str]]:
        there, said, shares = targets.cpu() > 0.5, outputs.cpu() > 0, outputs.cpu().sigmoid().tolist()
        return [
            [self.joined(true), self.joined(guessed), lower(bool((true == guessed).all())), *(f"{share:.6f}" for share in row)]
            for true, guessed, row in zip(there, said, shares, strict=True)
        ]

    def joined(self, chosen: Tensor) -> str:
        return BETWEEN_LABELS.join(self.names[place] for place in chosen.nonzero().flatten().tolist())

    def wrongness(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The probability of the worst wrong decision."""
        there = targets > 0.5
        shares = torch.where(there, -outputs, outputs).sigmoid()  # of the wrong side of each decision
        return (shares * ((outputs > 0) != there)).amax(1)

    def tables(self, result: dict[str, Any]) -> "list[Table]":
        return [per_class_table(result["per_class"])]

    def figure(self, totals: Totals) -> Any:
        return precision_figure(totals.result(self.names)["per_class"])


class OfRegression(Outcomes):
    picture, mistakes = "scatter", "largest-errors"

    @property
    def header(self) -> list[str]:
        return [f"{part} {name}" for name in self.names for part in ("true", "predicted", "error of")]

    def cells(self, outputs: Tensor, targets: Tensor) -> list[list[str]]:
        pairs = zip(targets.cpu().tolist(), outputs.cpu().tolist(), strict=True)
        return [
            [text for t, p in zip(true, said, strict=True) for text in (f"{t:.7g}", f"{p:.7g}", f"{p - t:.7g}")] for true, said in pairs
        ]

    def wrongness(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean error in standard deviations of the training set, since the units may differ."""
        assert isinstance(self.task, Regression), self.task.name
        return ((outputs - targets).abs() / outputs.new_tensor(self.task.std)).mean(1)

    def tables(self, result: dict[str, Any]) -> "list[Table]":
        return [per_target_table(result["per_target"])]

    def figure(self, totals: Totals) -> Any:
        assert isinstance(totals, RegressionTotals), type(totals)
        return scatter_figure(*totals.predicted_and_true(), totals.per_target(self.names))


KINDS: dict[str, type[Outcomes]] = {CLASSIFICATION: OfClassification, MULTILABEL: OfMultilabel, REGRESSION: OfRegression}


def outcomes_of(task: Task, names: Sequence[str]) -> Outcomes:
    return KINDS[task.name](task, names)


def lower(value: bool) -> str:
    return str(value).lower()
