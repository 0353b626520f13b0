"""Ctrl-C and SIGTERM set a flag; the loop asks between two steps, so no step is ever left half done."""

import signal
import threading
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import TypeVar

from cnntrain.errors import Interrupted, StoppedAndSaved

T = TypeVar("T")


class Signals:
    """While entered, SIGINT and SIGTERM only leave a note; a second SIGINT interrupts at once."""

    def __init__(self) -> None:
        self.seen: int | None = None
        self.before: dict[int, object] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():  # elsewhere Python takes no handlers
            self.before = {s: signal.signal(s, self.note) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if number == signal.SIGINT and self.seen == signal.SIGINT:
            raise KeyboardInterrupt
        self.seen = number

    def check(self) -> None:
        """
        Raises:
            Interrupted: Ctrl-C was pressed.
            StoppedAndSaved: SIGTERM came.
        """
        if self.seen == signal.SIGINT:
            raise Interrupted("interrupted by Ctrl-C")
        if self.seen is not None:
            raise StoppedAndSaved("stopped by SIGTERM")

    def polled(self, items: Iterable[T]) -> Iterator[T]:
        """The items, with a check before each."""
        for item in items:
            self.check()
            yield item
