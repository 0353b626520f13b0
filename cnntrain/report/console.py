"""What a person sees while a run trains: a live display on a terminal, else one plain line for each epoch."""

import time
from collections.abc import Callable
from types import TracebackType

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from cnntrain.engine.events import EpochDone, Event, Measured, RunEnded, RunStarted, StepDone, ValidationStepDone
from cnntrain.measures import IN_LINES, main_metric
from cnntrain.report.figures import duration, metric_text
from cnntrain.report.pace import Pace
from cnntrain.report.screen import Screen, close_logging, logger, say, setup_logging, stderr

__all__ = ["ConsoleListener", "close_logging", "say", "setup_logging"]

SECONDS_BETWEEN_DRAWINGS = 0.1
SECONDS_BETWEEN_LINES = 10.0
WIDTH_FOR_ALL = 110  # columns


class ConsoleListener:
    """Shows a run's events on stderr. `close` (or leaving `with`) takes a live display away, however the run ended.

    Args:
        screen: where; by default stderr.
        clock: seconds; for tests.
    """

    def __init__(self, screen: Screen | None = None, *, clock: Callable[[], float] = time.monotonic):
        self.screen = stderr() if screen is None else screen
        self.own_screen = screen is not None
        self.clock = clock
        self.drawn = self.told = clock()
        self.shown = {"train/loss": "", "images_per_second": ""}
        self.main: str | None = None  # val/top1, val/map or val/mae, once there is one
        self.progress: Progress | None = None
        self.task = TaskID(0)
        self.began: RunStarted | None = None
        self.pace: Pace | None = None

    def __call__(self, event: Event) -> None:
        """Takes one event."""
        now = self.clock()
        if isinstance(event, RunStarted):
            self._start(event, now)
        elif isinstance(event, StepDone):
            self._step(event, now)
        elif isinstance(event, Measured):
            self._note(event.metrics)
        elif isinstance(event, ValidationStepDone):
            self._validation_step(event, now)
        elif isinstance(event, EpochDone):
            self._epoch(event, now)
        elif isinstance(event, RunEnded):
            self.close()
            speed = metric_text("images_per_second", event.images_per_second)
            said = event.reason if event.reason.startswith(event.status) else f"{event.status}: {event.reason}"
            self._say(f"{said} ({duration(event.seconds)}, {speed} images/s)")

    def close(self) -> None:
        """Ends the live display; a second call does nothing."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None

    def __enter__(self) -> "ConsoleListener":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _start(self, event: RunStarted, now: float) -> None:
        self.close()
        self.began = event
        self.drawn = self.told = now
        self.pace = Pace(
            now,
            step=event.step,
            total_steps=event.total_steps,
            steps_per_epoch=event.steps_per_epoch,
            num_val_batches=event.num_val_batches,
        )
        if self.screen.is_live:
            self.progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=20 if self.screen.width >= WIDTH_FOR_ALL else 6),
                TextColumn("{task.fields[line]}"),
                console=self.screen,
                auto_refresh=False,  # a drawing thread would be copied into forked loader workers while it holds a lock
                transient=True,
                redirect_stdout=False,  # results must reach a redirected stdout, not the display on stderr
            )
            self.task = self.progress.add_task(self._epoch_name(event.epoch + 1), total=event.total_steps, completed=event.step, line="")
            self.progress.start()

    def _step(self, event: StepDone, now: float) -> None:
        assert self.pace is not None, "RunStarted comes first"
        self.pace.stepped(now, event.step)
        self._show(event.epoch, now, "")

    def _validation_step(self, event: ValidationStepDone, now: float) -> None:
        assert self.pace is not None, "RunStarted comes first"
        self.pace.validated(now)
        self._show(event.epoch, now, " val")

    def _show(self, epoch: int, now: float, phase: str) -> None:
        if self.progress is not None:
            if now - self.drawn >= SECONDS_BETWEEN_DRAWINGS:
                self.drawn = now
                self._draw(epoch, phase)
        elif now - self.told >= SECONDS_BETWEEN_LINES:
            self.told = now
            self.screen.tell(f"{self._epoch_name(epoch)}{phase}  {self._line()}")

    def _draw(self, epoch: int, phase: str) -> None:
        if self.progress is not None and self.pace is not None:
            name = self._epoch_name(epoch) + phase
            self.progress.update(self.task, completed=self.pace.step, description=name, line=self._line())
            self.progress.refresh()

    def _epoch(self, event: EpochDone, now: float) -> None:
        assert self.pace is not None, "RunStarted comes first"
        self._note(event.metrics)
        self.pace.paused(now)
        self.told = now
        # on a terminal a line of 80 columns, since a wrapped one cannot be read down; metrics.jsonl has them all
        told = [name for name in IN_LINES if not self.screen.is_live or name in ("train/loss", "val/loss", self.main)]
        parts = [f"{name} {metric_text(name, event.metrics[name])}" for name in told if name in event.metrics]
        parts += [] if self.screen.is_live else [f"{self.shown['images_per_second']} images/s"]
        parts += [duration(event.seconds)]
        self._say("  ".join([self._epoch_name(event.epoch), *parts, *(["best"] if event.is_best else [])]))
        self._draw(event.epoch, "")

    def _note(self, metrics: dict[str, float]) -> None:
        self.main = main_metric(metrics) or self.main
        self.shown |= {name: metric_text(name, metrics[name]) for name in (*self.shown, self.main) if name in metrics}

    def _line(self) -> str:
        assert self.pace is not None, "RunStarted comes first"
        left = self.pace.left()
        parts = [f"step {self.pace.step}/{self.pace.total_steps}"]
        parts += [f"loss {self.shown['train/loss']}"] if self.shown["train/loss"] else []
        parts += [f"{self.main} {self.shown[self.main]}"] if self.main is not None else []
        wide = self.screen.width >= WIDTH_FOR_ALL  # on a narrow terminal the time left matters more
        parts += [f"{self.shown['images_per_second']} images/s"] if wide and self.shown["images_per_second"] else []
        parts += [f"{duration(left)} left"] if left is not None else []
        return "  ".join(parts)

    def _epoch_name(self, epoch: int) -> str:
        num_epochs = self.began.num_epochs if self.began else epoch
        return f"epoch {epoch:{len(str(num_epochs))}d}/{num_epochs}"

    def _say(self, text: str) -> None:
        """On this listener's screen, and in train.log."""
        if self.own_screen:
            self.screen.tell(text)
        elif logger.handlers:
            logger.info("%s", text)
        else:
            self.screen.tell(text)
