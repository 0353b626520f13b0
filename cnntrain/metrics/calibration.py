"""Whether a network that says 80 % is right in 80 of 100 cases."""

from dataclasses import dataclass

import numpy as np

NUM_BINS = 15


@dataclass(frozen=True)
class Bin:
    """The decisions whose probability lies in (low, high].

    Args:
        count: how many there are.
        said: the mean of their probabilities; None without decisions.
        right: the share of them that is right; None without decisions.
    """

    low: float
    high: float
    count: int
    said: float | None
    right: float | None


def reliability(said: np.ndarray, right: np.ndarray, num_bins: int = NUM_BINS) -> list[Bin]:
    """Decisions in bins of equal width; a NaN probability is in none.

    Args:
        said: (N,) float, the probability of each decision.
        right: (N,) bool.
    """
    known = ~np.isnan(said)
    said, right = said[known].astype(np.float64), right[known]
    places = np.clip(np.ceil(said * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    counts = np.bincount(places, minlength=num_bins)
    sums = np.bincount(places, weights=said, minlength=num_bins)
    hits = np.bincount(places, weights=right, minlength=num_bins)
    return [
        Bin(k / num_bins, (k + 1) / num_bins, int(n), float(sums[k] / n) if n else None, float(hits[k] / n) if n else None)
        for k, n in enumerate(counts.tolist())
    ]


def calibration_error(bins: list[Bin]) -> float | None:
    """The mean distance between what is said and what is right, each bin counted by its decisions; None without any.

    Source: Guo et al. 2017, arXiv 1706.04599, eq. 3 (expected calibration error)
    """
    total = sum(each.count for each in bins)
    gaps = [each.count * abs(each.said - each.right) for each in bins if each.said is not None and each.right is not None]
    return sum(gaps) / total if total else None
