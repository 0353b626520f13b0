"""Thumbnails taken while an evaluation passes by: enough to look behind each number, never more than the page may weigh."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from cnntrain.report.page.pictures import Pixels, Shot, thumbnail

MOST_IN_A_GROUP = 25
MOST_SHOTS = 5000
MOST_BYTES = 10 << 20  # of thumbnails; the page stays under 15 MB
FEWEST_IN_A_FAMILY = 4
FEW_IMAGES = 1500  # of so few each may have a larger thumbnail
SIDE, LARGER_SIDE = 64, 96  # pixels
Place = tuple[str, str]  # the group that an image belongs to, and the family of groups that share their room


class Album:
    """
    Args:
        num_images: of the whole set.
        num_families: of groups, such as twice the classes; each gets an even part of the room.
    """

    def __init__(self, num_images: int, num_families: int):
        self.side = LARGER_SIDE if num_images <= FEW_IMAGES else SIDE
        self.most_in_family = max(FEWEST_IN_A_FAMILY, MOST_SHOTS // max(1, num_families))
        self.shots: dict[int, Shot] = {}
        self.groups: Counter[str] = Counter()
        self.families: Counter[str] = Counter()
        self.num_bytes = 0

    def take(self, indices: Sequence[int], places: Sequence[Sequence[Place]], pictures: Callable[[list[int]], list[Pixels]]) -> None:
        """Thumbnails of those images of a batch whose groups have room.

        Args:
            indices: of the images in their set.
            places: of each image.
            pictures: from places in the batch to pictures (H, W, 3) uint8; asked once, for those that are taken.
        """
        wanted = [number for number, theirs in enumerate(places) if self.book(theirs)]
        for number, picture in zip(wanted, pictures(wanted) if wanted else [], strict=True):
            shot = thumbnail(picture, self.side)
            self.shots[indices[number]] = shot
            self.num_bytes += len(shot.url)

    def book(self, places: Sequence[Place]) -> bool:
        """Whether one of the groups has room; all of them count the picture then."""
        if len(self.shots) >= MOST_SHOTS or self.num_bytes >= MOST_BYTES:
            return False
        room = [self.groups[group] < MOST_IN_A_GROUP and self.families[family] < self.most_in_family for group, family in places]
        if not any(room):
            return False
        self.groups.update(group for group, _ in places)
        self.families.update(family for _, family in places)
        return True


class Ranking:
    """The images with the highest scores, with what a closer look at them needs.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int):
        self.most = most
        self.best: list[tuple[float, int, object]] = []  # score, index, what was kept

    def add(self, scores: np.ndarray, indices: Sequence[int], keep: Callable[[int], object]) -> None:
        """
        Args:
            scores: (B,) float; -inf or NaN where an image is not to be ranked.
            indices: of the images in their set.
            keep: from a place in the batch to what is kept of it; asked for those alone that come in.
        """
        for number in np.argsort(-scores, kind="stable").tolist():
            score = float(scores[number])
            if not score > -np.inf or (len(self.best) == self.most and score <= self.best[-1][0]):
                return
            self.best.append((score, indices[number], keep(number)))
            self.best = sorted(self.best, key=lambda each: (-each[0], each[1]))[: self.most]

    @property
    def indices(self) -> list[int]:
        return [index for _, index, _ in self.best]
