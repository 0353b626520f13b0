"""`cnntrain data cache`: what is kept, and its removal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_runs import Run

from cnntrain.cli import main
from cnntrain.data import disk_room, file_lock


def said_by(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    capsys.readouterr()
    assert main(["data", "cache", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_what_runs_have_kept_is_listed_and_cleared(train: Run, pictures: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said_by(capsys) == [f"nothing is kept in {own_cache}/images"]
    assert train() == 0
    (used,) = [each for each in disk_room.entries() if each.about.startswith("val of")]
    os.utime(used.folder / "checked", (0, 0))
    head, first, second, total = said_by(capsys)
    assert head.split() == ["size", "last", "used", "images"]
    assert first.endswith(f"train of {pictures}/train")
    assert second.endswith(f"1970-01-01 00:00  val of {pictures}/val")
    assert total.endswith(f"MiB in {own_cache}/images; `cnntrain data cache clear` removes what no run uses (times are UTC)")
    lock = file_lock.take(disk_room.lock_of(used.folder), alone=False)  # as a run does that uses it
    assert lock is not None
    (cleared,) = said_by(capsys, "clear")
    assert cleared.startswith("removed 0.0 MiB of decoded images")
    assert cleared.endswith("; 1 of 2 sets are in use and stay")
    assert [each.folder for each in disk_room.entries()] == [used.folder]
    lock.release()
    assert "in use" not in said_by(capsys, "clear")[0]
    assert list((own_cache / "images").iterdir()) == []


def test_what_killed_processes_left_is_cleared_too(own_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one.part", "two", ".three.12.gone"):
        (own_cache / "images" / name).mkdir(parents=True)
        (own_cache / "images" / name / "pixels.bin").write_bytes(bytes(10))
    (own_cache / "images" / "four.lock").touch()
    assert [line.split()[-1] for line in said_by(capsys)[1:3]] == ["half-built", "half-built"]
    said_by(capsys, "clear")
    assert list((own_cache / "images").iterdir()) == []


def test_a_wrong_word_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "cache", "claer"]) == 2
    assert capsys.readouterr().err == "cnntrain: data cache takes no claer; did you mean clear?\n"
    assert main(["data", "cache", "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: cnntrain data cache [clear]")


def test_the_answer_needs_no_torch() -> None:
    code = "import sys; from cnntrain.cli import main; main(['data', 'cache']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0
