"""metrics.jsonl: one line of JSON for each thing a run tells, in order."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnntrain.errors import CannotGoOn, DiskFull
from cnntrain.runs.durable import finite_or_null, told_plainly, write_atomically

Refused = Callable[[DiskFull | CannotGoOn | None], None]


class History:
    """Appends lines; each is with the system before `append` returns.

    Args:
        path: metrics.jsonl; goes on after what is there.
        refused: told when the disk takes no line; the lines are kept, and written with the next one, which is told by None.
            Without it, that is raised.
    """

    def __init__(self, path: Path, refused: Refused | None = None):
        self.path, self.refused = path, refused
        self.unwritten = b""
        if path.exists() and not path.read_bytes().endswith(b"\n"):
            self._write(read(path))  # a killed run's torn line must not swallow the next one
        self._open()

    def append(self, record: dict[str, Any]) -> None:
        """Adds one line; NaN and infinities become null.

        Raises:
            DiskFull, CannotGoOn: the line cannot be written.
        """
        again = bool(self.unwritten)
        self.unwritten += _line(record)
        try:
            self.write_out()
        except (DiskFull, CannotGoOn) as error:
            if self.refused is None:
                raise
            self.refused(error)
        else:
            if again and self.refused is not None:
                self.refused(None)

    def write_out(self) -> None:
        """Hands what is not written yet to the system.

        Raises:
            DiskFull, CannotGoOn: the disk takes no more; what it took is not written again.
        """
        with told_plainly(self.path):
            while self.unwritten:
                self.unwritten = self.unwritten[self.file.write(self.unwritten) :]

    def cut_back(self, step: int, epoch: int) -> None:
        """Keeps what a resumed run does not tell again, so that the file becomes that of a run that was never stopped.

        Args:
            step: the last step that counts.
            epoch: the last epoch that was validated; one that ended at the same step may not have been.
        """
        self.close()
        self._write([record for record in read(self.path) if told_before(record, step, epoch)])
        self._open()

    def sync(self) -> None:
        """Waits until the disk has all lines."""
        self.write_out()
        with told_plainly(self.path):
            os.fsync(self.file.fileno())

    def close(self) -> None:
        """Ends the writing; a second call does nothing."""
        if not self.file.closed:
            with told_plainly(self.path):
                self.file.close()

    def _open(self) -> None:
        with told_plainly(self.path):
            self.file = open(self.path, "ab", buffering=0)  # noqa: SIM115 (open as long as the run)

    def _write(self, records: list[dict[str, Any]]) -> None:
        write_atomically(self.path, b"".join(_line(record) for record in records))


def read(path: Path) -> list[dict[str, Any]]:
    """All whole lines; a torn or foreign one is left out, a missing file is empty."""
    records = []
    for line in path.read_bytes().split(b"\n") if os.path.exists(path) else []:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and all(type(record.get(key, 0)) is int for key in ("step", "epoch")):
            records.append(record)
    return records


def told_before(record: dict[str, Any], step: int, epoch: int) -> bool:
    """Whether a line belongs to what was done before this point; the ends of earlier starts do not."""
    if record.get("event") == "end" or record.get("step", 0) > step:
        return False
    return record.get("event") != "epoch" or record.get("epoch", 0) <= epoch


def _line(record: dict[str, Any]) -> bytes:
    return (json.dumps(finite_or_null(record), allow_nan=False) + "\n").encode("ascii")
