"""One step: against torch by hand, with and without micro-batches."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnntrain.engine.optimizer import build_optimizer
from cnntrain.engine.precision import Arithmetic
from cnntrain.engine.step import TrainStep
from cnntrain.engine.tasks import Classification

CPU = Arithmetic(torch.device("cpu"), "fp32", channels_last=False)


def tiny() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 16, 3))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(6, 1, 4, 4, generator=generator), torch.tensor([0, 1, 2, 0, 1, 2])


def make_step(model: nn.Module, optimizer: dict[str, object] | None = None, **keywords: float) -> TrainStep:
    optimizer = optimizer or {"type": "sgd", "lr": 0.1}
    return TrainStep(model, build_optimizer(optimizer, model), Classification(3), CPU, seed=0, **keywords)  # type: ignore[arg-type]


def test_a_step_is_torchs_own_step() -> None:
    images, labels = batch()
    model, reference = tiny(), tiny()
    result = make_step(model)(images, labels, step=0, lr=0.1, want_norm=True)

    loss = functional.cross_entropy(reference(images), labels)
    loss.backward()
    norm = torch.cat([p.grad.flatten() for p in reference.parameters() if p.grad is not None]).norm()
    torch.optim.SGD(reference.parameters(), lr=0.1, momentum=0.9).step()

    assert torch.equal(result.loss, loss.detach())
    assert float(result.grad_norm) == pytest.approx(float(norm), rel=1e-6)  # type: ignore[arg-type]
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), reference.parameters(), strict=True))


@pytest.mark.parametrize("accumulation_steps", [2, 4])  # 4 does not divide 6: micro-batches of 2, 2 and 2
def test_micro_batches_add_up_to_the_batch(accumulation_steps: int) -> None:
    images, labels = batch()
    whole, parts = tiny(), tiny()
    one = make_step(whole)(images, labels, step=0, lr=0.1, want_norm=False)
    many = make_step(parts, accumulation_steps=accumulation_steps)(images, labels, step=0, lr=0.1, want_norm=False)
    assert float(one.loss) == pytest.approx(float(many.loss), abs=1e-6)
    assert int(one.sums) == int(many.sums)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("accumulation_steps", [1, 3])
def test_a_change_of_the_batch_comes_first_and_its_shares_are_the_targets(accumulation_steps: int) -> None:
    images, labels = batch()
    shares = torch.tensor([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.4, 0.0, 0.6], [0.2, 0.8, 0.0], [0.0, 0.5, 0.5], [0.1, 0.0, 0.9]])
    seen = []

    def change(given: torch.Tensor, targets: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append((len(given), targets.tolist(), step))
        return given * 0.5, shares

    model, reference = tiny(), tiny()
    task = Classification(3, label_smoothing=0.2)
    step = TrainStep(model, build_optimizer({"type": "sgd", "lr": 0.1}, model), task, CPU, seed=0, changes=[change])
    step.accumulation_steps = accumulation_steps
    result = step(images, labels, step=4, lr=0.1, want_norm=False)

    logits = reference(images * 0.5)
    smoothed = 0.8 * shares + 0.2 / 3  # Szegedy et al. 2015, arXiv 1512.00567, section 7
    by_hand = -(smoothed * logits.log_softmax(1)).sum(1).mean()
    by_hand.backward()
    torch.optim.SGD(reference.parameters(), lr=0.1, momentum=0.9).step()
    assert seen == [(6, labels.tolist(), 4)]  # the whole batch at once
    torch.testing.assert_close(result.loss, by_hand.detach())
    assert int(result.sums) == int((logits.argmax(1) == torch.tensor([0, 1, 2, 1, 1, 2])).sum())
    for a, b in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_clipping_scales_the_update_to_the_norm() -> None:
    images, labels = batch()
    model = tiny()
    before = deepcopy(model)
    step = make_step(model, {"type": "sgd", "lr": 1.0, "momentum": 0.0}, clip_norm=0.01)
    step(images, labels, step=0, lr=1.0, want_norm=False)
    moved = torch.cat([(a - b).flatten() for a, b in zip(model.parameters(), before.parameters(), strict=True)])
    assert float(moved.detach().norm()) == pytest.approx(0.01, rel=1e-4)  # lr 1: the update is the clipped gradient


def test_dropout_depends_on_the_step_alone() -> None:
    images, labels = batch()
    losses = []
    for noise in (0, 5):
        model = nn.Sequential(tiny(), nn.Dropout(0.5))
        torch.manual_seed(noise)
        losses.append(float(make_step(model)(images, labels, step=7, lr=0.1, want_norm=False).loss))
    assert losses[0] == losses[1]


def test_norms_and_biases_are_not_decayed_when_told_so() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    optimizer = build_optimizer({"type": "adamw", "lr": 0.1, "weight_decay": 0.3, "decay_norm_bias": False}, model)
    decayed, rest = optimizer.param_groups
    assert [p.ndim for p in decayed["params"]] == [4, 2]
    assert decayed["weight_decay"] == 0.3
    assert {p.ndim for p in rest["params"]} == {1}
    assert rest["weight_decay"] == 0.0
