"""Listeners that write what a run leaves: metrics.jsonl, checkpoints, summary.json."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from cnntrain.commands.building import Parts
from cnntrain.config.durations import parse_duration
from cnntrain.engine.events import EpochDone, Event, Measured, RunEnded, RunStarted, StepDone
from cnntrain.engine.state import Progress
from cnntrain.errors import CannotGoOn, CnntrainError, DiskFull, Interrupted, StoppedAndSaved
from cnntrain.runs.checkpoint import mark, prune, save
from cnntrain.runs.history import History
from cnntrain.runs.summary import read_summary, write_summary

BY_SIGNAL = (StoppedAndSaved.status, Interrupted.status)


class HistoryKeeper:
    """A line of metrics.jsonl for each Measured, EpochDone and RunEnded."""

    def __init__(self, history: History):
        self.history = history

    def __call__(self, event: Event) -> None:
        if isinstance(event, Measured):
            self.history.append({"event": "step", "step": event.step, "epoch": event.epoch, **event.metrics})
        elif isinstance(event, EpochDone):
            facts: dict[str, Any] = {"is_best": event.is_best, "seconds": round(event.seconds, 3)}
            self.history.append({"event": "epoch", "step": event.step, "epoch": event.epoch, **event.metrics, **facts})
        elif isinstance(event, RunEnded):
            facts = {"status": event.status, "reason": event.reason, "seconds": round(event.seconds, 3)}
            self.history.append({"event": "end", "step": event.step, "epoch": event.epoch, **facts})
            if event.status == "done":
                self.history.write_out()  # what the disk still does not take is no longer waited for


class Cadence:
    """When a checkpoint is due inside of an epoch.

    Args:
        every: steps, or a duration such as 5m; None: never.
    """

    def __init__(self, every: int | str | None):
        self.steps = every if isinstance(every, int) else None
        self.seconds = parse_duration(every) if isinstance(every, str) else None
        self.last = monotonic()  # a clock that nobody can set

    def is_due(self, step: int) -> bool:
        if self.steps is not None:
            return step % self.steps == 0
        return self.seconds is not None and monotonic() - self.last >= self.seconds

    def saved(self) -> None:
        self.last = monotonic()


class CheckpointKeeper:
    """A checkpoint when it is time, at the end of each epoch and where a signal ends the run; `last` and `best` point to theirs.

    Args:
        state: where the run stands, see position.state_of.
        config: what evaluation needs to rebuild network and preprocessing; plain data.
        cadence: when it is time inside of an epoch.
        newest, every: what is kept, see checkpoint.prune.
        before: called first, so that what was told of these steps is on the disk before them.
    """

    def __init__(
        self,
        run: Path,
        parts: Parts,
        progress: Progress,
        state: Callable[[], dict[str, Any]],
        *,
        config: Mapping[str, Any],
        cadence: Cadence,
        newest: int,
        every: int | None,
        before: Callable[[], None],
    ):
        self.run, self.parts, self.progress, self.state, self.config = run, parts, progress, state, config
        self.cadence, self.newest, self.every, self.before = cadence, newest, every, before
        self.saved = self.position()  # at the start there is nothing new

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepDone):
            if self.cadence.is_due(event.step):
                self.save()
        elif isinstance(event, EpochDone):
            self.save(is_best=event.is_best)
        elif isinstance(event, RunEnded) and event.status in BY_SIGNAL and self.position() != self.saved:
            self.save()

    def position(self) -> tuple[int, int, int]:
        return self.progress.step, self.progress.epoch, self.progress.batch

    def save(self, *, is_best: bool = False) -> None:
        self.before()
        parts = self.parts
        folder = save(
            self.run,
            model=parts.model.state_dict(),
            optimizer=parts.step.optimizer.state_dict(),
            state=self.state(),
            config=self.config,
            average=None if parts.average is None else parts.average.tensors(),
        )
        mark(self.run, "last", folder)
        if is_best:
            mark(self.run, "best", folder)
        prune(self.run, newest=self.newest, every=self.every)
        self.saved = self.position()
        self.cadence.saved()


class SummaryKeeper:
    """summary.json after each epoch and at the end."""

    def __init__(self, run: Path, progress: Progress):
        self.run, self.progress = run, progress
        self.objective: str | None = None  # known once the data is read
        self.started = False
        self.num_bad_files = 0
        self.prepare_seconds = 0.0

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.started = True
        elif isinstance(event, EpochDone):
            self.write("running")
        elif isinstance(event, RunEnded):
            self.progress.seconds = event.seconds
            self.write(event.status, event.reason)

    def ended_by(self, error: BaseException) -> None:
        """A run that never started leaves the summary of an earlier start as it is."""
        if self.started or read_summary(self.run) is None:
            status = error.status if isinstance(error, CnntrainError) else "failed"
            reason = error.faults[0] if isinstance(error, CnntrainError) else f"{type(error).__name__}: {error}"
            with suppress(DiskFull, CannotGoOn):  # the first error is the one to tell
                self.write("interrupted" if isinstance(error, KeyboardInterrupt) else status, reason)

    def write(self, status: str, reason: str | None = None) -> None:
        at = self.progress
        val = {k: v for k, v in at.best.items() if k in ("epoch", "step") or k.startswith("val/")}
        last = {k: v for k, v in at.last.items() if k in ("epoch", "step") or k.startswith(("val/", "train/"))}
        speeds = {"images_per_second": round(at.images_per_second, 1), "seconds": round(at.seconds, 3)}
        speeds["prepare_seconds"] = round(self.prepare_seconds, 3)
        counts = {"objective": self.objective, "bad_files": self.num_bad_files, "rejected_steps": at.rejected_steps}
        write_summary(self.run, {"status": status, "reason": reason, "best": val, "last": last, **speeds, **counts})
