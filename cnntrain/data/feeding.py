"""Where an epoch's time went, whether loader processes would pay, and what a user could change."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import torch

from cnntrain.data.cache import MIB, Keeping, Spent

FEW_CORES = 4  # with these a step needs all of them: 189 images/s without, 139-149 with two loader processes (2 cores, ResNet-18)
WARM_UP, MEASURED = 4, 20  # batches that are not measured, and those that are
WORTH_IT = 0.1  # share of the time that making batches must take before processes are started, or a word is said
MOST_WORKERS = 16


@dataclass
class Times:
    """Of one epoch: seconds that the main process waited for batches and was busy with them; and what making them took.

    Args:
        spent: over all processes, so that it can be more than `waiting`.
    """

    waiting: float = 0.0
    step: float = 0.0
    num_batches: int = 0
    spent: Spent = field(default_factory=Spent)

    @property
    def share(self) -> float:
        """Of the epoch, that was waited for batches."""
        return self.waiting / max(self.waiting + self.step, 1e-9)

    def parts(self) -> dict[str, float]:
        """Shares of the epoch by what it was spent on; the waiting divided as the making was."""
        making = max(self.spent.read + self.spent.decode + self.spent.augment, 1e-9)
        shares = {name: self.share * getattr(self.spent, name) / making for name in ("read", "decode", "augment")}
        return {**shares, "step": 1 - self.share}


@contextmanager
def one_thread() -> Iterator[None]:
    """torch computes on one thread inside, as it does in loader processes.

    What a batch needs is too little to share: beside other work, steps of 0.3 ms took 8 ms on two threads (2 cores), and
    a sum that is divided among threads may end in other bits. Going there and back takes 1 us.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Choice:
    """data.num_workers=auto: the first batches are made in the main process, and measured.

    Args:
        num_cores: that this process may use.
        possible: whether processes can be started here at all.
    """

    def __init__(self, *, num_cores: int | None = None, possible: bool = True):
        self.num_cores = available_cores() if num_cores is None else num_cores
        self.times: list[tuple[float, float]] = []
        self.decided: int | None = 0 if self.num_cores <= FEW_CORES or not possible else None

    def add(self, making: float, step: float) -> None:
        """Seconds for one batch and for the step on it."""
        self.times.append((making, step))
        if len(self.times) == WARM_UP + MEASURED:
            self.decided = self.from_times()

    def from_times(self) -> int:
        making, step = (sum(each) for each in zip(*self.times[WARM_UP:], strict=True))
        if making < WORTH_IT * (making + step):
            return 0
        # each makes batches at the speed of the main process; one core is left for that
        return max(1, min(ceil(1.25 * making / max(step, 1e-9)), self.num_cores - 1, MOST_WORKERS))

    def sentence(self) -> str:
        making, step = (1000 * sum(each) / MEASURED for each in zip(*self.times[WARM_UP:], strict=True))
        where = f"{self.decided} loader processes from here on" if self.decided else "no loader process is needed"
        return f"a batch takes {making:.1f} ms to make and {step:.1f} ms to train on: {where} (data.num_workers=auto)"


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def explanation(times: Times, keeping: Keeping, *, slow_steps: Sequence[str], num_workers: int, num_cores: int) -> str | None:
    """One line on where an epoch's time went and what would help; None where batches were hardly waited for.

    Args:
        slow_steps: names of steps that work image by image.
    """
    if times.share < WORTH_IT or not times.num_batches:
        return None
    parts = times.parts()
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in parts.items())
    help_ = remedy(parts, keeping, slow_steps=slow_steps, num_workers=num_workers, num_cores=num_cores)
    return f"time of the epoch: {shares}" + (f"; {help_}" if help_ else "")


def remedy(parts: dict[str, Any], keeping: Keeping, *, slow_steps: Sequence[str], num_workers: int, num_cores: int) -> str | None:
    """What to type."""
    most = max(("read", "decode", "augment"), key=lambda name: parts[name])
    if most != "augment" and keeping.where == "none":
        if not keeping.expected:
            return "to decode once for all epochs, type data.cache=auto"
        return f"to decode once for all epochs, type data.cache_budget_mib={-(-11 * keeping.expected // (10 * MIB))}"
    if most == "read" and keeping.where == "disk":
        return "if later epochs are no faster, the kept images are more than memory holds; type data.image_size=N for a smaller N"
    if num_workers < num_cores - 1 and num_cores > FEW_CORES:
        return f"to make batches beside the steps, type data.num_workers={min(num_cores - 1, MOST_WORKERS, max(2, 2 * num_workers))}"
    if most == "augment" and slow_steps:
        return f"{', '.join(slow_steps)} {'works' if len(slow_steps) == 1 else 'work'} image by image: transforms without are faster"
    return None
