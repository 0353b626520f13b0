"""From the facts of every file to findings: what cannot be read, what was done to it, and what is there twice. No torch."""

import hashlib
import io
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from cnntrain.data.containers import NAMES
from cnntrain.data.decode import BadImage, decode, quiet_decoders, read_bytes
from cnntrain.data.duplicates import LOOK, near_groups, same_groups
from cnntrain.data.facts import DEEP, GOOD, MISNAMED, ROTATED, TRANSPARENT, Facts
from cnntrain.data.facts_store import MARK, facts_folder, write_whole
from cnntrain.data.findings import Finding, finding, shown
from cnntrain.data.images import ImageSet

MOST_ASPECT = 20
MOST_NAMED = 3
Name = Callable[[Path], str]
Sets = Mapping[str, tuple[ImageSet, Facts]]


def file_findings(sets: Sets, *, absolute: bool = False) -> list[Finding]:
    """Everything that the files themselves say, each thing once; files that were not examined say nothing.

    Args:
        sets: split -> its images and what is known of them.
        absolute: name files in full also where they lie in the working folder.
    """
    found: list[Finding] = []
    name = str if absolute else near
    for images, facts in sets.values():
        found += unreadable_classes(images, facts, name)
        found += bad_files(images, facts, name)
        found += oddities(images, facts, name)
    return found + copies(sets, name)


def unreadable_classes(images: ImageSet, facts: Facts, name: Name) -> list[Finding]:
    if images.targets.ndim != 1 or images.targets.dtype.kind != "i":
        return []  # no classes, or several of them for one image
    total = np.bincount(images.targets, minlength=len(images.classes))
    bad = np.bincount(images.targets[facts.bad()], minlength=len(images.classes))
    found = []
    for label in np.flatnonzero((bad == total) & (total > 0)).tolist():
        folder, said = images.directory / images.classes[label], f"none of its {total[label]:,} files can be read"
        if images.packed is None and folder.is_dir():
            found.append(about("class_unreadable", name(folder), said))
        else:  # of a manifest or of shards
            who = f"class {shown(images.classes[label])} of {images.split}"
            found.append(finding("class_unreadable", name(images.directory), f"{who}: {said}"))
    return found


def bad_files(images: ImageSet, facts: Facts, name: Name) -> list[Finding]:
    rows = facts.rows
    return [
        about(rows["kind"][index].decode(), name(images.path(index)), rows["detail"][index].decode() + "; left out")
        for index in facts.bad().tolist()
    ]


def oddities(images: ImageSet, facts: Facts, name: Name) -> list[Finding]:
    """What is read, but not as it lies there."""
    rows = facts.rows
    good = rows["state"] == GOOD
    long = np.maximum(rows["height"], rows["width"]) > MOST_ASPECT * np.maximum(np.minimum(rows["height"], rows["width"]), 1)
    found = []
    for kind, which in (
        ("animation", rows["frames"] > 1),
        ("wrong_extension", rows["flags"] & MISNAMED > 0),
        ("extreme_aspect", long),
        ("rotated", rows["flags"] & ROTATED > 0),
        ("transparency", rows["flags"] & TRANSPARENT > 0),
        ("high_depth", rows["flags"] & DEEP > 0),
    ):
        found += [about(kind, name(images.path(index)), said(kind, rows[index])) for index in np.flatnonzero(good & which).tolist()]
    return found


def about(kind: str, path: str, text: str) -> Finding:
    """A finding whose sentence begins with the file."""
    return finding(kind, path, f"{shown(path)}: {text}")


def near(path: Path) -> str:
    """As the user would type it: from the working folder where it lies in there."""
    whole, here = str(path), os.getcwd().rstrip(os.sep) + os.sep
    return whole.removeprefix(here)


def said(kind: str, row: np.void) -> str:
    """What is to be said of one file."""
    sentences = {
        "animation": f"{row['frames']} frames; the first one is used",
        "wrong_extension": f"a {NAMES[row['container']]} file by its content; read as that, rename it",
        "extreme_aspect": f"{row['width']}x{row['height']} pixels, width x height",
        "rotated": "turned upright by its EXIF orientation",
        "transparency": "its transparent parts are laid on white",
        "high_depth": f"mode {row['mode'].decode()} with more than 8 bits a channel, scaled to 8",
    }
    return sentences[kind]


def copies(sets: Sets, name: Name) -> list[Finding]:
    """Pictures that are there twice, over all splits."""
    if not sets:
        return []
    rows = np.concatenate([facts.rows for _, facts in sets.values()])
    where = Where(list(sets.values()), name)
    near = kept_near_groups(rows, where)
    same = same_groups(rows)
    in_near = {index: number for number, group in enumerate(near) for index in group.tolist()}
    found = []
    for group in same:  # copies of one that is nearly like others join them
        number = next((in_near[index] for index in group.tolist() if index in in_near), None)
        if number is None:
            found += [] if where.is_one_file(group) else [where.tell(group, exactly=True)]
        else:
            near[number] = np.union1d(near[number], group)
    return found + [where.tell(group, exactly=False) for group in near]


def kept_near_groups(rows: np.ndarray, where: "Where") -> list[np.ndarray]:
    """Looked for once for the same files: it takes longer than to examine them where many are alike."""
    digest = hashlib.blake2b(rows["content"].tobytes() + bytes(rows["state"]) + MARK, digest_size=16).hexdigest()
    path = facts_folder() / f"{digest}.near.npy"
    with suppress(OSError, ValueError, EOFError):
        numbers = np.load(path, allow_pickle=False)  # (M, 2): group and index
        if numbers.ndim == 2 and (len(numbers) == 0 or numbers[:, 1].max() < len(rows)):
            return np.split(numbers[:, 1], np.flatnonzero(np.diff(numbers[:, 0])) + 1) if len(numbers) else []
    groups = near_groups(rows, where.look)
    numbers = np.array([(number, index) for number, group in enumerate(groups) for index in group.tolist()], np.int64).reshape(-1, 2)
    stream = io.BytesIO()
    np.save(stream, numbers, allow_pickle=False)
    with suppress(OSError):
        write_whole(path, stream.getvalue())
    return groups


class Where:
    """Images of several sets, numbered through."""

    def __init__(self, sets: Sequence[tuple[ImageSet, Facts]], name: Name):
        self.name = name
        self.sets = [images for images, _ in sets]
        self.starts = np.cumsum([0, *(len(images) for images in self.sets)])
        self.has_numbers = any(images.task == "regression" for images in self.sets)

    def place(self, index: int) -> tuple[ImageSet, int]:
        number = int(np.searchsorted(self.starts, index, side="right")) - 1
        return self.sets[number], index - int(self.starts[number])

    def is_one_file(self, group: np.ndarray) -> bool:
        """Whether a manifest names one file in two splits, which its scan has told."""
        return len({images.path(place) for images, place in map(self.place, group.tolist())}) == 1

    def look(self, index: int) -> np.ndarray | None:
        """(LOOK, LOOK) gray levels."""
        images, place = self.place(index)
        try:
            with quiet_decoders():
                pixels = decode(read_bytes(images.at(place)), 1, at_least=(LOOK, LOOK), luma=True).pixels
        except BadImage:  # it has changed since it was examined
            return None
        return np.asarray(Image.fromarray(pixels).resize((LOOK, LOOK), Image.Resampling.BOX))

    def tell(self, group: np.ndarray, *, exactly: bool) -> Finding:
        """One finding for all files of a group."""
        places = [self.place(index) for index in group.tolist()]
        paths = list(dict.fromkeys(self.name(images.path(place)) for images, place in places))  # a manifest may name one in two splits
        targets = {images.targets[place].tobytes() for images, place in places}
        splits = {images.split for images, _ in places}
        like = "the same as" if exactly else "nearly the same as"
        others = ", ".join(shown(path) for path in paths[1 : 1 + MOST_NAMED])
        more = f" and {len(paths) - 1 - MOST_NAMED:,} more" if len(paths) > 1 + MOST_NAMED else ""
        if len(targets) > 1 and (exactly or not self.has_numbers):  # what is nearly alike may stand for nearly the same number
            return about("conflicting_labels", paths[0], f"{like} {others}{more}, with another label; keep one of them")
        if len(splits) > 1:
            return about("leakage", paths[0], f"{like} {others}{more}, in another split; keep one of them")
        return about("duplicate" if exactly else "near_duplicate", paths[0], f"{like} {others}{more}")
