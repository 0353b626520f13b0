"""Folders of images: which classes and files there are, and every fault in one report. No torch."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnntrain.config.schema import DataConfig
from cnntrain.data.divide import divide, finished
from cnntrain.data.findings import Finding, finding
from cnntrain.data.images import ImageSet
from cnntrain.data.layout import (
    LAYOUT,
    class_notes,
    imbalance,
    no_train_folder,
    not_measured,
    same_folder,
    train_findings,
    val_findings,
)
from cnntrain.data.listing import Listing, list_classes
from cnntrain.data.scan import Scan


def scan_train_val(data: DataConfig, *, seed: int) -> Scan:
    """Find the training and validation images; without a validation folder set a share of train apart.

    Nothing is raised: what is wrong is among the findings (see Scan.usable).
    """
    root = Path(data.root).expanduser()
    train_place, train_dir = locate(data.train_dir, "data.train_dir", root / data.train_split)
    val_place, val_dir = locate(data.val_dir, "data.val_dir", root / data.val_split)
    if not os.path.isdir(train_dir):
        return Scan({}, [no_train_folder(data, root, train_place, train_dir)], {})
    train = list_classes(train_dir, train_place)
    images = image_set(data.train_split, train, train.names)
    findings = [*train.findings, *train_findings(train, train_place), *class_notes(train), *imbalance(images, train_dir)]
    left_out = {data.train_split: train.num_left_out, data.val_split: 0}
    has_val = os.path.isdir(val_dir)
    if not has_val and (data.val_dir is not None or os.path.lexists(val_dir)):
        said = f"{val_place}: no folder {val_dir}; expected {val_dir}/{LAYOUT}; type data.val_dir=DIR"
        findings.append(finding("no_folder", val_dir, said))
    if has_val and data.folds is None:
        val = list_classes(val_dir, val_place)
        val_set = image_set(data.val_split, val, images.classes)
        left_out[data.val_split] = val.num_left_out + len(val.files) - len(val_set)
        findings += [*same_folder(train_dir, val_dir, val_place), *val.findings, *val_findings(val, val_place, images.classes)]
        findings += [*class_notes(val), *(not_measured(val_set, val_dir) if len(val_set) else [])]
        divided = images, val_set, list[Finding]()
    else:
        divided = divide(images, data, seed, missing=f"validation folder {val_dir}", place=val_dir, unused=str(val_dir) if has_val else "")
    return finished(divided, findings, left_out, data, seed)


def scan_for_eval(directory: Path, *, split: str, classes: Sequence[str]) -> Scan:
    """Find the images to evaluate; labels are places in the training's class list.

    No folder, no images, or classes that training did not know are among the findings.
    """
    place = "data.root"
    directory = directory.expanduser()
    if not os.path.isdir(directory):
        said = (
            f"{place}: no folder {directory}; type data.root=DIR where DIR/{split}/{LAYOUT} is, or data.val_dir=DIR where DIR/{LAYOUT} is"
        )
        return Scan({}, [finding("no_folder", directory, said)], {})
    listing = list_classes(directory, place)
    images = image_set(split, listing, classes)
    findings = [*listing.findings, *val_findings(listing, place, classes), *class_notes(listing)]
    findings += not_measured(images, directory) if len(images) else []
    return Scan({split: images}, findings, {split: listing.num_left_out + len(listing.files) - len(images)})


def locate(given: str | None, key: str, otherwise: Path) -> tuple[str, Path]:
    """The key to name in a message, and the folder."""
    return ("data.root", otherwise) if given is None else (key, Path(given).expanduser())


def image_set(split: str, listing: Listing, classes: Sequence[str]) -> ImageSet:
    """The images of the classes, which are numbered as given."""
    place_of = {name: place for place, name in enumerate(classes)}
    labels = np.array([place_of.get(name, -1) for name in listing.classes], np.int64)[listing.places]
    images = ImageSet(
        split=split,
        directory=Path(os.path.abspath(listing.directory)),
        classes=tuple(classes),
        files=listing.files,
        targets=labels,
        sizes=listing.sizes,
        mtimes=listing.mtimes,
    )
    return images if (labels >= 0).all() else images.take(np.flatnonzero(labels >= 0))
