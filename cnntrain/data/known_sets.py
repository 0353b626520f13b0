"""MNIST and its kin, CIFAR-10 and CIFAR-100 in the files that torchvision downloads, read where they lie. No torch.

An image of these files is given as the bytes of a PGM or PPM file, so that all that works on files works on it.
"""

import codecs
import io
import os
import pickle
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cnntrain.config.schema import DataConfig
from cnntrain.data.divide import divide, finished
from cnntrain.data.findings import finding
from cnntrain.data.images import ImageSet, Names, Packed
from cnntrain.data.scan import Scan

DIGITS = tuple("0123456789")
CLASSES = {  # of the sets whose files do not name them, as torchvision has them
    "MNIST": DIGITS,
    "FashionMNIST": ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    "KMNIST": ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
}
CIFAR = {  # set -> (folder, files of training and of test, file with the names, keys of labels and names)
    "CIFAR10": (
        "cifar-10-batches-py",
        tuple(f"data_batch_{n}" for n in range(1, 6)),
        ("test_batch",),
        "batches.meta",
        "labels",
        "label_names",
    ),
    "CIFAR100": ("cifar-100-python", ("train",), ("test",), "meta", "fine_labels", "fine_label_names"),
}
CIFAR_SIDE, CIFAR_CHANNELS = 32, 3
UBYTE = 8  # of an idx file
RECONSTRUCT = np.empty(0).__reduce__()[0]
# all that a pickled numpy array asks for; its own module was renamed in numpy 2
HARMLESS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
}


class SetFault(Exception):
    """Why the set as a whole cannot be used, in one sentence."""


def scan_known_set(data: DataConfig, *, seed: int) -> Scan:
    """The set's training images and, for validation, its test images. Nothing is raised: see Scan.usable."""
    name, root = str(data.dataset), Path(data.root).expanduser()
    try:
        read = read_cifar if name in CIFAR else read_idx_set
        train, val = read(name, root, data)
    except SetFault as fault:
        return Scan({}, [finding("known_set", root, str(fault))], {})
    left_out = {train.split: 0, val.split: 0}
    if data.folds is None:
        return finished((train, val, []), [], left_out, data, seed)
    left_out[train.split] = len(val)
    divided = divide(train, data, seed, missing="", place=root, unused=f"the test part of {name}")
    return finished(divided, [], left_out, data, seed)


@dataclass(frozen=True)
class IdxImages:
    """Gray images in an idx file.

    Args:
        start: bytes before the first image.
    """

    path: Path
    start: int
    height: int
    width: int

    def read(self, place: int) -> bytes:
        size = self.height * self.width
        with open(self.path, "rb") as file:
            file.seek(self.start + place * size)
            pixels = file.read(size)
        if len(pixels) < size:
            raise OSError(f"{self.path} ends before image {place}")
        return b"P5 %d %d 255\n" % (self.width, self.height) + pixels


@dataclass
class CifarImages:
    """Colour images of CIFAR files, in memory once for each process."""

    paths: tuple[Path, ...]
    rows: list[np.ndarray] | None = field(default=None, repr=False)

    def read(self, place: int) -> bytes:
        if self.rows is None:
            self.rows = [pixels_of(path) for path in self.paths]
        for rows in self.rows:
            if place < len(rows):
                planes = rows[place].reshape(CIFAR_CHANNELS, CIFAR_SIDE, CIFAR_SIDE)
                return b"P6 %d %d 255\n" % (CIFAR_SIDE, CIFAR_SIDE) + planes.transpose(1, 2, 0).tobytes()
            place -= len(rows)
        raise OSError(f"{self.paths[-1]} ends before image {place}")

    def __getstate__(self) -> dict[str, Any]:
        """Each loader process reads the files itself."""
        return {"paths": self.paths, "rows": None}


def read_idx_set(name: str, root: Path, data: DataConfig) -> tuple[ImageSet, ImageSet]:
    """
    Raises:
        SetFault: a file is missing, or is not what it should be.
    """
    sets = []
    for split, stem in ((data.train_split, "train"), (data.val_split, "t10k")):
        paths = [root / name / "raw" / f"{stem}-{part}-ubyte" for part in ("images-idx3", "labels-idx1")]
        for path in paths:
            must_be_there(path, name, root)
        (count, height, width), start = idx_header(paths[0], 3)
        (labelled,), first = idx_header(paths[1], 1)
        labels = np.frombuffer(paths[1].read_bytes()[first:], np.uint8).astype(np.int64)
        if not count == labelled == len(labels) or paths[0].stat().st_size != start + count * height * width:
            raise SetFault(f"data.root: {paths[0]} and {paths[1]} do not belong together or were cut short; {download(name, root)}")
        sets.append(image_set(split, root / name, CLASSES[name], labels, IdxImages(paths[0], start, height, width), [paths[0]], "pgm"))
    return sets[0], sets[1]


def idx_header(path: Path, num_sizes: int) -> tuple[tuple[int, ...], int]:
    """Sizes of the array, and where it starts. Source: the format's description beside MNIST, yann.lecun.com/exdb/mnist.

    Raises:
        SetFault: another kind of file.
    """
    length = 4 + 4 * num_sizes
    with open(path, "rb") as file:
        head = file.read(length)
    if len(head) < length or head[:4] != bytes([0, 0, UBYTE, num_sizes]):
        raise SetFault(f"data.root: {path} is no idx file of {num_sizes} dimensions; unpack it, or download it anew")
    return struct.unpack(f">{num_sizes}I", head[4:]), length


def read_cifar(name: str, root: Path, data: DataConfig) -> tuple[ImageSet, ImageSet]:
    """
    Raises:
        SetFault: a file is missing, or is not what it should be.
    """
    folder, train, test, meta, labels_key, names_key = CIFAR[name]
    for file in (meta, *train, *test):
        must_be_there(root / folder / file, name, root)
    classes = [str(each) for each in unpickled(root / folder / meta).get(names_key, ())]
    sets = []
    for split, files in ((data.train_split, train), (data.val_split, test)):
        paths = tuple(root / folder / file for file in files)
        found = [np.asarray(unpickled(path).get(labels_key, ()), np.int64) for path in paths]
        rows = [pixels_of(path) for path in paths]
        labels = np.concatenate(found)
        if [len(part) for part in found] != [len(part) for part in rows] or not len(labels) or labels.max() >= len(classes):
            raise SetFault(f"data.root: {root / folder} is not what {name} holds; {download(name, root)}")
        sets.append(image_set(split, root / folder, classes, labels, CifarImages(paths, rows), paths, "ppm"))
    return sets[0], sets[1]


def pixels_of(path: Path) -> np.ndarray:
    """(N, 3072) uint8: red, green and blue planes of 32 x 32.

    Raises:
        SetFault: something else.
    """
    pixels = unpickled(path).get("data")
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (CIFAR_CHANNELS * CIFAR_SIDE**2,):
        raise SetFault(f"data.root: {path} holds no {CIFAR_SIDE}x{CIFAR_SIDE} images; download it anew")
    return pixels


class PlainUnpickler(pickle.Unpickler):
    """Dictionaries, lists, texts, numbers and numpy arrays; a pickle that asks for anything else is refused, and none of it is run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in HARMLESS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return HARMLESS[module, name]


def unpickled(path: Path) -> dict[str, Any]:
    """
    Raises:
        SetFault: the file holds something that is not plain data, or is damaged.
    """
    try:
        found = PlainUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()  # as numpy says for arrays of Python 2
    except OSError as error:
        raise SetFault(f"data.root: {path} cannot be read ({error.strerror})") from error
    except Exception as error:  # a damaged pickle raises anything
        raise SetFault(f"data.root: {path} is no plain CIFAR file ({error}); nothing in it was run; download it anew") from error
    if not isinstance(found, dict):
        raise SetFault(f"data.root: {path} is no CIFAR file; download it anew")
    return {str(key): value for key, value in found.items()}


def image_set(
    split: str, directory: Path, classes: Sequence[str], labels: np.ndarray, packed: Packed, containers: Sequence[Path], extension: str
) -> ImageSet:
    """All images of one part; each is as old as the newest of its files."""
    width = len(str(len(labels)))
    newest = max(path.stat().st_mtime_ns for path in containers)
    return ImageSet(
        split=split,
        directory=Path(os.path.abspath(directory)),
        classes=tuple(classes),
        files=Names.of(f"{split}/{number:0{width}d}.{extension}" for number in range(len(labels))),
        targets=labels,
        sizes=np.full(len(labels), sum(path.stat().st_size for path in containers), np.int64),
        mtimes=np.full(len(labels), newest, np.int64),
        packed=packed,
        places=np.arange(len(labels)),
    )


def must_be_there(path: Path, name: str, root: Path) -> None:
    if not path.is_file():
        raise SetFault(f"data.root: no file {path}; type data.root=DIR where it is, or {download(name, root)}")


def download(name: str, root: Path) -> str:
    return f"get it by: python -c \"from torchvision.datasets import {name}; {name}('{root}', download=True)\""
