"""Whether two small gray pictures show the same thing: light, contrast, a slight cut and a slight stretch set aside. No torch."""

import numpy as np

ROUNDS = 3  # of Gauss and Newton
MOST_MOVED = 0.12  # shift or stretch, as a share of the side
GAIN = (0.5, 2.0)  # contrast of one against the other


def unlike(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Share of the second pictures' variance that the first, moved and scaled in light, leave unexplained.

    Fits second = a + b * first(x + c + d * x, y + e + f * y) by least squares, linearised and repeated (Lucas and Kanade
    1981, "An iterative image registration technique", with an affine light model). Both are smoothed first, so that a
    move by a part of a pixel is close to linear.

    Args:
        first: (P, T, T) gray levels.
        second: likewise.

    Returns:
        (P,) float32, 0 for the same picture; 1 where the contrast is another kind of thing.
    """
    if len(first) == 0:
        return np.empty(0, np.float32)
    source, wanted = smooth(centred(first)), smooth(centred(second))
    num_pairs, side = source.shape[:2]
    across = np.broadcast_to(np.arange(side, dtype=np.float32) - (side - 1) / 2, source.shape)
    down = across.swapaxes(1, 2)
    bound = MOST_MOVED * np.array([side, 1, side, 1], np.float32)
    target = wanted.reshape(num_pairs, -1)
    moved = np.zeros((num_pairs, 4), np.float32)
    for _ in range(ROUNDS):
        warped = warp(source, moved, across, down)
        by_y, by_x = np.gradient(warped, axis=(1, 2))
        columns = (np.ones_like(warped), warped, by_x, by_x * across, by_y, by_y * down)
        fit = least_squares(columns, target)[0]
        moved = np.clip(moved + fit[:, 2:] / np.maximum(fit[:, 1:2], 0.3), -bound, bound)
    warped = warp(source, moved, across, down)
    fit, rest = least_squares((np.ones_like(warped), warped), target)
    share: np.ndarray = rest / np.maximum(target.var(axis=1), 1e-6)
    return np.where((fit[:, 1] > GAIN[0]) & (fit[:, 1] < GAIN[1]), share, 1.0)


def least_squares(columns: tuple[np.ndarray, ...], target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(P, K) weights of K columns (P, T, T), and the mean square (P,) of what is left of the target (P, T * T)."""
    matrix = np.stack(columns, axis=-1).reshape(*target.shape, -1)
    turned = matrix.swapaxes(1, 2)
    square = turned @ matrix + 1e-3 * np.eye(matrix.shape[2], dtype=np.float32)
    weights = np.linalg.solve(square, turned @ target[:, :, None])
    rest = target - (matrix @ weights)[:, :, 0]
    return weights[:, :, 0], (rest**2).mean(axis=1)


def centred(pictures: np.ndarray) -> np.ndarray:
    """Float32 with mean 0, which keeps the sums of squares small."""
    values = pictures.astype(np.float32)
    shifted: np.ndarray = values - values.mean(axis=(1, 2), keepdims=True)
    return shifted


def smooth(pictures: np.ndarray) -> np.ndarray:
    """A 3 x 3 binomial filter."""
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    smoothed: np.ndarray = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 16
    return smoothed


def warp(pictures: np.ndarray, moved: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Each picture read at x + moved[0] + moved[1] * x, and likewise for y, between pixels by bilinear weights."""
    side = pictures.shape[-1]
    shift = moved[:, :, None, None]
    x = np.clip(across * (1 + shift[:, 1]) + shift[:, 0] + (side - 1) / 2, 0, side - 1)
    y = np.clip(down * (1 + shift[:, 3]) + shift[:, 2] + (side - 1) / 2, 0, side - 1)
    left, top = np.minimum(x.astype(int), side - 2), np.minimum(y.astype(int), side - 2)
    right_share, low_share = x - left, y - top
    each = np.arange(len(pictures))[:, None, None]
    upper = pictures[each, top, left] * (1 - right_share) + pictures[each, top, left + 1] * right_share
    lower = pictures[each, top + 1, left] * (1 - right_share) + pictures[each, top + 1, left + 1] * right_share
    result: np.ndarray = upper * (1 - low_share) + lower * low_share
    return result
