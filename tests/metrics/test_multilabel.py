"""Several labels an image: against sums by hand and, where it is installed, scikit-learn."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cnntrain.metrics.multilabel import MultilabelTotals, average_precision


def ap(scores: list[float], positives: list[int]) -> float | None:
    return average_precision(np.array(scores, np.float32), np.array(positives, bool))


def test_average_precision_of_four_images_by_hand() -> None:
    # the positives come first and third: recall 1/2 at precision 1/1, and 1/2 more at precision 2/3
    assert ap([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0]) == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3, abs=1e-15)


def test_images_of_one_score_count_together_whatever_their_order() -> None:
    # 0.9 finds nothing; the tie at 0.5 finds 1 of 2 among 3 images, the last the other among 4
    by_hand = 1 / 2 * 1 / 3 + 1 / 2 * 2 / 4
    assert ap([0.9, 0.5, 0.5, 0.1], [0, 1, 0, 1]) == pytest.approx(by_hand, abs=1e-15)
    assert ap([0.9, 0.5, 0.5, 0.1], [0, 0, 1, 1]) == ap([0.9, 0.5, 0.5, 0.1], [0, 1, 0, 1])
    assert ap([0.0] * 10, [1] * 3 + [0] * 7) == 3 / 10  # a network that says nothing gets the share of positives, not 1


def test_without_positives_there_is_no_average_precision_and_nan_comes_last() -> None:
    assert ap([0.5, 0.1], [0, 0]) is None
    assert ap([], []) is None
    assert ap([math.nan, 0.1], [1, 0]) == 1 / 2


@pytest.mark.parametrize("levels", [3, 20, 10**6])  # few levels: many ties
def test_average_precision_is_scikit_learns(levels: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(levels)
    for count in (1, 2, 57, 400):
        scores = (generator.integers(-levels, levels, count) / 7).astype(np.float32)
        positives = generator.random(count) < 0.3
        positives[0] = True
        assert ap(scores.tolist(), positives.tolist()) == pytest.approx(metrics.average_precision_score(positives, scores), abs=1e-12)


def batches() -> list[tuple[Tensor, Tensor, float]]:
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn(40, 3, generator=generator) * 4).round() / 4  # with ties
    targets = (torch.rand(40, 3, generator=generator) < 0.4).float()
    return [(logits[i : i + 8], targets[i : i + 8], 0.1 * (i + 1)) for i in range(0, 40, 8)]


def totals_of(parts: list[tuple[Tensor, Tensor, float]]) -> MultilabelTotals:
    totals = MultilabelTotals(3)
    for part in parts:
        totals.update(*part)
    return totals


def test_neither_order_nor_cut_nor_merging_changes_a_bit() -> None:
    parts = batches()
    whole = totals_of(parts).result()
    assert totals_of(parts[::-1]).result() == whole
    cut = [(logits[k : k + 1], targets[k : k + 1], loss if k == 0 else 0.0) for logits, targets, loss in parts for k in range(8)]
    assert totals_of(cut).result() == whole
    merged = totals_of(parts[:2])
    merged.merge(totals_of(parts[2:]))
    assert merged.result() == whole


def test_decisions_are_counted_by_hand() -> None:
    totals = MultilabelTotals(3)
    totals.update(torch.tensor([[1.0, -1.0, -1.0], [1.0, 1.0, 0.0]]), torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]), 3.0)
    first, second, third = totals.per_class(["sun", "sea", "snow"])
    assert first == {"class": "sun", "count": 1, "average_precision": 1 / 2, "precision": 1 / 2, "recall": 1.0, "f1": 2 / 3}
    assert second == {"class": "sea", "count": 2, "average_precision": 1.0, "precision": 1.0, "recall": 1 / 2, "f1": 2 / 3}
    assert third == {"class": "snow", "count": 0, "average_precision": None, "precision": None, "recall": None, "f1": None}
    # snow does not count for map; f1 over all: 2 right of 3 said and 3 there
    assert totals.metrics() == {"loss": 1.5, "map": 0.75, "f1": 2 / 3}


def test_without_images_all_is_nan() -> None:
    assert all(math.isnan(value) for value in MultilabelTotals(2).metrics().values())
    nothing: dict[str, Any] = MultilabelTotals(2).result()
    assert (nothing["count"], nothing["per_class"][0]["average_precision"]) == (0, None)
