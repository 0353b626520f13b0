"""Images cut into parts: set apart for validation, in folds, or fewer for a quick try. Each is a function of the seed. No torch."""

import numpy as np

from cnntrain import randomness


def place_in_class(labels: np.ndarray) -> np.ndarray:
    """How many images of the same class stand before each: (N,) int64."""
    order = np.argsort(labels, kind="stable")
    sorted_labels = labels[order]
    first = np.searchsorted(sorted_labels, sorted_labels)
    places = np.empty(len(labels), np.int64)
    places[order] = np.arange(len(labels)) - first
    return places


def shuffled_in_class(labels: np.ndarray, seed: int, purpose: int) -> np.ndarray:
    """All images, class after class, those of a class in random order: (N,) int64 indices."""
    keys = randomness.key(seed, purpose, labels.astype(np.uint64), place_in_class(labels).astype(np.uint64))
    return np.lexsort((keys, labels))


def set_apart(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """A stratified split: in each class the images with the smallest keys go to validation.

    Each class keeps at least one image to train on, and gives at least one where it has two.

    Returns:
        (N,) bool, true for validation.
    """
    order = shuffled_in_class(labels, seed, randomness.SPLIT)
    sizes = np.bincount(labels)
    num_val = np.minimum(sizes - 1, np.maximum(1, (sizes * share + 0.5).astype(np.int64)))
    is_val = np.empty(len(labels), bool)
    is_val[order] = place_in_class(labels[order]) < num_val[labels[order]]
    return is_val
