"""All the dirt that may lie in a folder of images: each thing found once, counted, and never opened where that may hang."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnntrain.config.schema import DataConfig
from cnntrain.data import findings
from cnntrain.data.findings import KINDS, Gathered, shown, told
from cnntrain.data.folder import scan_train_val
from cnntrain.data.images import Names
from cnntrain.data.scan import Scan
from cnntrain.errors import DataError


def put(root: Path, *files: str, content: bytes = b"") -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(content)
    return root


NO_UTF8 = os.fsdecode(b"train/b/\xff.png")
CLEAN = ("train/a/1.png", "train/a/2.png", "train/b/1.png", "val/a/3.png", "val/b/3.png")


def scan(root: Path, **keys: object) -> Scan:
    return scan_train_val(DataConfig(root=str(root), **keys), seed=0)  # type: ignore[arg-type]


def kinds(found: Scan, root: Path) -> dict[tuple[str, str], str]:
    """(kind, path below root) -> verdict."""
    assert len({(f.kind, f.path) for f in found.findings}) == len(found.findings), "found twice"
    return {(f.kind, os.path.relpath(f.path, root)): f.verdict for f in found.findings}


def num_entries(folder: Path) -> int:
    """All that lies below a folder and is no folder itself, counted by os.walk."""
    return sum(len(files) + sum(os.path.islink(os.path.join(place, name)) for name in folders) for place, folders, files in os.walk(folder))


def dirty(root: Path) -> Path:
    """A tree with one of each: dirt -> what it has to be called."""
    put(root, *CLEAN, "train/a/deep/4.JPG", "train/a/notes.txt", "train/a/noise", "train/loose.png", "train/readme.md", "val/list.csv")
    put(root, "train/.DS_Store", "train/a/._1.png", "train/b/Thumbs.db", "val/b/desktop.ini", "train/.git/objects/ab/c", "train/.git/HEAD")
    put(root, "train/__MACOSX/a/._1.png", "train/b/.ipynb_checkpoints/1.png", "train/@eaDir/x/y.jpg", "val/lost+found/1")
    Image.new("RGB", (3, 3)).save(root / "train/b/photo.dat", "png")
    Image.new("RGB", (3, 3)).save(root / "train/b/without", "jpeg")
    put(root, "train/b/tab\tline\n.png", "train/b/\x1b[2J.png", "train/b/\u202egnp.png", NO_UTF8)
    put(root, "train/b/\u00e4 \U0001f600 .png")  # usual letters, an emoji and spaces are nothing odd
    os.mkfifo(root / "train/a/pipe.jpg")
    os.mkfifo(root / "train/pipe")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(os.path.relpath(root / "val/a/socket.png"))
    (root / "train/a/broken.png").symlink_to(root / "nowhere")
    (root / "train/b/itself.png").symlink_to(root / "train/b/itself.png")
    (root / "train/b/loop").symlink_to(root / "train")
    (root / "train/c").symlink_to(root / "train/b")
    (root / "train/a/link.png").symlink_to(root / "train/a/1.png")
    (root / "train/none/inner").mkdir(parents=True)
    return root


def test_each_kind_of_dirt_is_found_once_with_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may not be long
    root = dirty(tmp_path)
    strays = ("train/a/notes.txt", "train/a/noise", "train/loose.png", "train/readme.md", "val/list.csv")
    junk = ("train/.DS_Store", "train/a/._1.png", "train/b/Thumbs.db", "val/b/desktop.ini", "train/.git", "train/__MACOSX")
    deep_junk = ("train/b/.ipynb_checkpoints", "train/@eaDir", "val/lost+found")
    odd = ("train/b/tab\tline\n.png", "train/b/\x1b[2J.png", "train/b/\u202egnp.png", NO_UTF8)
    no_files = ("train/a/pipe.jpg", "train/pipe", "val/a/socket.png", "train/a/broken.png", "train/b/itself.png")
    wanted = {
        "stray_file": strays,
        "junk": junk + deep_junk,
        "odd_name": odd,
        "not_a_file": no_files,
        "link_loop": ("train/b/loop", "train/c"),
        "wrong_extension": ("train/b/photo.dat", "train/b/without"),
        "empty_class": ("train/none",),
    }
    assert kinds(scan(root), root) == {(kind, path): KINDS[kind][0] for kind, paths in wanted.items() for path in paths}


def test_used_and_left_out_are_all_that_lies_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = scan(dirty(tmp_path)).usable()
    train, val = found.pair()
    assert train.classes == ("a", "b")
    assert train.counts() == {"a": 4, "b": 8}
    assert len(val) == 2
    assert {split: len(images) + found.left_out[split] for split, images in found.splits.items()} == {
        split: num_entries(tmp_path / split) for split in ("train", "val")
    }


def test_names_are_shown_without_anything_that_steers_a_terminal() -> None:
    assert shown("a\n\x1b[2J\u202e[red]\udcff") == "a\\n\\x1b[2J\\u202e[red]\\xff"
    assert shown("ü 😀") == "ü 😀"


def test_sizes_and_times_are_those_of_the_files(tmp_path: Path) -> None:
    put(tmp_path, *CLEAN, content=b"12345")
    os.utime(tmp_path / "train/a/2.png", ns=(7, 1_234_567_890_123_456_789))
    train, val = scan(tmp_path).pair()
    assert train.sizes.tolist() == [5, 5, 5]
    assert train.mtimes.tolist() == [train.path(i).stat().st_mtime_ns for i in range(3)]
    assert train.mtimes[1] == 1_234_567_890_123_456_789
    assert val.sizes.tolist() == [5, 5]


def test_files_are_sorted_by_their_whole_path(tmp_path: Path) -> None:
    put(tmp_path, "train/a/9.png", "train/a b/1.png", "train/a/10.png", "train/a/z/1.png", "train/é/1.png", "train/Z/1.png")
    (tmp_path / "else").mkdir()
    put(tmp_path, "else/1.png")
    (tmp_path / "train/C").symlink_to(tmp_path / "else")
    train = scan(tmp_path, val_fraction=0.1).pair()[0]
    wanted = ["C/1.png", "Z/1.png", "a b/1.png", "a/10.png", "a/9.png", "a/z/1.png", "é/1.png"]
    assert [file for file in wanted if file in train.files] == list(train.files)
    assert all(train.classes[label] == file.split("/")[0] for file, label in zip(train.files, train.labels, strict=True))


def test_a_folder_is_read_under_the_class_that_holds_it_whatever_links_say(tmp_path: Path) -> None:
    put(tmp_path, *CLEAN, "train/b/sub/5.png")
    (tmp_path / "train/a/mine").symlink_to(tmp_path / "train/b/sub")
    (tmp_path / "train/c").symlink_to(tmp_path / "train/b/sub")
    found = scan(tmp_path)
    assert list(found.pair()[0].files) == ["a/1.png", "a/2.png", "b/1.png", "b/sub/5.png"]
    assert set(kinds(found, tmp_path)) == {("link_loop", "train/a/mine"), ("link_loop", "train/c")}


def test_class_folders_that_are_links_elsewhere_are_classes(tmp_path: Path) -> None:
    put(tmp_path, "store/x/1.png", "store/y/1.png", "store/y/2.png")
    (tmp_path / "train").mkdir()
    for name in "xy":
        (tmp_path / "train" / name).symlink_to(tmp_path / "store" / name)
    images = [*scan(tmp_path).pair()[0].files, *scan(tmp_path).pair()[1].files]
    assert sorted(images) == ["x/1.png", "y/1.png", "y/2.png"]


def test_a_file_named_as_another_thing_is_decided_by_its_first_bytes(tmp_path: Path) -> None:
    put(tmp_path, *CLEAN)
    for kind in ("jpeg", "png", "gif", "bmp", "tiff", "webp", "ppm"):
        Image.new("RGB", (4, 4)).save(tmp_path / "train/a" / f"{kind}.file", kind)
    put(tmp_path, "train/a/text", "train/a/bm.doc", content=b"BM is short for benchmark, and P1 for the first one\n")
    assert [file for file in scan(tmp_path).pair()[0].files if file.endswith(".file")] == [
        f"a/{kind}.file" for kind in ("bmp", "gif", "jpeg", "png", "ppm", "tiff", "webp")
    ]


REFUSED = {
    "flat": (("train/1.png", "train/2.png"), "flat_layout", "train", "no class folders in"),
    "flat val": ((*CLEAN[:3], "val/1.png"), "flat_layout", "val", "no images in"),
    "a zip's level in train": (("train/z/a/1.png", "train/z/b/1.png"), "wrapped_layout", "train/z", "type data.train_dir="),
    "a zip's level in val": ((*CLEAN[:3], "val/z/a/1.png", "val/z/b/1.png"), "wrapped_layout", "val/z", "type data.val_dir="),
    "a zip's level around all": (("z/train/a/1.png", "z/train/b/1.png"), "wrapped_layout", "z", "type data.root="),
    "one class": (("train/a/1.png",), "one_class", "train/a", "two or more are needed"),
    "no images": (("train/a/x.txt",), "empty_split", "train", "no images in the 1 class folders"),
    "nothing": (("train/x.txt",), "no_class_folders", "train", "found 1 files"),
    "no folder": ((), "no_folder", ".", "no folder"),
    "a class only in val": ((*CLEAN, "val/c/1.png"), "class_only_in_val", "val/c", "rename or remove"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_layout_that_cannot_be_trained_on_is_refused(tmp_path: Path, name: str) -> None:
    files, kind, path, sentence = REFUSED[name]
    found = scan(put(tmp_path / "d", *files))
    assert kinds(found, tmp_path / "d")[kind, path] == "refuse"
    with pytest.raises(DataError, match=sentence):
        found.usable()
    counted = sum(len(images) + found.left_out[split] for split, images in found.splits.items())
    assert counted == (num_entries(tmp_path / "d/train") + num_entries(tmp_path / "d/val") if found.splits else 0)


def test_classes_only_in_val_are_told_shortly_however_many_there_are(tmp_path: Path) -> None:
    put(tmp_path, *(f"train/c{n:03}/1.png" for n in range(50)), *(f"val/other{n:03}/1.png" for n in range(9)))
    details = [f.detail for f in scan(tmp_path).findings if f.kind == "class_only_in_val"]
    assert len(details) == 9
    assert details[0].endswith(
        "is not a class of the training folder; there are: c000, c001, c002, c003, c004, c005, c006, c007, c008, c009 and 40 more; "
        f"rename or remove {tmp_path}/val/other000"
    )
    assert details[8].endswith(f"is not a class of the training folder; rename or remove {tmp_path}/val/other008")


def test_val_may_not_be_train_itself(tmp_path: Path) -> None:
    (put(tmp_path, *CLEAN[:3]) / "val").symlink_to(tmp_path / "train")
    with pytest.raises(DataError, match=r"/val is the training folder itself, so that nothing would be validated; give another"):
        scan(tmp_path).usable()


def test_names_that_differ_in_case_or_in_stored_accents_are_told(tmp_path: Path) -> None:
    put(tmp_path, "train/Dog/1.png", "train/dog/1.png", "train/caf\u00e9/1.png", "train/cafe\u0301/1.png", "train/x/1.png")
    found = scan(tmp_path)
    assert [f.path for f in found.findings if f.kind == "class_names_differ_in_case"] == [
        f"{tmp_path}/train/Dog",
        f"{tmp_path}/train/cafe\u0301",
    ]
    assert len(found.pair()[0].classes) == 5


def test_imbalance_is_told_above_ten_times(tmp_path: Path) -> None:
    put(tmp_path, *(f"train/a/{n}.png" for n in range(20)), "train/b/1.png", "train/b/2.png", *CLEAN[3:])
    assert "imbalance" not in {f.kind for f in scan(tmp_path).findings}
    put(tmp_path, "train/a/20.png")
    (found,) = (f for f in scan(tmp_path).findings if f.kind == "imbalance")
    assert "21 images of a and 2 of b, 10 times as many" in found.detail


def test_many_findings_are_told_in_one_line_with_their_count(tmp_path: Path) -> None:
    put(tmp_path, *CLEAN, *(f"train/a/{n:02}.txt" for n in range(12)))
    (line,) = told(sorted(scan(tmp_path).findings, key=lambda f: f.path))
    assert line == "12 stray files left out; first: " + ", ".join(f"{tmp_path}/train/a/{n:02}.txt" for n in range(3))


def test_findings_of_a_kind_are_kept_up_to_a_bound_and_counted_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "MOST_KEPT", 5)
    gathered = Gathered("d")
    for number in range(12):
        gathered.add("stray_file", f"d/{number}", "")
    found = gathered.all()
    assert [(f.path, f.count) for f in found] == [*((f"d/{n}", 1) for n in range(5)), ("d", 7)]
    assert told(found) == ["12 stray files left out; first: d/0, d/1, d/2"]


def test_strict_refuses_what_is_otherwise_noted_in_one_sentence(tmp_path: Path) -> None:
    put(tmp_path, *CLEAN[:3], "train/a/x.txt", "train/a/y.txt", "train/.DS_Store")
    scan(tmp_path).usable()
    with pytest.raises(DataError) as refused:
        scan(tmp_path, strict=True).usable()
    (sentence,) = refused.value.faults
    assert sentence.startswith("data.strict=true refuses what was found: ")
    assert "2 stray files left out: " in sentence
    assert f"{tmp_path}/train/.DS_Store is left out; " in sentence + "; "
    assert sentence.endswith("mend it, or take data.strict=false")
    clean = put(tmp_path / "clean", *CLEAN[:3])
    assert scan(clean, strict=True).usable().findings[0].kind == "no_val_folder"  # a split set apart is nothing to mend


def test_names_are_taken_in_any_order() -> None:
    words = ["b", "", "long é", os.fsdecode(b"\xff"), "a/b"]
    names = Names.of(words)
    assert list(names.take(np.array([3, 0, 0, 4, 1, 2]))) == [words[i] for i in (3, 0, 0, 4, 1, 2)]
    assert list(names[1:4]) == words[1:4]
    assert list(names.take(np.array([], np.int64))) == []


def test_a_million_names_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnntrain.data.images.NAMES_AT_ONCE", 3)
    words = [f"{n}" * (n % 4) for n in range(20)]
    order = np.random.default_rng(0).permutation(20)
    assert list(Names.of(words).take(order)) == [words[i] for i in order]
