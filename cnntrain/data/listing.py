"""A folder of class folders, walked once: its images with sizes and times, and all else that lies there. No torch."""

import errno
import os
import stat
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path

import numpy as np

from cnntrain.data.findings import Finding, Gathered, shown
from cnntrain.data.images import Names
from cnntrain.data.names import EXTENSIONS, JUNK, ODD, extension, image_format, num_inside

Identity = tuple[int, int]
Row = tuple[bytes, int, int]  # path relative to the directory, size in bytes, time of the last change in nanoseconds


@dataclass(frozen=True)
class Listing:
    """What lies in a directory.

    Args:
        directory: as the user would type it.
        classes: names of the class folders, sorted; also those without images.
        counts: (C,) int64 images of each.
        files: image paths relative to the directory, with forward slashes, sorted.
        places: (N,) int64 place in `classes` of each image.
        sizes, mtimes: (N,) int64, see ImageSet.
        num_left_out: entries that are neither a folder nor a listed image. A link to a folder counts as the folder where it is
            followed, and as one entry where it is left out.
        num_loose_files, num_loose_images: files in the directory itself, which belong to no class, and the images among them.
        findings: what was left out, and what could not be read.
    """

    directory: Path
    classes: list[str]
    counts: np.ndarray
    files: Names
    places: np.ndarray
    sizes: np.ndarray
    mtimes: np.ndarray
    num_left_out: int
    num_loose_files: int
    num_loose_images: int
    findings: list[Finding]

    @property
    def names(self) -> list[str]:
        """Classes that have images, sorted by name."""
        return [name for name, count in zip(self.classes, self.counts.tolist(), strict=True) if count]


def list_classes(directory: Path, place: str) -> Listing:
    """Find the class folders and images of a directory that exists.

    Args:
        place: the key to name where a folder cannot be read, such as data.root.
    """
    walk = Walk(directory, place)
    walk.read()
    return walk.listing()


class Walk:
    """One look at a directory. Each folder is read once, whatever links lead to it: first real folders, then links by name.

    A link back to the directory, or to what holds it, would count every image again under a wrong class.
    """

    def __init__(self, directory: Path, place: str):
        self.directory, self.place = directory, place
        self.found = Gathered(directory)
        self.visited = {identity(d) for d in (directory.resolve(), *directory.resolve().parents)}
        self.classes: list[str] = []
        self.links: list[tuple[str, str]] = []  # a heap of (path relative to the directory, path)
        self.no_classes: set[str] = set()
        self.blocks: list[bytes] = []
        self.numbers = {name: array("q") for name in ("lengths", "places", "sizes", "mtimes")}
        self.num_left_out = self.num_loose_files = self.num_loose_images = 0
        self.follows_links = False

    def read(self) -> None:
        folders, links = self.class_folders()
        self.classes = sorted([*folders, *links])
        place_of = {name: place for place, name in enumerate(self.classes)}
        # in the order of whole paths: "a b/x" stands before "a/x"
        for name in sorted(folders, key=lambda name: f"{name}/"):
            self.pack(self.read_tree(folders[name], name), place_of[name])
        # a link that is a class folder goes before one inside of a class
        todo = [(name, links[name]) for name in sorted(links, reverse=True)]
        while todo or self.links:
            relative, path = todo.pop() if todo else heappop(self.links)
            if self.is_new(path):
                self.follows_links = True
                self.pack(self.read_tree(path, relative), place_of[relative.split("/")[0]])
            else:
                self.num_left_out += 1
                self.no_classes.add(relative)

    def is_new(self, path: str) -> bool:
        """Whether a folder was not read yet, and will be now."""
        found = identity(path)
        if found in self.visited:
            self.found.add("link_loop", path, f"{shown(path)} is a link to a folder that is read already, or lies around it: left out")
            return False
        self.visited.add(found)
        return True

    def class_folders(self) -> tuple[dict[str, str], dict[str, str]]:
        """Name -> path of the real folders in the directory, and of the links to folders; files there belong to no class."""
        folders, links = dict[str, str](), dict[str, str]()
        try:
            for entry in self.entries(str(self.directory)):
                if entry.is_symlink() and os.path.isdir(entry.path):
                    links[entry.name] = entry.path
                elif entry.is_dir(follow_symlinks=False):
                    self.visited.add(identity(entry.path))
                    folders[entry.name] = entry.path
                elif self.regular(entry) is not None:
                    self.num_left_out += 1
                    self.num_loose_files += 1
                    self.num_loose_images += extension(entry.name) in EXTENSIONS or image_format(entry.path) is not None
                    self.found.add("stray_file", entry.path, f"{shown(entry.path)} lies outside the class folders: left out")
        except OSError as error:
            self.unreadable(str(self.directory), error)
        return folders, links

    def read_tree(self, folder: str, name: str) -> list[Row]:
        """The images below one class folder, sorted; links to folders are put aside."""
        rows: list[Row] = []
        todo = [(folder, name)]
        while todo:
            path, relative = todo.pop()
            try:
                for entry in self.entries(path):
                    inside = f"{relative}/{entry.name}"
                    if entry.is_symlink() and os.path.isdir(entry.path):
                        heappush(self.links, (inside, entry.path))
                    elif entry.is_dir(follow_symlinks=False):
                        if self.is_new(entry.path):
                            todo.append((entry.path, inside))
                    else:
                        status = self.regular(entry)
                        if status is not None and self.is_image(entry):
                            rows.append((os.fsencode(inside), status.st_size, status.st_mtime_ns))
            except OSError as error:
                self.unreadable(path, error)
        rows.sort()
        return rows

    def unreadable(self, path: str, error: OSError) -> None:
        what = f"cannot read {shown(path)} ({error.strerror})"
        self.found.add("unreadable_folder", path, f"{self.place}: {what}; give yourself the right to read it, or take it out")

    def entries(self, path: str) -> Iterator[os.DirEntry[str]]:
        """What lies in a folder, without junk."""
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                if name[0] == "." or name.lower() in JUNK:
                    self.leave_junk(entry)
                    continue
                if not (name.isascii() and name.isprintable()) and ODD.search(name):
                    self.found.add("odd_name", entry.path, f"{shown(entry.path)} has an odd name; it is used all the same")
                yield entry

    def leave_junk(self, entry: os.DirEntry[str]) -> None:
        inside, what = 1, ""
        if entry.is_dir(follow_symlinks=False):
            inside = num_inside(entry.path)
            what = f", with the {inside:,} files in it" if inside != 1 else ", with the file in it"
        self.num_left_out += inside
        self.found.add("junk", entry.path, f"{shown(entry.path)} is left out{what}")

    def regular(self, entry: os.DirEntry[str]) -> os.stat_result | None:
        """The status of a file, or of what a link leads to; None where it is no file, which is never opened."""
        try:
            status = entry.stat()
            if stat.S_ISREG(status.st_mode):
                return status
            what = "not a file, but a pipe, a socket or a device"
        except OSError as error:
            if not entry.is_symlink():
                if error.errno == errno.ENOENT:  # gone since the folder was listed
                    return None
                raise
            what = "a broken link"
        self.num_left_out += 1
        self.found.add("not_a_file", entry.path, f"{shown(entry.path)} is {what}: left out")
        return None

    def is_image(self, entry: os.DirEntry[str]) -> bool:
        """By its extension; a file with another one, or none, by its first bytes."""
        if extension(entry.name) in EXTENSIONS:
            return True
        kind = image_format(entry.path)
        if kind is None:
            self.num_left_out += 1
            self.found.add("stray_file", entry.path, f"{shown(entry.path)} is no image: left out")
            return False
        self.found.add("wrong_extension", entry.path, f"{shown(entry.path)} is {kind} without its extension: used")
        return True

    def pack(self, rows: list[Row], place: int) -> None:
        self.blocks.append(b"".join([row[0] for row in rows]))
        self.numbers["lengths"].extend([len(row[0]) for row in rows])
        self.numbers["places"].extend([place] * len(rows))
        self.numbers["sizes"].extend([row[1] for row in rows])
        self.numbers["mtimes"].extend([row[2] for row in rows])

    def listing(self) -> Listing:
        lengths, places, sizes, mtimes = (np.frombuffer(numbers, np.int64) for numbers in self.numbers.values())
        files = Names(b"".join(self.blocks), np.cumsum(lengths, dtype=np.int64))
        self.blocks.clear()
        if self.follows_links:
            packed = [os.fsencode(file) for file in files]
            order = np.array(sorted(range(len(packed)), key=packed.__getitem__), dtype=np.int64)
            files, places, sizes, mtimes = files.take(order), places[order], sizes[order], mtimes[order]
        counts = np.bincount(places, minlength=len(self.classes))
        kept = np.array([place for place, name in enumerate(self.classes) if name not in self.no_classes], np.int64)
        return Listing(
            directory=self.directory,
            classes=[self.classes[place] for place in kept.tolist()],
            counts=counts[kept],
            files=files,
            places=np.searchsorted(kept, places),
            sizes=sizes,
            mtimes=mtimes,
            num_left_out=self.num_left_out,
            num_loose_files=self.num_loose_files,
            num_loose_images=self.num_loose_images,
            findings=self.found.all(),
        )


def identity(path: str | Path) -> Identity:
    status = os.stat(path)
    return status.st_dev, status.st_ino
