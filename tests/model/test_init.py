"""How weights start."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from cnntrain.errors import ConfigError
from cnntrain.model.init import init_weights
from cnntrain.model.residual import PreActResidualBlock, ResidualBlock


def net() -> Any:
    return nn.Sequential(nn.Conv2d(64, 128, 3), nn.BatchNorm2d(128), nn.Linear(200, 300))


def test_he_draws_variance_2_over_fan_out() -> None:
    torch.manual_seed(0)
    layers = net()
    init_weights(layers, name="he")
    # 73,728 draws: the sample deviation is within 1 % of sqrt(2 / (128 * 9))
    assert layers[0].weight.std().item() == pytest.approx(math.sqrt(2 / (128 * 9)), rel=0.01)
    assert layers[0].bias.abs().max().item() == 0


def test_he_and_torch_leave_linear_layers_as_torch_makes_them() -> None:
    for name in ("he", "torch"):
        layers = net()
        before = layers[2].weight.clone()
        init_weights(layers, name=name)
        assert torch.equal(layers[2].weight, before)


def test_xavier_stays_within_its_bound() -> None:
    layers = net()
    init_weights(layers, name="xavier")
    bound = math.sqrt(6 / (200 + 300))
    assert 0.99 * bound < layers[2].weight.abs().max().item() <= bound


def test_normal_has_deviation_001() -> None:
    torch.manual_seed(0)
    layers = net()
    init_weights(layers, name="normal")
    assert layers[2].weight.std().item() == pytest.approx(0.01, rel=0.02)


def test_torch_leaves_convolutions_alone() -> None:
    layers = net()
    before = layers[0].weight.clone()
    init_weights(layers, name="torch")
    assert torch.equal(layers[0].weight, before)


def test_norms_start_at_weight_1_and_bias_0() -> None:
    layers = net()
    init_weights(layers, name="he")
    assert torch.equal(layers[1].weight, torch.ones(128))
    assert torch.equal(layers[1].bias, torch.zeros(128))


def test_same_seed_gives_the_same_weights() -> None:
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        layers = net()
        init_weights(layers, name="he")
        found.append(layers[0].weight)
    assert torch.equal(*found)


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_zero_init_residual_makes_a_block_its_shortcut(norm: str) -> None:
    x = torch.randn(2, 8, 4, 4)
    basic, preact = ResidualBlock(8, 8, norm=norm), PreActResidualBlock(8, 8, norm=norm)
    for block in (basic, preact):
        init_weights(block, name="he", zero_init_residual=False)
        init_weights(nn.Sequential(block), name="he", zero_init_residual=True)
    assert torch.equal(basic(x.clone()), x.relu())
    assert torch.equal(preact(x.clone()), x)


def test_zeroed_pre_activation_branch_still_gets_a_gradient() -> None:
    block: Any = PreActResidualBlock(8, 8)
    init_weights(nn.Sequential(block), name="he", zero_init_residual=True)
    block(torch.randn(2, 8, 4, 4)).square().sum().backward()
    assert block.branch[-1].conv.weight.grad.abs().max().item() > 0


def test_unknown_init_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"init=hee is unknown; did you mean he\?"):
        init_weights(net(), name="hee")
