"""Images that cannot be read: left out of evaluation, replaced in training, told once each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from cnntrain import randomness
from cnntrain.data.images import ImageSet
from cnntrain.errors import CannotGoOn

MOST_DRAWS = 1000  # of a replacement, before a set counts as having none
MOST_NAMED = 3


@dataclass(frozen=True)
class Bad:
    """Why an image cannot be read: a key of findings.KINDS, and a few words."""

    kind: str
    detail: str


def replacement(seed: int, epoch: int, index: int, attempt: int, num_images: int) -> int:
    """The image that takes the place of a bad one; a pure function, so it does not matter who meets the bad one, or when."""
    return int(randomness.key(seed, randomness.REPLACE, epoch, index, attempt) % num_images)


def replaced(numbers: np.ndarray, is_bad: Callable[[int], bool], *, seed: int, epoch: int, num_images: int) -> np.ndarray:
    """Image indices, (B,) int64, each bad one replaced by the first good one of its sequence.

    Raises:
        LookupError: none of MOST_DRAWS draws is good.
    """
    found = numbers.copy()
    for place, index in enumerate(numbers.tolist()):
        if is_bad(index):
            drawn = (replacement(seed, epoch, index, attempt, num_images) for attempt in range(MOST_DRAWS))
            good = next((other for other in drawn if not is_bad(other)), None)
            if good is None:
                raise LookupError("no image could be read")
            found[place] = good
    return found


class Quarantine:
    """The bad images of one set that this run has met, in the order in which it met them.

    Args:
        most: largest share of the set that may be bad.
    """

    def __init__(self, images: ImageSet, *, most: float):
        self.images, self.most = images, most
        self.bad: dict[int, Bad] = {}
        self.tell: Callable[[int, Bad], None] | None = None

    def __len__(self) -> int:
        return len(self.bad)

    def listen(self, tell: Callable[[int, Bad], None]) -> None:
        """Have `tell` called with (index, why) once for each: those met already, now, and each later one when it is met."""
        self.tell = tell
        for index, bad in self.bad.items():
            tell(index, bad)

    def add(self, found: Mapping[int, Bad]) -> None:
        """
        Raises:
            CannotGoOn: these are too many.
        """
        for index, bad in found.items():
            if index not in self.bad:
                self.bad[index] = bad
                if self.tell is not None:
                    self.tell(index, bad)
        if len(self.bad) > self.most * len(self.images) or len(self.bad) == len(self.images):
            raise CannotGoOn(self.too_many())

    def plain(self) -> list[dict[str, str]]:
        """[{file, reason}], by index."""
        return [{"file": self.images.files[index], "reason": self.bad[index].detail} for index in sorted(self.bad)]

    def too_many(self) -> str:
        """One sentence: how many, the first names, what to type."""
        images = self.images
        named = ", ".join(f"{images.path(index)} ({bad.detail})" for index, bad in list(self.bad.items())[:MOST_NAMED])
        more = f" and {len(self) - MOST_NAMED:,} more" if len(self) > MOST_NAMED else ""
        count = f"{len(self):,} of {len(images):,} images of {images.split} cannot be read: {named}{more}"
        if len(self) == len(images):
            return f"{count}; look at them with `cnntrain data check`"
        enough = -(-100 * len(self) // len(images)) / 100
        return f"{count}; more than data.max_bad={self.most:g} of them; mend or remove them, or type data.max_bad={enough:g}"
