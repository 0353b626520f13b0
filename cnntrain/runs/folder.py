"""A run's folder: made by one process only, locked while it is written, with its links and its origin. No torch."""

import os
import platform
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

from cnntrain import __version__
from cnntrain.errors import CheckpointError, ConfigError, DiskFull
from cnntrain.runs.durable import NO_SPACE, hidden_beside, told_plainly, write_atomically

try:
    import fcntl
except ImportError:  # Windows: two runs still never share a folder, since its mkdir is exclusive
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".lock"
OWN = (LOCK_FILE, "config.yaml", "run.json", "metrics.jsonl", "summary.json", "train.log", "tensorboard", "checkpoints")
GIT_TIMEOUT_SECONDS = 5


def stamp() -> str:
    """Now, in UTC, as a folder name: 20261122T093015Z."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def claim(parent: Path, when: str, suffix: str = "") -> Path:
    """Makes parent/WHEN+SUFFIX, or the same with -2, -3, ... where that is taken; no two processes ever get the same.

    Raises:
        ConfigError: the folder cannot be made; says why and what to type.
        DiskFull: the disk is full.
    """
    path = parent / f"{when}{suffix}"
    number = 1
    try:
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                path.mkdir()
                return path
            except FileExistsError:
                number += 1
                path = parent / f"{when}{suffix}-{number}"
    except OSError as error:
        raise _cannot_make(path, error) from error


def claim_exact(path: Path) -> Path:
    """Makes the folder that the user named.

    Raises:
        ConfigError: it exists, or cannot be made; says what to type.
        DiskFull: the disk is full.
    """
    try:
        path.mkdir(parents=True)
    except FileExistsError as error:
        if path.is_dir():
            raise ConfigError(f"{path} exists; go on with it by resume={path}, or choose another folder") from error
        raise _cannot_make(path, error) from error
    except OSError as error:
        raise _cannot_make(path, error) from error
    return path


def _cannot_make(path: Path, error: OSError) -> ConfigError | DiskFull:
    if error.errno in NO_SPACE:
        return DiskFull(f"no space left to make the run folder {path}; free some, or choose another disk by hydra.run.dir=DIR")
    in_the_way = next((place for place in (path, *path.parents) if os.path.isfile(place)), None)
    reason = f"{in_the_way} is a file" if in_the_way else (error.strerror or str(error))
    return ConfigError(f"cannot make the run folder {path}: {reason}; choose another by hydra.run.dir=DIR")


class Lock:
    """Held from its making to `release`, or to the end of the process, however it ends."""

    def __init__(self, handle: int | None):
        self.handle = handle
        if handle is not None:
            _held.add(handle)

    def release(self) -> None:
        """Gives the folder free; a second call does nothing."""
        if self.handle is not None:
            _held.discard(self.handle)
            os.close(self.handle)
            self.handle = None

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


_held: set[int] = set()


def _forget_in_child() -> None:
    # a forked loader worker that outlives a killed run would otherwise go on holding its lock
    for handle in _held:
        with suppress(OSError):
            os.close(handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


def lock(folder: Path) -> Lock:
    """Takes the folder for this process. Where the system has no flock, goes on without.

    Raises:
        CheckpointError: another process writes this run, or what is written in it would be written elsewhere.
        DiskFull, CannotGoOn: the folder cannot be written.
    """
    for name in OWN:
        if os.path.islink(folder / name):
            raise CheckpointError(f"{folder / name} is a link, which no run makes: what is written to it would lie elsewhere; remove it")
    path = folder / LOCK_FILE
    with told_plainly(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o644)
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(handle, 32).decode("ascii", "replace").strip()
            os.close(handle)
            who = f"process {owner}" if owner.isdigit() else "another process"
            raise CheckpointError(f"{folder} is being written by {who}; wait for its end, or start a new run without resume") from error
        except OSError:  # network file systems without locks
            pass
        else:
            with suppress(OSError):
                os.ftruncate(handle, 0)
                os.write(handle, f"{os.getpid()}\n".encode())
    return Lock(handle)


def link(folder: Path, name: str, target: str) -> None:
    """Lets folder/name point to folder/target, in one step: a relative symlink, or a one-line file where links fail."""
    assert Path(target).name == target, target
    path = folder / name
    beside = hidden_beside(path, "new")
    try:
        os.symlink(target, beside, target_is_directory=True)
        os.replace(beside, path)
    except (OSError, NotImplementedError):
        beside.unlink(missing_ok=True)
        write_atomically(path, f"{target}\n".encode())


def follow(path: Path) -> Path:
    """Where a link made by `link` points; a real folder (from a copy that followed links) is itself.

    Raises:
        CheckpointError: there is no such link, or it names something outside its folder.
    """
    if path.is_symlink():
        target = os.readlink(path)
    elif path.is_dir():
        return path
    elif not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    else:
        with open(path, "rb") as file:
            target = file.read(256).decode("utf-8", "replace").strip()
    if not target or target in (".", "..") or Path(target).name != target or "\0" in target or "\n" in target:
        raise CheckpointError(f"{path} is no link to a checkpoint")
    return path.parent / target


def environment() -> dict[str, Any]:
    """What made this run, for run.json: versions (null where not installed), platform, CPU count, git commit."""
    return {
        "cnntrain": __version__,
        "python": platform.python_version(),
        "torch": _version("torch"),
        "torchvision": _version("torchvision"),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "git": _git(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)  # reads a file; importing torch would take seconds
    except metadata.PackageNotFoundError:
        return None


def _git() -> dict[str, Any] | None:
    """{commit, dirty} of the working directory; None outside a repository or without git."""
    # a repository's own settings could name programs to run: fsmonitor is the one that `status` obeys
    command = ["git", "-c", "core.fsmonitor=false"]
    settings = {"capture_output": True, "text": True, "timeout": GIT_TIMEOUT_SECONDS, "check": True}
    try:
        commit = subprocess.run([*command, "rev-parse", "--verify", "HEAD"], **settings).stdout.strip()  # type: ignore[call-overload]
        status = subprocess.run(
            [*command, "status", "--porcelain", "--untracked-files=no"],
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            **settings,  # type: ignore[call-overload]
        ).stdout
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return None
    return {"commit": commit, "dirty": bool(status.strip())}
