"""The loop: epochs of steps, each epoch validated; it knows a step, batches and listeners, nothing of files or screens."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from cnntrain.engine.evaluator import Batch
from cnntrain.engine.events import EpochDone, Listener, Measured, RunEnded, RunStarted, StepDone
from cnntrain.engine.meter import Meter
from cnntrain.engine.rejections import Rejections
from cnntrain.engine.schedule import Schedule
from cnntrain.engine.state import Objective, Progress
from cnntrain.engine.step import TrainStep
from cnntrain.errors import CnntrainError


class TrainBatches(Protocol):
    """The training images, epoch by epoch."""

    def __len__(self) -> int: ...

    def batches(self, epoch: int, first: int = 0) -> Iterable[Batch]: ...


@dataclass(frozen=True)
class Plan:
    """When a run ends and how often it speaks."""

    num_epochs: int
    total_steps: int
    time_budget_seconds: float | None = None
    early_stopping_patience: int | None = None
    log_every_steps: int = 20
    max_rejected_steps: int = 10


class Trainer:
    """Trains until the plan is fulfilled, or until `stop` raises.

    Args:
        validate: gives val/loss, val/top1, ... of the network as it is.
        progress: counters, which the trainer moves on.
        tell: gets every event.
        stop: called between two steps; raises the CnntrainError that ends the run (a signal), or returns.
        num_val_batches: only to announce it.
    """

    def __init__(
        self,
        step: TrainStep,
        schedule: Schedule,
        train: TrainBatches,
        validate: Callable[[], dict[str, float]],
        *,
        plan: Plan,
        objective: Objective,
        progress: Progress,
        tell: Listener,
        stop: Callable[[], None],
        num_val_batches: int = 0,
    ):
        self.step, self.schedule, self.train, self.validate = step, schedule, train, validate
        self.plan, self.objective, self.progress = plan, objective, progress
        self.tell, self.stop, self.num_val_batches = tell, stop, num_val_batches
        self.rejections = Rejections(progress, tell, most=min(plan.max_rejected_steps, len(train)))
        self.lately, self.whole = Meter(step.task), Meter(step.task)  # since the last Measured, and in this epoch
        self.began = perf_counter() - progress.seconds

    def fit(self) -> None:
        at, plan = self.progress, self.plan
        self.tell(RunStarted(at.epoch, at.step, plan.num_epochs, plan.total_steps, len(self.train), self.num_val_batches))
        try:
            while (reason := self.ended()) is None:
                self.run_epoch()
        except CnntrainError as error:
            self.tell(RunEnded(at.step, at.epoch, error.status, error.faults[0], self.seconds(), at.images_per_second))
            raise
        self.tell(RunEnded(at.step, at.epoch, "done", reason, self.seconds(), at.images_per_second))

    def run_epoch(self) -> None:
        began = perf_counter()
        metrics = self.train_epoch() | self.validate()
        at = self.progress
        at.epoch += 1
        at.batch = 0
        at.train_images += self.whole.num_images
        at.train_seconds += self.whole.num_images / metrics["images_per_second"]
        at.seconds = self.seconds()
        is_best = at.note(metrics, self.objective)
        self.tell(EpochDone(at.step, at.epoch, metrics, is_best, perf_counter() - began))

    def train_epoch(self) -> dict[str, float]:
        at = self.progress
        self.step.model.train()
        if at.batch == 0:
            self.lately, self.whole = Meter(self.step.task), Meter(self.step.task)
        for images, targets, indices in self.train.batches(at.epoch, at.batch):
            self.stop()
            if self.cut_short():
                break
            lr = self.schedule(at.step)
            result = self.step(images, targets, step=at.step, lr=lr, want_norm=self.speaks_after(at.step))
            at.step, at.batch, at.images = at.step + 1, at.batch + 1, at.images + len(images)
            self.lately.add(result, len(images))
            self.whole.add(result, len(images))
            self.rejections.add(result, indices, lr)
            if result.grad_norm is not None and self.speaks_after(at.step - 1):
                self.rejections.read()
                self.tell(Measured(at.step, at.epoch + 1, self.lately.means() | {"lr": lr, "grad_norm": float(result.grad_norm)}))
                self.lately = Meter(self.step.task)
            self.tell(StepDone(at.step, at.epoch + 1, len(images)))
            self.rejections.check()
        self.rejections.read()
        self.rejections.check()
        return self.whole.means() | {"lr": self.schedule(at.step - 1)}

    def cut_short(self) -> bool:
        """Whether the epoch ends here, with its last batches left out."""
        return self.progress.step >= self.plan.total_steps or (self.progress.batch > 0 and self.out_of_time())

    def speaks_after(self, step: int) -> bool:
        return (step + 1) % self.plan.log_every_steps == 0

    def ended(self) -> str | None:
        """Why the run is over, or None."""
        at, plan = self.progress, self.plan
        if at.batch:  # an epoch that was begun is finished and validated
            return None
        if at.step >= plan.total_steps:
            cut_short = plan.total_steps < plan.num_epochs * len(self.train)
            number, what = (plan.total_steps, "step") if cut_short else (at.epoch, "epoch")
            return f"all {number} {what}s done" if number > 1 else f"the one {what} is done"
        if self.out_of_time():
            return f"the time budget of {plan.time_budget_seconds:g} s is used up"
        if plan.early_stopping_patience is not None and at.epochs_since_best >= plan.early_stopping_patience:
            return f"no better {self.objective.name} for {at.epochs_since_best} epochs"
        return None

    def out_of_time(self) -> bool:
        return self.plan.time_budget_seconds is not None and self.seconds() >= self.plan.time_budget_seconds

    def state_dict(self) -> dict[str, Any]:
        """Where the run stands between two steps, as plain data."""
        meters = {"lately": self.lately.state_dict(), "whole": self.whole.state_dict()}
        return {**self.progress.state_dict(), "seconds": self.seconds(), "meters": meters}

    def load_meters(self, state: dict[str, Any]) -> None:
        """The sums of an epoch that was stopped in its middle."""
        self.lately.load_state_dict(state["lately"])
        self.whole.load_state_dict(state["whole"])

    def seconds(self) -> float:
        """Wall time of the run, over all its starts."""
        return perf_counter() - self.began
