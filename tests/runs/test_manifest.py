"""Folders with a manifest: whole or not there, and every changed bit found."""

import errno
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cnntrain.errors import CannotGoOn, CheckpointError, DiskFull
from cnntrain.runs import durable, manifest
from cnntrain.runs.manifest import MANIFEST, read_verified, verify, write_folder

FILES = {"a.bin": bytes(range(40)), "b.json": b'{"x": 1}\n'}  # small: every bit of them is flipped


def test_what_is_written_is_read(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "new", "one", FILES, {"step": 7})
    files, found = read_verified(folder)
    assert files == FILES
    assert (found["step"], found["schema_version"], found["files"]["a.bin"]["size"]) == (7, 2, 40)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["one"]


def test_every_single_bit_flip_is_found(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, "one", FILES, {"step": 7})
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for bit in range(8 * len(whole)):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            assert verify(folder), (path.name, bit)
        path.write_bytes(whole)
    assert verify(folder) == []


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "a.bin").unlink(), r"a.bin cannot be read \(No such file"),
        (lambda folder: (folder / "a.bin").write_bytes(b"short"), r"a.bin has 5 bytes, but 40 were written"),
        (lambda folder: (folder / "a.bin").write_bytes(bytes(40)), r"a.bin is damaged"),
        (lambda folder: (folder / MANIFEST).unlink(), r"MANIFEST.json cannot be read .*never finished"),
        (lambda folder: (folder / MANIFEST).write_text("[]"), r"MANIFEST.json is damaged"),
        (lambda folder: (folder / MANIFEST).write_text("[" * 100_000), r"MANIFEST.json is damaged"),
    ],
)
def test_harm_is_named_by_file(tmp_path: Path, harm: Callable[[Path], object], said: str) -> None:
    folder = write_folder(tmp_path, "one", FILES, {})
    harm(folder)
    with pytest.raises(CheckpointError, match=said):
        read_verified(folder)


def forge(folder: Path, **keys: object) -> None:
    """A manifest whose digest fits, though no cnntrain wrote it."""
    forged = {"schema_version": 1, "files": {}, **keys}
    (folder / MANIFEST).write_bytes(manifest._encode({**forged, "digest": manifest._digest(forged)}))


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", "a/b", "C:x", "a\\b", ""])
def test_a_forged_manifest_cannot_name_files_outside(tmp_path: Path, name: str) -> None:
    folder = write_folder(tmp_path, "one", FILES, {})
    (tmp_path / "secret").write_text("s")
    forge(folder, files={name: {"sha256": "", "size": 1}})
    with pytest.raises(CheckpointError, match="names files that no checkpoint has"):
        read_verified(folder)


def test_another_format_is_told(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, "one", FILES, {})
    forge(folder, schema_version=3)
    with pytest.raises(CheckpointError, match="its format is 3, this cnntrain reads 1 and 2"):
        read_verified(folder)


class Crash(BaseException):
    """The process is gone: nothing after it runs, in particular no cleaning up."""


@pytest.mark.parametrize("exists", [False, True])
def test_a_crash_before_any_system_call_leaves_the_old_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool) -> None:
    calls = {"left": -1, "seen": 0}

    def counted(original: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **keywords: object) -> object:
            calls["seen"] += 1
            calls["left"] -= 1
            if calls["left"] == 0:
                raise Crash
            return original(*args, **keywords)

        return call

    def write(parent: Path) -> None:
        write_folder(parent, "one", FILES, {"step": 2})

    with monkeypatch.context() as patched:
        for name in ("fsync", "rename", "replace", "mkdir"):
            patched.setattr(os, name, counted(getattr(os, name)))
        patched.setattr(manifest.shutil, "rmtree", lambda *_, **__: None)
        write(tmp_path / "count")
        total = calls["seen"]
        assert total >= 6
        for at in range(1, total + 1):
            parent = tmp_path / f"crash{at}"
            calls["left"] = -1
            write_folder(parent, "older", FILES, {"step": 1})
            if exists:
                write_folder(parent, "one", FILES, {"step": 0})
            calls["left"] = at
            with suppress(Crash):
                write(parent)
            visible = [path for path in parent.iterdir() if not path.name.startswith(".")]
            assert parent / "older" in visible
            assert all(verify(path) == [] for path in visible), at


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(DiskFull, match=r"no space left to write .*one; free some, then go on by resume=RUN"):
        write_folder(tmp_path, "one", FILES, {})
    assert list(tmp_path.iterdir()) == []


def test_another_refusal_of_the_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotGoOn, match=r"cannot write .*one"):
        write_folder(tmp_path / "file", "one", FILES, {})


def test_an_existing_folder_is_replaced(tmp_path: Path) -> None:
    write_folder(tmp_path, "one", FILES, {})
    folder = write_folder(tmp_path, "one", {"c": b"new"}, {})
    assert read_verified(folder)[0] == {"c": b"new"}
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_atomic_writing_keeps_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "summary.json"
    durable.write_atomically(path, b"old")

    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(durable.os, "replace", fails)
    with pytest.raises(CannotGoOn, match=r"cannot write .*summary.json: Input/output error"):
        durable.write_atomically(path, b"new")
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("summary.json", b"old")]


def test_json_has_no_nan() -> None:
    assert json.loads(durable.to_json({"a": [float("nan"), 1.5, (float("inf"),)]})) == {"a": [None, 1.5, [None]]}
