"""The loop: when it ends, what it tells, what is best."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from cnntrain.engine.events import EpochDone, Event, Measured, RunEnded, StepDone
from cnntrain.engine.optimizer import build_optimizer
from cnntrain.engine.precision import Arithmetic
from cnntrain.engine.state import Objective, Progress
from cnntrain.engine.step import TrainStep
from cnntrain.engine.tasks import Classification
from cnntrain.engine.trainer import Plan, Trainer
from cnntrain.errors import Diverged, Interrupted

CPU = Arithmetic(torch.device("cpu"), "fp32", channels_last=False)


class ThreeBatches:
    def __len__(self) -> int:
        return 3

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        for i in range(first, 3):
            generator = torch.Generator().manual_seed(100 * epoch + i)
            yield torch.randn(4, 5, generator=generator), torch.tensor([0, 1, 2, 0]), torch.arange(4)


def run(
    *, epochs: int = 2, top1: list[float] | None = None, lr: float = 0.1, stop_at: int | None = None, **plan: float
) -> tuple[list[Event], Trainer]:
    events: list[Event] = []
    values = iter(top1 or [0.5] * 99)
    torch.manual_seed(0)
    model = nn.Linear(5, 3)
    step = TrainStep(model, build_optimizer({"type": "sgd", "lr": lr}, model), Classification(3), CPU, seed=0)

    def stop() -> None:
        if stop_at is not None and trainer.progress.step == stop_at:
            raise Interrupted("interrupted by Ctrl-C")

    trainer = Trainer(
        step,
        lambda _: lr,
        ThreeBatches(),
        lambda: {"val/loss": 1.0, "val/top1": next(values)},
        plan=Plan(epochs, int(plan.pop("total_steps", 3 * epochs)), log_every_steps=2, **plan),  # type: ignore[arg-type]
        objective=Objective("val/top1"),
        progress=Progress(),
        tell=events.append,
        stop=stop,
    )
    trainer.fit()
    return events, trainer


def test_two_epochs_of_three_batches_are_six_steps() -> None:
    events, _ = run(epochs=2)
    assert [(e.step, e.epoch) for e in events if isinstance(e, StepDone)] == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2)]
    assert [(e.step, e.epoch) for e in events if isinstance(e, EpochDone)] == [(3, 1), (6, 2)]
    assert [e.step for e in events if isinstance(e, Measured)] == [2, 4, 6]
    assert isinstance(events[-1], RunEnded)
    assert (events[-1].status, events[-1].reason) == ("done", "all 2 epochs done")


def test_a_tie_keeps_the_earlier_epoch() -> None:
    events, trainer = run(epochs=4, top1=[0.5, 0.7, 0.7, 0.6])
    assert [e.is_best for e in events if isinstance(e, EpochDone)] == [True, True, False, False]
    assert trainer.progress.best["epoch"] == 2
    assert trainer.progress.last["epoch"] == 4


def test_a_lower_loss_is_better() -> None:
    assert Objective("val/loss").better(0.1, 0.2)
    assert not Objective("val/loss").better(0.2, 0.2)
    assert not Objective("val/loss").better(float("nan"), None)


def test_patience_ends_the_run_after_epochs_without_a_better_one() -> None:
    events, _ = run(epochs=9, top1=[0.5, 0.6, 0.6, 0.6, 0.9], early_stopping_patience=2)
    assert isinstance(events[-1], RunEnded)
    assert (events[-1].epoch, events[-1].reason) == (4, "no better val/top1 for 2 epochs")


def test_the_steps_end_a_run_inside_an_epoch_and_it_is_validated() -> None:
    events, trainer = run(epochs=2, total_steps=4)
    assert trainer.progress.step == 4
    assert isinstance(events[-2], EpochDone)
    assert events[-1].reason == "all 4 steps done"  # type: ignore[union-attr]


def test_the_time_budget_ends_a_run() -> None:
    events, trainer = run(epochs=50, time_budget_seconds=0.0)
    assert trainer.progress.step == 0
    assert events[-1].reason == "the time budget of 0 s is used up"  # type: ignore[union-attr]


def test_an_epoch_of_losses_that_are_not_finite_ends_the_run() -> None:
    told = r"no finite loss or gradients in 3 steps in a row, up to step 4 \(lr 3e\+38\); try a lower optimizer\.lr"
    with pytest.raises(Diverged, match=told):
        run(epochs=9, lr=3e38)


def test_a_stop_between_steps_is_told_and_raised() -> None:
    with pytest.raises(Interrupted, match="Ctrl-C"):
        run(stop_at=2)
