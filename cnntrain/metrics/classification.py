"""Accuracy, loss, confusion and per-class numbers of a classifier, from whole-number counts."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

TOP_K = (5,)
MOST_CLASSES_IN_CONFUSION = 2000  # as JSON that is 4 million numbers; the pairs themselves need no table


class ClassificationTotals:
    """Adds up batches; the same images give the same totals in any order and any cut into batches.

    Keeps one number per image (its true and predicted class) and no (K, K) table, so 100,000 classes cost nothing.

    Args:
        num_classes: K, the width of the logits.
    """

    def __init__(self, num_classes: int):
        self.num_classes = num_classes
        self.count = 0
        self.top_k = [k for k in TOP_K if num_classes > k]
        self._pairs: list[Tensor] = []
        self._losses: list[Tensor | float] = []
        self._hits: dict[int, list[Tensor]] = {k: [] for k in self.top_k}

    def update(self, logits: Tensor, labels: Tensor, loss_sum: Tensor | float) -> None:
        """Adds a batch; nothing is fetched from the device before a result is asked for.

        Args:
            logits: (B, K) float.
            labels: (B,) int64 in 0..K-1.
            loss_sum: the batch's loss, summed (not averaged) over its images.
        """
        assert logits.shape == (len(labels), self.num_classes), (logits.shape, len(labels), self.num_classes)
        logits, labels = logits.detach(), labels.detach()
        self.count += len(labels)
        self._pairs.append(labels * self.num_classes + logits.argmax(1))
        self._losses.append(loss_sum.detach() if isinstance(loss_sum, Tensor) else loss_sum)
        if self.top_k:
            rank = rank_of(labels, logits)
            for k in self.top_k:
                self._hits[k].append((rank < k).sum())

    def merge(self, other: "ClassificationTotals") -> None:
        """Adds another part's totals, such as another process's."""
        assert other.num_classes == self.num_classes, (other.num_classes, self.num_classes)
        self.count += other.count
        self._pairs += other._pairs
        self._losses += other._losses
        for k in self.top_k:
            self._hits[k] += other._hits[k]

    def metrics(self) -> dict[str, float]:
        """loss (mean over images), top1 and, with more than 5 classes, top5; accuracies are shares 0..1; NaN without images."""
        true, predicted = self._true_and_predicted()
        # fsum is exact: the mean does not depend on the order of the batches
        sums = {"loss": math.fsum(float(loss) for loss in self._losses), "top1": float((true == predicted).sum())}
        sums |= {f"top{k}": float(sum(int(hits) for hits in self._hits[k])) for k in self.top_k}
        return {name: value / self.count if self.count else math.nan for name, value in sums.items()}

    def confusion(self) -> Tensor:
        """(K, K) int64 counts on the CPU: row = true class, column = predicted class."""
        pairs = torch.bincount(self._all_pairs(), minlength=self.num_classes**2)
        return pairs.reshape(self.num_classes, self.num_classes)

    def per_class(self, classes: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """{class, count, precision, recall, f1} of each class; None where undefined (0 / 0).

        Args:
            classes: K names; without them the classes are called 0, 1, ...
        """
        true, predicted = self._true_and_predicted()
        counts, guesses, hits = (
            torch.bincount(which, minlength=self.num_classes).tolist() for which in (true, predicted, true[true == predicted])
        )
        names = [str(k) for k in range(self.num_classes)] if classes is None else list(classes)
        assert len(names) == self.num_classes, (len(names), self.num_classes)
        return [
            {
                "class": name,
                "count": count,
                "precision": share(hit, guess),
                "recall": share(hit, count),
                "f1": share(2 * hit, count + guess),
            }
            for name, count, guess, hit in zip(names, counts, guesses, hits, strict=True)
        ]

    def result(self, classes: Sequence[str] | None = None) -> dict[str, Any]:
        """Everything as plain data: count, loss, top1, top5, macro, per_class, confusion (None above 2,000 classes)."""
        per_class = self.per_class(classes)
        small = self.num_classes <= MOST_CLASSES_IN_CONFUSION
        return {
            "count": self.count,
            **self.metrics(),
            "macro": macro_averages(per_class),
            "per_class": per_class,
            "confusion": self.confusion().tolist() if small else None,
        }

    def _all_pairs(self) -> Tensor:
        return torch.cat([pairs.cpu() for pairs in self._pairs]) if self._pairs else torch.zeros(0, dtype=torch.int64)

    def _true_and_predicted(self) -> tuple[Tensor, Tensor]:
        pairs = self._all_pairs()
        return pairs // self.num_classes, pairs % self.num_classes


def rank_of(labels: Tensor, logits: Tensor) -> Tensor:
    """(B,) int64: how many classes come before the true one; 0 is the argmax.

    Equal logits are ranked by class number, as argmax does, so a network that says the same for all classes gets
    1/K, not 1. A true logit of NaN comes last.
    """
    own = logits.gather(1, labels[:, None])
    before = torch.arange(logits.shape[1], device=logits.device) < labels[:, None]
    return (~(logits <= own) | ((logits == own) & before)).sum(1)


def macro_averages(per_class: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Plain means over the classes that have images; a class never predicted has precision 0 there (as in scikit-learn)."""
    present = [row for row in per_class if row["count"]]
    return {name: share(math.fsum(row[name] or 0.0 for row in present), len(present)) for name in ("precision", "recall", "f1")}


def share(part: float, whole: int) -> float | None:
    return part / whole if whole else None
