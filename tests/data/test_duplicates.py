"""Copies are found by bytes, and near copies by hash and pixels; pictures that are merely alike are not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dirt import drawing
from PIL import Image, ImageDraw, ImageEnhance

from cnntrain.data import duplicates
from cnntrain.data.alike import unlike
from cnntrain.data.digits import unpack_digits
from cnntrain.data.duplicates import joined, near_pairs, num_bits, same_groups
from cnntrain.data.examine import file_findings
from cnntrain.data.facts import FACT, GOOD, examine_unknown, load
from cnntrain.data.findings import Finding
from cnntrain.data.images import ImageSet, Names


def cut(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    return image.crop((int(width * share), int(height * share), int(width * (1 - share)), int(height * (1 - share))))


COPIES: dict[str, Callable[[Image.Image, Path], None]] = {
    "saved again": lambda image, path: image.save(path.with_suffix(".jpg"), quality=40),
    "half the size": lambda image, path: image.resize((80, 80), Image.Resampling.BICUBIC).save(path.with_suffix(".jpg")),
    "brighter": lambda image, path: ImageEnhance.Brightness(image).enhance(1.15).save(path.with_suffix(".jpg")),
    "cut": lambda image, path: cut(image, 0.015).save(path.with_suffix(".jpg")),
    "another format": lambda image, path: image.save(path.with_suffix(".bmp")),
}


def findings_of(directory: Path) -> list[Finding]:
    """Of the folders DIRECTORY/<split>/<class>/*."""
    sets = {}
    for folder in sorted(directory.iterdir()):
        classes = sorted(path.name for path in folder.iterdir())
        files = sorted(str(path.relative_to(folder)) for path in folder.glob("*/*"))
        labels = np.array([classes.index(file.split("/")[0]) for file in files], np.int64)
        images = ImageSet(folder.name, folder, tuple(classes), Names.of(files), labels)
        facts = load(images)
        examine_unknown(images, facts)
        sets[folder.name] = (images, facts)
    return file_findings(sets)


def folder_of(directory: Path, count: int = 12) -> Path:
    for split in ("train", "val"):
        for name in ("a", "b"):
            (directory / split / name).mkdir(parents=True)
    for seed in range(count):
        drawing(seed, 160).save(directory / "train" / "ab"[seed % 2] / f"{seed}.png")
    drawing(1000, 160).save(directory / "val" / "a" / "v.png")
    return directory


def test_different_drawings_are_no_copies(tmp_path: Path) -> None:
    assert findings_of(folder_of(tmp_path, 60)) == []


@pytest.mark.parametrize("way", COPIES)
def test_a_near_copy_is_found(tmp_path: Path, way: str) -> None:
    folder_of(tmp_path)
    for seed in (2, 4, 6):
        COPIES[way](drawing(seed, 160), tmp_path / "train" / "a" / f"copy{seed}")
    found = findings_of(tmp_path)
    assert {f.kind for f in found} == {"near_duplicate"}
    assert [Path(f.path).stem for f in found] == ["2", "4", "6"]
    assert [f"copy{seed}." in f.detail for f, seed in zip(found, (2, 4, 6), strict=True)] == [True] * 3


@pytest.mark.parametrize(
    ("place", "kind"), [("train/a", "duplicate"), ("train/b", "conflicting_labels"), ("val/a", "leakage"), ("val/b", "conflicting_labels")]
)
def test_the_same_bytes_are_a_copy_wherever_they_lie(tmp_path: Path, place: str, kind: str) -> None:
    folder_of(tmp_path)
    (tmp_path / place / "copy.png").write_bytes((tmp_path / "train" / "a" / "4.png").read_bytes())
    (found,) = findings_of(tmp_path)
    assert (found.kind, found.path) == (kind, str(tmp_path / "train" / "a" / "4.png"))
    assert str(tmp_path / place / "copy.png") in found.detail
    assert found.detail.startswith(f"{found.path}: the same as ")


def test_a_group_is_named_once(tmp_path: Path) -> None:
    folder_of(tmp_path)
    original = tmp_path / "train" / "a" / "4.png"
    for number in range(5):
        (tmp_path / "train" / "a" / f"x{number}.png").write_bytes(original.read_bytes())
    Image.open(original).save(tmp_path / "val" / "a" / "y.jpg", quality=60)
    (found,) = findings_of(tmp_path)
    assert found.kind == "leakage"
    assert "and 3 more" in found.detail


def test_one_more_shape_makes_another_picture(tmp_path: Path) -> None:
    folder_of(tmp_path)
    changed = drawing(2, 160)
    ImageDraw.Draw(changed).ellipse((40, 60, 72, 92), fill=(10, 200, 240))  # 3 % of the picture
    changed.save(tmp_path / "train" / "a" / "changed.png")
    assert findings_of(tmp_path) == []


def test_flat_pictures_are_not_compared(tmp_path: Path) -> None:
    folder_of(tmp_path)
    for number in range(4):
        Image.new("RGB", (64, 64), (250, 250, 250 - number)).save(tmp_path / "train" / "a" / f"flat{number}.png")
    assert findings_of(tmp_path) == []


def test_the_digits_hold_no_copies(tmp_path: Path) -> None:
    unpack_digits(tmp_path / "digits")
    for path in (tmp_path / "digits").glob("*.*"):
        path.unlink()
    assert findings_of(tmp_path / "digits") == []


def test_a_small_picture_counts_by_its_bytes_alone(tmp_path: Path) -> None:
    folder_of(tmp_path)
    for name in ("p", "q"):
        drawing(50, 16).save(tmp_path / "train" / "a" / f"{name}.png")
    drawing(50, 16).save(tmp_path / "train" / "a" / "r.bmp")
    (found,) = findings_of(tmp_path)
    assert (found.kind, Path(found.path).name) == ("duplicate", "p.png")
    assert "r.bmp" not in found.detail


def test_every_pair_of_hashes_that_differs_in_8_bits_is_found() -> None:
    generator = np.random.default_rng(3)
    hashes = generator.integers(0, 2**64, 500, dtype=np.uint64)
    flips = np.array([sum(1 << int(bit) for bit in generator.choice(64, 8, replace=False)) for _ in hashes], np.uint64)
    both = np.concatenate([hashes, hashes ^ flips])
    first, second = near_pairs(both)
    expected = {(i, j) for i in range(1000) for j in range(i + 1, 1000) if (int(both[i]) ^ int(both[j])).bit_count() <= 8}
    assert len(expected) >= 500
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == expected


def test_20_000_random_hashes_hold_no_pair_and_as_many_equal_ones_come_to_an_end() -> None:
    generator = np.random.default_rng(4)
    first, _ = near_pairs(generator.integers(0, 2**64, 20_000, dtype=np.uint64))
    assert len(first) == 0  # 2 * 10^8 pairs, each 4 * 10^-10 likely
    near_pairs(np.full(20_000, 7, np.uint64))


def test_bits_are_counted() -> None:
    values = np.array([0, 1, 2**64 - 1, 0x8000000000000001, 0xF0F0], np.uint64)
    assert num_bits(values).tolist() == [0, 1, 64, 2, 8]


def test_no_images_have_no_copies() -> None:
    rows = np.zeros(0, FACT)
    assert same_groups(rows) == []
    assert duplicates.near_groups(rows, lambda _: None) == []


def test_bad_files_are_no_copies_of_each_other() -> None:
    rows = np.zeros(4, FACT)
    rows["state"][2:] = GOOD
    assert [group.tolist() for group in same_groups(rows)] == [[2, 3]]


def test_pairs_are_joined_into_groups() -> None:
    groups = joined(np.array([1, 5, 2, 9]), np.array([2, 6, 3, 1]))
    assert [group.tolist() for group in groups] == [[1, 2, 3, 9], [5, 6]]


def test_light_and_a_slight_move_leave_nothing_unexplained() -> None:
    y, x = np.mgrid[0:24, 0:24]

    def waves(dx: float, stretch: float) -> np.ndarray:
        return 100 + 40 * np.sin((x * stretch + dx) / 3.0) + 30 * np.cos(y / 4.0 + x / 7.0)

    base = waves(0, 1)
    others = np.stack([base * 0.8 + 30, waves(0.7, 1.0), waves(0, 1.03), base[::-1], 255 - base])
    share = unlike(np.repeat(base[None], 5, axis=0), others)
    assert share[:3].max() < 0.01
    assert share[3:].min() > 0.2
