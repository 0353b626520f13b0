"""Average precision, precision, recall and F1 where an image has any number of classes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnntrain.metrics.classification import share


class MultilabelTotals:
    """Adds up batches; the same logits give the same numbers in any order and any cut into batches.

    Average precision needs every score: 5 bytes for each image and class are kept.

    Args:
        num_classes: K, the width of the logits.
    """

    def __init__(self, num_classes: int):
        self.num_classes = num_classes
        self.count = 0
        self._logits: list[Tensor] = []
        self._positives: list[Tensor] = []
        self._losses: list[Tensor | float] = []

    def update(self, logits: Tensor, targets: Tensor, loss_sum: Tensor | float) -> None:
        """Adds a batch; nothing is fetched from the device before a result is asked for.

        Args:
            logits: (B, K) float; above 0 the class is said to be there (a probability above one half).
            targets: (B, K), 1 where the class is there, else 0.
            loss_sum: the batch's loss, summed (not averaged) over its images.
        """
        assert logits.shape == targets.shape == (len(targets), self.num_classes), (logits.shape, targets.shape, self.num_classes)
        self.count += len(targets)
        self._logits.append(logits.detach())
        self._positives.append(targets.detach() > 0.5)
        self._losses.append(loss_sum.detach() if isinstance(loss_sum, Tensor) else loss_sum)

    def merge(self, other: "MultilabelTotals") -> None:
        """Adds another part's totals, such as another process's."""
        assert other.num_classes == self.num_classes, (other.num_classes, self.num_classes)
        self.count += other.count
        self._logits += other._logits
        self._positives += other._positives
        self._losses += other._losses

    def metrics(self) -> dict[str, float]:
        """loss (mean over images), map (mean average precision over the classes that occur) and f1 (over all decisions).

        Shares 0..1; NaN where undefined: without images, map where no class occurs, f1 where none occurs or is said to.
        """
        return self._metrics(self.per_class())

    def per_class(self, classes: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """{class, count, average_precision, precision, recall, f1} of each class; None where undefined (0 / 0).

        Args:
            classes: K names; without them the classes are called 0, 1, ...
        """
        names = [str(k) for k in range(self.num_classes)] if classes is None else list(classes)
        assert len(names) == self.num_classes, (len(names), self.num_classes)
        logits, positives = self._all()
        said = logits > 0
        counts, guesses, hits = (which.sum(0).tolist() for which in (positives, said, positives & said))
        return [
            {
                "class": name,
                "count": count,
                "average_precision": average_precision(logits[:, k], positives[:, k]),
                "precision": share(hit, guess),
                "recall": share(hit, count),
                "f1": share(2 * hit, count + guess),
            }
            for k, (name, count, guess, hit) in enumerate(zip(names, counts, guesses, hits, strict=True))
        ]

    def result(self, classes: Sequence[str] | None = None) -> dict[str, Any]:
        """Everything as plain data: count, loss, map, f1, per_class."""
        per_class = self.per_class(classes)
        return {"count": self.count, **self._metrics(per_class), "per_class": per_class}

    def _metrics(self, per_class: Sequence[dict[str, Any]]) -> dict[str, float]:
        # fsum is exact: the mean does not depend on the order of the batches
        loss = share(math.fsum(float(loss) for loss in self._losses), self.count)
        precisions = [row["average_precision"] for row in per_class if row["average_precision"] is not None]
        logits, positives = self._all()
        said = logits > 0
        f1 = share(2 * int((positives & said).sum()), int(positives.sum()) + int(said.sum()))
        found = {"loss": loss, "map": share(math.fsum(precisions), len(precisions)), "f1": f1}
        return {name: math.nan if value is None else value for name, value in found.items()}

    def _all(self) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, K) float and positives (N, K) bool."""
        if not self._logits:
            return np.zeros((0, self.num_classes), np.float32), np.zeros((0, self.num_classes), bool)
        if len(self._logits) > 1:
            self._logits, self._positives = [torch.cat(self._logits)], [torch.cat(self._positives)]
        return self._logits[0].float().cpu().numpy(), self._positives[0].cpu().numpy()


def average_precision(scores: np.ndarray, positives: np.ndarray) -> float | None:
    """Sum over the distinct scores, from the highest down, of (recall gained there) * (precision there).

    Images of one score are taken together, so their order cannot matter; NaN comes last. None without positives.
    Source: Manning, Raghavan, Schuetze 2008, "Introduction to Information Retrieval", section 8.4; as in scikit-learn.

    Args:
        scores: (N,) float.
        positives: (N,) bool.
    """
    num_positives = int(positives.sum())
    if num_positives == 0:
        return None
    falling = -np.where(np.isnan(scores), -np.inf, scores)
    order = np.argsort(falling)
    falling = falling[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))  # the last place of each distinct score
    found = np.cumsum(positives[order])[last]
    return float((np.diff(found, prepend=0) * (found / (last + 1))).sum() / num_positives)
