"""Folders with a MANIFEST.json that holds the sha256 of every file and is written last: it is the commit."""

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnntrain.errors import CheckpointError
from cnntrain.runs.durable import hidden_beside, sync_folder, told_plainly, write_synced

MANIFEST = "MANIFEST.json"
SCHEMA_VERSION = 2  # 2: a run can stand inside of an epoch
READABLE = (1, 2)
MOST_MANIFEST_BYTES = 1 << 20
OWN_KEYS = {"schema_version", "files", "digest"}


def write_folder(parent: Path, name: str, files: Mapping[str, bytes], meta: Mapping[str, Any]) -> Path:
    """Writes parent/name so that after a crash at any moment it is there whole, or not at all.

    A folder of that name that exists already is replaced.

    Args:
        parent: the folder it is made in; made where missing.
        name: the new folder's name.
        files: file name -> contents.
        meta: further keys of MANIFEST.json, plain data.

    Raises:
        DiskFull, CannotGoOn: it cannot be written; nothing new is visible.
    """
    assert all(_is_plain_name(file) for file in (name, *files)), (name, list(files))
    assert not OWN_KEYS & set(meta), meta
    path = parent / name
    beside = hidden_beside(path, "new")
    with told_plainly(path):
        try:
            parent.mkdir(parents=True, exist_ok=True)
            beside.mkdir()
            for file, data in files.items():
                write_synced(beside / file, data)
            write_synced(beside / MANIFEST, _encode(_manifest(files, meta)))
            sync_folder(beside)
            _rename_over(beside, path)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        sync_folder(parent)
    return path


def verify(folder: Path) -> list[str]:
    """What is wrong with a folder, a sentence for each file; empty when all is well."""
    return _read(folder)[1]


def read_verified(folder: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The contents of every file and the manifest; what was hashed is what is returned.

    Raises:
        CheckpointError: naming each file that is missing or damaged.
    """
    files, faults, manifest = _read(folder)
    if faults:
        raise CheckpointError(f"{folder}: {fault}" for fault in faults)
    return files, manifest


def _manifest(files: Mapping[str, bytes], meta: Mapping[str, Any]) -> dict[str, Any]:
    listed = {file: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for file, data in files.items()}
    manifest: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "files": listed, **meta}
    return {**manifest, "digest": _digest(manifest)}


def _encode(manifest: Mapping[str, Any]) -> bytes:
    return (json.dumps(manifest, indent=2) + "\n").encode("ascii")


def _digest(manifest: Mapping[str, Any]) -> str:
    """The manifest's own sha256, so that rot in `meta` is found too."""
    return hashlib.sha256(_encode({key: value for key, value in manifest.items() if key != "digest"})).hexdigest()


def _rename_over(beside: Path, path: Path) -> None:
    if not path.exists():
        os.rename(beside, path)
        return
    old = hidden_beside(path, "old")  # a folder cannot be renamed onto one that is not empty
    os.rename(path, old)
    os.rename(beside, path)
    shutil.rmtree(old, ignore_errors=True)


def _read(folder: Path) -> tuple[dict[str, bytes], list[str], dict[str, Any]]:
    try:
        raw = read_own(folder / MANIFEST, MOST_MANIFEST_BYTES)
    except OSError as error:
        return {}, [f"{MANIFEST} cannot be read ({error.strerror}): this checkpoint was never finished, or is none"], {}
    manifest, fault = _decode(raw)
    if fault:
        return {}, [fault], {}
    files: dict[str, bytes] = {}
    faults = []
    for name, entry in manifest["files"].items():
        try:
            data = read_own(folder / name, entry["size"])
        except OSError as error:
            faults.append(f"{name} cannot be read ({error.strerror})")
            continue
        if len(data) != entry["size"]:
            has = f"more than {entry['size']}" if len(data) > entry["size"] else len(data)
            faults.append(f"{name} has {has} bytes, but {entry['size']} were written")
        elif hashlib.sha256(data).hexdigest() != entry["sha256"]:
            faults.append(f"{name} is damaged: its sha256 is not the one that was written")
        files[name] = data
    return files, faults, manifest


def read_own(path: Path, size: int) -> bytes:
    """The whole file, or a byte more than `size` of a longer one.

    Raises:
        OSError: it cannot be read, or is a link, a pipe or a device, which would lead elsewhere or never end.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        return file.read(size + 1)


def _decode(raw: bytes) -> tuple[dict[str, Any], str]:
    """(manifest, fault): nothing of a manifest is believed before its digest fits."""
    damaged = f"{MANIFEST} is damaged"
    try:
        manifest = json.loads(raw)
    except (ValueError, RecursionError):
        return {}, damaged
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        return {}, damaged
    if _encode(manifest) != raw or manifest.get("digest") != _digest(manifest):
        return {}, damaged
    if manifest.get("schema_version") not in READABLE:
        written, read = manifest.get("schema_version"), " and ".join(map(str, READABLE))
        return {}, f"its format is {written}, this cnntrain reads {read}; install the cnntrain that wrote it"
    entries = manifest["files"].items()
    if not all(_is_plain_name(name) and _is_entry(entry) for name, entry in entries):
        return {}, f"{MANIFEST} names files that no checkpoint has"
    return manifest, ""


def _is_plain_name(name: str) -> bool:
    """No folder, no parent, no root: it cannot lead outside."""
    return bool(name) and name not in (".", "..", MANIFEST) and not set(name) & set("/\\:\0")


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and type(entry.get("size")) is int and entry["size"] >= 0
