"""The peak memory of a process and everything it starts, from outside."""

import threading
from pathlib import Path


class Peak:
    """Looks at the memory of a process and its descendants, shared pages counted once, while it is entered."""

    mib = 0.0  # the most since it was last set to 0

    def __init__(self, pid: int):
        self.pid, self.over = pid, threading.Event()
        self.looking = threading.Thread(target=self.look, daemon=True)

    def __enter__(self) -> None:
        self.looking.start()

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.looking.join()

    def look(self) -> None:
        while not self.over.wait(0.25):
            Peak.mib = max(Peak.mib, sum(map(proportional_mib, family(self.pid))))


def family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, tasks.read_text().split())
            except OSError:
                continue
    return found


def proportional_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
