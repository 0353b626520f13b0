"""Checkpoints: one verified folder per step in RUN/checkpoints, with the links `best` and `last` beside them."""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from cnntrain import __version__
from cnntrain.errors import CheckpointError, Diverged, did_you_mean
from cnntrain.runs.durable import hidden_beside, sync_folder, told_plainly
from cnntrain.runs.folder import follow, link
from cnntrain.runs.manifest import MANIFEST, read_verified, verify, write_folder
from cnntrain.runs.tensors import first_non_finite, optimizer_from_plain, optimizer_to_plain, pack, to_cpu, unpack

CHECKPOINTS = "checkpoints"
STEP_FOLDER = re.compile(r"step_(\d{8,})")
LINKS = ("best", "last")
NUM_NEWEST_KEPT = 2
OF_A_RUN = ("config.yaml", "run.json", "summary.json", "metrics.jsonl")  # files that are replaced in one step
AVERAGE = "ema.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds, verified: plain data and tensors on the CPU."""

    folder: Path
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    state: dict[str, Any]
    config: dict[str, Any]
    average: dict[str, Tensor] | None = None  # of the weights


def save(
    run: Path,
    *,
    model: Mapping[str, Tensor],
    optimizer: Mapping[str, Any],
    state: Mapping[str, Any],
    config: Mapping[str, Any],
    average: Mapping[str, Tensor] | None = None,
) -> Path:
    """Writes RUN/checkpoints/step_NNNNNNNN, where the step is state["step"]; `mark` and `prune` come after it.

    Args:
        run: the run folder.
        model: the network's state_dict.
        optimizer: the optimizer's state_dict.
        state: where the run stands, plain data.
        config: the whole configuration, plain data.
        average: the state_dict of the averaged network, where there is one.

    Raises:
        Diverged: a tensor is not finite; nothing is written.
        DiskFull, CannotGoOn: it cannot be written; the older checkpoints are untouched.
    """
    step = int(state["step"])
    moments, structure = optimizer_to_plain(optimizer)
    tensors_of = {"model.safetensors": to_cpu(model), "optimizer.safetensors": to_cpu(moments)}
    if average is not None:
        tensors_of[AVERAGE] = to_cpu(average)
    for tensors in tensors_of.values():
        name = first_non_finite(tensors)
        if name is not None:
            raise Diverged(f"{name} is no longer finite at step {step}, so no checkpoint of it was written; try a smaller optimizer.lr")
    files = {
        **{name: pack(tensors) for name, tensors in tensors_of.items()},
        "optimizer.json": _plain_json(structure),
        "state.json": _plain_json(state),
        "config.json": _plain_json(config),
    }
    return write_folder(run / CHECKPOINTS, f"step_{step:08d}", files, {"step": step, "cnntrain": __version__})


def load(folder: Path) -> Checkpoint:
    """Reads a step folder, every byte verified.

    Raises:
        CheckpointError: naming each file that is missing or damaged.
    """
    files, _ = read_verified(folder)
    missing = [name for name in ("model.safetensors", "optimizer.safetensors", *_JSON) if name not in files]
    if missing:
        raise CheckpointError(f"{folder}: {name} is missing" for name in missing)
    try:
        structure, state, config = (json.loads(files[name]) for name in _JSON)
        return Checkpoint(
            folder=folder,
            model=unpack(files["model.safetensors"]),
            optimizer=optimizer_from_plain(unpack(files["optimizer.safetensors"]), structure),
            state=state,
            config=config,
            average=unpack(files[AVERAGE]) if AVERAGE in files else None,
        )
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {fault}" for fault in error.faults) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder}: {error}") from error


def load_or_name_another(folder: Path) -> Checkpoint:
    """Reads a step folder of a run.

    Raises:
        CheckpointError: as load; and which checkpoint of the run is whole.
    """
    try:
        return load(folder)
    except CheckpointError as error:
        other = newest(folder.parent.parent)[0]
        if other is None or other == folder:
            raise
        raise CheckpointError([*error.faults, f"{other.name} is whole; type checkpoint={other}"]) from error


_JSON = ("optimizer.json", "state.json", "config.json")


def mark(run: Path, name: Literal["best", "last"], folder: Path) -> None:
    """Lets RUN/checkpoints/best or .../last point to a step folder.

    Raises:
        DiskFull, CannotGoOn: the disk refuses.
    """
    with told_plainly(run / CHECKPOINTS):
        link(run / CHECKPOINTS, name, folder.name)


def prune(run: Path, *, newest: int = NUM_NEWEST_KEPT, every: int | None = None) -> list[Path]:
    """Removes step folders but best, last, the newest few and each multiple of `every` steps, and what crashed saves left.

    Returns:
        What went.

    Raises:
        DiskFull, CannotGoOn: the disk refuses.
    """
    parent = run / CHECKPOINTS
    folders = _step_folders(run)
    kept = {folder.name for folder in folders[:newest]}
    kept |= {folder.name for folder in folders if every is not None and step_of(folder) % every == 0}
    kept |= {follow(parent / name).name for name in LINKS if os.path.lexists(parent / name)}
    removed = [folder for folder in folders if folder.name not in kept]
    with told_plainly(parent):
        for folder in removed:
            os.rename(folder, hidden_beside(folder, "old"))  # half a folder must never stand under its own name
        sync_folder(parent)
    for leftover in parent.glob(".step_*"):
        shutil.rmtree(leftover, ignore_errors=True)
    return removed


def recover(run: Path) -> None:
    """Puts back what a crash left while a step folder was replaced, and removes unfinished ones; nobody else may write the run."""
    parent = run / CHECKPOINTS
    for old in parent.glob(".step_*.old-*"):
        own = parent / old.name[1:].partition(".")[0]
        if STEP_FOLDER.fullmatch(own.name) and not own.exists() and not verify(old):
            os.rename(old, own)
    for leftover in (*parent.glob(".step_*"), *parent.glob(".best.new-*"), *parent.glob(".last.new-*")):
        remove(leftover)
    for name in OF_A_RUN:
        for leftover in run.glob(f".{name}.new-*"):
            remove(leftover)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def newest(run: Path) -> tuple[Path | None, list[str]]:
    """The folder of the highest step that is whole, and a sentence for each newer one that is not.

    The links are only hints, and clocks are not asked at all.
    """
    failed: list[str] = []
    for folder in _step_folders(run):
        faults = verify(folder)
        if not faults:
            return folder, failed
        failed.append(f"{folder.name}: {faults[0]}")
    return None, failed


def resolve(path: Path, *, key: str = "checkpoint") -> Path:
    """The step folder that a user means: a run (its best), RUN/checkpoints (the same), a link in it, or a step folder.

    Args:
        path: what was typed.
        key: the key it was typed for, for the message.

    Raises:
        CheckpointError: there is none; one sentence that says what to type.
    """
    said = f"{key}={path}"
    if path.name in LINKS and os.path.lexists(path):
        return _checked(follow(path), said)
    if os.path.isfile(path):  # unlike Path.is_file, no error for a name too long
        raise CheckpointError(f"{said} is a file; cnntrain's checkpoints are folders: " + _instead_of_file(path, key))
    if not os.path.isdir(path):
        raise CheckpointError(f"{said}: no such run folder or checkpoint; " + _near(path, key))
    if (path / MANIFEST).is_file():
        return path
    if STEP_FOLDER.fullmatch(path.name):
        raise CheckpointError(f"{said} has no {MANIFEST}: it was never finished; give the run folder")
    parent = path if path.name == CHECKPOINTS else path / CHECKPOINTS
    if os.path.lexists(parent / "best"):
        return _checked(follow(parent / "best"), said)
    if os.path.lexists(parent / "last"):
        raise CheckpointError(f"{said} has no best checkpoint yet; type {key}={parent / 'last'} for its last")
    if parent.is_dir() or (path / "run.json").is_file():
        raise CheckpointError(f"{said} has no checkpoint yet: one is written at the end of each epoch")
    if (path / "0" / CHECKPOINTS).is_dir() or (path / "sweep.json").is_file():
        raise CheckpointError(f"{said} is a sweep; give one of its runs, such as {key}={path / '0'}")
    raise CheckpointError(f"{said} is no run folder: there is no {CHECKPOINTS}/ in it; give one such as outputs/NAME/20261122T093015Z")


def _checked(folder: Path, said: str) -> Path:
    if (folder / MANIFEST).is_file():
        return folder
    raise CheckpointError(f"{said} points to {folder}, which is no whole checkpoint; ls {folder.parent} shows the others")


def _near(path: Path, key: str) -> str:
    """`did you mean ...?` over the folders beside it, for as long as they are few; else an example."""
    beside = [str(path.parent / other.name) for other in path.parent.iterdir() if other.is_dir()] if os.path.isdir(path.parent) else []
    hint = did_you_mean(str(path), sorted(beside), head=f"{key}=") if beside else ""
    return hint if hint.startswith("did you") else "give a run folder such as outputs/NAME/20261122T093015Z"


def _instead_of_file(path: Path, key: str) -> str:
    if (path.parent / MANIFEST).is_file():
        return f"type {key}={path.parent}"
    return "give the run folder that `cnntrain train` named, such as outputs/NAME/20261122T093015Z"


def _step_folders(run: Path) -> list[Path]:
    """All step folders, newest (by step) first."""
    parent = run / CHECKPOINTS
    folders = [path for path in parent.iterdir() if STEP_FOLDER.fullmatch(path.name)] if parent.is_dir() else []
    return sorted(folders, key=step_of, reverse=True)


def step_of(folder: Path) -> int:
    return int(folder.name.removeprefix("step_"))


def _plain_json(value: Any) -> bytes:
    # Python's words for NaN and infinity are allowed here: a resumed run must get back exactly what it saved
    return (json.dumps(value, indent=1) + "\n").encode("ascii")
