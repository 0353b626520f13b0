"""The command line in processes of its own, which may be killed."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any


class Cli:
    """Starts command lines in one folder, through a fork server that holds torch."""

    def __init__(self, folder: Path):
        self.folder, self.number = folder, 0
        self.server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("fork_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert self.server.stdout is not None
        assert self.server.stdout.readline() == "ready\n"
        self.running: set[int] = set()

    def ask(self, request: dict[str, Any]) -> Any:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def start(self, *words: str, fail: tuple[str, int] | None = None, cwd: Path | None = None) -> int:
        """The process's number."""
        self.number += 1
        out = str(self.folder / f"{self.number}.out")
        cache = {"CNNTRAIN_CACHE_DIR": str(self.folder / "cache")}
        pid = int(self.ask({"argv": words, "cwd": str(cwd or self.folder), "out": out, "fail": fail, "env": cache}))
        self.running.add(pid)
        return pid

    def wait(self, pid: int, seconds: float = 120) -> int | None:
        """Its exit code, or None where it still runs."""
        code = self.ask({"wait": pid, "seconds": seconds})
        if code is not None:
            self.running.discard(pid)
        return None if code is None else int(code)

    def kill(self, pid: int, number: int = signal.SIGKILL, *, group: bool = True) -> None:
        """Its loader processes too, unless told not to."""
        with suppress(ProcessLookupError):
            os.killpg(pid, number) if group else os.kill(pid, number)

    def run(self, *words: str, fail: tuple[str, int] | None = None, cwd: Path | None = None) -> int:
        code = self.wait(self.start(*words, fail=fail, cwd=cwd))
        assert code is not None, self.said()
        return code

    def said(self) -> str:
        """What the last one printed."""
        return (self.folder / f"{self.number}.out").read_text()

    def calls(self) -> int:
        """How many system calls of the last one, which had a failpoint, changed its checkpoints."""
        return int((self.folder / f"{self.number}.out.calls").read_text())

    def close(self) -> None:
        for pid in list(self.running):
            self.kill(pid)
            self.wait(pid, 10)
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.close()
        self.server.wait(20)
        self.server.stdout.close()
