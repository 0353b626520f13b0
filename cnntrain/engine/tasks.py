"""What a network learns: one class of an image, several, or numbers; each with its loss and its figures."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cnntrain.config.schema import TrainerConfig
from cnntrain.measures import CLASSIFICATION, MULTILABEL, REGRESSION
from cnntrain.metrics.classification import ClassificationTotals
from cnntrain.metrics.multilabel import MultilabelTotals
from cnntrain.metrics.regression import RegressionTotals

# bounded gradients: on the digits' values, one seed, two epochs at the default lr 0.1, mse diverged and smooth_l1 did not
DEFAULT_LOSS = "smooth_l1"


class Totals(Protocol):
    """Adds up batches of an evaluation."""

    count: int

    def update(self, outputs: Tensor, targets: Tensor, loss_sum: Tensor | float, /) -> None: ...

    def metrics(self) -> dict[str, float]: ...

    def result(self, names: Sequence[str] | None = None) -> dict[str, Any]: ...


class Task(ABC):
    """What is asked of the network's outputs, (N, num_outputs) float32.

    Args:
        num_outputs: classes, or numbers.
        loss: of training: outputs and targets of a batch -> () float32, the mean over its images.
    """

    name: str

    def __init__(self, num_outputs: int, loss: nn.Module):
        self.num_outputs, self.loss = num_outputs, loss

    @abstractmethod
    def loss_sum(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """() float32: the loss of evaluation, without weights and smoothing, summed over the images of a batch."""

    @abstractmethod
    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What a batch adds to the figures of training, on the device."""

    @abstractmethod
    def figures(self, sums: Tensor, num_images: int) -> dict[str, float]:
        """The figures of training beside the loss, from the sums of many batches."""

    @abstractmethod
    def totals(self) -> Totals:
        """An empty account of an evaluation."""

    @property
    def units(self) -> tuple[list[float], list[float]] | None:
        """Mean and standard deviation of each target, where the network's last layer gives standardised numbers."""
        return None

    def describe(self) -> dict[str, Any]:
        """What evaluation needs to know, as plain data; see task_from."""
        return {"name": self.name}


class Classification(Task):
    """One class an image. Targets: (N,) int64 labels, or (N, K) float32 shares that add up to 1 (mixed images).

    Args:
        class_weights: (K,) float32, how much an image of each class counts.
    """

    name = CLASSIFICATION

    def __init__(self, num_outputs: int, *, label_smoothing: float = 0.0, class_weights: Tensor | None = None):
        plain = nn.CrossEntropyLoss(label_smoothing=label_smoothing)
        super().__init__(num_outputs, plain if class_weights is None else WeightedCrossEntropy(class_weights, label_smoothing))

    def loss_sum(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, targets, reduction="sum")

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """() int64: images whose largest logit is their class, of a mixed image that with the largest share."""
        labels = targets if targets.ndim == 1 else targets.argmax(1)
        return (outputs.argmax(1) == labels).sum()

    def figures(self, sums: Tensor, num_images: int) -> dict[str, float]:
        return {"top1": float(sums) / num_images}

    def totals(self) -> ClassificationTotals:
        return ClassificationTotals(self.num_outputs)


class Multilabel(Task):
    """Any number of classes an image. Targets: (N, K) float32, 1 where the class is there, else 0.

    Args:
        pos_weight: (K,) float32, how much a present class counts against an absent one.
    """

    name = MULTILABEL

    def __init__(self, num_outputs: int, *, pos_weight: Tensor | None = None):
        super().__init__(num_outputs, nn.BCEWithLogitsLoss(pos_weight=pos_weight))

    def loss_sum(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(1).sum()

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(3,) int64: decisions for a class that are right, all such decisions, classes that are there."""
        said, there = outputs > 0, targets > 0.5
        return torch.stack([(said & there).sum(), said.sum(), there.sum()])

    def figures(self, sums: Tensor, num_images: int) -> dict[str, float]:  # noqa: ARG002
        hits, guesses, there = sums.tolist()
        return {"f1": 2 * hits / (guesses + there) if guesses + there else 0.0}

    def totals(self) -> MultilabelTotals:
        return MultilabelTotals(self.num_outputs)


class Regression(Task):
    """Numbers in the user's units. Targets: (N, D) float32.

    The loss compares in units of the standard deviation, so that a target in metres and one in millimetres count
    alike and the same lr suits both.

    Args:
        loss: a key of REGRESSION_LOSSES.
        mean, std: D numbers each, of the training set.
    """

    name = REGRESSION

    def __init__(self, num_outputs: int, *, mean: Sequence[float], std: Sequence[float], loss: str = DEFAULT_LOSS):
        assert len(mean) == len(std) == num_outputs, (mean, std, num_outputs)
        super().__init__(num_outputs, StandardisedLoss(loss, std))
        self.loss_name, self.mean, self.std = loss, list(mean), list(std)

    def loss_sum(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.loss(outputs, targets) * len(targets)

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).abs().mean(1).sum()

    def figures(self, sums: Tensor, num_images: int) -> dict[str, float]:
        return {"mae": float(sums) / num_images}

    def totals(self) -> RegressionTotals:
        return RegressionTotals(self.num_outputs)

    @property
    def units(self) -> tuple[list[float], list[float]]:
        return self.mean, self.std

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "loss": self.loss_name, "mean": self.mean, "std": self.std}


class WeightedCrossEntropy(nn.Module):
    """Cross entropy where an image counts as much as its class; the mean is over the images, not over their weights.

    torch divides by the weights of the batch, so that a batch of one class alone would not be weighted at all and
    micro-batches would not add up to the batch.
    """

    weight: Tensor

    def __init__(self, weight: Tensor, label_smoothing: float):
        super().__init__()
        self.register_buffer("weight", weight)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        total = functional.cross_entropy(logits, targets, self.weight, reduction="sum", label_smoothing=self.label_smoothing)
        return total / len(targets)


class StandardisedLoss(nn.Module):
    """Mean over images and targets, the difference in standard deviations.

    smooth_l1 is quadratic up to one standard deviation and linear beyond.
    """

    std: Tensor

    def __init__(self, name: str, std: Sequence[float]):
        super().__init__()
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))
        self.function = REGRESSION_LOSSES[name]

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        missed = (outputs - targets) / self.std
        return self.function(missed, torch.zeros_like(missed))


REGRESSION_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": functional.mse_loss,
    "l1": functional.l1_loss,
    "smooth_l1": functional.smooth_l1_loss,
}


def build_task(name: str, targets: np.ndarray, num_outputs: int, trainer: TrainerConfig) -> Task:
    """The task of a training run.

    Args:
        targets: of the training images: (N,) int64 labels, or (N, num_outputs) float32.
    """
    balanced = trainer.class_weights == "balanced"
    if name == CLASSIFICATION:
        weights = balanced_class_weights(targets, num_outputs) if balanced else None
        return Classification(num_outputs, label_smoothing=trainer.label_smoothing or 0.0, class_weights=weights)
    if name == MULTILABEL:
        return Multilabel(num_outputs, pos_weight=balanced_pos_weight(targets) if balanced else None)
    mean, std = mean_and_std(targets)
    return Regression(num_outputs, mean=mean, std=std, loss=trainer.regression_loss or DEFAULT_LOSS)


def task_from(description: Mapping[str, Any], num_outputs: int) -> Task:
    """The task of a trained network, for its evaluation."""
    given = {key: value for key, value in description.items() if key != "name"}
    kinds: dict[str, Callable[..., Task]] = {task.name: task for task in (Classification, Multilabel, Regression)}
    return kinds[description["name"]](num_outputs, **given)


def balanced_class_weights(labels: np.ndarray, num_classes: int) -> Tensor:
    """N / (K * n_c), so that all classes count alike and an image counts 1 on average; 0 for a class without images.

    Source: class_weight="balanced" of scikit-learn.

    Args:
        labels: (N,) int64.

    Returns:
        (num_classes,) float32.
    """
    counts = np.bincount(labels, minlength=num_classes)
    weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return torch.from_numpy(np.where(counts > 0, weights, 0.0)).float()


def balanced_pos_weight(targets: np.ndarray) -> Tensor:
    """Images without the class for each with it, so that both sides of each decision count alike; 1 for a class that no image has.

    Args:
        targets: (N, K) of 0 and 1.

    Returns:
        (K,) float32.
    """
    there = (targets > 0.5).sum(0)
    return torch.from_numpy(np.where(there > 0, (len(targets) - there) / np.maximum(there, 1), 1.0)).float()


def mean_and_std(targets: np.ndarray) -> tuple[list[float], list[float]]:
    """Of each column of (N, D); the standard deviation of a target that is the same everywhere is taken as 1."""
    values = targets.astype(np.float64)
    std = np.where((values == values[0]).all(0), 1.0, values.std(0))
    return values.mean(0).tolist(), std.tolist()
