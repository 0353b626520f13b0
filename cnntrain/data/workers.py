"""Loader processes: started once for all epochs; one that dies, raises or hangs is noticed, and what it owed can be asked again."""

import gc
import multiprocessing
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from cnntrain.errors import CannotGoOn

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 300.0  # the default of data.worker_timeout
TIMED_OUT = "DataLoader timed out"  # torch's words
CHILD_ENDED: int | None = getattr(signal, "SIGCHLD", None)  # Windows has neither
ALARM: int | None = getattr(signal, "SIGALRM", None)


@dataclass(frozen=True)
class Processes:
    """How loader processes are run; none of it changes what they give.

    Args:
        count: beside the main one; 0 loads in the main one.
        start: fork, spawn or forkserver; None for what is safe here.
        prefetch: requests that each process works ahead.
        stay: whether they live for all epochs.
    """

    count: int = 0
    start: str | None = None
    prefetch: int = 2
    stay: bool = True

    @property
    def method(self) -> str:
        return self.start or start_method()


class WorkersLost(Exception):
    """A loader process died, raised an error or gives nothing; what was asked for can be asked again of new ones.

    Args:
        remedy: what to type where it happens again and again; nothing where the error itself says it.
    """

    def __init__(self, what: str, remedy: str):
        self.what, self.remedy = what, remedy
        super().__init__(what)

    def for_good(self) -> BaseException:
        """What ends the run: the error that was raised, or a sentence."""
        if self.remedy or self.__cause__ is None:
            return CannotGoOn(f"{self.what}, again and again; {self.remedy}")
        return self.__cause__


class Workers:
    """Answers a sampler's requests in their order.

    Args:
        patience_seconds: how long an answer may take before the processes count as hanging.
        poll: called about once a second while an answer is waited for; what it raises ends the waiting.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        requests: Sampler[Any],
        processes: Processes,
        *,
        pin_memory: bool,
        patience_seconds: float = PATIENCE_SECONDS,
        poll: Callable[[], None] = lambda: None,
    ):
        self.patience_seconds, self.poll = patience_seconds, poll
        self.children: set[BaseProcess] = set()
        with warnings.catch_warnings():
            quiet()
            self.loader = DataLoader(
                dataset,
                batch_size=None,
                sampler=requests,
                num_workers=processes.count,
                prefetch_factor=processes.prefetch,
                persistent_workers=processes.stay,
                pin_memory=pin_memory,
                timeout=POLL_SECONDS,
                worker_init_fn=start_worker,
                multiprocessing_context=processes.method,
                generator=torch.Generator(),  # else it draws from torch's global one, and dropout hangs on num_workers
            )

    def __iter__(self) -> Iterator[Any]:
        """
        Raises:
            WorkersLost: a process died, raised an error, or gave nothing for too long.
        """
        answers = self.start()
        began = monotonic()
        while True:
            try:
                with self.alarm():
                    answer = next(answers)
            except StopIteration:
                return
            except Exception as error:
                if str(error).startswith(TIMED_OUT):  # after POLL_SECONDS; the next call waits on
                    self.poll()
                    if monotonic() - began < self.patience_seconds:
                        continue
                lost = self.lost(error)
                if lost is None:
                    raise
                raise lost from error
            yield answer
            began = monotonic()

    @contextmanager
    def alarm(self) -> Iterator[None]:
        """Ends the processes where torch itself waits for ever: for one that was stopped while it hands over a batch.

        Its end breaks the connection, and that is an error like others. Costs 3 us.
        """
        if ALARM is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        handler = signal.signal(ALARM, lambda *_: self.kill())
        signal.setitimer(signal.ITIMER_REAL, self.patience_seconds + 2 * POLL_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(ALARM, handler)

    def start(self) -> Iterator[Any]:
        before = set(multiprocessing.active_children())
        handler = None if CHILD_ENDED is None else signal.getsignal(CHILD_ENDED)
        with warnings.catch_warnings():
            quiet()
            # A forked process keeps what it is born with out of its collections. Collected there, an AVIF
            # decoder that lies here as garbage waits for the main process's threads, which are not there, for ever.
            gc.freeze()
            try:
                answers = iter(self.loader)
            finally:
                gc.unfreeze()
        self.children |= set(multiprocessing.active_children()) - before
        if CHILD_ENDED is not None and handler is not None and threading.current_thread() is threading.main_thread():
            # torch's handler raises a process's death wherever this one is, be it in the middle of a step
            signal.signal(CHILD_ENDED, handler)
        return answers

    def lost(self, error: Exception) -> WorkersLost | None:
        """What befell a process, in words; None for a mistake of this one.

        A dead process is a RuntimeError of torch, or a connection that broke while a batch was handed over. What a step
        raised in a living one arrives with a text that begins with `Caught`.
        """
        text = str(error)
        if text.startswith("Caught "):
            return WorkersLost(f"a loader process raised {text.removeprefix('Caught ').partition(' in ')[0]}", "")
        if text.startswith(TIMED_OUT):
            remedy = "see whether the images can be read, or give data.worker_timeout more time"
            return WorkersLost(f"the loader processes gave no batch for {self.patience_seconds:g} s", remedy)
        if isinstance(error, OSError | EOFError) or (isinstance(error, RuntimeError) and "DataLoader worker" in text):
            return WorkersLost("a loader process ended unexpectedly (killed, or out of memory)", "type data.num_workers=0")
        return None

    def end(self) -> None:
        """End all processes now, hanging and stopped ones too."""
        self.kill()
        for child in self.children:
            child.join()
            for left in Path("/dev/shm").glob(f"torch_{child.pid}_*"):  # killed between making shared memory and taking its name away
                left.unlink(missing_ok=True)
        self.children.clear()

    def kill(self) -> None:
        for child in self.children:
            child.kill()


def quiet() -> None:
    """ "Too many workers" is the user's choice; "fork with threads": our threads have ended, and torch's are not used there."""
    warnings.filterwarnings("ignore", message="This DataLoader will create", category=UserWarning)
    warnings.filterwarnings("ignore", message=".*multi-threaded", category=DeprecationWarning)


def start_method() -> str:
    """fork shares everything at no cost, but not with a CUDA context; elsewhere it is not safe or not there."""
    if sys.platform != "linux":
        return "spawn"
    if torch.cuda.is_initialized():
        return "forkserver"
    return "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"


def start_worker(number: int) -> None:  # noqa: ARG001
    """The main process alone answers Ctrl-C; SIGTERM ends a loader process at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
