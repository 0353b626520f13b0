"""Holds torch and forks a process for each command line: a start then costs a tenth of a second instead of seconds.

It reads a line of JSON for each, {"argv", "cwd", "env", "out", "fail"}, and answers with the process's number; {"wait": number,
"seconds": s} is answered with its exit code, -9 for a killed one, or null where it still runs. What is forked is the real
command line, `cnntrain.cli.main`, in a session of its own.

"fail" is a failpoint, [how, number]: before the number-th system call that changes a run's files (open to write, fsync, rename,
mkdir, symlink, remove; -1: never) the process is killed (`kill`), killed with half of the file lost (`tear`), or the call and
all those after it fail as on a full disk (`full`), or only the first ten (`full-for-a-while`). The number of such calls is in
OUT.calls at its end.
"""

import errno
import json
import os
import signal
import sys
import time
from typing import Any

EVENTS = {"os.rename", "os.mkdir", "os.symlink", "os.remove", "os.rmdir", "os.truncate"}
FOR_A_WHILE = 10


class Failpoint:
    """Sees each system call that changes files in the run folders, before it is made."""

    def __init__(self, how: str, number: int):
        self.how, self.number, self.calls = how, number, 0
        self.fsync = os.fsync
        os.fsync = self.before_fsync  # type: ignore[assignment]
        sys.addaudithook(self.hook)

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            writes = flags & (os.O_WRONLY | os.O_RDWR) if isinstance(flags, int) else False
            if writes and isinstance(path, str | bytes | os.PathLike) and "checkpoints" in str(path):
                self.call()
        elif event in EVENTS and "checkpoints" in str(args[0]):
            self.call()

    def before_fsync(self, handle: int) -> None:
        if "checkpoints" in os.readlink(f"/proc/self/fd/{handle}"):
            self.call(handle)
        self.fsync(handle)

    def call(self, handle: int | None = None) -> None:
        number, self.calls = self.calls, self.calls + 1
        if self.number < 0 or number < self.number:
            return
        if self.how in ("kill", "tear"):
            if self.how == "tear" and handle is not None and os.path.isfile(f"/proc/self/fd/{handle}"):
                os.ftruncate(handle, os.fstat(handle).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "full" or number < self.number + FOR_A_WHILE:
            raise OSError(errno.ENOSPC, "No space left on device")


def child(request: dict[str, Any]) -> int:
    """What the forked process is."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(request["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for source, target in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.chdir(request["cwd"])
    os.environ.update(request.get("env") or {})
    point = Failpoint(*request["fail"]) if request.get("fail") else None
    from cnntrain.cli import main

    try:
        return main(request["argv"])
    finally:
        if point is not None:
            with open(request["out"] + ".calls", "w") as file:
                file.write(str(point.calls))


def wait(pid: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            return None
        time.sleep(0.005)


def serve() -> int:
    import torch
    from torch.utils.tensorboard import summary  # noqa: F401

    import cnntrain.commands.eval
    import cnntrain.commands.train
    import cnntrain.commands.training
    import cnntrain.config.compose
    import cnntrain.report.event_file  # noqa: F401

    torch.set_num_threads(1)
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            print(json.dumps(wait(request["wait"], request["seconds"])), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            return child(request)
        print(pid, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(serve())
