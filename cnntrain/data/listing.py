"""The class folders of one directory and the image files below each, links followed once. No torch."""

import os
from dataclasses import dataclass, field
from pathlib import Path

EXTENSIONS = frozenset(("jpg", "jpeg", "png", "bmp", "gif", "tif", "tiff", "webp", "ppm", "pgm"))
JUNK = frozenset(("Thumbs.db", "desktop.ini", "__MACOSX"))
Identity = tuple[int, int]


@dataclass
class Listing:
    """What lies in a directory.

    Args:
        files: class name -> sorted image paths relative to the directory, with forward slashes; empty folders too.
        num_loose_files: files in the directory itself, which belong to no class.
        notes: sentences on what was left out.
        faults: sentences on what could not be read.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    num_loose_files: int = 0
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Classes that have images, sorted by name."""
        return [name for name, files in self.files.items() if files]


def list_classes(directory: Path, place: str) -> Listing:
    """Find the class folders and images of a directory that exists.

    Args:
        place: the key to name in a fault, such as data.root.
    """
    listing = Listing()
    # a link back to the directory, or to what holds it, would count every image again under a wrong class
    outer = {identity(d) for d in (directory.resolve(), *directory.resolve().parents)}
    try:
        with os.scandir(directory) as entries:
            found = sorted((e for e in entries if is_seen(e.name)), key=lambda e: e.name)
    except OSError as error:
        listing.faults.append(unreadable(place, directory, error))
        return listing
    folders = [entry for entry in found if entry.is_dir()]
    listing.num_loose_files = len(found) - len(folders)
    inner = {identity(entry.path) for entry in folders}
    for entry in folders:
        if identity(entry.path) in outer:
            listing.notes.append(f"{entry.path} is a link to a folder around it: left out")
            continue
        listing.files[entry.name] = list_images(entry.path, entry.name, outer | inner, listing, place)
    empty = [name for name, files in listing.files.items() if not files]
    if empty and listing.names:
        listing.notes.append(f"{directory}: left out, no images in {', '.join(empty)}")
    if any(not is_text(file) for files in listing.files.values() for file in files):
        listing.faults.append(f"{place}: {directory} has file names that are not UTF-8; rename them")
    return listing


def list_images(folder: str, name: str, visited: set[Identity], listing: Listing, place: str) -> list[str]:
    """Image files below one class folder, sorted; a folder reached twice, by links, is read once."""
    images: list[str] = []
    todo, links = [(folder, name)], list[tuple[str, str]]()
    while todo or links:
        if todo:
            path, relative = todo.pop()
        else:  # real folders first, then links by name: the result does not hang on the disk's order
            path, relative = links.pop(links.index(min(links)))
            if identity(path) in visited:
                listing.notes.append(f"{path} is a link to a folder that is read already: left out")
                continue
        visited = visited | {identity(path)}
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    inside = f"{relative}/{entry.name}"
                    if not is_seen(entry.name):
                        continue
                    if entry.is_dir():
                        (links if entry.is_symlink() else todo).append((entry.path, inside))
                    elif entry.name.rpartition(".")[2].lower() in EXTENSIONS and entry.is_file():
                        images.append(inside)
        except OSError as error:
            listing.faults.append(unreadable(place, path, error))
    return sorted(images)


def is_seen(name: str) -> bool:
    return not name.startswith(".") and name not in JUNK


def is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def identity(path: str | Path) -> Identity:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def unreadable(place: str, path: str | Path, error: OSError) -> str:
    return f"{place}: cannot read {path} ({error.strerror}); give yourself the right to read it, or take it out"
