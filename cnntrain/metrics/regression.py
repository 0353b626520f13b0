"""Mean absolute error, root mean squared error and R2 of predicted numbers, in the unit of the targets."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


class RegressionTotals:
    """Adds up batches; the same predictions give the same numbers in any order and any cut into batches.

    Args:
        num_targets: D, the numbers predicted for each image.
    """

    def __init__(self, num_targets: int):
        self.num_targets = num_targets
        self.count = 0
        self._predictions: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._losses: list[Tensor | float] = []

    def update(self, predictions: Tensor, targets: Tensor, loss_sum: Tensor | float) -> None:
        """Adds a batch; nothing is fetched from the device before a result is asked for.

        Args:
            predictions: (B, D) float.
            targets: (B, D) float.
            loss_sum: the batch's loss, summed (not averaged) over its images.
        """
        assert predictions.shape == targets.shape == (len(targets), self.num_targets), (predictions.shape, targets.shape, self.num_targets)
        self.count += len(targets)
        self._predictions.append(predictions.detach())
        self._targets.append(targets.detach())
        self._losses.append(loss_sum.detach() if isinstance(loss_sum, Tensor) else loss_sum)

    def merge(self, other: "RegressionTotals") -> None:
        """Adds another part's totals, such as another process's."""
        assert other.num_targets == self.num_targets, (other.num_targets, self.num_targets)
        self.count += other.count
        self._predictions += other._predictions
        self._targets += other._targets
        self._losses += other._losses

    def metrics(self) -> dict[str, float]:
        """loss (mean over images), mae, rmse and r2, each the plain mean over the targets; NaN without images."""
        return self._metrics(self.per_target())

    def per_target(self, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """{target, mae, rmse, r2} of each target; None without images.

        Args:
            names: D names; without them the targets are called 0, 1, ...
        """
        names = [str(d) for d in range(self.num_targets)] if names is None else list(names)
        assert len(names) == self.num_targets, (len(names), self.num_targets)
        predictions, targets = self.predicted_and_true()
        return [{"target": name, **errors(predictions[:, d], targets[:, d])} for d, name in enumerate(names)]

    def result(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        """Everything as plain data: count, loss, mae, rmse, r2, per_target."""
        per_target = self.per_target(names)
        return {"count": self.count, **self._metrics(per_target), "per_target": per_target}

    def predicted_and_true(self) -> tuple[np.ndarray, np.ndarray]:
        """(N, D) float64 each, in the order of the batches."""
        if not self._targets:
            return np.zeros((0, self.num_targets)), np.zeros((0, self.num_targets))
        predictions, targets = (torch.cat(parts).cpu().double().numpy() for parts in (self._predictions, self._targets))
        return predictions, targets

    def _metrics(self, per_target: Sequence[dict[str, Any]]) -> dict[str, float]:
        if not self.count:
            return dict.fromkeys(("loss", "mae", "rmse", "r2"), math.nan)
        # fsum is exact: the means do not depend on the order of the batches
        means = {name: math.fsum(row[name] for row in per_target) / self.num_targets for name in ("mae", "rmse", "r2")}
        return {"loss": math.fsum(float(loss) for loss in self._losses) / self.count, **means}


def errors(predictions: np.ndarray, targets: np.ndarray) -> dict[str, float | None]:
    """mae, rmse and r2 = 1 - (sum of squared errors) / (sum of squared distances from the mean).

    R2 of a target that is the same everywhere is 1 where each prediction is right and else 0, as in scikit-learn.

    Args:
        predictions, targets: (N,) float64.
    """
    count = len(targets)
    if not count:
        return {"mae": None, "rmse": None, "r2": None}
    missed = predictions - targets
    squared = exact_sum(missed**2)
    spread = exact_sum((targets - exact_sum(targets) / count) ** 2)  # the mean of equal float32 numbers is exact in float64
    r2 = 1.0 - squared / spread if spread else float(squared == 0)
    return {"mae": exact_sum(np.abs(missed)) / count, "rmse": math.sqrt(squared / count), "r2": r2}


def exact_sum(values: np.ndarray) -> float:
    """Rounded once, so that the order does not matter; NaN and infinities as they come."""
    finite = bool(np.isfinite(values).all())
    return math.fsum(values.tolist()) if finite else float(values.sum())
