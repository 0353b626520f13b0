"""Tar files with an image and its class behind each other (KEY.jpg, KEY.cls), as the webdataset package writes them. No torch.

Each shard is listed once; from then on an image is read at its place, so that nothing is unpacked, every loader process
reads only what it needs, and batches do not depend on their number.
"""

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnntrain.config.schema import DataConfig
from cnntrain.data import fetched, shard_index
from cnntrain.data.divide import divide, finished
from cnntrain.data.findings import Finding, Gathered, finding, shown
from cnntrain.data.images import ImageSet, Names
from cnntrain.data.layout import MOST_COMPARED, hardly_differing, imbalance, not_measured
from cnntrain.data.scan import Scan
from cnntrain.data.shard_index import ShardFault
from cnntrain.errors import did_you_mean

BRACES = re.compile(r"\{([^{}]*)\}")
RANGE = re.compile(r"(\d+)\.\.(\d+)")


@dataclass(frozen=True)
class Shards:
    """Images inside of tar files.

    Args:
        names: files, or URLs.
        shard: (N,) int32, the place of an image's shard in names.
        offsets, lengths: (N,) int64, where its bytes lie in the shard.
    """

    names: tuple[str, ...]
    shard: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray

    def read(self, place: int) -> bytes:
        length = int(self.lengths[place])
        with fetched.open_shard(self.names[self.shard[place]]) as file:
            file.seek(int(self.offsets[place]))
            data = file.read(length)
        if len(data) < length:
            raise OSError("its shard was cut short")
        return data


class Found(NamedTuple):
    """The images of one split: their shards, names, labels as they are written, and what was said on the way."""

    packed: Shards
    files: list[str]
    labels: list[str]
    mtimes: np.ndarray
    findings: list[Finding]
    left_out: int


def scan_shards(data: DataConfig, *, seed: int) -> Scan:
    """The images of data.train_shards and data.val_shards. Nothing is raised: see Scan.usable."""
    try:
        train, val = look_at_both(str(data.train_shards), data.val_shards)
        classes = classes_of(train.labels, data.classes_file)
        train_set = image_set(train, data.train_split, classes)
    except ShardFault as fault:
        return Scan({}, [finding("shards", data.train_shards or "", str(each)) for each in fault.args], {})
    place = Path(str(data.train_shards))
    findings = [*train.findings, *imbalance(train_set, place), *hardly_differing(classes, place, path_of=lambda _: place)]
    left_out = {data.train_split: train.left_out, data.val_split: 0}
    if val is not None and data.folds is None:
        val_set = image_set(val, data.val_split, classes)
        findings += [*val.findings, *unknown_classes(val, classes, "data.val_shards"), *not_measured(val_set, Path(str(data.val_shards)))]
        left_out[data.val_split] = val.left_out + len(val.files) - len(val_set)
        return finished((train_set, val_set, []), findings, left_out, data, seed)
    unused = "" if val is None else f"data.val_shards={data.val_shards}"
    divided = divide(train_set, data, seed, missing="data.val_shards", place=data.train_shards, unused=unused)
    return finished(divided, findings, left_out, data, seed)


def scan_shards_for_eval(shards: str, *, split: str, classes: Sequence[str]) -> Scan:
    """The images of some shards; labels are places in the training's class list."""
    try:
        found = look(shards, "data.shards")
    except ShardFault as fault:
        return Scan({}, [finding("shards", shards, str(each)) for each in fault.args], {})
    images = image_set(found, split, classes)
    findings = [*found.findings, *unknown_classes(found, classes, "data.shards"), *not_measured(images, Path(shards))]
    return Scan({split: images}, findings, {split: found.left_out + len(found.files) - len(images)})


def look_at_both(train: str, val: str | None) -> tuple[Found, Found | None]:
    """
    Raises:
        ShardFault: all that is wrong with either.
    """
    found: list[Found | None] = []
    faults: list[str] = []
    for pattern, key in ((train, "data.train_shards"), (val, "data.val_shards")):
        try:
            found.append(None if pattern is None else look(pattern, key))
        except ShardFault as fault:
            faults += fault.args
    if faults or found[0] is None:
        raise ShardFault(*faults)
    return found[0], found[1]


def look(pattern: str, key: str) -> Found:
    """
    Raises:
        ShardFault: no such shards, or some that cannot be read.
    """
    names, faults = [], list[str]()
    for each in expand(pattern):
        try:
            names += there(each, pattern, key)
        except ShardFault as fault:
            faults += fault.args
    gathered = Gathered(Path(pattern))
    indices = []
    for name in names:
        try:
            index = shard_index.index_of(name)
        except ShardFault as fault:
            faults += fault.args
            continue
        for said in index.said:
            gathered.add("shard_sample", name, said)
        indices.append(index)
    if faults:
        raise ShardFault(*faults)
    short = shortest(names)
    files = [f"{short[name]}/{file}" for name, index in zip(names, indices, strict=True) for file in index.files]
    if not files:
        raise ShardFault(f"{key}={pattern}: no image with a label in {counted(len(names))}; they hold KEY.jpg and KEY.cls, or KEY.json")
    counts = [len(index.files) for index in indices]
    packed = Shards(
        tuple(names),
        np.repeat(np.arange(len(names), dtype=np.int32), counts),
        np.concatenate([index.offsets for index in indices]),
        np.concatenate([index.lengths for index in indices]),
    )
    labels = [label for index in indices for label in index.labels]
    mtimes = np.repeat(np.array([shard_index.stamp(name)[1] for name in names], np.int64), counts)
    return Found(packed, files, labels, mtimes, gathered.all(), sum(len(index.said) for index in indices))


def counted(number: int) -> str:
    return "1 shard" if number == 1 else f"{number:,} shards"


def expand(pattern: str) -> list[str]:
    """`train-{000..002}.tar` and `{a,b}.tar` written out, as in a shell."""
    match = BRACES.search(pattern)
    if match is None:
        return [pattern]
    span = RANGE.fullmatch(match[1])
    if span is None:
        choices = match[1].split(",")
    else:
        first, last = int(span[1]), int(span[2])
        choices = [f"{number:0{len(span[1])}d}" for number in range(first, last + 1)]
    return [rest for choice in choices for rest in expand(pattern[: match.start()] + choice + pattern[match.end() :])]


def there(name: str, pattern: str, key: str) -> list[str]:
    """The shard, or those that a * stands for, as absolute paths.

    Raises:
        ShardFault: there is none.
    """
    if fetched.is_url(name):
        fetched.must_be_allowed(name, key)
        return [name]
    path = os.path.abspath(os.path.expanduser(name))
    found = sorted(glob.glob(path)) if any(sign in name for sign in "*?[") else [path]
    if not found or not all(map(os.path.isfile, found)):
        told = f" (of {shown(pattern)})" if pattern != name else ""
        raise ShardFault(f"{key}: no shard {shown(name)}{told}; give files such as 'DIR/train-{{000000..000009}}.tar'")
    return found


def classes_of(labels: Sequence[str], classes_file: str | None) -> list[str]:
    """Names of the classes; numbers are places in the classes file, where there is one. See named.

    Raises:
        ShardFault: a label that the file does not know, or one class only.
    """
    different = set(labels)
    if classes_file is None:
        classes = sorted(different, key=lambda label: (0, int(label), label) if label.isdecimal() else (1, 0, label))
    else:
        try:
            classes = [line.strip() for line in Path(classes_file).expanduser().read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise ShardFault(f"data.classes_file={classes_file} cannot be read ({error})") from error
        unknown = next((label for label in labels if label not in classes and not (label.isdecimal() and int(label) < len(classes))), None)
        if unknown is not None:
            raise ShardFault(f"data.classes_file={classes_file} has {len(classes)} names, and class {shown(unknown)} is not among them")
    if len(classes) < 2:
        raise ShardFault(f"one class only in the shards ({', '.join(map(shown, classes))}); two or more are needed")
    return classes


def image_set(found: Found, split: str, classes: Sequence[str]) -> ImageSet:
    """The images whose class is known."""
    place_of = {str(number): number for number in range(len(classes))} if not any(name.isdecimal() for name in classes) else {}
    place_of |= {name: number for number, name in enumerate(classes)}
    labels = np.array([place_of.get(label, -1) for label in found.labels], np.int64)
    images = ImageSet(
        split=split,
        directory=Path(os.path.commonpath([os.path.dirname(name) for name in found.packed.names]) if local(found) else "/"),
        classes=tuple(classes),
        files=Names.of(found.files),
        targets=labels,
        sizes=found.packed.lengths,
        mtimes=found.mtimes,
        packed=found.packed,
        places=np.arange(len(labels)),
    )
    return images.take(np.flatnonzero(labels >= 0)) if (labels < 0).any() else images


def local(found: Found) -> bool:
    return not any(map(fetched.is_url, found.packed.names))


def shortest(names: Sequence[str]) -> dict[str, str]:
    """Each shard's name as people should read it: below the folder that all share."""
    if any(map(fetched.is_url, names)):
        return {name: name for name in names}
    folder = os.path.commonpath([os.path.dirname(name) for name in names])
    return {name: os.path.relpath(name, folder).replace(os.sep, "/") for name in names}


def unknown_classes(found: Found, classes: Sequence[str], key: str) -> list[Finding]:
    """Classes of these images that training does not know, each with its first image."""
    known = {*classes, *(map(str, range(len(classes))) if not any(name.isdecimal() for name in classes) else ())}
    gathered = Gathered(Path(found.packed.names[0]))
    for file, label in zip(found.files, found.labels, strict=True):
        if label not in known:
            known.add(label)
            near = did_you_mean(label, map(shown, classes[:MOST_COMPARED]))
            gathered.add(
                "class_only_in_val", file, f"{key}: class {shown(label)} of {shown(file)} is not a class that is trained on; {near}"
            )
    return gathered.all()
