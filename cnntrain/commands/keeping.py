"""Listeners that write what a run leaves: metrics.jsonl, checkpoints, summary.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnntrain.engine.ema import Average
from cnntrain.engine.events import EpochDone, Event, Measured, RunEnded, RunStarted
from cnntrain.engine.state import Progress
from cnntrain.engine.step import TrainStep
from cnntrain.errors import CnntrainError
from cnntrain.runs.checkpoint import mark, prune, save
from cnntrain.runs.history import History
from cnntrain.runs.summary import read_summary, write_summary


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


class CheckpointKeeper:
    """A checkpoint at the end of each epoch; `last` and, where it is, `best` point to it.

    Args:
        config: what evaluation needs to rebuild network and preprocessing; plain data.
    """

    def __init__(self, run: Path, step: TrainStep, progress: Progress, config: Mapping[str, Any], *, average: Average | None = None):
        self.run, self.step, self.progress, self.config, self.average = run, step, progress, config, average

    def __call__(self, event: Event) -> None:
        if not isinstance(event, EpochDone):
            return
        state = {**self.progress.state_dict(), "scaler": self.step.scaler.state_dict()}
        average = self.average
        folder = save(
            self.run,
            model=self.step.model.state_dict(),
            optimizer=self.step.optimizer.state_dict(),
            state=state if average is None else {**state, "ema": average.state_dict()},
            config=self.config,
            average=None if average is None else average.tensors(),
        )
        mark(self.run, "last", folder)
        if event.is_best:
            mark(self.run, "best", folder)
        prune(self.run)


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
            self.write("interrupted" if isinstance(error, KeyboardInterrupt) else status, reason)

    def write(self, status: str, reason: str | None = None) -> None:
        at = self.progress
        val = {k: v for k, v in at.best.items() if k in ("epoch", "step") or k.startswith("val/")}
        last = {k: v for k, v in at.last.items() if k in ("epoch", "step") or k.startswith(("val/", "train/"))}
        speeds = {"images_per_second": round(at.images_per_second, 1), "seconds": round(at.seconds, 3)}
        speeds["prepare_seconds"] = round(self.prepare_seconds, 3)
        counts = {"objective": self.objective, "bad_files": self.num_bad_files, "rejected_steps": at.rejected_steps}
        write_summary(self.run, {"status": status, "reason": reason, "best": val, "last": last, **speeds, **counts})
