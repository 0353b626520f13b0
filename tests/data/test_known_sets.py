"""Sets as torchvision downloads them: the idx files as torchvision reads them, CIFAR's pickles without running anything."""

import pickle
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnntrain.config.schema import DataConfig
from cnntrain.data.decode import read_image
from cnntrain.data.images import ImageSet
from cnntrain.data.known_sets import scan_known_set
from cnntrain.data.loaders import Loader
from cnntrain.data.pipeline import build_pipeline
from cnntrain.errors import DataError

GENERATOR = np.random.default_rng(0)


def write_idx(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes())


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    for stem, count in (("train", 30), ("t10k", 10)):
        write_idx(tmp_path / "MNIST" / "raw" / f"{stem}-images-idx3-ubyte", GENERATOR.integers(0, 256, (count, 28, 28)))
        write_idx(tmp_path / "MNIST" / "raw" / f"{stem}-labels-idx1-ubyte", np.arange(count) % 10)
    return tmp_path


def python2_array(array: np.ndarray) -> bytes:
    """The opcodes by which Python 2 pickled a (N, 3072) uint8 array, as in CIFAR's files; see pickletools."""
    new = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    rows, columns = (b"J" + struct.pack("<i", size) for size in array.shape)
    return new + b"(K\x01(" + rows + columns + b"t" + dtype + b"\x89T" + struct.pack("<i", array.size) + array.tobytes() + b"tb"


def python2_text(text: str) -> bytes:
    return b"U" + bytes([len(text)]) + text.encode()


def python2_dict(entries: dict[str, bytes]) -> bytes:
    return b"\x80\x02}(" + b"".join(python2_text(key) + value for key, value in entries.items()) + b"u."


def python2_list(values: list[Any]) -> bytes:
    return b"](" + b"".join(python2_text(v) if isinstance(v, str) else b"K" + bytes([v]) for v in values) + b"e"


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    names = ["airplane", "automobile", "bird"]
    (folder / "batches.meta").write_bytes(python2_dict({"label_names": python2_list(names)}))
    for number, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        pixels = np.random.default_rng(number).integers(0, 256, (4, 3072), dtype=np.uint8)
        labels = [0, 1, 2, number % 3]
        (folder / name).write_bytes(python2_dict({"data": python2_array(pixels), "labels": python2_list(labels)}))
    return tmp_path


def pair(root: Path, name: str, **keys: Any) -> tuple[ImageSet, ImageSet]:
    return scan_known_set(DataConfig(name="torchvision", dataset=name, root=str(root), **keys), seed=0).usable().pair()


def fault(root: Path, name: str) -> str:
    with pytest.raises(DataError) as refused:
        pair(root, name)
    return str(refused.value).replace(str(root), "D")


def test_mnist_is_what_torchvision_reads(mnist: Path) -> None:
    from torchvision.datasets import MNIST

    for images, is_train in zip(pair(mnist, "MNIST"), (True, False), strict=True):
        reference = MNIST(str(mnist), train=is_train, download=False)
        assert len(images) == len(reference)
        assert images.labels.tolist() == reference.targets.tolist()
        assert all(torch.equal(read_image(images.at(n), 1)[0], reference.data[n]) for n in range(len(images)))


def test_cifar_is_red_green_and_blue_planes(cifar: Path) -> None:
    train, val = pair(cifar, "CIFAR10")
    assert (train.classes, len(train), len(val)) == (("airplane", "automobile", "bird"), 20, 4)
    assert train.labels.tolist() == [label for number in range(5) for label in (0, 1, 2, number % 3)]
    third = np.random.default_rng(2).integers(0, 256, (4, 3072), dtype=np.uint8)  # of data_batch_3: images 8 to 11
    assert read_image(train.at(9), 3).numpy().tolist() == third[1].reshape(3, 32, 32).tolist()
    assert val.labels.tolist() == [0, 1, 2, 2]


def test_a_pickle_that_would_run_something_is_refused_and_not_run(cifar: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    (cifar / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps({"data": Evil(), "labels": [0]}, protocol=2))
    assert "is no plain CIFAR file (it asks for " in fault(cifar, "CIFAR10")
    assert "nothing in it was run" in fault(cifar, "CIFAR10")
    assert not (tmp_path / "ran").exists()


def test_what_is_missing_or_damaged_is_told_with_how_to_get_it(mnist: Path, cifar: Path) -> None:
    assert fault(mnist, "FashionMNIST") == (
        "data.root: no file D/FashionMNIST/raw/train-images-idx3-ubyte; type data.root=DIR where it is, or get it by: "
        "python -c \"from torchvision.datasets import FashionMNIST; FashionMNIST('D', download=True)\""
    )
    labels = mnist / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1])
    assert "do not belong together or were cut short" in fault(mnist, "MNIST")
    labels.write_bytes(b"\x1f\x8b not unpacked")
    assert "is no idx file of 1 dimensions; unpack it" in fault(mnist, "MNIST")
    batch = cifar / "cifar-10-batches-py" / "data_batch_2"
    batch.write_bytes(batch.read_bytes()[:-9])
    assert "data_batch_2 is no plain CIFAR file" in fault(cifar, "CIFAR10")
    batch.write_bytes(python2_dict({"labels": python2_list([0])}))
    assert "data_batch_2 holds no 32x32 images" in fault(cifar, "CIFAR10")
    batch.write_bytes(python2_list([0]).join([b"\x80\x02", b"."]))
    assert "data_batch_2 is no CIFAR file" in fault(cifar, "CIFAR10")
    batch.unlink()
    assert "no file D/cifar-10-batches-py/data_batch_2" in fault(cifar, "CIFAR10")


def test_labels_that_no_image_or_no_name_belongs_to_are_told(cifar: Path) -> None:
    folder = cifar / "cifar-10-batches-py"
    (folder / "batches.meta").write_bytes(python2_dict({"label_names": python2_list(["airplane", "automobile"])}))
    assert "cifar-10-batches-py is not what CIFAR10 holds" in fault(cifar, "CIFAR10")


@pytest.mark.parametrize("name", ["MNIST", "CIFAR10"])
def test_batches_are_the_same_from_processes_and_from_a_cache(mnist: Path, cifar: Path, name: str) -> None:
    train, _ = pair(mnist, name, limit=12)
    steps = [{"type": "resize"}, {"type": "horizontal_flip"}, {"type": "to_tensor"}]
    pipeline = build_pipeline(steps, image_size=(16, 16), channels=1, statistics=None)
    found = []
    for cache, num_workers in (("none", 0), ("none", 1), ("memory", 0)):
        loader = Loader(train, pipeline, batch_size=5, seed=0, shuffle=True, cache=cache, cache_budget_mib=1, num_workers=num_workers)
        found.append([tensor for batch in loader.batches(1) for tensor in batch])
        loader.close()
    assert len(found[0]) == 2 * 3
    assert all(torch.equal(a, b) for other in found[1:] for a, b in zip(found[0], other, strict=True))


def test_folds_and_a_share_for_quick_tries_cut_the_training_part(mnist: Path) -> None:
    train, val = pair(mnist, "MNIST", folds=3, fold=1)
    assert (len(train), len(val), train.counts()["0"], val.counts()["0"]) == (20, 10, 2, 1)
    assert {*train.files, *val.files} == {f"train/{n:02d}.pgm" for n in range(30)}
    assert len(pair(mnist, "MNIST", limit=10)[0]) == 10


def test_the_pickled_arrays_of_this_numpy_are_read_as_well(cifar: Path) -> None:
    batch = cifar / "cifar-10-batches-py" / "test_batch"
    pixels = np.arange(3072, dtype=np.uint8)[None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch.write_bytes(pickle.dumps({"data": pixels, "labels": [1]}, protocol=2))
    _, val = pair(cifar, "CIFAR10")
    assert read_image(val.at(0), 3).numpy().flatten().tolist() == pixels[0].tolist()
