"""A step with numbers that are not finite: nothing changes, bit by bit, and it is told."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnntrain.engine.ema import Average
from cnntrain.engine.events import EpochDone, Event, Measured, StepRejected
from cnntrain.engine.guard import Guard, together
from cnntrain.engine.optimizer import CLASSES, build_optimizer
from cnntrain.engine.precision import Arithmetic
from cnntrain.engine.state import Objective, Progress
from cnntrain.engine.step import TrainStep
from cnntrain.engine.tasks import Classification
from cnntrain.engine.trainer import Plan, Trainer
from cnntrain.errors import Diverged

CPU = Arithmetic(torch.device("cpu"), "fp32", channels_last=False)
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


class Overflow(torch.autograd.Function):
    """Forward: the input as it is; backward: an infinite gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004 (torch's own signature)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # noqa: ARG004
        return grad * torch.inf


class Break(nn.Module):
    """Does nothing; with `on`, gradients through it are infinite."""

    on = False

    def forward(self, x: Tensor) -> Tensor:
        return Overflow.apply(x) if self.on else x


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), Break(), nn.Flatten(), nn.Linear(12, 3))


def batch(seed: int = 1) -> Tensor:
    return torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(seed))


def make(kind: str = "sgd", *, device: str = "cpu", **keywords: Any) -> TrainStep:
    model = net().to(device)
    where = Arithmetic(torch.device(device), keywords.pop("precision", "fp32"), channels_last=False)
    return TrainStep(model, build_optimizer({"type": kind, "lr": 0.1}, model), Classification(3), where, seed=0, **keywords)


def state(step: TrainStep) -> list[Tensor]:
    """Every tensor of weights, statistics and optimizer, as it is now."""
    found = [*step.model.state_dict().values()]
    for of_one in step.optimizer.state_dict()["state"].values():
        found += [value for value in of_one.values() if isinstance(value, Tensor)]
    return deepcopy(found)


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("kind", CLASSES)
def test_a_loss_that_is_nan_changes_nothing(kind: str, parts: int) -> None:
    step = make(kind, accumulation_steps=parts)
    step(batch(), LABELS, step=0, lr=0.1, want_norm=False)
    before = state(step)
    poisoned = batch(2)
    poisoned[3, 0, 1, 1] = torch.nan
    result = step(poisoned, LABELS, step=1, lr=0.1, want_norm=True)
    assert bool(result.rejected)
    assert not result.loss.isfinite()
    assert same(state(step), before)


def test_a_gradient_that_overflows_behind_a_finite_loss_changes_nothing() -> None:
    step = make(clip_norm=1.0)
    step(batch(), LABELS, step=0, lr=0.1, want_norm=False)
    before = state(step)
    step.model[3].on = True  # type: ignore[index]
    result = step(batch(2), LABELS, step=1, lr=0.1, want_norm=False)
    assert result.loss.isfinite()
    assert bool(result.rejected)
    assert same(state(step), before)


def test_running_statistics_that_overflow_behind_finite_numbers_are_put_back() -> None:
    """1e25 squared is more than float32 holds: the variance is infinite, and what is divided by it 0."""
    step = make()
    before = state(step)
    result = step(batch() * 1e25, LABELS, step=0, lr=0.0, want_norm=False)
    assert result.loss.isfinite()
    assert bool(result.rejected)
    assert same(state(step), before)


def test_the_steps_after_are_those_of_a_run_that_never_saw_it() -> None:
    one, other = make("adamw"), make("adamw")
    for number in range(3):
        one(batch(number), LABELS, step=number, lr=0.1, want_norm=False)
        one(batch(9) * torch.inf, LABELS, step=99, lr=0.5, want_norm=False)
        other(batch(number), LABELS, step=number, lr=0.1, want_norm=False)
    assert same(state(one), state(other))


def test_a_step_that_is_taken_has_the_bits_of_torchs_own() -> None:
    step, reference = make("adam"), net()
    optimizer = torch.optim.Adam(reference.parameters(), lr=0.1)
    for number in range(3):
        assert not step(batch(number), LABELS, step=number, lr=0.1, want_norm=False).rejected
        optimizer.zero_grad()
        nn.functional.cross_entropy(reference(batch(number)), LABELS).backward()
        optimizer.step()
    assert same([*step.model.state_dict().values()], [*reference.state_dict().values()])


def test_buffers_become_views_of_one_tensor_with_their_values_and_their_sharing() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm1d(5))
    model[1].running_var = model[1].running_mean
    model[0].running_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))  # type: ignore[operator]
    whole = together(model, torch.float32)
    assert model[0].running_mean.tolist() == [1.0, 2.0, 3.0]  # type: ignore[operator]
    assert model[1].running_var is not None
    model[1].running_mean.fill_(7.0)  # type: ignore[operator]
    assert model[1].running_var.tolist() == [7.0] * 5  # type: ignore[operator]
    assert int((whole == 7.0).sum()) == 5
    assert whole.numel() % 16 == 0  # 64 bytes


def test_an_average_of_the_weights_stays_as_it_was() -> None:
    model = net()
    average = Average(model, decay=0.5)
    step = TrainStep(model, build_optimizer({"type": "sgd", "lr": 0.1}, model), Classification(3), CPU, seed=0, followers=(average.update,))
    step(batch(), LABELS, step=0, lr=0.1, want_norm=False)
    before, count = deepcopy([*average.tensors().values()]), average.num_updates
    assert not torch.equal(average.tensors()["1.running_mean"], torch.zeros(3))  # it follows the buffers where they are now
    step(batch() * torch.nan, LABELS, step=1, lr=0.1, want_norm=False)
    assert same([*average.tensors().values()], before)
    assert average.num_updates == count
    average.update(torch.zeros(()))  # as on a GPU
    assert same([*average.tensors().values()], before)


def test_a_network_without_buffers_needs_no_room() -> None:
    model = nn.Linear(2, 2)
    assert Guard(model, torch.optim.SGD(model.parameters())).buffers == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("kind", CLASSES)
def test_on_a_gpu_too_nothing_changes(kind: str) -> None:
    step = make(kind, device="cuda")
    for number in range(2):
        before = state(step)
        assert bool(step(batch(9) * torch.nan, LABELS, step=9, lr=0.1, want_norm=False).rejected)
        assert same(state(step), before)
        step(batch(number), LABELS, step=number, lr=0.1, want_norm=False)


class Batches:
    """Four batches an epoch; those named are poisoned."""

    def __init__(self, bad: set[int]):
        self.bad = bad

    def __len__(self) -> int:
        return 4

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for i in range(first, 4):
            poison = torch.nan if 4 * epoch + i in self.bad else 1.0
            yield batch(i) * poison, LABELS, torch.arange(6) + 10 * i


def run(bad: set[int], *, epochs: int = 2, most: int = 10) -> tuple[list[Event], Progress]:
    events: list[Event] = []
    trainer = Trainer(
        make(),
        lambda _: 0.1,
        Batches(bad),
        lambda: {"val/loss": 1.0, "val/top1": 0.5},
        plan=Plan(epochs, 4 * epochs, log_every_steps=2, max_rejected_steps=most),
        objective=Objective("val/top1"),
        progress=Progress(),
        tell=events.append,
        stop=lambda: None,
    )
    try:
        trainer.fit()
    finally:
        run.progress = trainer.progress  # type: ignore[attr-defined]
    return events, trainer.progress


def test_a_rejected_step_is_counted_and_told_with_its_images() -> None:
    events, progress = run({2, 5})
    told = [(e.step, e.epoch, e.indices) for e in events if isinstance(e, StepRejected)]
    assert told == [(3, 1, (20, 21, 22, 23, 24, 25)), (6, 2, (10, 11, 12, 13, 14, 15))]
    assert (progress.step, progress.rejected_steps, progress.rejected_in_a_row) == (8, 2, 0)


def test_means_are_over_the_steps_that_were_taken() -> None:
    with_one, _ = run({3}, epochs=1)
    clean, _ = run(set(), epochs=1)
    measured = [e.metrics["train/loss"] for e in with_one if isinstance(e, Measured)]
    assert all(loss == loss for loss in measured)
    first_two = next(e.metrics["train/loss"] for e in clean if isinstance(e, Measured))
    whole = next(e.metrics["train/loss"] for e in with_one if isinstance(e, EpochDone))
    assert measured[0] == first_two
    assert whole == pytest.approx((2 * first_two + measured[1]) / 3)


def test_too_many_in_a_row_end_the_run_and_others_do_not() -> None:
    run({0, 1, 3, 4, 6, 7}, most=3)
    with pytest.raises(Diverged, match="4 steps in a row"):  # a whole epoch
        run({1, 2, 3, 4})
    with pytest.raises(Diverged, match=r"no finite loss or gradients in 3 steps in a row, up to step 6 \(lr 0\.1\)"):
        run({3, 4, 5}, most=3)
    assert run.progress.step == 6  # type: ignore[attr-defined]
