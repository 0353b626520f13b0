"""Counts and shares worked out by hand."""

import math

import pytest
import torch
from torch import Tensor

from cnntrain.metrics.classification import ClassificationTotals, rank_of


def logits_for(predicted: list[int], num_classes: int) -> Tensor:
    return torch.eye(num_classes)[predicted]


def by_hand() -> ClassificationTotals:
    """True a a a b b c, predicted a a b b c a, of classes a b c d."""
    totals = ClassificationTotals(4)
    totals.update(logits_for([0, 0, 1, 1], 4), torch.tensor([0, 0, 0, 1]), torch.tensor(2.0))
    totals.update(logits_for([2, 0], 4), torch.tensor([1, 2]), 4.0)
    return totals


def test_accuracy_and_loss_are_means_over_images() -> None:
    assert by_hand().metrics() == {"loss": 1.0, "top1": 0.5}
    assert by_hand().count == 6


def test_confusion_is_true_by_predicted() -> None:
    assert by_hand().confusion().tolist() == [[2, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert by_hand().confusion().dtype == torch.int64


def test_per_class_numbers_are_null_where_undefined() -> None:
    a, b, c, d = by_hand().per_class(["a", "b", "c", "d"])
    assert a == {"class": "a", "count": 3, "precision": 2 / 3, "recall": 2 / 3, "f1": 4 / 6}
    assert b == {"class": "b", "count": 2, "precision": 1 / 2, "recall": 1 / 2, "f1": 2 / 4}
    assert c == {"class": "c", "count": 1, "precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert d == {"class": "d", "count": 0, "precision": None, "recall": None, "f1": None}


def test_macro_averages_are_over_the_classes_that_have_images() -> None:
    macro = by_hand().result()["macro"]
    assert macro["recall"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3, abs=1e-15)
    assert macro["precision"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3, abs=1e-15)
    assert macro["f1"] == pytest.approx((4 / 6 + 2 / 4 + 0) / 3, abs=1e-15)


def test_a_class_never_predicted_has_no_precision_and_counts_as_zero_in_the_mean() -> None:
    totals = ClassificationTotals(2)
    totals.update(logits_for([0, 0], 2), torch.tensor([0, 1]), 0.0)
    result = totals.result()
    assert [row["precision"] for row in result["per_class"]] == [0.5, None]
    assert result["macro"]["precision"] == 0.25


def test_parts_merge_to_the_whole_in_any_order() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(40, 7, generator=generator), torch.randint(7, (40,), generator=generator)
    losses = torch.randn(40, generator=generator).double().exp() * 1e6
    whole = ClassificationTotals(7)
    for row in range(40):
        whole.update(logits[row : row + 1], labels[row : row + 1], losses[row])
    first, second = ClassificationTotals(7), ClassificationTotals(7)
    for row in reversed(range(40)):
        (first if row % 3 else second).update(logits[row : row + 1], labels[row : row + 1], losses[row])
    first.merge(second)
    assert first.result() == whole.result()


def test_top5_only_with_more_than_five_classes() -> None:
    five, six = ClassificationTotals(5), ClassificationTotals(6)
    five.update(torch.zeros(1, 5), torch.tensor([0]), 0.0)
    six.update(torch.tensor([[6.0, 5, 4, 3, 2, 1], [6.0, 5, 4, 3, 2, 1]]), torch.tensor([4, 5]), 0.0)
    assert set(five.metrics()) == {"loss", "top1"}
    assert six.metrics() == {"loss": 0.0, "top1": 0.0, "top5": 0.5}


def test_ties_go_to_the_first_class_as_argmax_does() -> None:
    totals = ClassificationTotals(8)
    totals.update(torch.zeros(8, 8), torch.arange(8), 0.0)
    assert totals.metrics() == {"loss": 0.0, "top1": 1 / 8, "top5": 5 / 8}
    assert totals.confusion()[:, 0].tolist() == [1] * 8


def test_rank_by_hand() -> None:
    logits = torch.tensor([[1.0, 3, 2], [2.0, 2, 1], [math.nan, 0, 0], [0.0, math.nan, 1]])
    assert rank_of(torch.tensor([2, 1, 0, 2]), logits).tolist() == [1, 1, 3, 1]


def test_rank_zero_is_the_argmax() -> None:
    logits = torch.randint(4, (500, 6), generator=torch.Generator().manual_seed(1)).float()
    assert (rank_of(logits.argmax(1), logits) == 0).all()


def test_many_classes_need_no_table() -> None:
    totals = ClassificationTotals(100_000)
    labels = torch.tensor([99_999, 5])
    totals.update(torch.nn.functional.one_hot(labels, 100_000).float(), labels, 0.0)
    result = totals.result()
    assert (result["top1"], result["confusion"]) == (1.0, None)
    assert result["per_class"][99_999] == {"class": "99999", "count": 1, "precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_no_images_give_nan() -> None:
    assert all(math.isnan(value) for value in ClassificationTotals(3).metrics().values())
    assert ClassificationTotals(2).confusion().tolist() == [[0, 0], [0, 0]]
