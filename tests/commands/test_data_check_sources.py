"""`cnntrain data check` on manifests, shards and sets of torchvision's: the same findings as on a folder, and the same sums."""

import csv
import gzip
import json
import struct
import tarfile
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from dirt import coded, drawing, write

from cnntrain.cli import main
from cnntrain.data import facts_store

Row = tuple[str, str, str, str]  # path, label, split, group


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes of three drawings in train and val below pics/, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for split, start in (("train", 0), ("val", 10)):
        for label, name in enumerate("ab"):
            for number in range(3):
                write(tmp_path / "pics" / split / name / f"{number}.png", coded(drawing(start + 100 * label + number), "PNG"))
    return tmp_path / "pics"


def rows_of(root: Path) -> list[Row]:
    """A row for each picture, each in a group of its own."""
    paths = [path.relative_to(root) for path in sorted(root.glob("*/*/*"))]
    return [(str(path), path.parts[1], path.parts[0], str(path)) for path in paths]


def write_csv(file: Path, rows: list[Row]) -> None:
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("path", "label", "split", "group"), *rows])


def check(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main(["data", "check", "format=json", *words])
    told = capsys.readouterr()
    assert told.out, told.err
    return code, json.loads(told.out)


def found(result: dict[str, Any]) -> Counter[tuple[str, str]]:
    return Counter((each["kind"], each["path"]) for each in result["findings"])


def counts(used: int, left_out: int = 0, bad: int = 0) -> dict[str, int]:
    return {"used": used, "left_out": left_out, "bad": bad}


def soil(root: Path) -> list[Row]:
    """A picture that cannot be read, copies in one class, in two classes and in two splits, and a turned name."""
    write(root / "train" / "a" / "bad.jpg", b"")
    write(root / "train" / "a" / "again.png", (root / "train" / "a" / "0.png").read_bytes())
    write(root / "train" / "b" / "other.png", (root / "train" / "a" / "1.png").read_bytes())
    write(root / "val" / "a" / "leaked.png", (root / "train" / "a" / "2.png").read_bytes())
    write(root / "val" / "b" / "near.jpg", coded(drawing(100), "JPEG", quality=40))  # of train/b/0.png
    write(root / "train" / "b" / "\u202egnp.png", coded(drawing(7), "PNG"))
    return rows_of(root)


def test_a_manifest_is_checked_as_the_folder_that_it_names(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(small / "m.csv", soil(small))
    code, by_folder = check(capsys, "data.root=pics")
    assert (code, by_folder["verdict"]) == (0, "skip")
    assert sum(found(by_folder).values()) == 6
    code, by_manifest = check(capsys, "data=manifest", "data.file=pics/m.csv")
    assert (code, by_manifest["counts"]) == (0, by_folder["counts"])
    assert by_manifest["counts"] == {"train": counts(9, bad=1), "val": counts(8)}
    named = {(each["kind"], str(Path(each["path"]).absolute())) for each in by_manifest["findings"]}
    assert named == {(each["kind"], str(Path(each["path"]).absolute())) for each in by_folder["findings"]}


def test_rows_used_left_out_and_bad_are_all_rows(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = soil(small)
    more = [
        ("train/a/0.png", "a", "train", "x"),  # line 14 on: a row once more
        ("train/a/0.png", "a", "val", "x"),  # in the other split too
        ("train/a/none.png", "a", "train", "x"),
        ("val/b/0.png", "", "val", "x"),
        ("val/b/1.png", "b", "test", "x"),
    ]
    write_csv(small / "m.csv", [row for row in rows if row[0] != "val/b/1.png"] + more)
    code, result = check(capsys, "data.file=pics/m.csv")
    assert (code, result["verdict"]) == (2, "refuse")
    total = Counter[str]()
    for split in result["counts"].values():
        total.update(split)
    assert total == counts(used=9 + 7 + 1, left_out=4, bad=1)
    assert total.total() == len(rows) - 1 + len(more)
    kinds = Counter(kind for kind, _ in found(result))
    assert kinds["manifest_row"] == 2
    assert kinds["other_split"] == 1
    assert [path for kind, path in found(result) if kind == "leakage"].count("pics/m.csv:20") == 1


def test_a_group_in_train_and_in_val_is_told_with_both_lines(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(path, label, split, {"train/a/1.png": "p7", "val/b/0.png": "p7"}.get(path, "")) for path, label, split, _ in rows_of(small)]
    write_csv(small / "m.csv", rows)
    code, result = check(capsys, "data.file=pics/m.csv")
    assert (code, result["verdict"]) == (0, "note")
    (finding,) = result["findings"]
    assert (finding["kind"], finding["path"]) == ("parted_group", "pics/m.csv:11")
    assert finding["detail"].startswith("pics/m.csv: group p7 is in line 3 of train and in line 11 of val")
    assert check(capsys, "data.file=pics/m.csv", "data.strict=true")[0] == 2


def test_near_copies_may_stand_for_other_numbers_and_the_same_bytes_may_not(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(small / "train" / "a" / "near.jpg", coded(drawing(0), "JPEG", quality=40))
    write(small / "train" / "b" / "same.png", (small / "train" / "b" / "1.png").read_bytes())
    write_csv(small / "m.csv", [(path, str(1.5 * number), split, "") for number, (path, _, split, _) in enumerate(rows_of(small))])
    _, result = check(capsys, "data.file=pics/m.csv", "data.task=regression")
    assert found(result) == {("near_duplicate", "pics/train/a/0.png"): 1, ("conflicting_labels", "pics/train/b/1.png"): 1}


def test_a_class_of_a_manifest_without_a_readable_file_is_refused_by_its_name(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(small / "m.csv", [(path, f"class {label}", split, "") for path, label, split, _ in rows_of(small)])
    for path in (small / "val" / "b").iterdir():
        path.write_bytes(b"")
    code, result = check(capsys, "data.file=pics/m.csv")
    assert code == 2
    (refused,) = [each for each in result["findings"] if each["verdict"] == "refuse"]
    assert (refused["kind"], refused["detail"]) == ("class_unreadable", "class class b of val: none of its 3 files can be read")


def test_class_names_of_a_manifest_that_differ_in_case_are_told(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(small / "m.csv", [(path, "Cat" if path.endswith("0.png") and label == "a" else {"a": "cat", "b": "dog"}[label], split, "")
                                for path, label, split, _ in rows_of(small)])  # fmt: skip
    _, result = check(capsys, "data.file=pics/m.csv")
    assert found(result) == {("class_names_differ_in_case", "pics/m.csv"): 1}


def pack(shard: Path, files: list[tuple[str, bytes]]) -> None:
    with tarfile.open(shard, "w") as tar:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, BytesIO(content))


def samples(root: Path, split: str) -> list[tuple[str, bytes]]:
    return [
        part
        for path in sorted(root.glob(f"{split}/*/*"))
        for part in (
            (f"{path.parent.name}{path.name}", path.read_bytes()),
            (f"{path.parent.name}{path.stem}.cls", path.parent.name.encode()),
        )
    ]


def test_shards_are_checked_member_by_member(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soil(small)
    (small / "train" / "b" / "\u202egnp.png").unlink()
    odd = [("zz1.png", coded(drawing(8), "PNG")), ("README", b"text"), ("zz2.cls", b"a")]
    twice = samples(small, "train")[:2]
    pack(Path("train-0.tar"), [*samples(small, "train"), *odd, *twice])
    pack(Path("val-0.tar"), samples(small, "val"))
    words = ("data=webdataset", "data.train_shards=train-0.tar", "data.val_shards=val-0.tar")
    code, result = check(capsys, *words)
    assert (code, result["verdict"]) == (0, "skip")
    # 8 pictures that can be read and one that cannot; no label, no key, no picture, and a key that is there already
    assert result["counts"] == {"train": counts(8, left_out=4, bad=1), "val": counts(8)}
    kinds = Counter(kind for kind, _ in found(result).elements())
    assert kinds == {"shard_sample": 4, "empty_file": 1, "duplicate": 1, "conflicting_labels": 1, "leakage": 2}
    assert ("empty_file", "train-0.tar/abad.jpg") in found(result)
    assert check(capsys, *words)[1] == result


def test_what_is_known_of_shards_is_kept_for_both_splits(
    small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for split in ("train", "val"):
        pack(Path(f"{split}-0.tar"), samples(small, split))
    words = ("data.train_shards=train-0.tar", "data.val_shards=val-0.tar")
    first = check(capsys, *words)
    monkeypatch.setattr("cnntrain.data.facts.examined", lambda *_: pytest.fail("examined again"))
    assert check(capsys, *words) == first
    assert len(list(facts_store.facts_folder().glob("*.facts"))) == 2


def test_every_shard_that_cannot_be_read_is_told(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        pack(Path(f"train-{number}.tar"), samples(small, "train"))
    for number in (0, 2):
        Path(f"train-{number}.tar").write_bytes(Path(f"train-{number}.tar").read_bytes()[:3000])
    code, result = check(capsys, "data.train_shards=train-{0..2}.tar", "data.val_shards=nowhere.tar")
    assert (code, result["counts"]) == (2, {})
    details = [each["detail"] for each in result["findings"]]
    assert [any(f"{name} cannot be read" in detail for detail in details) for name in ("train-0.tar", "train-1.tar", "train-2.tar")] == [
        True,
        False,
        True,
    ]
    assert any("data.val_shards: no shard nowhere.tar" in detail for detail in details)


def test_a_set_of_torchvisions_is_counted_and_its_copies_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pictures = {"train": [drawing(n, 28) for n in range(20)], "t10k": [drawing(3, 28), *(drawing(50 + n, 28) for n in range(9))]}
    for stem, drawn in pictures.items():
        pixels = b"".join(picture.convert("L").tobytes() for picture in drawn)
        write(
            tmp_path / "MNIST" / "raw" / f"{stem}-images-idx3-ubyte", bytes([0, 0, 8, 3]) + struct.pack(">3I", len(drawn), 28, 28) + pixels
        )
        labels = bytes(n % 10 for n in range(len(drawn)))
        write(tmp_path / "MNIST" / "raw" / f"{stem}-labels-idx1-ubyte", bytes([0, 0, 8, 1]) + struct.pack(">I", len(drawn)) + labels)
    words = ("data=torchvision", "data.dataset=MNIST", "data.root=.")
    code, result = check(capsys, *words)
    assert (code, result["counts"]) == (0, {"train": counts(20), "val": counts(10)})
    (finding,) = result["findings"]  # the fourth of the training images is the first of the test images, under another label
    assert (finding["kind"], finding["path"]) == ("conflicting_labels", "MNIST/train/03.pgm")
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").write_bytes(gzip.compress(b"x"))
    code, result = check(capsys, *words)
    assert (code, [each["kind"] for each in result["findings"]]) == (2, ["known_set"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["data=manifest"], "data=manifest needs its file; add data.file=labels.csv"),
        (["data=webdataset"], "data=webdataset needs its tar files"),
        (["data=torchvision"], "data=torchvision needs the name of a set"),
        (["data=folder"], "data.root is required"),
        (["data=folder", "data.root=pics", "data.file=m.csv"], "data.file is set, but data=folder reads folders; add data=manifest"),
        (["data.file=m.csv", "data.train_shards=a.tar"], "data.train_shards has no effect beside data.file; give one of them"),
        (["data=digits", "data.root=pics"], "data.name=digits is not one of auto, folder, manifest, torchvision, webdataset"),
        (["data=manifest", "data.file=m.csv", "data.train_dir=x"], "data.train_dir has no effect beside data.file"),
        (["data.root=pics", "data.val_split=train"], "data.train_split and data.val_split are both train"),
    ],
)
@pytest.mark.parametrize("command", ["check", "stats"])
def test_words_that_do_not_go_together_are_told(
    words: list[str], sentence: str, command: str, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", command, *words]) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.out == ""
