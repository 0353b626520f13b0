"""Scanning folders: what is found, what is left out, and what a mistake is answered."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cnntrain.config.schema import DataConfig
from cnntrain.data.findings import told
from cnntrain.data.folder import scan_for_eval, scan_train_val
from cnntrain.data.images import ImageSet
from cnntrain.errors import DataError


def put(root: Path, *files: str) -> Path:
    """Empty files: a scan looks at names alone."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


def config(root: Path, **keys: object) -> DataConfig:
    return DataConfig(root=str(root), **keys)  # type: ignore[arg-type]


def train_val(data: DataConfig, *, seed: int) -> tuple[ImageSet, ImageSet, list[str]]:
    """Both sets, and what is told before a run."""
    scan = scan_train_val(data, seed=seed).usable()
    return *scan.pair(), told(scan.findings)


def fault(data: DataConfig) -> str:
    with pytest.raises(DataError) as caught:
        scan_train_val(data, seed=0).usable()
    return str(caught.value)


TWO = ("train/a/1.png", "train/a/2.png", "train/b/1.png", "val/a/3.png", "val/b/3.png")


def test_classes_and_files_come_sorted(tmp_path: Path) -> None:
    train, val, notes = train_val(config(put(tmp_path, *reversed(TWO))), seed=0)
    assert train.classes == val.classes == ("a", "b")
    assert tuple(train.files) == ("a/1.png", "a/2.png", "b/1.png")
    assert train.labels.tolist() == [0, 0, 1]
    assert train.counts() == {"a": 2, "b": 1}
    assert val.path(1) == tmp_path / "val/b/3.png"
    assert notes == []


def test_any_extension_case_and_depth_counts_and_junk_does_not(tmp_path: Path) -> None:
    put(tmp_path, *TWO, "train/a/deep/er/x.JPeG", "train/a/y.webp", "train/a/z.pgm")
    put(tmp_path, "train/a/._1.png", "train/a/notes.txt", "train/a/Thumbs.db", "train/.git/x.png", "train/__MACOSX/x.png")
    train, _, _ = train_val(config(tmp_path), seed=0)
    assert train.classes == ("a", "b")
    assert tuple(train.files) == ("a/1.png", "a/2.png", "a/deep/er/x.JPeG", "a/y.webp", "a/z.pgm", "b/1.png")


def test_a_pipe_named_like_an_image_is_not_one(tmp_path: Path) -> None:
    os.mkfifo(put(tmp_path, *TWO) / "train/a/pipe.png")
    assert len(train_val(config(tmp_path), seed=0)[0]) == 3


def test_a_link_to_the_folders_around_it_is_left_out(tmp_path: Path) -> None:
    root = put(tmp_path / "d", *TWO)
    for number, target in enumerate((root, root / "train", root / "train/b", root / "train/a", tmp_path)):
        (root / f"train/a/loop{number}").symlink_to(target)
    (root / "train/loop").symlink_to(root / "train")
    train, _, notes = train_val(config(root), seed=0)
    assert tuple(train.files) == ("a/1.png", "a/2.png", "b/1.png")
    (line,) = notes
    assert line.startswith("6 links to folders that are read already, or lie around them, left out; first: ")
    assert f"{root}/train/a/loop0, " in line


def test_a_link_to_another_place_is_followed_once(tmp_path: Path) -> None:
    put(tmp_path / "else", "x.png", "sub/y.png")
    (tmp_path / "else/sub/back").symlink_to(tmp_path / "else")
    root = put(tmp_path / "d", *TWO)
    (root / "train/a/more").symlink_to(tmp_path / "else")
    train, _, notes = train_val(config(root), seed=0)
    assert tuple(train.files[2:4]) == ("a/more/sub/y.png", "a/more/x.png")
    assert len(train) == 5
    assert notes == [f"{root}/train/a/more/sub/back is a link to a folder that is read already, or lies around it: left out"]


def test_an_empty_class_folder_is_left_out_aloud(tmp_path: Path) -> None:
    (put(tmp_path, *TWO) / "train/none").mkdir()
    train, _, notes = train_val(config(tmp_path), seed=0)
    assert train.classes == ("a", "b")
    assert notes == [f"{tmp_path}/train/none has no images: left out"]


def test_val_is_numbered_by_the_names_of_train(tmp_path: Path) -> None:
    put(tmp_path, "train/a/1.png", "train/b/1.png", "train/c/1.png", "val/c/1.png", "val/b/1.png")
    _, val, notes = train_val(config(tmp_path), seed=0)
    assert val.classes == ("a", "b", "c")
    assert val.labels.tolist() == [1, 2]
    assert val.counts() == {"a": 0, "b": 1, "c": 1}
    assert notes == [f"no images of a in {tmp_path}/val: not measured there"]


def test_a_class_only_in_val_is_refused_by_name(tmp_path: Path) -> None:
    put(tmp_path, *TWO, "val/bb/1.png")
    assert "data.root: class bb of " in fault(config(tmp_path))
    assert "did you mean b?" in fault(config(tmp_path))


def test_splits_and_folders_are_configurable(tmp_path: Path) -> None:
    put(tmp_path, "fit/a/1.png", "fit/b/1.png", "hold/a/2.png", "other/b/3.png")
    _, val, _ = train_val(config(tmp_path, train_split="fit", val_split="hold"), seed=0)
    assert tuple(val.files) == ("a/2.png",)
    _, val, _ = train_val(config(tmp_path / "no", train_dir=str(tmp_path / "fit"), val_dir=str(tmp_path / "other")), seed=0)
    assert tuple(val.files) == ("b/3.png",)


def many(root: Path) -> Path:
    return put(root, *(f"train/a/{n}.png" for n in range(10)), "train/b/1.png", "train/b/2.png", "train/c/1.png")


def test_without_val_a_share_of_each_class_is_set_apart(tmp_path: Path) -> None:
    train, val, notes = train_val(config(many(tmp_path), val_fraction=0.3), seed=1)
    assert val.counts() == {"a": 3, "b": 1, "c": 0}
    assert train.counts() == {"a": 7, "b": 1, "c": 1}
    assert set(train.files) | set(val.files) == {f"a/{n}.png" for n in range(10)} | {"b/1.png", "b/2.png", "c/1.png"}
    assert val.split == "val"
    assert "4 of 13 images of train are set apart class by class" in notes[-1]
    assert notes[-1].endswith("single image are not validated: c")


def test_the_share_set_apart_hangs_on_the_seed_alone(tmp_path: Path) -> None:
    data = config(many(tmp_path))
    drawn = [tuple(train_val(data, seed=seed)[1].files) for seed in (0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


def test_a_class_of_two_keeps_one_to_train_at_any_share(tmp_path: Path) -> None:
    train, val, _ = train_val(config(many(tmp_path), val_fraction=0.9), seed=0)
    assert train.counts() == {"a": 1, "b": 1, "c": 1}
    assert val.counts() == {"a": 9, "b": 1, "c": 0}


Make = Callable[[Path], object]
MISTAKES: dict[str, tuple[Make, str]] = {
    "no root": (lambda _: None, "data.root: no folder {d}; expected {d}/train/<class>/<image>.jpg; type data.root=DIR"),
    "root is a file": (lambda d: d.touch(), "data.root: {d} is a file, not a folder"),
    "train is a file": (lambda d: put(d, "train"), "data.root: {d}/train is a file, not a folder"),
    "no train": (lambda d: put(d, "x.txt"), "data.root: no folder {d}/train (found 1 files); expected {d}/train/<class>/<image>.jpg"),
    "another name": (lambda d: put(d, "training/x"), "did you mean data.train_split=training?"),
    "empty train": (lambda d: (d / "train").mkdir(parents=True), "data.root: no class folders in {d}/train; expected"),
    "loose files": (
        lambda d: put(d, "train/1.png", "train/2.png", "train/3.png"),
        "data.root: no class folders in {d}/train (found 3 files); expected {d}/train/<class>/<image>.jpg",
    ),
    "empty classes": (lambda d: put(d, "train/a/x.txt", "train/b/x"), "data.root: no images in the 2 class folders of {d}/train"),
    "one class": (lambda d: put(d, "train/a/1.png"), "data.root: one class only in {d}/train (a); two or more are needed"),
    "zipped train": (lambda d: put(d, "train/z/a/1.png", "train/z/b/1.png"), "which holds a, b; type data.train_dir={d}/train/z"),
    "zipped root": (lambda d: put(d, "z/train/a/1.png", "z/train/b/1.png"), "there is {d}/z/train; type data.root={d}/z"),
    "flat": (
        lambda d: put(d, "a/1.png", "b/1.png"),
        "data.root: no folder {d}/train, but {d} itself has class folders with images (a, b); type data.train_dir={d}",
    ),
    "empty val": (lambda d: (put(d, *TWO[:3]) / "val").mkdir(), "data.root: no images in {d}/val; expected {d}/val/<class>"),
    "val is a file": (lambda d: put(d, *TWO[:3], "val"), "data.root: no folder {d}/val; expected {d}/val/<class>"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_what_to_type(tmp_path: Path, name: str) -> None:
    make, sentence = MISTAKES[name]
    make(tmp_path / "d")
    assert sentence.replace("{d}", str(tmp_path / "d")) in fault(config(tmp_path / "d"))


def test_given_folders_that_are_not_there_are_named_by_their_keys(tmp_path: Path) -> None:
    put(tmp_path, *TWO)
    assert fault(config(tmp_path, train_dir=str(tmp_path / "x"))).startswith(f"data.train_dir: no folder {tmp_path}/x; expected")
    assert fault(config(tmp_path, val_dir=str(tmp_path / "x"))).startswith(f"data.val_dir: no folder {tmp_path}/x; expected")


def test_all_faults_come_in_one_report(tmp_path: Path) -> None:
    put(tmp_path, "train/a/1.png", "val/readme.txt")
    assert [line.split(":")[1].split(" in ")[0] for line in fault(config(tmp_path)).splitlines()] == [" one class only", " no images"]


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, *TWO)
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("train/b"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)  # a test that runs as root reads everything
    assert fault(config(tmp_path)).startswith(f"data.root: cannot read {tmp_path}/train/b (Permission denied)")


def test_a_name_that_is_not_text_is_used_and_told_in_escapes(tmp_path: Path) -> None:
    put(tmp_path, *TWO)
    (tmp_path / "train/a" / os.fsdecode(b"\xff.png")).touch()
    train, _, notes = train_val(config(tmp_path), seed=0)
    assert train.path(2) == tmp_path / "train/a" / os.fsdecode(b"\xff.png")
    assert notes == [f"{tmp_path}/train/a/\\xff.png has an odd name; it is used all the same"]


def test_evaluation_takes_the_training_classes_by_name(tmp_path: Path) -> None:
    put(tmp_path, "b/1.png", "c/1.png", "empty/readme.txt")
    scan = scan_for_eval(tmp_path, split="test", classes=("c", "a", "b")).usable()
    images, notes = scan.splits["test"], told(scan.findings)
    assert images.classes == ("c", "a", "b")
    assert images.labels.tolist() == [2, 0]
    assert images.split == "test"
    assert notes[-1] == f"no images of a in {tmp_path}: not measured there"


def test_evaluation_refuses_unknown_classes_and_empty_folders(tmp_path: Path) -> None:
    put(tmp_path, "d/cats/1.png", "e/readme.txt")
    with pytest.raises(DataError, match=r"class cats of .* is not a class of the training folder; did you mean cat\?; rename or remove"):
        scan_for_eval(tmp_path / "d", split="val", classes=("cat", "dog")).usable()
    with pytest.raises(DataError, match=r"no images in .*e \(found 1 files\); expected"):
        scan_for_eval(tmp_path / "e", split="val", classes=("cat", "dog")).usable()
    with pytest.raises(DataError, match=r"no folder .*f; type data.root=DIR where DIR/val/<class>"):
        scan_for_eval(tmp_path / "f", split="val", classes=("cat", "dog")).usable()
