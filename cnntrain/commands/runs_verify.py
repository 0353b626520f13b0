"""`cnntrain runs verify RUN`: reads every byte of a run folder that is vouched for, and says what is broken."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from cnntrain.config.flags import parse_flags
from cnntrain.config.stored import read_stored
from cnntrain.errors import CheckpointError, CnntrainError, ConfigError
from cnntrain.runs.folder import follow
from cnntrain.runs.manifest import verify

KINDS: dict[str, str] = {}
BROKEN = 2


def run(words: Sequence[str]) -> int:
    """Prints a line for each run: what is whole, what is broken; 2 where anything is."""
    try:
        flags = parse_flags(words)
        if "--help" in flags.plain:
            print("usage: cnntrain runs verify RUN [RUN ...]")
            print("reads every byte of a run's checkpoints and its other files;\nexit code 2 where something is broken")
            return 0
        if not flags.words:
            raise ConfigError("runs verify needs a run folder, such as outputs/cnntrain/20261122T093015Z")
        runs = [run for word in flags.words for run in runs_in(word)]
    except CnntrainError as error:
        for line in error.lines():
            print(f"cnntrain: {line}", file=sys.stderr)
        return error.exit_code
    broken = 0
    for folder in runs:
        steps = step_folders(folder)
        faults = list(faults_of(folder, steps))
        broken += len(faults)
        for fault in faults:
            print(f"{folder}: {fault}")
        counted = f"{len(steps)} checkpoint{'s' * (len(steps) != 1)}"
        if not faults:
            print(f"{folder}: whole ({counted})")
    return BROKEN if broken else 0


def runs_in(word: str) -> list[Path]:
    """The run, or the runs of a sweep.

    Raises:
        CheckpointError: it is neither.
    """
    folder = Path(word).expanduser()
    if not folder.is_dir():
        raise CheckpointError(f"{word}: no such folder; give a run folder such as outputs/cnntrain/20261122T093015Z")
    if (folder / "config.yaml").exists() or (folder / "checkpoints").is_dir():
        return [folder]
    jobs = [path for path in folder.iterdir() if path.name.isdigit() and path.is_dir()]
    if not jobs:
        raise CheckpointError(f"{word} is no run folder: there is no config.yaml and no checkpoints/ in it")
    return sorted(jobs, key=lambda path: int(path.name))


def step_folders(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob("step_*"), key=lambda path: path.name)


def faults_of(run: Path, steps: Sequence[Path]) -> Iterator[str]:
    """A sentence for each thing that is broken."""
    try:
        read_stored(str(run))
    except ConfigError as error:
        yield f"config.yaml: {error.faults[0]}"
    for name in ("run.json", "summary.json"):
        path = run / name
        if path.exists() and not is_json(path.read_bytes()):
            yield f"{name} is damaged"
    yield from history_faults(run / "metrics.jsonl")
    for folder in steps:
        yield from (f"checkpoints/{folder.name}: {fault}" for fault in verify(folder))
    for name in ("best", "last"):
        link = run / "checkpoints" / name
        if os.path.lexists(link):
            try:
                there = follow(link).is_dir()
            except CheckpointError:
                there = False
            if not there:
                yield f"checkpoints/{name} points to no checkpoint"


def history_faults(path: Path) -> Iterator[str]:
    """Lines that are none, and steps that come twice or backwards; a torn last line is what a kill leaves, and is mended on resume."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    last = 0
    for number, line in enumerate(lines, start=1):
        if not is_json(line):
            yield f"metrics.jsonl: line {number} is damaged"
            continue
        record = json.loads(line)
        if record.get("event") == "step":
            if record["step"] <= last:
                yield f"metrics.jsonl: line {number} tells of step {record['step']} behind step {last}"
            last = record["step"]


def is_json(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False
