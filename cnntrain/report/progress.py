"""How far an evaluation is: a line that moves on a terminal, else plain lines now and then."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from rich.progress import BarColumn, Progress, TextColumn

from cnntrain.report.figures import duration
from cnntrain.report.screen import Screen, stderr

SECONDS_BETWEEN_DRAWINGS, SECONDS_BETWEEN_LINES = 0.1, 10.0
T = TypeVar("T")


def shown(
    batches: Iterable[T],
    size_of: Callable[[T], int],
    total: int,
    *,
    what: str = "evaluating",
    screen: Screen | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[T]:
    """The batches; after each is done with, how many of the `total` images are, on stderr.

    Args:
        size_of: images in a batch.
        clock: seconds; for tests.
    """
    screen = stderr() if screen is None else screen
    began = told = clock()
    done = 0
    live = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[line]}"),
        console=screen,
        auto_refresh=False,  # a drawing thread would be copied into forked loader workers while it holds a lock
        transient=True,
        redirect_stdout=False,
        disable=not screen.is_live,
    )
    task = live.add_task(what, total=total, line="")
    with suppress(GeneratorExit), live:
        for batch in batches:
            yield batch
            done += size_of(batch)
            now = clock()
            if now - told < (SECONDS_BETWEEN_DRAWINGS if screen.is_live else SECONDS_BETWEEN_LINES):
                continue
            told = now
            line = progress_line(done, total, now - began)
            if screen.is_live:
                live.update(task, completed=done, line=line)
                live.refresh()
            else:
                screen.tell(f"{what}  {line}")


def progress_line(done: int, total: int, seconds: float) -> str:
    """`1,200 of 3,000 images  410 images/s  4.4 s left`."""
    speed = done / max(seconds, 1e-9)
    return f"{done:,} of {total:,} images  {speed:,.0f} images/s  {duration((total - done) / max(speed, 1e-9))} left"
