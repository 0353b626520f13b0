"""How sure a figure is: 95 % intervals of shares and means, and the paired comparison of two networks."""

import math

import numpy as np

Z = 1.959963984540054  # 97.5 % of a normal distribution lie below it
SAMPLES = 400  # of a bootstrap: the ends of its interval move by about a tenth of its width from seed to seed
MOST_NUMBERS = 200_000_000  # scores times samples of a bootstrap: some seconds

Interval = tuple[float, float]


def share_interval(hits: int, count: int) -> Interval | None:
    """Of a share of independent images; it never leaves 0..1 and is right near them too. None without images.

    Source: Wilson 1927, JASA 22:209; recommended by Brown, Cai, DasGupta 2001, Statistical Science 16:101.
    """
    if count == 0:
        return None
    share, size = hits / count, 1 + Z * Z / count
    middle = (share + Z * Z / (2 * count)) / size
    half = Z / size * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    # the ends are exact where all or none are hits; rounding would leave 1e-17 there
    return 0.0 if hits == 0 else middle - half, 1.0 if hits == count else middle + half


def mean_interval(values: np.ndarray) -> Interval | None:
    """Of the mean of independent numbers (N,), from their own deviation; None for fewer than two or one that is not finite."""
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    mean, half = float(values.mean()), Z * float(values.std(ddof=1)) / math.sqrt(len(values))
    return mean - half, mean + half


def paired_interval(only_first: int, only_second: int, count: int) -> Interval | None:
    """Of the difference of two shares over the same images: (only_first - only_second) / count. None without images.

    Source: Agresti, Min 2005, Statistics in Medicine 24:729: half an image is added to each of the four cells.

    Args:
        only_first: images that the first alone gets right.
        only_second: images that the second alone gets right.
    """
    if count == 0:
        return None
    first, second, size = only_first + 0.5, only_second + 0.5, count + 2
    middle = (first - second) / size
    half = Z * math.sqrt(first + second - (first - second) ** 2 / size) / size
    return max(-1.0, middle - half), min(1.0, middle + half)


def exact_sign_test(only_first: int, only_second: int) -> float:
    """How often chance alone parts so many images so unevenly (or more), were both networks equally good: 0..1.

    Two-sided and exact. For right and wrong answers this is McNemar's exact test.
    Source: McNemar 1947, Psychometrika 12:153; the binomial form of Liddell 1983, JECH 37:82.
    """
    count, fewer = only_first + only_second, min(only_first, only_second)
    whole = math.lgamma(count + 1) - count * math.log(2)
    tail = math.fsum(math.exp(whole - math.lgamma(i + 1) - math.lgamma(count - i + 1)) for i in range(fewer + 1))
    return min(1.0, 2 * tail)


def mean_precision_interval(scores: np.ndarray, positives: np.ndarray, *, seed: int = 0) -> Interval | None:
    """Of the mean average precision over classes, by drawing the images again and again (percentile bootstrap).

    Source: Efron, Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13

    Args:
        scores: (N, K) float.
        positives: (N, K) bool.

    Returns:
        None for fewer than two images, without a positive, and where it would take more than some seconds.
    """
    count = len(scores)
    if count < 2 or not positives.any() or scores.size * SAMPLES > MOST_NUMBERS:
        return None
    drawn = np.random.default_rng(seed).integers(0, count, (SAMPLES, count)) + count * np.arange(SAMPLES)[:, None]
    weights = np.bincount(drawn.ravel(), minlength=SAMPLES * count).reshape(SAMPLES, count)  # how often an image is in a sample
    total, classes = np.zeros(SAMPLES), np.zeros(SAMPLES)
    for k in np.flatnonzero(positives.any(0)).tolist():
        found, occurs = weighted_precisions(scores[:, k], positives[:, k], weights)
        total += found
        classes += occurs
    means = (total / np.maximum(classes, 1))[classes > 0]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def weighted_precisions(scores: np.ndarray, positives: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average precision of a class where image i counts weights[s, i] times, for each of S samples; see average_precision.

    Returns:
        (S,) average precision, 0 where the class does not occur, and (S,) whether it occurs.
    """
    falling = -np.where(np.isnan(scores), -np.inf, scores)
    order = np.argsort(falling)
    falling, positives, weights = falling[order], positives[order], weights[:, order].astype(np.float64)
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    found = np.cumsum(weights * positives, axis=1)[:, last]
    said = np.cumsum(weights, axis=1)[:, last]
    gained = np.diff(found, axis=1, prepend=0)
    area = (gained * np.divide(found, said, out=np.zeros_like(found), where=said > 0)).sum(1)
    there = found[:, -1]
    return np.divide(area, there, out=np.zeros_like(area), where=there > 0), there > 0
