"""What a run tells its listeners (history, checkpoints, terminal, TensorBoard), in this order:

RunStarted, then for each epoch StepRejected (hardly ever), Measured (every log_every_steps), StepDone (every step, when all
else is told of it),
ValidationStepDone, EpochDone, and at last RunEnded.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RunStarted:
    """Before the first step; `epoch` and `step` are what is done, 0 unless the run was resumed."""

    epoch: int
    step: int
    num_epochs: int
    total_steps: int
    steps_per_epoch: int
    num_val_batches: int


@dataclass(frozen=True)
class StepDone:
    """One optimizer step is done. `step` counts from 1 over the whole run, `epoch` from 1."""

    step: int
    epoch: int
    num_images: int


@dataclass(frozen=True)
class StepRejected:
    """This step's loss or gradients were not finite, so it changed nothing; on a GPU told some steps later.

    Args:
        loss: mean over the batch.
        indices: the batch's places in the training set.
    """

    step: int
    epoch: int
    loss: float
    indices: tuple[int, ...]


@dataclass(frozen=True)
class Measured:
    """Means since the last Measured: train/loss, train/top1 (or the task's), lr, grad_norm, images_per_second."""

    step: int
    epoch: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class ValidationStepDone:
    """One validation batch is done."""

    epoch: int
    batch: int


@dataclass(frozen=True)
class EpochDone:
    """Training and validation of one epoch are done.

    Metrics: those of measures.metrics_of (val/top5 only where classes > 5), lr, images_per_second.
    """

    step: int
    epoch: int
    metrics: dict[str, float]
    is_best: bool
    seconds: float


@dataclass(frozen=True)
class RunEnded:
    """The loop is over: status is done, interrupted, stopped, diverged or failed; reason says why, as `all 30 epochs done`."""

    step: int
    epoch: int
    status: str
    reason: str
    seconds: float
    images_per_second: float


Event = RunStarted | StepDone | StepRejected | Measured | ValidationStepDone | EpochDone | RunEnded
Listener = Callable[[Event], None]
