"""Loader processes: started once for all epochs, ended with a sentence where one of them dies."""

import gc
import multiprocessing
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from cnntrain.errors import CannotGoOn


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


class Workers:
    """Answers a sampler's requests in their order."""

    def __init__(self, dataset: Dataset[Any], requests: Sampler[Any], processes: Processes, *, pin_memory: bool):
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
                worker_init_fn=start_worker,
                multiprocessing_context=processes.method,
                generator=torch.Generator(),  # else it draws from torch's global one, and dropout hangs on num_workers
            )

    def __iter__(self) -> Iterator[Any]:
        """
        Raises:
            CannotGoOn: a process died.
        """
        try:
            with warnings.catch_warnings():
                quiet()
                # A forked process must leave the main one's garbage alone: to clean up an AVIF decoder is to wait for its
                # threads, which are not there, for ever.
                gc.freeze()
                try:
                    answers = iter(self.loader)
                finally:
                    gc.unfreeze()
            yield from answers
        except (RuntimeError, OSError, EOFError) as error:
            if not tells_of_death(error):
                raise
            if not isinstance(error, RuntimeError):
                with suppress(RuntimeError):  # torch's SIGCHLD handler raises once, wherever this process then is: let it be here
                    time.sleep(1)
            raise CannotGoOn("a loader process ended unexpectedly (killed, or out of memory); type data.num_workers=0") from error


def quiet() -> None:
    """ "Too many workers" is the user's choice; "fork with threads": our threads have ended, and torch's are not used there."""
    warnings.filterwarnings("ignore", message="This DataLoader will create", category=UserWarning)
    warnings.filterwarnings("ignore", message=".*multi-threaded", category=DeprecationWarning)


def tells_of_death(error: Exception) -> bool:
    """A dead loader process is a RuntimeError of torch, or a connection that broke while a batch was handed over.

    What a step raised in a living one arrives with a text that begins with `Caught`.
    """
    if str(error).startswith("Caught "):
        return False
    return not isinstance(error, RuntimeError) or "DataLoader worker" in str(error)


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
