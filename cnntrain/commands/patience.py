"""A disk that refuses to write ends no run at once: training goes on, it is told once and tried again, and after a while the run ends."""

import logging
from collections.abc import Callable
from time import monotonic

from cnntrain.engine.events import Event, Listener, RunEnded, StepDone
from cnntrain.errors import CannotGoOn, CnntrainError, DiskFull
from cnntrain.report.console import say

RETRY_SECONDS = 15.0
GIVE_UP_SECONDS = 600.0  # what a person needs to make room; what was trained meanwhile is lost if nobody does
REFUSALS = (DiskFull, CannotGoOn)


class Patience:
    """What the writing listeners of a run share.

    Args:
        clock: seconds that nobody can set back.
    """

    def __init__(self, clock: Callable[[], float] = monotonic):
        self.clock = clock
        self.since: float | None = None  # the first refusal that was not made good
        self.unwritten: set[str] = set()

    def tell(self, what: str, error: CnntrainError | None) -> None:
        """
        Args:
            what: is written.
            error: why it is not; None: it is again.

        Raises:
            DiskFull: it has been so for too long.
        """
        if error is None:
            self.accept(what)
            return
        now = self.clock()
        self.unwritten.add(what)
        if self.since is None:
            self.since = now
            minutes = f"{GIVE_UP_SECONDS / 60:.0f} minutes"
            say(f"{told(error)}; training goes on and tries again, for {minutes} at most", logging.WARNING)
        elif now - self.since >= GIVE_UP_SECONDS:
            raise DiskFull(f"{told(error)}, for {GIVE_UP_SECONDS / 60:.0f} minutes now")

    def accept(self, what: str) -> None:
        self.unwritten.discard(what)
        if self.since is not None and not self.unwritten:
            self.since = None
            say("the disk takes what is written again")


class PatientKeeper:
    """A listener around one that writes; a refusal is passed on to Patience, and the writing tried again.

    Args:
        what: it writes, such as checkpoints.
        again: writes what the listener could not, whatever the event.
    """

    def __init__(self, keeper: Listener, patience: Patience, what: str, again: Callable[[], None]):
        self.keeper, self.patience, self.what, self.again = keeper, patience, what, again
        self.next_try: float | None = None

    def __call__(self, event: Event) -> None:
        """
        Raises:
            DiskFull: the run is at its end, or the disk has refused for too long.
        """
        tries = self.next_try is not None and isinstance(event, StepDone) and self.patience.clock() >= self.next_try
        last = isinstance(event, RunEnded) and self.next_try is not None and event.status in ("done", "stopped", "interrupted")
        try:
            self.keeper(event)
            if tries or last:
                self.again()
        except REFUSALS as error:
            if not isinstance(error.__cause__, OSError):
                raise
            self.next_try = self.patience.clock() + RETRY_SECONDS
            if not isinstance(event, RunEnded):
                self.patience.tell(self.what, error)
            elif event.status != "failed":
                raise DiskFull(told(error)) from error
        else:
            if tries or last:
                self.next_try = None
                self.patience.tell(self.what, None)


def told(error: CnntrainError) -> str:
    """What was refused, without what to type after the run's end."""
    return error.faults[0].partition("; ")[0]
