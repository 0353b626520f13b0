"""Folders of images: which classes and files there are, and every fault in one report. No torch."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnntrain import randomness
from cnntrain.config.schema import DataConfig
from cnntrain.data.images import ImageSet, Names
from cnntrain.data.listing import Listing, list_classes
from cnntrain.errors import DataError, did_you_mean

LAYOUT = "<class>/<image>.jpg"


def scan_train_val(data: DataConfig, *, seed: int) -> tuple[ImageSet, ImageSet, list[str]]:
    """Find the training and validation images; without a validation folder set a share of train apart.

    Returns:
        The training set, the validation set with the same class list, and sentences to say aloud.

    Raises:
        DataError: all that is wrong with the folders.
    """
    root = Path(data.root).expanduser()
    train_place, train_dir = locate(data.train_dir, "data.train_dir", root / data.train_split)
    val_place, val_dir = locate(data.val_dir, "data.val_dir", root / data.val_split)
    if not train_dir.is_dir():
        raise DataError(no_train_folder(data, root, train_place, train_dir))
    train = list_classes(train_dir, train_place)
    faults = train.faults + class_folder_faults(train, train_place, train_dir)
    notes = list(train.notes)
    if not val_dir.is_dir():
        if data.val_dir is not None or val_dir.exists():
            faults.append(f"{val_place}: no folder {val_dir}; expected {val_dir}/{LAYOUT}; type data.val_dir=DIR")
        if faults:
            raise DataError(faults)
        train_set, val_set, note = split_apart(image_set(data.train_split, train_dir, train, train.names), data, seed)
        return train_set, val_set, [*notes, note]
    val = list_classes(val_dir, val_place)
    notes += val.notes
    faults += val.faults
    if not any(val.files.values()):
        faults.append(f"{val_place}: no images in {val_dir}{found(val)}; expected {val_dir}/{LAYOUT}, or no such folder at all")
    elif not faults:
        faults += unknown_class_faults(val, val_place, val_dir, train.names)
    if faults:
        raise DataError(faults)
    notes += missing_class_notes(val, val_dir, train.names)
    return image_set(data.train_split, train_dir, train, train.names), image_set(data.val_split, val_dir, val, train.names), notes


def scan_for_eval(directory: Path, *, split: str, classes: Sequence[str]) -> tuple[ImageSet, list[str]]:
    """Find the images to evaluate; labels are places in the training's class list.

    Returns:
        The set, and sentences to say aloud, such as classes that have no image here.

    Raises:
        DataError: no folder, no images, or classes that training did not know.
    """
    place = "data.root"
    directory = directory.expanduser()
    if not directory.is_dir():
        raise DataError(
            f"{place}: no folder {directory}; type data.root=DIR where DIR/{split}/{LAYOUT} is, or data.val_dir=DIR where DIR/{LAYOUT} is"
        )
    listing = list_classes(directory, place)
    faults = list(listing.faults)
    if not any(listing.files.values()):
        faults.append(f"{place}: no images in {directory}{found(listing)}; expected {directory}/{LAYOUT}")
    faults += unknown_class_faults(listing, place, directory, classes)
    if faults:
        raise DataError(faults)
    return image_set(split, directory, listing, classes), [*listing.notes, *missing_class_notes(listing, directory, classes)]


def locate(given: str | None, key: str, otherwise: Path) -> tuple[str, Path]:
    """The key to name in a message, and the folder."""
    return ("data.root", otherwise) if given is None else (key, Path(given).expanduser())


def image_set(split: str, directory: Path, listing: Listing, classes: Sequence[str]) -> ImageSet:
    labels = {name: label for label, name in enumerate(classes)}
    pairs = sorted((file, labels[name]) for name, files in listing.files.items() if files for file in files)
    return ImageSet(
        split=split,
        directory=Path(os.path.abspath(directory)),
        classes=tuple(classes),
        files=Names.of(file for file, _ in pairs),
        targets=np.array([label for _, label in pairs], dtype=np.int64),
    )


def split_apart(images: ImageSet, data: DataConfig, seed: int) -> tuple[ImageSet, ImageSet, str]:
    """A stratified split: in each class the images with the smallest keys go to val.

    Each class keeps at least one image in train, and gives at least one to val where it has two.
    """
    is_val = np.zeros(len(images), dtype=bool)
    for label in range(len(images.classes)):
        own = np.flatnonzero(images.labels == label)
        num_val = min(len(own) - 1, max(1, int(len(own) * data.val_fraction + 0.5)))
        keys = randomness.key(seed, randomness.SPLIT, label, np.arange(len(own), dtype=np.uint64))
        is_val[own[np.argsort(keys, kind="stable")[: max(0, num_val)]]] = True
    train = images.take(np.flatnonzero(~is_val), split=data.train_split)
    val = images.take(np.flatnonzero(is_val), split=data.val_split)
    note = (
        f"no validation folder {Path(data.root) / data.val_split}: {len(val):,} of {len(images):,} images of {data.train_split} "
        f"are set apart class by class for validation (data.val_fraction={data.val_fraction:g}, seed={seed}), "
        f"{len(train):,} stay for training"
    )
    alone = [name for name, count in val.counts().items() if count == 0]
    return train, val, note + (f"; classes with a single image are not validated: {names(alone)}" if alone else "")


def no_train_folder(data: DataConfig, root: Path, place: str, train_dir: Path) -> str:
    """What is wrong where the training folder is not there, with the nearest thing that is."""
    expected = f"expected {train_dir}/{LAYOUT}"
    if train_dir.exists():
        return f"{place}: {train_dir} is a file, not a folder; {expected}"
    if data.train_dir is not None:
        return f"{place}: no folder {train_dir}; {expected}; type data.train_dir=DIR"
    if not root.is_dir():
        what = f"{root} is a file, not a folder" if root.exists() else f"no folder {root}"
        return f"{place}: {what}; {expected}; type data.root=DIR"
    flat = list_classes(root, place)
    with_images = [name for name, files in flat.files.items() if files and files[0].count("/") == 1]
    if with_images:
        inside = f"but {root} itself has class folders with images ({names(with_images)})"
        return f"{place}: no folder {train_dir}, {inside}; type data.train_dir={root}"
    for name in flat.files:
        if (root / name / data.train_split).is_dir():
            return f"{place}: no folder {train_dir}, but there is {root / name / data.train_split}; type data.root={root / name}"
    folders = f"; {did_you_mean(data.train_split, flat.files, head='data.train_split=')}" if flat.files else found(flat)
    return f"{place}: no folder {train_dir}{folders}; {expected}"


def class_folder_faults(train: Listing, place: str, directory: Path) -> list[str]:
    """Too few classes with images to train on."""
    if train.faults:
        return []  # what could not be read may hold the classes
    if not train.files:
        return [f"{place}: no class folders in {directory}{found(train)}; expected {directory}/{LAYOUT}"]
    if not train.names:
        return [f"{place}: no images in the {len(train.files)} class folders of {directory}; expected {directory}/{LAYOUT}"]
    if len(train.names) > 1:
        return []
    only = train.names[0]
    inner = sorted({file.split("/")[1] for file in train.files[only] if file.count("/") > 1})
    if len(inner) > 1:
        return [
            f"{place}: one class folder only in {directory} ({only}), which holds {names(inner)}; type data.train_dir={directory / only}"
        ]
    return [f"{place}: one class only in {directory} ({only}); two or more are needed, each a folder: {directory}/{LAYOUT}"]


def unknown_class_faults(listing: Listing, place: str, directory: Path, classes: Sequence[str]) -> list[str]:
    return [
        f"{place}: class {name} of {directory} is not a class of the training folder; {did_you_mean(name, classes)}; "
        f"rename or remove {directory / name}"
        for name in listing.names
        if name not in classes
    ]


def missing_class_notes(listing: Listing, directory: Path, classes: Sequence[str]) -> list[str]:
    missing = [name for name in classes if name not in listing.names]
    return [f"no images of {names(missing)} in {directory}: not measured there"] if missing else []


def found(listing: Listing) -> str:
    return f" (found {listing.num_loose_files} files)" if listing.num_loose_files else ""


def names(words: Sequence[str], most: int = 5) -> str:
    """The first names, then how many more."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
