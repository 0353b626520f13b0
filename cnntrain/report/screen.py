"""The terminal: results go to stdout, notes and progress to stderr; neither can end a run by being closed or full."""

import io
import logging
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, cast

from rich.box import ASCII, SIMPLE_HEAD, Box
from rich.console import Console
from rich.text import Text

from cnntrain.errors import printable
from cnntrain.runs.durable import told_plainly

WIDTH_WITHOUT_TERMINAL = 160
LOG_FILE = "train.log"
logger = logging.getLogger("cnntrain")


class Outlet(io.TextIOBase):
    """A stream that goes quiet, instead of raising, when its reader is gone (`| head`), closed, or its disk is full.

    Characters that the stream's encoding lacks are written as escapes.
    """

    def __init__(self, stream: TextIO | None):
        self.stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self.stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        try:
            return self.stream is not None and self.stream.isatty()
        except ValueError:  # closed
            return False

    def fileno(self) -> int:
        if self.stream is None:
            raise OSError("no stream")
        return self.stream.fileno()

    def write(self, text: str) -> int:
        if self.stream is not None:
            try:
                self.stream.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
            except (OSError, ValueError):
                self._go_quiet()
        return len(text)

    def flush(self) -> None:
        if self.stream is not None:
            try:
                self.stream.flush()
            except (OSError, ValueError):
                self._go_quiet()

    def _go_quiet(self) -> None:
        stream, self.stream = self.stream, None
        # what is still buffered would raise once more when Python flushes its streams at exit
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
            os.close(nowhere)


class Screen(Console):
    """A rich console on a stream: colours and live displays on a terminal only; NO_COLOR and TERM=dumb are rich's own."""

    def __init__(self, stream: TextIO | None, **settings: Any):
        self.stream = stream
        outlet = Outlet(stream)
        terminal = bool(settings.pop("force_terminal", outlet.isatty()))
        settings.setdefault("width", None if terminal else WIDTH_WITHOUT_TERMINAL)
        super().__init__(file=cast(TextIO, outlet), force_terminal=terminal, highlight=False, markup=False, emoji=False, **settings)

    @property
    def is_live(self) -> bool:
        """May lines be redrawn?"""
        return self.is_terminal and self.is_interactive and not self.is_dumb_terminal

    @property
    def table_box(self) -> Box:
        """Lines for a table: plain characters where no person looks."""
        return SIMPLE_HEAD if self.is_terminal and not self.is_dumb_terminal else ASCII

    def tell(self, text: str, style: str = "") -> None:
        """One line, never wrapped, with nothing in it that steers a terminal."""
        self.print(Text(printable(text), style=style), soft_wrap=True)


_screens: dict[str, Screen] = {}


def stdout() -> Screen:
    """The screen on today's sys.stdout."""
    return _screen_on("stdout", sys.stdout)


def stderr() -> Screen:
    """The screen on today's sys.stderr, the same object for as long as the stream is."""
    return _screen_on("stderr", sys.stderr)


def _screen_on(name: str, stream: TextIO | None) -> Screen:
    stream = getattr(stream, "rich_proxied_file", stream)  # a live display stands before the real stream
    if name not in _screens or _screens[name].stream is not stream:
        _screens[name] = Screen(stream)
    return _screens[name]


def say(text: str, level: int = logging.INFO) -> None:
    """A note for the person at the terminal; in a run also for train.log, at level DEBUG for that alone."""
    if logger.handlers:
        logger.log(level, "%s", text)
    else:
        stderr().tell(text)


class ScreenHandler(logging.Handler):
    """Log records on stderr, above a live display."""

    def emit(self, record: logging.LogRecord) -> None:
        warns = record.levelno >= logging.WARNING
        for line in record.getMessage().splitlines():
            stderr().tell(f"{record.levelname.lower()}: {line}" if warns else line, style="yellow" if warns else "")


class LogFile(logging.FileHandler):
    """train.log: time, level and text; when it cannot be written any more the run goes on without it."""

    def __init__(self, path: Path):
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ"))
        self.formatter.converter = time.gmtime  # type: ignore[union-attr]

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).split("\n")))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002 (its name is logging's)
        logger.removeHandler(self)
        stderr().tell(
            f"warning: {self.baseFilename} cannot be written any more ({sys.exc_info()[1]}); the run goes on without it", "yellow"
        )
        with suppress(OSError, ValueError):
            self.close()


def setup_logging(run: Path | None) -> None:
    """Sends the `cnntrain` logger to the terminal and, in a run, to RUN/train.log (appended to).

    Raises:
        DiskFull, CannotGoOn: RUN/train.log cannot be opened.
    """
    close_logging()
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(ScreenHandler(logging.INFO))
    if run is not None:
        with told_plainly(run / LOG_FILE):
            logger.addHandler(LogFile(run / LOG_FILE))


def close_logging() -> None:
    """Closes train.log and lets the logger be as it was; a second call does nothing."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        with suppress(OSError, ValueError):
            handler.close()
    logger.propagate = True
