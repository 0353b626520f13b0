"""summary.json and run.json: what a run came to, and where it came from."""

import json
from pathlib import Path
from typing import Any

from cnntrain.runs.durable import to_json, write_atomically

SUMMARY = "summary.json"
RUN = "run.json"


def write_summary(run: Path, summary: dict[str, Any]) -> None:
    """Writes RUN/summary.json in one step; NaN becomes null.

    Raises:
        DiskFull, CannotGoOn: it cannot be written; the old one is untouched.
    """
    write_atomically(run / SUMMARY, to_json(summary))


def read_summary(run: Path) -> dict[str, Any] | None:
    """RUN/summary.json, or None where there is none that can be read."""
    return _read(run / SUMMARY)


def write_run(run: Path, facts: dict[str, Any]) -> None:
    """Writes RUN/run.json (argv, overrides, versions, data) in one step.

    Raises:
        DiskFull, CannotGoOn: it cannot be written.
    """
    write_atomically(run / RUN, to_json(facts))


def read_run(run: Path) -> dict[str, Any] | None:
    """RUN/run.json, or None where there is none that can be read."""
    return _read(run / RUN)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
