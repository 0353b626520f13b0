"""Which run of a name `resume=auto` goes on with. No torch."""

import re
from pathlib import Path

from cnntrain.errors import CnntrainError
from cnntrain.runs.folder import lock
from cnntrain.runs.summary import read_run, read_summary

STEP_FOLDER = re.compile(r"step_(\d{8,})")
ENDED = ("done", "diverged")  # the same command would only end so again


def newest_unfinished(folders: list[Path], asked: str) -> Path | None:
    """The one that got furthest, by step and never by clock, of those that nobody else writes.

    Args:
        asked: the digest of the configuration that was asked for, as run.json has it.
    """
    same = [run for run in folders if (read_run(run) or {}).get("asked") == asked]
    open_ = [run for run in same if (read_summary(run) or {}).get("status") not in ENDED]
    return max((run for run in open_ if is_free(run)), key=lambda run: (last_step(run), run.name), default=None)


def last_step(run: Path) -> int:
    """Of its newest checkpoint, whole or not; 0 without one."""
    found = [STEP_FOLDER.fullmatch(path.name) for path in (run / "checkpoints").glob("step_*")]
    return max((int(match[1]) for match in found if match), default=0)


def is_free(run: Path) -> bool:
    try:
        with lock(run):
            return True
    except CnntrainError:
        return False
