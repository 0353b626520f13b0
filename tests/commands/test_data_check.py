"""`cnntrain data check` on a tree of fifty kinds of dirt, and on layouts that cannot be trained on."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dirt import Planted, coded, drawing, plant, write

from cnntrain.cli import main
from cnntrain.config.schema import DataConfig
from cnntrain.data.findings import KINDS
from cnntrain.data.sources import scan_data
from cnntrain.report import check_report

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes, and names that are no text")
pytestmark = needs_posix
# what a process takes at its peak, children's too, in KiB
MEASURED = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "cnntrain", *sys.argv[1:]])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""


@dataclass
class Checked:
    planted: Planted
    result: dict[str, Any]
    peak_bytes: int
    before: dict[str, object]
    after: dict[str, object]


def snapshot(root: Path) -> dict[str, object]:
    """Name -> kind, mode, time and content of everything below; links are not followed."""
    found: dict[str, object] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            status = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else ""
            found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """The tree of dirt, checked once through the real command line."""
    folder = tmp_path_factory.mktemp("dirt")
    planted = plant(folder / "set")
    before = snapshot(planted.root)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "data", "check", f"data.root={planted.root}", "format=json"],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "CNNTRAIN_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *errors, peak = done.stderr.splitlines()
    assert errors == []
    (line,) = done.stdout.splitlines()
    return Checked(planted, json.loads(line), int(peak) * 1024, before, snapshot(planted.root))


def test_each_planted_thing_is_named_once_and_nothing_else(checked: Checked) -> None:
    root = checked.planted.root
    found = Counter((each["kind"], os.path.relpath(each["path"], root)) for each in checked.result["findings"])
    expected = Counter(checked.planted.findings)
    assert len(expected) >= 60
    assert found - expected == Counter(), "not planted"
    assert expected - found == Counter(), "not found"


def test_verdicts_are_those_of_the_kinds(checked: Checked) -> None:
    assert checked.result["verdict"] == "skip"
    assert all(each["verdict"] == KINDS[each["kind"]][0] for each in checked.result["findings"])


def test_used_left_out_and_bad_are_all_that_lies_there(checked: Checked) -> None:
    assert checked.result["counts"] == checked.planted.counts


def test_the_data_on_disk_are_not_touched(checked: Checked) -> None:
    assert checked.after == checked.before


def test_a_bomb_and_a_strip_take_less_than_one_and_a_half_gigabytes(checked: Checked) -> None:
    assert checked.peak_bytes < 1.5e9


def test_every_label_is_the_folder_that_the_file_lies_in(checked: Checked) -> None:
    scan = scan_data(DataConfig(root=str(checked.planted.root)), seed=0)
    for images in scan.splits.values():
        named = [images.classes[label] for label in images.labels.tolist()]
        assert named == [file.split("/")[0] for file in images.files]
        assert set(images.classes) == {"no", "1e3", "No", "solo"}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes of three drawings in train and val, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for split, start in (("train", 0), ("val", 10)):
        for label, name in enumerate("ab"):
            for number in range(3):
                write(tmp_path / "d" / split / name / f"{number}.png", coded(drawing(start + 100 * label + number), "PNG"))
    return tmp_path / "d"


def check(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    code = main(["data", "check", "data.root=d", "format=json", *words])
    told = capsys.readouterr()
    (line,) = told.out.splitlines()
    return code, json.loads(line), told.err


def test_a_clean_folder_is_ok(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, result, told = check(capsys)
    assert (code, told) == (0, "")
    counts = {"used": 6, "left_out": 0, "bad": 0}
    assert result == {"verdict": "ok", "counts": {"train": counts, "val": counts}, "findings": []}


def move(source: str, target: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        (root / source).rename(root / target)

    return change


def flat(root: Path) -> None:
    for path in sorted((root / "train").glob("*/*.png")):
        path.rename(root / "train" / f"{path.parent.name}{path.name}")
    for path in (root / "train").glob("[ab]"):
        path.rmdir()


def emptied(root: Path) -> None:
    for path in (root / "train").glob("*/*.png"):
        path.unlink()


def spoilt(root: Path) -> None:
    for path in (root / "train" / "a").glob("*.png"):
        path.write_bytes(b"")


REFUSED: dict[str, tuple[str, Callable[[Path], None]]] = {
    "no folder": ("no_folder", move(".", "../elsewhere")),
    "a zip's extra level": ("wrapped_layout", move("train", "d/train")),
    "flat": ("flat_layout", flat),
    "no images": ("empty_split", emptied),
    "one class": ("one_class", move("train/b", "../b")),
    "a class only in val": ("class_only_in_val", move("val/b", "val/c")),
    "a class that cannot be read": ("class_unreadable", spoilt),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_training_refuses_ends_with_2_and_is_printed_all_the_same(name: str, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kind, change = REFUSED[name]
    change(small)
    code, result, told = check(capsys)
    assert (code, result["verdict"]) == (2, "refuse")
    refused = [each for each in result["findings"] if each["verdict"] == "refuse"]
    assert kind in {each["kind"] for each in refused}
    assert told.startswith("cnntrain: ")


def test_a_strict_check_refuses_what_else_is_noted(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(small / "train" / "a" / "copy.png", (small / "train" / "a" / "0.png").read_bytes())
    code, result, _ = check(capsys)
    assert (code, result["verdict"]) == (0, "note")
    code, result, told = check(capsys, "data.strict=true")
    assert (code, result["verdict"]) == (2, "refuse")
    assert "data.strict=true refuses" in told


def test_the_pixel_limit_is_a_key(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(small / "train" / "a" / "large.png", coded(drawing(50, 120), "PNG"))
    assert check(capsys, "data.max_pixels=10_000")[1]["counts"]["train"] == {"used": 6, "left_out": 0, "bad": 1}
    assert check(capsys)[1]["counts"]["train"] == {"used": 7, "left_out": 0, "bad": 0}


def test_a_share_set_apart_is_counted_too(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (small / "val").rename(small / "other")
    code, result, _ = check(capsys)
    assert (code, [each["kind"] for each in result["findings"]]) == (0, ["no_val_folder"])
    assert {split: count["used"] for split, count in result["counts"].items()} == {"train": 4, "val": 2}


def test_the_report_begins_with_the_verdict_and_groups_the_findings(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(7):
        write(small / "train" / "a" / f"\x1b[2Jbad{number}.jpg", b"")
    assert main(["data", "check", "data.root=d"]) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[0].startswith("skip: ")
    assert "skip  empty_file (7): no bytes" in lines
    assert "    and 2 more; format=json names all" in lines
    assert "\x1b" not in told.out
    assert told.err == ""


def test_a_refusal_is_told_once(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoilt(small)
    assert main(["data", "check", "data.root=d"]) == 2
    told = capsys.readouterr()
    assert told.out.startswith("refuse: ")
    assert told.err == ""


def test_the_root_must_be_given(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check"]) == 2
    assert "data.root is required" in capsys.readouterr().err


def test_ctrl_c_ends_it_with_130(small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def press(line: object, done: int, total: int) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(check_report.ProgressLine, "__call__", press)
    assert main(["data", "check", "data.root=d"]) == 130
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "cnntrain: interrupted by Ctrl-C\n")


def test_the_check_needs_no_torch(small: Path) -> None:
    code = "import sys; from cnntrain.cli import main; main(['data', 'check', 'data.root=d']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
