"""What can be wrong with the layout of image folders, each told with what to type. No torch."""

import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from cnntrain.config.schema import DataConfig
from cnntrain.data.findings import Finding, Gathered, finding, shown
from cnntrain.data.images import ImageSet
from cnntrain.data.listing import Listing
from cnntrain.data.names import EXTENSIONS, JUNK, extension
from cnntrain.errors import MOST_FAULTS_SHOWN, did_you_mean

LAYOUT = "<class>/<image>.jpg"
IMBALANCE = 10  # times as many images in one class as in another
MOST_COMPARED = 2000  # class names that a wrong one is compared with: 0.1 s
MOST_LOOKED_AT = 1000  # entries of a folder that is only looked into for a hint


def no_train_folder(data: DataConfig, root: Path, place: str, train_dir: Path) -> Finding:
    """What is wrong where the training folder is not there, with the nearest thing that is."""
    expected = f"expected {train_dir}/{LAYOUT}"
    if os.path.lexists(train_dir):
        return finding("no_folder", train_dir, f"{place}: {train_dir} is a file, not a folder; {expected}")
    if data.train_dir is not None:
        return finding("no_folder", train_dir, f"{place}: no folder {train_dir}; {expected}; type data.train_dir=DIR")
    if not os.path.isdir(root):
        what = f"{root} is a file, not a folder" if root.exists() else f"no folder {root}"
        return finding("no_folder", root, f"{place}: {what}; {expected}; type data.root=DIR")
    folders, num_files = glance(root)
    with_images = [name for name in folders if holds_images(root / name)]
    if with_images:
        inside = f"but {root} itself has class folders with images ({names(with_images)})"
        return finding("no_folder", train_dir, f"{place}: no folder {train_dir}, {inside}; type data.train_dir={root}")
    for name in folders:
        inner = root / name / data.train_split
        if os.path.isdir(inner):
            said = f"{place}: no folder {train_dir}, but there is {shown(inner)}; type data.root={shown(root / name)}"
            return finding("wrapped_layout", root / name, said)
    said = f"; {did_you_mean(data.train_split, folders[:10], head='data.train_split=')}" if folders else f" (found {num_files} files)"
    return finding("no_folder", train_dir, f"{place}: no folder {train_dir}{said if folders or num_files else ''}; {expected}")


def train_findings(train: Listing, place: str) -> list[Finding]:
    """Too few classes with images to train on; classes to look at."""
    directory = train.directory
    if any(each.kind == "unreadable_folder" for each in train.findings):
        return []  # what could not be read may hold the classes
    expected = f"expected {directory}/{LAYOUT}"
    with_images = train.names
    if not with_images:
        if train.num_loose_images:
            return [finding("flat_layout", directory, f"{place}: no class folders in {directory}{found(train)}; {expected}")]
        if not train.classes:
            return [finding("no_class_folders", directory, f"{place}: no class folders in {directory}{found(train)}; {expected}")]
        said = f"{place}: no images in the {len(train.classes)} class folders of {directory}; {expected}"
        return [finding("empty_split", directory, said)]
    if len(with_images) > 1:
        return []
    only = with_images[0]
    inner = inner_folders(train)
    if len(inner) > 1:
        said = f"one class folder only in {directory} ({shown(only)}), which holds {names(inner)}"
        return [finding("wrapped_layout", directory / only, f"{place}: {said}; type data.train_dir={shown(directory / only)}")]
    said = f"one class only in {directory} ({shown(only)}); two or more are needed, each a folder: {directory}/{LAYOUT}"
    return [finding("one_class", directory / only, f"{place}: {said}")]


def val_findings(val: Listing, place: str, classes: Sequence[str]) -> list[Finding]:
    """No images, or classes that training does not know.

    Args:
        classes: of the training folder, where they are known.
    """
    directory = val.directory
    if not len(val.files):
        if any(each.kind == "unreadable_folder" for each in val.findings):
            return []
        kind = "flat_layout" if val.num_loose_images else "empty_split"
        said = f"{place}: no images in {directory}{found(val)}; expected {directory}/{LAYOUT}, or no such folder at all"
        return [finding(kind, directory, said)]
    known = set(classes)
    unknown = [name for name in val.names if name not in known]
    if not known or not unknown:
        return []
    inner = inner_folders(val) if len(val.names) == 1 else []
    if inner and known.issuperset(inner):
        said = f"one class folder only in {directory} ({shown(unknown[0])}), which holds {names(inner)}"
        return [finding("wrapped_layout", directory / unknown[0], f"{place}: {said}; type data.val_dir={shown(directory / unknown[0])}")]
    gathered = Gathered(directory)
    for number, name in enumerate(unknown):
        near = f" {nearest(name, classes)};" if number < MOST_FAULTS_SHOWN else ""
        said = f"{place}: class {shown(name)} of {directory} is not a class of the training folder;{near}"
        gathered.add("class_only_in_val", directory / name, f"{said} rename or remove {shown(directory / name)}")
    return gathered.all()


def class_notes(listing: Listing) -> list[Finding]:
    """Empty class folders, and names that only their case keeps apart."""
    gathered = Gathered(listing.directory)
    with_images = listing.names
    if with_images:
        for name, count in zip(listing.classes, listing.counts.tolist(), strict=True):
            if not count:
                gathered.add("empty_class", listing.directory / name, f"{shown(listing.directory / name)} has no images: left out")
    return gathered.all() + hardly_differing(with_images, listing.directory, path_of=lambda name: listing.directory / name)


def hardly_differing(classes: Iterable[str], place: object, *, path_of: Callable[[str], object]) -> list[Finding]:
    """Class names that only their case, or how accents are stored, keeps apart.

    Args:
        place: where they were found.
        path_of: what a finding about a class names.
    """
    same: dict[str, list[str]] = {}
    for name in classes:
        # macOS keeps accents apart from their letters
        same.setdefault(unicodedata.normalize("NFC", name).casefold(), []).append(name)
    gathered = Gathered(place)
    for group in same.values():
        if len(group) > 1:
            said = f"{place}: the names of the classes {names(group)} differ in upper and lower case, or in how accents are stored, only"
            gathered.add("class_names_differ_in_case", path_of(group[0]), f"{said}: kept as {len(group)} classes")
    return gathered.all()


def imbalance(images: ImageSet, directory: Path) -> list[Finding]:
    """A class with more than ten times the images of another, which accuracy says little about."""
    present = {name: count for name, count in images.counts().items() if count}
    if len(present) < 2:
        return []
    most, least = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
    if present[most] <= IMBALANCE * present[least]:
        return []
    times = present[most] / present[least]
    said = f"{directory}: {present[most]:,} images of {shown(most)} and {present[least]:,} of {shown(least)}, {times:,.0f} times as many"
    return [finding("imbalance", directory, f"{said}: look at each class, not at the accuracy of all")]


def not_measured(images: ImageSet, directory: Path) -> list[Finding]:
    """Classes of the training images that are not in these."""
    gathered = Gathered(directory)
    for name, count in images.counts().items():
        if not count:
            gathered.add("class_only_in_train", directory / name, f"no images of {shown(name)} in {directory}: not measured there")
    return gathered.all()


def same_folder(train_dir: Path, val_dir: Path, place: str) -> list[Finding]:
    if not (os.path.isdir(train_dir) and os.path.isdir(val_dir) and os.path.samefile(train_dir, val_dir)):
        return []
    said = f"{place}: {val_dir} is the training folder itself, so that nothing would be validated; give another folder by data.val_dir=DIR"
    return [finding("same_folder", val_dir, said)]


def nearest(name: str, classes: Sequence[str]) -> str:
    """`did you mean CLASS?`, or the first classes that there are."""
    near = did_you_mean(name, classes[:MOST_COMPARED])
    return shown(near) if near.startswith("did you mean") else f"there are: {names(classes, 10)}"


def inner_folders(listing: Listing) -> list[str]:
    """Folders inside the class folders that images lie in, sorted."""
    return sorted({file.split("/", 2)[1] for file in listing.files if file.count("/") > 1})


def glance(folder: Path) -> tuple[list[str], int]:
    """Names of the folders in a folder, sorted, and the number of its files; of a large one only a part."""
    folders, num_files = [], 0
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, MOST_LOOKED_AT):
                if entry.is_dir():
                    if entry.name[0] != "." and entry.name.lower() not in JUNK:
                        folders.append(entry.name)
                else:
                    num_files += 1
    except OSError:
        pass
    return sorted(folders), num_files


def holds_images(folder: Path) -> bool:
    """Whether images lie directly in a folder, as far as a glance tells."""
    try:
        with os.scandir(folder) as entries:
            return any(extension(entry.name) in EXTENSIONS and entry.name[0] != "." for entry in islice(entries, MOST_LOOKED_AT))
    except OSError:
        return False


def found(listing: Listing) -> str:
    return f" (found {listing.num_loose_files} files)" if listing.num_loose_files else ""


def names(words: Iterable[str], most: int = 5) -> str:
    """The first names, then how many more."""
    known = list(words)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(map(shown, known[:most])) + more
