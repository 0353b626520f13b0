"""The pictures behind the numbers: groups that a click opens, as data for the page's script."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnntrain.report.page.album import MOST_IN_A_GROUP, Album
from cnntrain.report.page.text import plain

MOST_NAMES = 200  # of one group, named without a picture
MOST_NAMED = 20_000  # of the whole page


class Groups:
    """
    Args:
        files: name of each image of the set.
        caption: what is said of image number i.
        lists: the file that has them all, for what is left out.
    """

    def __init__(self, album: Album, files: Sequence[str], caption: Callable[[int], str], *, lists: str):
        self.album, self.files, self.caption, self.lists = album, files, caption, lists
        self.images: dict[int, list[Any]] = {}
        self.groups: dict[str, dict[str, Any]] = {}

    def add(self, key: str, title: str, members: Sequence[int] | np.ndarray) -> None:
        """A group, its most telling image first; at most 25 have pictures, the others stand by name."""
        numbers = [int(each) for each in members]
        shown = [number for number in numbers if number in self.album.shots][:MOST_IN_A_GROUP]
        taken = set(shown)
        named = [number for number in numbers if number not in taken][: max(0, min(MOST_NAMES, MOST_NAMED - len(self.images)))]
        for number in (*shown, *named):
            self.images.setdefault(number, [plain(self.files[number], 160), self.caption(number)])
        self.groups[key] = {"title": title, "shown": shown, "named": named, "more": len(numbers) - len(shown) - len(named)}

    def data(self) -> dict[str, Any]:
        used = {number for group in self.groups.values() for number in group["shown"]}
        shots = {
            number: [shot.url, shot.width, shot.height, int(shot.is_small)] for number, shot in self.album.shots.items() if number in used
        }
        return {"images": self.images, "shots": shots, "groups": self.groups, "lists": self.lists}
