"""Manifests: what a label means, which files are found, and what a wrong row is answered."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnntrain.config.schema import DataConfig
from cnntrain.data.findings import Finding
from cnntrain.data.images import ImageSet
from cnntrain.data.manifest import scan_manifest, scan_manifest_for_eval
from cnntrain.data.scan import Scan
from cnntrain.errors import DataError


def put(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


def config(root: Path, text: str | bytes, **keys: Any) -> DataConfig:
    """A manifest beside the images 0.png to 9.png."""
    put(root, *(f"{n}.png" for n in range(10)))
    (root / "m.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return DataConfig(name="manifest", file=str(root / "m.csv"), root=keys.pop("root", str(root)), **keys)


def scan(root: Path, text: str | bytes, **keys: Any) -> Scan:
    return scan_manifest(config(root, text, **keys), seed=0)


def pair(root: Path, text: str | bytes, **keys: Any) -> tuple[ImageSet, ImageSet, dict[str, Finding]]:
    found = scan(root, text, **keys).usable()
    return *found.pair(), {f.kind: f for f in found.findings}


def faults(root: Path, text: str | bytes, **keys: Any) -> list[str]:
    with pytest.raises(DataError) as refused:
        scan(root, text, **keys).usable()
    return [fault.replace(str(root), "D") for fault in refused.value.faults]


SPLIT = "path,label,split\n3.png,b,train\n1.png,a,train\n2.png,b,val\n0.png,a,val\n"


def test_rows_become_images_sorted_by_path(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"123")
    train, val, told = pair(tmp_path, SPLIT)
    assert (train.classes, train.task, train.directory) == (("a", "b"), "classification", tmp_path)
    assert (list(train.files), train.labels.tolist()) == (["1.png", "3.png"], [0, 1])
    assert (list(val.files), val.labels.tolist(), val.split) == (["0.png", "2.png"], [0, 1], "val")
    assert train.sizes.tolist() == [3, 0]
    assert train.mtimes.tolist() == [train.path(n).stat().st_mtime_ns for n in (0, 1)]
    assert told == {}


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + SPLIT.encode(),
        SPLIT.replace("\n", "\r\n"),
        SPLIT.replace(",", ";"),
        SPLIT.replace(",", "\t"),
        SPLIT.replace("3.png,b,train", '"3.png", b , train ') + "\n\n",
        "x,split,label,path\n,train,b,3.png\n,train,a,1.png\n,val,b,2.png\n,val,a,0.png",
    ],
    ids=["byte order mark", "Windows", "semicolons", "tabs", "quotes, spaces, empty lines", "other columns and order"],
)
def test_the_ways_to_write_a_csv(tmp_path: Path, text: str | bytes) -> None:
    train, val, _ = pair(tmp_path, text)
    assert (list(train.files), train.labels.tolist(), train.classes) == (["1.png", "3.png"], [0, 1], ("a", "b"))
    assert (list(val.files), val.labels.tolist()) == (["0.png", "2.png"], [0, 1])


def test_columns_and_splits_are_configurable_and_other_splits_are_left_out_aloud(tmp_path: Path) -> None:
    text = "file,what,part\n1.png,a,fit\n2.png,b,fit\n3.png,b,dev\n4.png,a,test\n5.png,zebra,test\n"
    keys = {"path_column": "file", "label_column": "what", "split_column": "part", "train_split": "fit", "val_split": "dev"}
    found = scan(tmp_path, text, **keys).usable()
    train, val = found.pair()
    assert (len(train), len(val), train.classes) == (2, 1, ("a", "b"))
    assert found.left_out == {"fit": 2, "dev": 0}
    assert [f.detail for f in found.findings if f.kind == "other_split"] == [f"{tmp_path}/m.csv: left out, rows of the splits test (2)"]


def test_without_a_split_column_a_share_of_each_class_is_set_apart(tmp_path: Path) -> None:
    text = "path,label\n" + "".join(f"{n}.png,{'ab'[n % 2]}\n" for n in range(10))
    train, val, told = pair(tmp_path, text)
    assert (train.counts(), val.counts()) == ({"a": 4, "b": 4}, {"a": 1, "b": 1})
    assert told["no_val_folder"].detail.startswith(f"no column split in {tmp_path}/m.csv: 2 of 10 images of train are set apart")


def test_a_group_stays_on_one_side_and_a_row_without_group_is_alone(tmp_path: Path) -> None:
    text = "path,label,group\n" + "".join(f"{n}.png,{'ab'[n % 2]},{'' if n > 7 else n // 4}\n" for n in range(10))
    for seed in range(5):
        train, val = scan_manifest(config(tmp_path, text, val_fraction=0.4), seed=seed).usable().pair()
        sides = [{int(file[0]) // 4 for file in part.files if file[0] < "8"} for part in (train, val)]
        assert not sides[0] & sides[1]
        assert len(val)
    alone = "path,label,group\n" + "".join(f"{n}.png,{'ab'[n % 2]},\n" for n in range(10))
    assert pair(tmp_path, alone)[1].counts() == {"a": 1, "b": 1}


def test_folds_of_a_manifest_leave_its_val_rows_alone(tmp_path: Path) -> None:
    text = "path,label,split\n" + "".join(f"{n}.png,{'ab'[n % 2]},{'train' if n < 8 else 'val'}\n" for n in range(10))
    found = scan(tmp_path, text, folds=2, fold=1).usable()
    train, val = found.pair()
    assert (train.counts(), val.counts()) == ({"a": 2, "b": 2}, {"a": 2, "b": 2})
    assert found.left_out == {"train": 2, "val": 0}
    assert found.findings[-1].detail.endswith(f"; split val of {tmp_path}/m.csv is not used")


def test_several_classes_in_a_cell_become_a_row_of_zeros_and_ones(tmp_path: Path) -> None:
    text = "path,label,split\n0.png,dog|cat,train\n1.png, cat ,train\n2.png,bird,train\n3.png,cat|bird|cat,val\n"
    train, val, told = pair(tmp_path, text)
    assert (train.task, train.classes, train.targets.dtype) == ("multilabel", ("bird", "cat", "dog"), np.float32)
    assert train.targets.tolist() == [[0, 1, 1], [0, 1, 0], [1, 0, 0]]
    assert val.targets.tolist() == [[1, 1, 0]]
    assert train.counts() == {"bird": 1, "cat": 2, "dog": 1}
    assert told["task"].detail == "data.task=auto: labels hold several classes with | between them (multilabel)"


def test_an_empty_cell_is_none_of_the_classes_where_several_are_asked_for(tmp_path: Path) -> None:
    text = "path,label,split\n0.png,a b,train\n1.png,,train\n2.png,b,val\n"
    train, _, _ = pair(tmp_path, text, task="multilabel", label_separator=" ")
    assert train.targets.tolist() == [[1, 1], [0, 0]]


def test_columns_of_zero_and_one_are_classes_where_it_is_said(tmp_path: Path) -> None:
    text = "path,cat,dog,split\n0.png,1,0,train\n1.png,1,1,train\n2.png,0,0,val\n"
    train, val, _ = pair(tmp_path, text, label_column=["cat", "dog"], task="multilabel")
    assert (train.classes, train.targets.tolist(), val.targets.tolist()) == (("cat", "dog"), [[1, 0], [1, 1]], [[0, 0]])
    assert "type data.task=multilabel where each is a class" in faults(tmp_path, text, label_column=["cat", "dog"])[0]


def test_numbers_are_targets_named_by_their_columns(tmp_path: Path) -> None:
    text = "path,x,y,split\n0.png,1.5,-2,train\n1.png,0,3e2,train\n2.png,1,1,val\n"
    train, val, told = pair(tmp_path, text, label_column=["x", "y"])
    assert (train.task, train.classes, train.targets.dtype) == ("regression", ("x", "y"), np.float32)
    assert (train.targets.tolist(), val.targets.tolist()) == ([[1.5, -2], [0, 300]], [[1, 1]])
    assert told["task"].detail == "data.task=auto: the 2 label columns are numbers to estimate (regression)"
    one, _, _ = pair(tmp_path, "path,label,split\n0.png,1.5,train\n1.png,2,train\n2.png,1,val\n", task="regression")
    assert (one.classes, one.targets.tolist()) == (("label",), [[1.5], [2.0]])


def test_few_whole_numbers_are_classes_aloud_and_others_are_not_guessed_at(tmp_path: Path) -> None:
    text = "path,label,split\n0.png,10,train\n1.png,9,train\n2.png,9,val\n"
    train, _, told = pair(tmp_path, text)
    assert train.classes == ("10", "9")
    assert "the 2 different whole numbers in column label are taken for classes; data.task=regression" in told["task"].detail
    asks = "which may be classes or not; type data.task=regression, or data.task=classification"
    assert faults(tmp_path, "path,label\n0.png,1.5\n1.png,2\n") == [f"data.task=auto: column label has numbers that are not whole, {asks}"]
    many = "path,label\n" + "".join(f"{n}.png,{n}\n" for n in range(21))
    put(tmp_path, *(f"{n}.png" for n in range(21)))
    assert faults(tmp_path, many) == [f"data.task=auto: column label has 21 different numbers, {asks}"]
    assert len(pair(tmp_path, many.replace("20.png,20", "20.png,0"))[0].classes) == 20
    assert pair(tmp_path, many, task="classification")[0].task == "classification"


@pytest.mark.parametrize(
    ("text", "keys", "sentence"),
    [
        (
            "path;kind\n",
            {},
            "data.file: D/m.csv has no column label; there are: path, kind (data.path_column, data.label_column, ... name them)",
        ),
        (
            "path,labels\n0.png,a\n",
            {},
            "data.file: D/m.csv has no column label; did you mean labels? (data.path_column, data.label_column",
        ),
        ("path,label\n", {}, "data.file: D/m.csv has no rows, only names of columns"),
        ("", {}, "data.file: D/m.csv is empty; its first line names the columns, such as path,label"),
        ("path,label,label\n", {}, "data.file: D/m.csv has two columns label"),
        ("path,label\n0.png,a\n", {"split_column": "part"}, "data.file: D/m.csv has no column part; did you mean path?"),
        (b"path,label\n0.png,caf\xe9\n", {}, "data.file: D/m.csv line 2 is not UTF-8 (byte 0xe9); save it as CSV UTF-8"),
        ("path,label\n0.png\n1.png,a\n2.png,b\n", {}, "data.file: D/m.csv line 2: 1 fields, but the first line names 2 columns"),
        ("path,label\n0.png,a\n1.png,\n2.png,b\n", {}, "data.file: D/m.csv line 3: no label"),
        ("path,label\n0.png,a|b\n1.png,\n", {}, "line 3: no label; data.task=multilabel takes it for none of the classes"),
        ("path,label\n0.png,a\n,b\n", {}, "data.file: D/m.csv line 3: no path"),
        ('path,label\n"0.png",a\n"no\nsuch.png",b\n', {}, "data.file: D/m.csv line 4: no file D/no\\nsuch.png"),
        ("path,label\n0.png,a\n../x.png,b\n", {}, "line 3: ../x.png lies outside of data.root=D; set data.root to a folder that holds all"),
        ("path,label\n0.png,a\n/etc/passwd,b\n", {}, "line 3: /etc/passwd lies outside of data.root=D;"),
        ("path,label\n0.png,a\n1.png,b\n./0.png,b\n", {}, "line 4: D/0.png has other labels than in line 2 (a and b)"),
        ("path,label,split\n0.png,a,train\n1.png,b,\n", {}, "line 3: nothing in column split"),
        ("path,label\n0.png,1\n1.png,nan\n", {"task": "regression"}, "line 3: nan in column label is no finite number"),
        ("path,label\n0.png,1\n1.png,\n", {"task": "regression"}, "line 3: no number in column label"),
        ("path,a,b\n0.png,1,2\n", {"task": "multilabel", "label_column": ["a", "b"]}, "line 2: 2 in column b is neither 0 nor 1"),
        ("path,a,b\n", {"task": "classification", "label_column": ["a", "b"]}, "D/m.csv has no rows"),
        (
            "path,a,b\n0.png,1,2\n",
            {"task": "classification", "label_column": ["a", "b"]},
            "data.task=classification takes one data.label_column, not 2",
        ),
        ("path,label\n0.png,a\n1.png,a\n", {}, "data.file: one class only in D/m.csv (a); two or more are needed"),
        ("path,label,split\n0.png,a,tr\n1.png,b,tr\n", {}, "no usable rows of split train; there are: tr; type data.train_split=NAME"),
        (
            "path,label,split\n0.png,cat,train\n1.png,dog,train\n2.png,cats,val\n",
            {},
            "data.file: D/m.csv line 4: class cats is not a class that is trained on; did you mean cat?",
        ),
        (
            "path,label\na.png,a\nb.png,b\n",
            {},
            "data.file: none of the 2 files is there, such as D/a.png (D/m.csv line 2); paths start from data.root=D; type data.root=DIR",
        ),
    ],
)
def test_a_wrong_manifest_is_told_with_its_line(tmp_path: Path, text: str | bytes, keys: dict[str, Any], sentence: str) -> None:
    assert any(sentence in fault for fault in faults(tmp_path, text, **keys)), faults(tmp_path, text, **keys)


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name, what in (("x.csv", "no file"), ("", "is no file")):
        with pytest.raises(DataError, match=rf"data.file: .*{what}.*; type data.file=FILE.csv"):
            scan_manifest(DataConfig(name="manifest", file=str(tmp_path / name), root="."), seed=0).usable()


def test_text_among_numbers_is_told(tmp_path: Path) -> None:
    told = [f.detail for f in scan(tmp_path, "path,label\n0.png,1.5\n1.png,x7\n2.png,1.5\n3.png,x7\n").findings if f.kind == "task"]
    assert told == [
        "data.task=auto: column label holds numbers and x7, and is taken for classes; "
        "mend the cell and type data.task=regression if it is meant as numbers"
    ]
    assert not [f for f in scan(tmp_path, "path,label\n0.png,7\n1.png,x7\n2.png,7\n3.png,x7\n").findings if f.kind == "task"]


def test_what_is_no_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "line 3: not a file, but a folder, pipe or device: D/pipe.png" in faults(tmp_path, "path,label\n0.png,a\npipe.png,b\n")[0]


def test_wrong_rows_do_not_hide_each_other_and_the_rest_is_still_counted(tmp_path: Path) -> None:
    found = scan(tmp_path, "path,label\n0.png,a\nx.png,a\n1.png,\n2.png,b\n3.png,b\n4.png,a\n")
    assert [f.path for f in found.findings if f.kind == "manifest_row"] == [f"{tmp_path}/m.csv:3", f"{tmp_path}/m.csv:4"]
    assert sum(map(len, found.splits.values())) + sum(found.left_out.values()) == 6


def test_an_absolute_path_inside_of_the_root_is_the_same_as_a_relative_one(tmp_path: Path) -> None:
    train, _, _ = pair(tmp_path, SPLIT.replace("3.png", f"{tmp_path}/3.png"))
    assert list(train.files) == ["1.png", "3.png"]


def test_a_row_that_is_there_twice_is_used_once_aloud_and_in_two_splits_it_is_leakage(tmp_path: Path) -> None:
    found = scan(tmp_path, SPLIT + "1.png,a,train\n./2.png,b,train\n").usable()
    assert [list(images.files) for images in found.pair()] == [["1.png", "2.png", "3.png"], ["0.png", "2.png"]]
    details = {f.kind: f.detail.replace(str(tmp_path), "D") for f in found.findings}
    assert details == {
        "repeated_row": "D/m.csv line 6: D/1.png once more; it is used once",
        "leakage": "D/m.csv line 7: D/2.png is in split val and in train",
    }
    assert found.left_out == {"train": 1, "val": 0}


def test_evaluation_takes_the_training_classes_by_name(tmp_path: Path) -> None:
    data = config(tmp_path, "path,label,split\n0.png,c,test\n1.png,b,test\n2.png,x,old\n", task="classification")
    found = scan_manifest_for_eval(data, split="test", classes=("c", "a", "b")).usable()
    assert (found.splits["test"].labels.tolist(), found.left_out) == ([0, 2], {"test": 1})
    assert [f.detail for f in found.findings] == [f"no images of a in {tmp_path}/m.csv: not measured there"]
    with pytest.raises(DataError, match=r"has no rows of split val; there are: old, test; type split=NAME"):
        scan_manifest_for_eval(data, split="val", classes=("c", "a", "b")).usable()
    with pytest.raises(DataError, match=r"line 4: class x is not a class that is trained on; there are: a, b, c"):
        scan_manifest_for_eval(data, split="old", classes=("a", "b", "c")).usable()
    several = config(tmp_path, "path,label\n0.png,b\n1.png,c|a\n", task="multilabel")
    assert scan_manifest_for_eval(several, split="val", classes=("c", "a", "b")).usable().splits["val"].targets.tolist() == [
        [0, 0, 1],
        [1, 1, 0],
    ]


def test_parquet_gives_the_same_as_csv(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet")
    keys = {"label_column": ["x", "y"], "task": "regression"}
    by_csv = pair(tmp_path, "path,x,y,split\n0.png,1.5,2,train\n1.png,0,3,train\n2.png,1,1,val\n", **keys)
    columns = {"path": ["0.png", "1.png", "2.png"], "x": [1.5, 0.0, 1.0], "y": [2, 3, 1], "split": ["train", "train", "val"]}
    pyarrow.parquet.write_table(pyarrow.table({**columns, "tags": [["a", "b"], ["b"], []]}), tmp_path / "m.parquet")
    data = DataConfig(name="manifest", file=str(tmp_path / "m.parquet"), root=str(tmp_path))
    data.label_column, data.task = ["x", "y"], "regression"
    found = scan_manifest(data, seed=0).usable().pair()
    for one, other in zip(by_csv[:2], found, strict=True):
        assert (list(one.files), one.targets.tolist()) == (list(other.files), other.targets.tolist())
    data.label_column, data.task = "tags", "multilabel"
    assert scan_manifest(data, seed=0).usable().pair()[0].targets.tolist() == [[1, 1], [0, 1]]
    (tmp_path / "m.parquet").write_bytes(b"no such thing")
    with pytest.raises(DataError, match=r"m.parquet cannot be read as parquet \("):
        scan_manifest(data, seed=0).usable()


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)  # import pyarrow raises ImportError now
    (tmp_path / "m.parquet").touch()
    with pytest.raises(
        DataError, match=r"m.parquet is parquet, which needs the package pyarrow; type pip install 'cnntrain\[parquet\]', or"
    ):
        scan_manifest(DataConfig(name="manifest", file=str(tmp_path / "m.parquet"), root="."), seed=0).usable()
