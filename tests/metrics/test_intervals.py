"""Intervals against published tables, scipy, and the share of simulated sets that they cover."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from cnntrain.metrics.intervals import (
    exact_sign_test,
    mean_interval,
    mean_precision_interval,
    paired_interval,
    share_interval,
    weighted_precisions,
)
from cnntrain.metrics.multilabel import average_precision

NUM_SETS = 4000


def covered(intervals: list[tuple[float, float] | None], truth: float) -> float:
    return sum(each is not None and each[0] <= truth <= each[1] for each in intervals) / len(intervals)


@pytest.mark.parametrize(("hits", "count"), [(0, 20), (1, 29), (15, 148), (81, 263), (20, 20)])
def test_the_interval_of_a_share_is_scipys(hits: int, count: int) -> None:
    theirs = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    assert share_interval(hits, count) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_interval_of_a_share_by_hand() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
    low, high = share_interval(81, 263) or (0, 0)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert share_interval(0, 0) is None


@pytest.mark.parametrize(("share", "count"), [(0.3, 200), (0.85, 341), (0.95, 1000), (0.99, 2000)])
def test_the_interval_of_a_share_covers_95_of_100_sets(share: float, count: int) -> None:
    hits = np.random.default_rng(1).binomial(count, share, NUM_SETS).tolist()
    assert 0.93 <= covered([share_interval(each, count) for each in hits], share) <= 0.97


@pytest.mark.parametrize(("first", "second", "count"), [(0.10, 0.05, 341), (0.05, 0.05, 300), (0.2, 0.1, 1000)])
def test_the_paired_interval_covers_95_of_100_sets(first: float, second: float, count: int) -> None:
    tables = np.random.default_rng(2).multinomial(count, [first, second, 1 - first - second], NUM_SETS).tolist()
    assert 0.93 <= covered([paired_interval(b, c, count) for b, c, _ in tables], first - second) <= 0.97


def test_the_interval_of_a_mean_covers_95_of_100_sets() -> None:
    errors = np.abs(np.random.default_rng(3).normal(size=(NUM_SETS, 200)))
    assert 0.93 <= covered([mean_interval(each) for each in errors], math.sqrt(2 / math.pi)) <= 0.97


def test_an_unknowable_mean_has_no_interval() -> None:
    assert mean_interval(np.array([1.0])) is None
    assert mean_interval(np.array([1.0, math.inf])) is None


@pytest.mark.slow
def test_the_interval_of_mean_precision_covers_95_of_100_sets() -> None:
    rng = np.random.default_rng(4)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        positives = rng.random((count, 2)) < 0.4
        return rng.normal(size=(count, 2)) + 1.2 * positives, positives

    scores, positives = draw(200_000)
    truth = float(np.mean([average_precision(scores[:, k], positives[:, k]) for k in range(2)]))
    assert 0.93 <= covered([mean_precision_interval(*draw(200)) for _ in range(200)], truth) <= 0.97


def test_an_image_that_counts_twice_is_two_images() -> None:
    scores, positives = np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, False, True, True])
    weights = np.array([[1, 1, 1, 1], [2, 0, 1, 3], [0, 4, 0, 0]])
    found, occurs = weighted_precisions(scores, positives, weights)
    expected = [average_precision(np.repeat(scores, each), np.repeat(positives, each)) for each in weights]
    assert found.tolist() == pytest.approx([0.0 if each is None else each for each in expected])
    assert occurs.tolist() == [True, True, False]


def test_mcnemars_test_by_hand() -> None:
    assert exact_sign_test(1, 5) == pytest.approx(2 * (1 + 6) / 64)
    assert exact_sign_test(0, 0) == exact_sign_test(3, 3) == 1.0


@pytest.mark.parametrize(("first", "second"), [(3, 12), (40, 61), (0, 8), (900, 1100)])
def test_mcnemars_test_is_scipys_binomial_test(first: int, second: int) -> None:
    assert exact_sign_test(first, second) == pytest.approx(binomtest(first, first + second).pvalue, rel=1e-9)
    assert exact_sign_test(second, first) == exact_sign_test(first, second)


def test_the_paired_interval_by_hand() -> None:
    # 12 and 4 of 100: (12.5 - 4.5) / 102 +- 1.96 sqrt(17 - 64 / 102) / 102
    half = 1.959963984540054 * math.sqrt(17 - 64 / 102) / 102
    assert paired_interval(12, 4, 100) == pytest.approx((8 / 102 - half, 8 / 102 + half))
    assert paired_interval(0, 0, 0) is None
