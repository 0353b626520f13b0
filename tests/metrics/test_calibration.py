"""Calibration error worked out by hand, and against scikit-learn's curve."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from cnntrain.metrics.calibration import calibration_error, reliability


def test_the_error_by_hand() -> None:
    # five bins: (0.2, 0.4]: 0.3 and 0.4 said, one right; (0.8, 1]: 0.9, 0.9, 1.0 said, all right; 0.8 lies in (0.6, 0.8]: wrong
    said = np.array([0.3, 0.4, 0.9, 0.9, 1.0, 0.8])
    right = np.array([True, False, True, True, True, False])
    bins = reliability(said, right, 5)
    assert [each.count for each in bins] == [0, 2, 0, 1, 3]
    assert (bins[1].said, bins[1].right) == (pytest.approx(0.35), 0.5)
    assert (bins[0].said, bins[0].right) == (None, None)
    assert calibration_error(bins) == pytest.approx(2 / 6 * 0.15 + 1 / 6 * 0.8 + 3 / 6 * (1 - 2.8 / 3))


def test_nothing_said_has_no_error() -> None:
    assert calibration_error(reliability(np.zeros(0), np.zeros(0, bool))) is None
    assert calibration_error(reliability(np.array([np.nan]), np.array([True]))) is None


def test_the_ends_lie_in_the_first_and_the_last_bin() -> None:
    counts = [each.count for each in reliability(np.array([0.0, 1.0, 1.0000001]), np.ones(3, bool))]
    assert (counts[0], counts[-1], sum(counts)) == (1, 2, 3)


def test_the_curve_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    said = rng.random(5000)
    right = rng.random(5000) < said**2
    theirs_right, theirs_said = calibration_curve(right, said, n_bins=15)
    bins = reliability(said, right)
    assert [each.said for each in bins] == pytest.approx(theirs_said.tolist())
    assert [each.right for each in bins] == pytest.approx(theirs_right.tolist())
