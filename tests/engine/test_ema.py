"""The moving average of the weights, beside torch's own and beside numbers by hand."""

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

from cnntrain.engine.ema import Average
from cnntrain.engine.optimizer import build_optimizer
from cnntrain.engine.precision import Arithmetic
from cnntrain.engine.step import Follower, TrainStep
from cnntrain.engine.tasks import Classification

CPU = Arithmetic(torch.device("cpu"), "fp32", channels_last=False)


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))


def train(net: nn.Module, steps: range, *, after: Follower) -> None:
    step = TrainStep(net, build_optimizer({"type": "sgd", "lr": 0.1}, net), Classification(3), CPU, seed=0, followers=[after])
    for number in steps:
        images = torch.randn(8, 1, 4, 4, generator=torch.Generator().manual_seed(number))
        step(images, torch.arange(8) % 3, step=number, lr=0.1, want_norm=False)


def test_it_is_torchs_average_of_weights_and_running_statistics() -> None:
    net = small_net()
    average = Average(net, decay=0.9, warmup=False)
    theirs = AveragedModel(net, avg_fn=get_ema_avg_fn(0.9), use_buffers=True)
    theirs.update_parameters(net)  # its first call copies

    def both(taken: Tensor | None) -> None:
        average.update()
        theirs.update_parameters(net)

    train(net, range(5), after=both)
    expected = theirs.module.state_dict()
    for name, value in average.tensors().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, expected[name], msg=name)
    assert average.tensors()["1.num_batches_tracked"] == 5


def test_a_weight_that_stands_still_is_its_own_average_and_a_jump_is_followed_by_hand() -> None:
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 2.0)
    average = Average(net, decay=0.75, warmup=False)
    average.update()
    assert average.tensors()["weight"].item() == 2.0
    nn.init.constant_(net.weight, 10.0)
    average.update()
    assert average.tensors()["weight"].item() == 4.0  # 0.75 * 2 + 0.25 * 10
    average.update()
    assert average.tensors()["weight"].item() == 5.5  # 0.75 * 4 + 0.25 * 10


def test_warmup_forgets_the_first_weights_soon() -> None:
    average = Average(nn.Linear(1, 1), decay=0.999)
    assert [average.decay_of(n) for n in (1, 2, 90)] == [2 / 11, 3 / 12, 91 / 100]
    assert average.decay_of(100_000) == 0.999


def test_the_trained_network_knows_nothing_of_it() -> None:
    alone, followed = small_net(), small_net()
    average = Average(followed, decay=0.9)
    train(alone, range(4), after=lambda _: None)
    train(followed, range(4), after=average.update)
    for name, value in alone.state_dict().items():
        assert torch.equal(value, followed.state_dict()[name]), name
    assert not any(parameter.requires_grad for parameter in average.model.parameters())


@pytest.mark.parametrize("stop", [1, 3])
def test_an_average_that_is_stored_goes_on_bit_by_bit(stop: int) -> None:
    net = small_net()
    whole = Average(net, decay=0.9)
    parts = Average(net, decay=0.9)
    done = 0

    def both(taken: Tensor | None) -> None:
        nonlocal parts, done
        whole.update()
        parts.update()
        done += 1
        if done == stop:
            stored = {name: tensor.clone() for name, tensor in parts.tensors().items()}, parts.state_dict()
            parts = Average(net, decay=0.9)
            parts.load(*stored)

    train(net, range(6), after=both)
    for name, value in whole.tensors().items():
        assert torch.equal(value, parts.tensors()[name]), name
