"""Numbers: against sums by hand and, where it is installed, scikit-learn."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from cnntrain.metrics.regression import RegressionTotals


def totals_of(predictions: list[list[float]], targets: list[list[float]], loss: float = 0.0) -> RegressionTotals:
    totals = RegressionTotals(len(targets[0]))
    totals.update(torch.tensor(predictions), torch.tensor(targets), loss)
    return totals


def test_four_images_by_hand() -> None:
    totals = totals_of([[1.0], [2.0], [3.0], [8.0]], [[1.0], [2.0], [3.0], [4.0]], loss=6.0)
    # one error of 4: 4 / 4, sqrt(16 / 4), and 1 - 16 / (1.5^2 + 0.5^2 + 0.5^2 + 1.5^2)
    assert totals.metrics() == {"loss": 1.5, "mae": 1.0, "rmse": 2.0, "r2": 1 - 16 / 5}


def test_each_target_has_its_own_figures_and_the_metrics_are_their_means() -> None:
    totals = totals_of([[0.0, 10.0], [2.0, 30.0]], [[0.0, 10.0], [2.0, 20.0]])
    assert totals.per_target(["age", "height"]) == [
        {"target": "age", "mae": 0.0, "rmse": 0.0, "r2": 1.0},
        {"target": "height", "mae": 5.0, "rmse": math.sqrt(50), "r2": 1 - 100 / 50},
    ]
    assert totals.metrics()["mae"] == 2.5
    assert totals.metrics()["r2"] == 0.0


def test_a_target_that_is_the_same_everywhere_has_r2_1_where_it_is_met_and_else_0() -> None:
    assert totals_of([[0.1]] * 3, [[0.1]] * 3).metrics()["r2"] == 1.0
    assert totals_of([[0.1], [0.1], [0.2]], [[0.1]] * 3).metrics()["r2"] == 0.0


def test_neither_order_nor_cut_nor_merging_changes_a_bit() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.randn(64, 2, generator=generator) * torch.tensor([1.0, 1e6]) + torch.tensor([1e4, 0.0])
    predictions = targets + torch.randn(64, 2, generator=generator)

    def fed(order: Tensor, size: int) -> RegressionTotals:
        totals = RegressionTotals(2)
        for places in order.split(size):
            totals.update(predictions[places], targets[places], 1 / len(targets) * len(places))
        return totals

    whole = fed(torch.arange(64), 64).result()
    assert fed(torch.randperm(64, generator=generator), 16).result() == whole
    merged = fed(torch.arange(32), 8)
    merged.merge(fed(torch.arange(32, 64), 4))
    assert {**merged.result(), "loss": 0} == {**whole, "loss": 0}


def test_it_is_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(0)
    true = generator.normal(size=(200, 3)).astype(np.float32)
    said = (true + generator.normal(size=(200, 3)) / 3).astype(np.float32)
    found = totals_of(said.tolist(), true.tolist()).metrics()
    assert found["r2"] == pytest.approx(metrics.r2_score(true.astype(np.float64), said.astype(np.float64)), abs=1e-12)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(true.astype(np.float64), said.astype(np.float64)), abs=1e-12)


def test_without_images_all_is_nan_and_a_network_that_says_nan_gets_nan() -> None:
    assert all(math.isnan(value) for value in RegressionTotals(2).metrics().values())
    assert math.isnan(totals_of([[math.nan], [1.0]], [[1.0], [2.0]]).metrics()["mae"])
