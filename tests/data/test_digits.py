"""The shipped digits as a folder."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnntrain.config.schema import DataConfig
from cnntrain.data.digits import PACKED, unpack_digits
from cnntrain.data.folder import scan_train_val
from cnntrain.errors import DataError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "digits"
    assert unpack_digits(root) is True
    return root


def test_the_digits_are_1442_and_355_balanced_images(root: Path) -> None:
    scan = scan_train_val(DataConfig(root=str(root)), seed=0)
    train, val = scan.pair()
    assert (len(train), len(val), scan.findings) == (1442, 355, [])
    assert train.classes == tuple("0123456789")
    both = [train.counts()[c] + val.counts()[c] for c in train.classes]
    assert all(val.counts()[c] == n // 5 for c, n in zip(train.classes, both, strict=True))
    assert (min(both), max(both)) == (174, 183)  # the classes of optdigits' test part


def test_each_picture_is_there_once_with_its_label(root: Path) -> None:
    with np.load(PACKED) as packed:
        wanted = sorted((int(y), (x.astype(int) * 255 // 16).tolist()) for x, y in zip(packed["images"], packed["labels"], strict=True))
    found = sorted((int(p.parent.name), np.array(Image.open(p)).tolist()) for p in root.glob("*/*/*.png"))
    assert found == wanted


def test_the_source_and_licence_lie_beside_the_images(root: Path) -> None:
    text = (root / "ATTRIBUTION.txt").read_text()
    assert all(word in text for word in ("Optical Recognition", "Alpaydin", "Kaynak", "1998", "CC BY 4.0"))


def test_what_is_there_is_left_alone(root: Path, tmp_path: Path) -> None:
    assert unpack_digits(root) is False
    (tmp_path / "mine/train").mkdir(parents=True)
    assert unpack_digits(tmp_path / "mine") is False
    assert list((tmp_path / "mine/train").iterdir()) == []


def test_runs_at_once_leave_one_whole_set(tmp_path: Path) -> None:
    (tmp_path / "d/digits").mkdir(parents=True)
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(unpack_digits, [tmp_path / "d/digits"] * 3))
    assert made.count(True) == 1
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["digits"]
    assert len(list((tmp_path / "d/digits").glob("*/*/*.png"))) == 1797


def test_a_folder_of_something_else_is_refused_and_left(tmp_path: Path) -> None:
    (tmp_path / "x.txt").touch()
    with pytest.raises(DataError, match=r"data.root: .* exists, but it is not a folder with train/ and val/"):
        unpack_digits(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot write the digits to .*file/digits \(Not a directory\); type data.root=DIR"):
        unpack_digits(tmp_path / "file" / "digits")
