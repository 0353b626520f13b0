"""The file that TensorBoard reads, written without a thread: an error is raised by the call that met it.

SummaryWriter's thread dies of a full disk with a traceback on the screen, and a thread beside forked loader workers
may leave them a locked lock. Records and summaries themselves are TensorBoard's and torch's own.
"""

import os
import socket
import time
from pathlib import Path
from typing import Any


class EventFile:
    """Appends events to a new file of a folder.

    Args:
        folder: made where missing.
        purge_step: TensorBoard hides what earlier files of the folder hold at this step and after.

    Raises:
        OSError: here and in all methods, when the file cannot be written.
    """

    def __init__(self, folder: Path, *, purge_step: int | None = None):
        # they take a second, and with torch's come the makers of summaries: only a run pays for them
        from tensorboard.compat.proto import event_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self.proto = event_pb2
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads a folder's files in the order of these names, so that a later one can purge an earlier
        name = f"events.out.tfevents.{time.time_ns() // 1000 / 1e6:017.6f}.{socket.gethostname()}.{os.getpid()}"
        self.file = open(folder / name, "xb")  # noqa: SIM115 (open as long as the run)
        self.records = RecordWriter(self.file)
        self._write(file_version="brain.Event:2")
        if purge_step is not None:
            self._write(session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START), step=purge_step)
        self.flush()

    def add(self, summary: Any, step: int) -> None:
        """One Summary, such as torch.utils.tensorboard.summary makes them."""
        self._write(summary=summary, step=step)

    def flush(self) -> None:
        """Hands what was added to the system, for TensorBoard to see."""
        self.records.flush()

    def close(self) -> None:
        """Ends the writing; a second call does nothing."""
        self.records.close()

    def _write(self, **content: Any) -> None:
        self.records.write(self.proto.Event(wall_time=time.time(), **content).SerializeToString())
