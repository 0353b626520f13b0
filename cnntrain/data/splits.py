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


def folds(labels: np.ndarray, num_folds: int, seed: int) -> np.ndarray:
    """The fold of each image, (N,) int64: of each class, and of all, the folds have equally many to within one."""
    found = np.empty(len(labels), np.int64)
    found[shuffled_in_class(labels, seed, randomness.FOLD)] = np.arange(len(labels)) % num_folds
    return found


class Groups:
    """Images that may not be parted, and how many images of each class a group has.

    Args:
        labels: (N,) int64 class, or stratum, of each image.
        groups: (N,) int64 group of each image, each of 0 .. G - 1 at least once.
    """

    def __init__(self, labels: np.ndarray, groups: np.ndarray):
        self.of_image, self.num_labels = groups, int(labels.max(initial=-1)) + 1
        pairs, self.counts = np.unique(groups * self.num_labels + labels, return_counts=True)
        self.labels = pairs % max(1, self.num_labels)
        self.sizes = np.bincount(groups)
        self.starts = np.searchsorted(pairs // max(1, self.num_labels), np.arange(len(self.sizes) + 1))
        self.totals = np.bincount(labels, minlength=self.num_labels)

    def of(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        """The classes of a group, and its images of each."""
        part = slice(self.starts[group], self.starts[group + 1])
        return self.labels[part], self.counts[part]

    def keys(self, seed: int, purpose: int) -> np.ndarray:
        """A random key of each group: (G,) uint64."""
        found: np.ndarray = randomness.key(seed, purpose, np.arange(len(self.sizes), dtype=np.uint64))
        return found


def set_groups_apart(groups: Groups, share: float, seed: int) -> np.ndarray:
    """Whole groups for validation, so that each class comes close to its share; some of each class stays to train on.

    In random order, a group is taken where it brings the classes nearer to their shares: sum over classes of
    (images taken - images wanted)^2 / images of the class.

    Returns:
        (N,) bool, true for validation; nowhere true where each group is needed to train on.
    """
    wanted, taken = groups.totals * share, np.zeros(groups.num_labels)
    is_val = np.zeros(len(groups.sizes), bool)
    keys = groups.keys(seed, randomness.SPLIT)
    for group in np.argsort(keys, kind="stable").tolist():
        labels, counts = groups.of(group)
        nearer = (counts * (2 * (taken[labels] - wanted[labels]) + counts) / groups.totals[labels]).sum() < 0
        if nearer and (groups.totals[labels] - taken[labels] > counts).all():
            taken[labels] += counts
            is_val[group] = True
    if not is_val.any():  # all groups are too large for the share: the smallest that can be spared
        for group in np.lexsort((keys, groups.sizes)).tolist():
            labels, counts = groups.of(group)
            if (groups.totals[labels] > counts).all():
                is_val[group] = True
                break
    return is_val[groups.of_image]


def grouped_folds(groups: Groups, num_folds: int, seed: int) -> np.ndarray:
    """The fold of each image, (N,) int64; no group is parted.

    From the largest group to the smallest, each goes where its classes have the smallest share of their images, so far.
    """
    held = np.zeros((num_folds, groups.num_labels))
    sizes = np.zeros(num_folds)
    found = np.empty(len(groups.sizes), np.int64)
    for group in np.lexsort((groups.keys(seed, randomness.FOLD), -groups.sizes)).tolist():
        labels, counts = groups.of(group)
        load = (held[:, labels] * counts / groups.totals[labels]).sum(axis=1)
        fold = int(np.lexsort((sizes, load))[0])
        held[fold, labels] += counts
        sizes[fold] += groups.sizes[group]
        found[group] = fold
    return found[groups.of_image]


def fewer(labels: np.ndarray, count: int, seed: int, *, each: int = 0) -> np.ndarray:
    """A stratified part of the images, in their order: (count,) int64 indices.

    Each class keeps its share of `count`, rounded so that the sum is `count`, and at least `each` image where it has one.
    """
    sizes = np.bincount(labels)
    exact = sizes * count / max(1, len(labels))
    quotas = np.maximum(exact.astype(np.int64), np.minimum(sizes, each))
    while quotas.sum() > count:  # at least one of each took too many: from the classes that have most
        quotas[np.argsort(-quotas, kind="stable")[: quotas.sum() - count]] -= 1
    room = np.where(quotas < sizes, exact - quotas, -np.inf)
    quotas[np.argsort(-room, kind="stable")[: count - quotas.sum()]] += 1
    order = shuffled_in_class(labels, seed, randomness.LIMIT)
    return np.sort(order[place_in_class(labels[order]) < quotas[labels[order]]])
