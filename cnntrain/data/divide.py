"""The training and validation images, where no folder or column says which are which, and fewer of them. No torch."""

from math import ceil

import numpy as np

from cnntrain.config.schema import DataConfig
from cnntrain.data.findings import Finding, finding, strictly
from cnntrain.data.images import ImageSet
from cnntrain.data.layout import names
from cnntrain.data.scan import Scan
from cnntrain.data.splits import Groups, fewer, folds, grouped_folds, set_apart, set_groups_apart

Divided = tuple[ImageSet, ImageSet, list[Finding]]


def divide(
    images: ImageSet, data: DataConfig, seed: int, *, missing: str, place: object, unused: str = "", groups: np.ndarray | None = None
) -> Divided:
    """Part the training images: into folds where data.folds says so, else a share is set apart.

    Args:
        missing: what there is none of, such as `validation folder d/val`.
        place: the file or folder that findings name.
        unused: what folds leave unused, such as a validation folder.
        groups: (N,) int64 group of each image; a group stays together.
    """
    labels = strata(images)
    grouped = None if groups is None else Groups(labels, groups)
    if data.folds is None:
        is_val = set_apart(labels, data.val_fraction, seed) if grouped is None else set_groups_apart(grouped, data.val_fraction, seed)
    else:
        found = folds(labels, data.folds, seed) if grouped is None else grouped_folds(grouped, data.folds, seed)
        is_val = found == data.fold
    train = images.take(np.flatnonzero(~is_val), split=data.train_split)
    val = images.take(np.flatnonzero(is_val), split=data.val_split)
    fault = cannot_divide(len(images), grouped, data, len(val))
    if fault:
        return train, val, [finding("no_split", place, fault)]
    how = "class by class" if images.task == "classification" else "at random"
    how += "" if grouped is None else f", no group of {data.group_column} on both sides"
    if data.folds is not None:
        sentence = fold_sentence(images, train, val, data, f"{how}, seed={seed}")
        return train, val, [finding("folds", place, sentence + (f"; {unused} is not used" if unused else ""))]
    sentence = (
        f"no {missing}: {len(val):,} of {len(images):,} images of {data.train_split} are set apart {how} for validation "
        f"(data.val_fraction={data.val_fraction:g}, seed={seed}), {len(train):,} stay for training"
    )
    return train, val, [finding("no_val_folder", place, sentence + not_validated(val, alone=grouped is None))]


def strata(images: ImageSet) -> np.ndarray:
    """What each part has its share of: the class; of several classes the rarest, or none; all numbers are alike. (N,) int64."""
    if images.task == "classification":
        return images.labels
    if images.task == "regression" or not len(images.classes):
        return np.zeros(len(images), np.int64)
    counts = images.targets.sum(axis=0)
    by_rarity = np.argsort(counts, kind="stable")
    has = images.targets[:, by_rarity] > 0
    found: np.ndarray = np.where(has.any(axis=1), by_rarity[has.argmax(axis=1)], len(images.classes))
    return found


def cannot_divide(count: int, groups: Groups | None, data: DataConfig, num_val: int) -> str | None:
    what, have = ("images", count) if groups is None else ("groups", len(groups.sizes))
    if data.folds is not None and have < data.folds:
        return f"data.folds={data.folds} needs as many {what}, and there are {have:,}; give fewer"
    if groups is not None and data.folds is None and count and not num_val:
        sentence = "no group can be set apart for validation without taking all images of a class from training"
        return f"data.group_column={data.group_column}: {sentence}; say in a column split which rows are which"
    return None


def fold_sentence(images: ImageSet, train: ImageSet, val: ImageSet, data: DataConfig, how: str) -> str:
    sentence = (
        f"fold {data.fold} of data.folds={data.folds} validates: {len(val):,} of {len(images):,} images, {len(train):,} train ({how})"
    )
    none = [] if images.task == "regression" else [name for name, count in train.counts().items() if count == 0]
    return sentence + (f"; no image of {names(none)} is left to train on" if none else "")


def not_validated(val: ImageSet, *, alone: bool) -> str:
    """The end of a sentence: classes that give no image to validation."""
    none = [] if val.task == "regression" else [name for name, count in val.counts().items() if count == 0]
    reason = "with a single image " if alone and val.task == "classification" else ""
    return f"; classes {reason}are not validated: {names(none)}" if none else ""


def limited(train: ImageSet, val: ImageSet, data: DataConfig, seed: int) -> Divided:
    """At most data.limit training images, and as large a share of the validation images, class by class."""
    if data.limit is None:
        return train, val, []
    key = f"data.limit={data.limit}"
    if data.limit >= len(train):
        return train, val, [finding("limit", train.split, f"{key} has no effect: there are {len(train):,} training images")]
    classes = np.count_nonzero(np.bincount(train.labels)) if train.task == "classification" else 0
    if data.limit < classes:
        told = f"{key} leaves no image of some of the {classes:,} classes; give data.limit={classes} or more"
        return train, val, [finding("no_split", train.split, told)]
    kept = train.take(fewer(strata(train), data.limit, seed, each=1 if classes else 0))
    measured = val.take(fewer(strata(val), ceil(len(val) * data.limit / len(train)), seed))
    told = (
        f"{key}: {len(kept):,} of {len(train):,} training and {len(measured):,} of {len(val):,} validation images are used, for a quick try"
    )
    return kept, measured, [finding("limit", train.split, told)]


def finished(divided: Divided, findings: list[Finding], left_out: dict[str, int], data: DataConfig, seed: int) -> Scan:
    """The scan, after data.limit and data.strict; what the limit leaves out is counted too."""
    before, notes = divided[:2], divided[2]
    train, val, more = limited(*before, data, seed)
    counted = {was.split: left_out[was.split] + len(was) - len(now) for was, now in zip(before, (train, val), strict=True)}
    found = [*findings, *notes, *more]
    return Scan({train.split: train, val.split: val}, strictly(found) if data.strict else found, counted)
