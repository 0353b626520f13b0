"""Heads: what is pooled or flattened, and which features are seen."""

from typing import Any

import pytest
import torch

from cnntrain.errors import ConfigError
from cnntrain.model.head import LinearHead, MlpHead


def test_average_pooling_is_the_mean_of_the_map() -> None:
    head: Any = LinearHead(4, 3, (5, 6))
    x = torch.randn(2, 4, 5, 6)
    assert torch.allclose(head(x), head.linear(x.mean((2, 3))), atol=1e-6)


def test_max_pooling_is_the_maximum_of_the_map() -> None:
    head: Any = LinearHead(4, 3, (5, 6), pool="max")
    x = torch.randn(2, 4, 5, 6)
    assert torch.equal(head(x), head.linear(x.amax((2, 3))))


def test_without_pooling_every_position_is_a_feature() -> None:
    assert LinearHead(4, 3, (5, 6), pool="none").linear.in_features == 4 * 5 * 6


def test_mlp_has_784_512_256_10_features_on_gray_28x28() -> None:
    head: Any = MlpHead(1, 10, 28, pool="none")
    # 784 * 512 + 512, 512 * 256 + 256, 256 * 10 + 10
    assert sum(p.numel() for p in head.parameters()) == 401_920 + 131_328 + 2_570
    assert head(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_mlp_hidden_layers_take_norm_activation_and_dropout() -> None:
    head: Any = MlpHead(4, 3, 2, hidden=[8], norm="batch", activation="tanh", dropout=0.5)
    assert [type(layer).__name__ for layer in head.hidden0] == ["Linear", "BatchNorm1d", "Tanh", "Dropout"]
    assert head.hidden0.linear.bias is None


def test_dropout_is_absent_at_0() -> None:
    assert "dropout" not in dict(LinearHead(4, 3, 2).named_children())
    head: Any = LinearHead(4, 3, 2, dropout=0.2)
    assert head.dropout.p == 0.2


def test_unknown_pool_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"pool=mean is unknown; there are: avg, max, none"):
        LinearHead(4, 3, 2, pool="mean")
