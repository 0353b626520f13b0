"""The tasks: losses, weights and figures by hand; what they share with the loop."""

from math import exp, log

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cnntrain.config import schema
from cnntrain.config.schema import TrainerConfig
from cnntrain.engine.evaluator import evaluate
from cnntrain.engine.optimizer import build_optimizer
from cnntrain.engine.precision import Arithmetic
from cnntrain.engine.step import StepResult, TrainStep
from cnntrain.engine.tasks import (
    DEFAULT_LOSS,
    REGRESSION_LOSSES,
    Classification,
    Multilabel,
    Regression,
    Task,
    balanced_class_weights,
    balanced_pos_weight,
    build_task,
    mean_and_std,
    task_from,
)
from cnntrain.model.head import HeadInUnits

CPU = Arithmetic(torch.device("cpu"), "fp32", channels_last=False)


def test_shares_of_classes_are_as_good_as_labels() -> None:
    task = Classification(3, label_smoothing=0.1)
    logits, labels = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 2, 1])
    shares = functional.one_hot(labels, 3).float()
    torch.testing.assert_close(task.loss(logits, shares), task.loss(logits, labels))
    torch.testing.assert_close(task.loss_sum(logits, shares), task.loss_sum(logits, labels))
    assert int(task.sums(logits, shares)) == int(task.sums(logits, labels))


def test_balanced_weights_of_one_and_three_images() -> None:
    # N / (K * n) = 4 / (2 * 1) and 4 / (2 * 3); the third class has no image
    weights = balanced_class_weights(np.array([0, 1, 1, 1]), 3)
    assert weights.tolist() == pytest.approx([2.0, 2 / 3, 0.0])
    assert sum(weights[label] for label in (0, 1, 1, 1)) == pytest.approx(4.0)  # 1 an image


def test_a_weighted_loss_is_a_mean_over_images_so_that_micro_batches_add_up() -> None:
    loss = Classification(2, class_weights=torch.tensor([2.0, 0.5])).loss
    logits = torch.zeros(4, 2)  # log 2 for each image
    assert float(loss(logits, torch.tensor([0, 1, 1, 1]))) == pytest.approx((2.0 + 3 * 0.5) / 4 * log(2))
    assert float(loss(logits[:2], torch.tensor([1, 1]))) == pytest.approx(0.5 * log(2))  # torch would divide by the weights: log 2
    shares = torch.tensor([[0.5, 0.5]])
    assert float(loss(logits[:1], shares)) == pytest.approx((0.5 * 2.0 + 0.5 * 0.5) * log(2))


def test_pos_weight_is_the_absent_for_each_present() -> None:
    targets = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1]], np.float32)
    assert balanced_pos_weight(targets).tolist() == [3.0, 1.0, 0.0]


def test_multilabel_loss_is_the_mean_over_images_and_classes() -> None:
    task = Multilabel(2)
    outputs, targets = torch.tensor([[0.0, 3.0]]), torch.tensor([[1.0, 0.0]])
    by_hand = (log(2) + log(1 + exp(3))) / 2
    assert float(task.loss(outputs, targets)) == pytest.approx(by_hand)
    assert float(task.loss_sum(outputs.repeat(3, 1), targets.repeat(3, 1))) == pytest.approx(3 * by_hand)


def test_multilabel_figure_is_f1_over_all_decisions() -> None:
    task = Multilabel(3)
    sums = task.sums(torch.tensor([[1.0, -1.0, 2.0]]), torch.tensor([[1.0, 1.0, 0.0]]))
    assert sums.tolist() == [1, 2, 2]
    assert task.figures(sums + sums, 2) == {"f1": 2 * 2 / (4 + 4)}
    assert task.figures(torch.zeros(3, dtype=torch.int64), 2) == {"f1": 0.0}


@pytest.mark.parametrize(("loss", "by_hand"), [("mse", (4 + 0.25) / 2), ("l1", (2 + 0.5) / 2), ("smooth_l1", (2 - 0.5 + 0.125) / 2)])
def test_regression_loss_is_in_standard_deviations(loss: str, by_hand: float) -> None:
    task = Regression(2, mean=[5.0, 0.0], std=[10.0, 0.5], loss=loss)
    outputs, targets = torch.tensor([[25.0, 1.0]]), torch.tensor([[5.0, 0.75]])  # off by 2 and by half a deviation
    assert float(task.loss(outputs, targets)) == pytest.approx(by_hand)
    assert float(task.loss_sum(outputs.repeat(3, 1), targets.repeat(3, 1))) == pytest.approx(3 * by_hand)
    assert task.figures(task.sums(outputs, targets), 1) == {"mae": (20 + 0.25) / 2}  # in the user's units


def test_every_loss_that_may_be_chosen_is_there() -> None:
    assert set(schema.REGRESSION_LOSSES) == set(REGRESSION_LOSSES)
    assert DEFAULT_LOSS in REGRESSION_LOSSES


def test_mean_and_std_of_the_training_set() -> None:
    assert mean_and_std(np.array([[1.0, 7.0], [3.0, 7.0]], np.float32)) == ([2.0, 7.0], [1.0, 1.0])  # one value everywhere: 1


def test_a_head_in_units_gives_the_users_numbers() -> None:
    head = HeadInUnits(nn.Identity(), mean=[100.0, 0.0], std=[10.0, 2.0])
    assert head(torch.tensor([[1.5, -1.0]])).tolist() == [[115.0, -2.0]]
    assert list(head.state_dict()) == ["mean", "std"]


def linear_step(targets: Tensor) -> tuple[StepResult, Tensor]:
    """One step of a linear regression on fixed inputs."""
    images = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    task = build_task("regression", targets.numpy(), 1, TrainerConfig())
    assert task.units is not None
    torch.manual_seed(0)
    model = HeadInUnits(nn.Linear(3, 1), mean=task.units[0], std=task.units[1])
    step = TrainStep(model, build_optimizer({"type": "sgd", "lr": 0.1}, model), task, CPU, seed=0)
    result = step(images, targets, step=0, lr=0.1, want_norm=True)
    return result, model.state_dict()["head.weight"]


def test_the_unit_of_a_target_changes_nothing_but_the_error() -> None:
    metres = torch.tensor([[1.0], [2.0], [4.0], [3.0], [0.0], [-1.0]])
    one, weights = linear_step(metres)
    other, same = linear_step(metres * 1024)
    assert torch.equal(weights, same)
    assert torch.equal(one.loss, other.loss)
    assert float(other.sums) == 1024 * float(one.sums)


def test_micro_batches_add_up_for_a_regression() -> None:
    images, targets = torch.randn(6, 3, generator=torch.Generator().manual_seed(1)), torch.arange(6.0)[:, None]
    sums = []
    for parts in (1, 3):
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        task = Regression(1, mean=[0.0], std=[1.0])
        step = TrainStep(model, build_optimizer({"type": "sgd", "lr": 0.1}, model), task, CPU, seed=0, accumulation_steps=parts)
        sums.append(float(step(images, targets, step=0, lr=0.1, want_norm=False).sums))
    assert sums[0] == pytest.approx(sums[1])


@pytest.mark.parametrize(
    ("task", "targets"),
    [
        (Classification(2, label_smoothing=0.3, class_weights=torch.tensor([5.0, 1.0])), torch.tensor([0, 1, 1])),
        (Multilabel(2, pos_weight=torch.tensor([9.0, 1.0])), torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])),
        (Regression(2, mean=[0.0, 1.0], std=[2.0, 1.0], loss="l1"), torch.tensor([[1.0, 2.0], [0.0, 0.0], [5.0, 1.0]])),
    ],
    ids=lambda value: value.name if isinstance(value, Task) else "",
)
def test_a_described_task_evaluates_alike_and_weights_do_not_count(task: Task, targets: Tensor) -> None:
    model, images = nn.Flatten(), torch.randn(3, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    batches = [(images, targets, torch.arange(3))]
    again = task_from(task.describe(), 2)
    found = evaluate(model, batches, CPU, task=task).metrics()
    assert evaluate(model, batches, CPU, task=again).metrics() == found
    if not isinstance(task, Regression):
        unweighted = nn.functional.cross_entropy if targets.ndim == 1 else functional.binary_cross_entropy_with_logits
        assert found["loss"] == pytest.approx(float(unweighted(images.flatten(1), targets)))


def test_the_settings_reach_the_tasks() -> None:
    labels = np.array([0, 0, 0, 1])
    weighted = build_task("classification", labels, 2, TrainerConfig(class_weights="balanced"))
    assert weighted.loss.weight.tolist() == pytest.approx([2 / 3, 2.0])  # type: ignore[operator]
    several = build_task("multilabel", np.eye(4, 2, dtype=np.float32), 2, TrainerConfig(class_weights="balanced"))
    assert several.loss.pos_weight.tolist() == [3.0, 3.0]  # type: ignore[operator]
    assert build_task("multilabel", np.eye(4, 2, dtype=np.float32), 2, TrainerConfig()).loss.pos_weight is None
    numbers = build_task("regression", np.array([[1.0], [3.0]], np.float32), 1, TrainerConfig(regression_loss="l1"))
    assert numbers.describe() == {"name": "regression", "loss": "l1", "mean": [2.0], "std": [1.0]}
