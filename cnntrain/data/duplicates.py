"""Which images of a set are the same picture, or nearly: by bytes, by hash, and then by a look at the pixels themselves."""

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise

import numpy as np

from cnntrain.data.alike import centred, smooth, unlike
from cnntrain.data.facts import GOOD

SMALLEST_SIDE = 32  # pixels: below it pictures are too much alike for a hash, and only the same bytes count
FLAT = 5.0  # standard deviation of gray levels in the thumbnail below which there is nothing to recognise
MOST_APART = 8  # bits of 64 that may differ
FEW = 150_000  # hashes up to which two blocks of bits must agree, above it three: fewer neighbours in more tables
# What bounds the work where thousands of pictures are nearly alike: hashes beside each other in a table that are compared,
# and pairs that go on to each next test, the likeliest first.
WINDOW, MOST_EQUAL = 256, 8
MOST_PAIRS, MOST_FITTED, MOST_LOOKS = 4_000_000, 40_000, 4_000
MOST_STRETCHED = 1.25  # aspect of one against the other
CORRELATED = 0.9  # of two thumbnails, before anything is fitted
# Shares of unexplained variance, see alike.unlike. On 3,781 photos of clothes, many of them alike on a white ground, the
# second leaves 1 pair, a true copy in two classes; of copies it finds 100 % of those saved at quality 40, 93 % at half the
# size, 98 % made brighter, 93 and 84 % with 1 and 2 % cut off each side (n = 300).
ROUGHLY, SURELY = 0.02, 0.012
LOOK = 48  # pixels a side of the second look
PAIRS_AT_ONCE = 128
Look = Callable[[int], np.ndarray | None]


def same_groups(rows: np.ndarray) -> list[np.ndarray]:
    """Good images with the very same bytes: groups of two or more indices, each sorted, in the order of their first."""
    good = np.flatnonzero(rows["state"] == GOOD)
    content = np.ascontiguousarray(rows["content"][good]).view(np.uint64).reshape(-1, 2)
    return grouped(good, content)


def grouped(indices: np.ndarray, keys: np.ndarray) -> list[np.ndarray]:
    """Indices with equal rows of keys, (N, K)."""
    if len(indices) == 0:
        return []
    _, inverse = np.unique(keys, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    order = np.argsort(inverse, kind="stable")
    parts = np.split(indices[order], np.flatnonzero(np.diff(inverse[order])) + 1)
    return sorted((part for part in parts if len(part) > 1), key=lambda part: int(part[0]))


def near_groups(rows: np.ndarray, look: Look) -> list[np.ndarray]:
    """Good images that show nearly the same: as `same_groups`, and never the same bytes alone.

    Args:
        look: index -> (LOOK, LOOK) gray levels of the picture, or None where it cannot be read now.
    """
    fit = comparable(rows)
    fit = fit[first_of_equals(rows["content"][fit])]
    first, second = near_pairs(rows["difference"][fit])
    first, second = fit[first], fit[second]
    aspect = rows["height"] / np.maximum(rows["width"], 1)
    ratio = aspect[first] / aspect[second]
    shaped = (ratio < MOST_STRETCHED) & (ratio > 1 / MOST_STRETCHED)
    first, second = first[shaped], second[shaped]
    thumbnails = rows["thumbnail"]
    alike = correlation(thumbnails, first, second)
    some = likeliest(-alike, below=-CORRELATED, most=MOST_FITTED)
    first, second = first[some], second[some]
    share = in_parts(lambda part: both_ways(thumbnails[first[part]], thumbnails[second[part]], worth=4 * ROUGHLY), len(first))
    some = likeliest(share, below=ROUGHLY, most=MOST_LOOKS)
    first, second = first[some], second[some]
    sure = look_again(first, second, look)
    return joined(first[sure], second[sure])


def likeliest(values: np.ndarray, *, below: float, most: int) -> np.ndarray:
    """Places of the smallest values below a bound, smallest first."""
    found: np.ndarray = np.flatnonzero(values < below)
    return found[np.argsort(values[found], kind="stable")[:most]]


def correlation(thumbnails: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of each pair's smoothed thumbnails: (P,) float32 from -1 to 1."""
    parts = []
    for start in range(0, len(first), 8192):
        sides = [smooth(centred(thumbnails[side[start : start + 8192]])) for side in (first, second)]
        one, other = (side - side.mean(axis=(1, 2), keepdims=True) for side in sides)
        scale = np.sqrt((one**2).sum(axis=(1, 2)) * (other**2).sum(axis=(1, 2)))
        parts.append((one * other).sum(axis=(1, 2)) / np.maximum(scale, 1e-6))
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def comparable(rows: np.ndarray) -> np.ndarray:
    """Indices of the images that a hash says something about."""
    large = np.minimum(rows["height"], rows["width"]) >= SMALLEST_SIDE
    some = np.flatnonzero((rows["state"] == GOOD) & large)
    deviation = rows["thumbnail"][some].std(axis=(1, 2))
    found: np.ndarray = some[deviation >= FLAT]
    return found


def first_of_equals(content: np.ndarray) -> np.ndarray:
    """Places of the first of each content, sorted."""
    keys = np.ascontiguousarray(content).view(np.uint64).reshape(-1, 2)
    return np.sort(np.unique(keys, axis=0, return_index=True)[1]) if len(keys) else np.empty(0, np.int64)


def near_pairs(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of hashes, (N,) uint64, that differ in at most MOST_APART bits: two (P,) int64, each pair once.

    The bits are cut into two blocks more than may differ, so that two at least agree. In each of 45 tables the hashes
    are sorted by another two blocks; only neighbours with the same two are compared, so the work grows hardly faster
    than N. (With three blocks more there are 165 tables.)
    """
    count = len(hashes)
    order = np.argsort(hashes, kind="stable")
    rank = np.arange(count) - np.searchsorted(hashes[order], hashes[order])  # among equal hashes
    some = np.sort(order[rank < MOST_EQUAL])  # of many with one hash the first few stand for all
    found = [chained(order, rank)]
    for key, bits in tables(hashes[some]):
        by = np.argsort(key, kind="stable")
        places, block = some[by], key[by] >> np.uint64(64 - bits)
        for apart in range(1, min(WINDOW, len(by))):
            same = np.flatnonzero(block[apart:] == block[:-apart])
            if len(same) == 0:
                break
            one, other = places[same], places[same + apart]
            close = num_bits(hashes[one] ^ hashes[other]) <= MOST_APART
            one, other = one[close], other[close]
            found.append(np.minimum(one, other) * count + np.maximum(one, other))
        found = [np.unique(np.concatenate(found))]
        if len(found[0]) > MOST_PAIRS:
            break
    return found[0] // max(count, 1), found[0] % max(count, 1)


def chained(order: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Each of many equal hashes with the one before it, as numbers of pairs."""
    later = np.flatnonzero(rank >= MOST_EQUAL)
    one, other = order[later - 1], order[later]
    pairs: np.ndarray = np.minimum(one, other) * len(order) + np.maximum(one, other)
    return pairs


def tables(hashes: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Keys to sort by: a few blocks of bits at the top, others below them; and how many bits are at the top."""
    agreeing = 2 if len(hashes) <= FEW else 3
    edges = np.linspace(0, 64, MOST_APART + agreeing + 1).astype(int).tolist()
    for chosen in combinations(pairwise(edges), agreeing):
        top, bits = np.zeros_like(hashes), 0
        for low, high in chosen:
            wide = high - low
            top = top << np.uint64(wide) | hashes >> np.uint64(low) & np.uint64((1 << wide) - 1)
            bits += wide
        yield top << np.uint64(64 - bits) | hashes >> np.uint64(bits), bits


def num_bits(values: np.ndarray) -> np.ndarray:
    """Bits that are set in each uint64 (Warren, Hacker's Delight, figure 5-2)."""
    values = values - (values >> np.uint64(1) & np.uint64(0x5555555555555555))
    values = (values & np.uint64(0x3333333333333333)) + (values >> np.uint64(2) & np.uint64(0x3333333333333333))
    values = values + (values >> np.uint64(4)) & np.uint64(0x0F0F0F0F0F0F0F0F)
    counts: np.ndarray = values * np.uint64(0x0101010101010101) >> np.uint64(56)
    return counts


def both_ways(first: np.ndarray, second: np.ndarray, *, worth: float) -> np.ndarray:
    """The smaller share of the two directions: a part is found in the whole, not the whole in a part.

    Args:
        worth: a share above which the other direction is not tried.
    """
    share = unlike(first, second)
    again = np.flatnonzero(share < worth)
    share[again] = np.minimum(share[again], unlike(second[again], first[again]))
    return share


def in_parts(share_of: Callable[[slice], np.ndarray], count: int) -> np.ndarray:
    parts = [share_of(slice(start, min(start + PAIRS_AT_ONCE, count))) for start in range(0, count, PAIRS_AT_ONCE)]
    return np.concatenate(parts) if parts else np.empty(0)


def look_again(first: np.ndarray, second: np.ndarray, look: Look) -> np.ndarray:
    """Which pairs are alike in their pixels too: (P,) bool. Each picture is read once."""
    pictures = {index: look(index) for index in sorted({*first.tolist(), *second.tolist()})}
    blank = np.zeros((LOOK, LOOK), np.uint8)

    def share_of(part: slice) -> np.ndarray:
        one, other = ([pictures[index] for index in side[part].tolist()] for side in (first, second))
        missing = np.array([a is None or b is None for a, b in zip(one, other, strict=True)])
        stacks = [np.stack([blank if picture is None else picture for picture in side]) for side in (one, other)]
        return np.where(missing, 1.0, both_ways(*stacks, worth=4 * SURELY))

    sure: np.ndarray = in_parts(share_of, len(first)) < SURELY
    return sure


def joined(first: np.ndarray, second: np.ndarray) -> list[np.ndarray]:
    """Groups of what pairs connect, each sorted, in the order of their first."""
    leader: dict[int, int] = {}

    def find(index: int) -> int:
        while leader.setdefault(index, index) != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        low, high = sorted((find(one), find(other)))
        leader[high] = low
    groups: dict[int, list[int]] = {}
    for index in sorted(leader):
        groups.setdefault(find(index), []).append(index)
    return [np.array(group, np.int64) for group in groups.values()]
