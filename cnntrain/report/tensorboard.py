"""TensorBoard: the metrics under their own names, and the network, configuration, pictures and hyperparameters as text and images."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cnntrain.engine.events import EpochDone, Event, Measured, RunEnded
from cnntrain.report.event_file import EventFile
from cnntrain.report.plots import figure_pixels, image_grid
from cnntrain.report.screen import printable, say

FOLDER = "tensorboard"


class TensorBoardListener:
    """Writes a run's events into RUN/tensorboard. When that fails it says so once, and the run goes on without it.

    Args:
        run: the run folder.
        purge_step: of a resumed run, the last step that counts; what was written after it is hidden.
        measured: names of the metrics that an earlier start told of steps of the epoch that is open.
    """

    def __init__(self, run: Path, *, purge_step: int | None = None, measured: Iterable[str] = ()):
        self.folder = run / FOLDER
        self.file: EventFile | None = None
        self.make: Any = None
        self.measured = set(measured)
        self.session_end: Any = None
        try:
            from torch.utils.tensorboard import summary  # takes a second: only a run pays for it

            self.make = summary
            self.file = EventFile(self.folder, purge_step=None if purge_step is None else purge_step + 1)
        except Exception as error:
            self._give_up(error)

    def __call__(self, event: Event) -> None:
        """Takes one event."""
        if isinstance(event, Measured):
            self.measured |= set(event.metrics)
            self._scalars(event.metrics, event.step)
        elif isinstance(event, EpochDone):
            # an epoch's mean beside the means of its parts would draw two curves in one
            self._scalars({name: value for name, value in event.metrics.items() if name not in self.measured}, event.step)
            self.measured.clear()
        elif isinstance(event, RunEnded):
            self._end_session()

    def text(self, name: str, text: str, step: int = 0) -> None:
        """Plain text, such as the configuration or the table of the network, with its spaces kept."""
        indented = "\n".join("    " + line for line in text.splitlines())
        self._add(lambda: [self.make.text(name, indented)], step)

    def pictures(self, name: str, images: Any, step: int = 0) -> None:
        """A grid of images.

        Args:
            images: (N, C, H, W) uint8; `plots.as_pictures` makes them from network inputs.
        """
        self._add(lambda: [self.make.image(name, image_grid(images), dataformats="HWC")], step)

    def mistakes(self, name: str, images: Any, header: Sequence[str], rows: Sequence[Sequence[str]], step: int) -> None:
        """Images and, in the same order, a table of what was said of each.

        Args:
            images: (N, C, H, W) uint8.
            header: of the table's columns.
            rows: N times a cell for each column.
        """
        if not rows:
            return
        lines = [_line("image", *header), "|---" * (len(header) + 1) + "|"]
        lines += [_line(str(number), *row) for number, row in enumerate(rows, start=1)]
        self.pictures(name, images, step)
        self._add(lambda: [self.make.text(name, "\n".join(lines))], step)

    def figure(self, name: str, draw: Callable[[], Any | None], step: int) -> None:
        """A matplotlib Figure as a picture.

        Args:
            draw: makes it, or gives None; what it raises is no reason to end a run.
        """

        def summaries() -> list[Any]:
            drawn = draw()
            return [] if drawn is None else [self.make.image(name, figure_pixels(drawn), dataformats="HWC")]

        self._add(summaries, step)

    def hparams(self, values: Mapping[str, Any], metrics: Sequence[str]) -> None:
        """The settings by which the HPARAMS tab compares runs; their results are the scalars of the run itself.

        Args:
            metrics: names of these scalars.
        """
        plain = {key: value if isinstance(value, bool | int | float | str) else str(value) for key, value in values.items()}

        def summaries() -> list[Any]:
            # SummaryWriter.add_hparams would make a folder of its own, which TensorBoard shows as a second run
            experiment, session_start, self.session_end = self.make.hparams(plain, dict.fromkeys(metrics, 0.0))
            return [experiment, session_start]

        self._add(summaries, 0)

    def close(self) -> None:
        """Ends the writing; a second call does nothing."""
        self._end_session()
        self._guard(lambda file: file.close())
        self.file = None

    def _scalars(self, metrics: Mapping[str, float], step: int) -> None:
        self._add(lambda: [self.make.scalar(name, value) for name, value in metrics.items()], step)

    def _end_session(self) -> None:
        if self.session_end is not None:
            self._add(lambda: [self.session_end], 0)
            self.session_end = None

    def _add(self, summaries: Callable[[], list[Any]], step: int) -> None:
        def write(file: EventFile) -> None:
            for summary in summaries():
                file.add(summary, step)
            file.flush()

        self._guard(write)

    def _guard(self, write: Callable[[EventFile], None]) -> None:
        if self.file is not None:
            try:
                write(self.file)
            except Exception as error:  # whatever a picture or a disk may raise, it is no reason to end a run
                self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        file, self.file = self.file, None
        if file is not None:
            with suppress(OSError):
                file.close()
        say(f"TensorBoard's files in {self.folder} cannot be written ({error}); the run goes on without them", logging.WARNING)


def _line(*cells: str) -> str:
    return "| " + " | ".join(printable(cell).replace("|", "\\|") for cell in cells) + " |"
