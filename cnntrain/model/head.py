"""Heads: from the last feature map to one logit a class, or one number a target."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cnntrain.model.conv import active, make_activation, pick
from cnntrain.model.geometry import Size, pair


class LinearHead(nn.Sequential):
    """Pooling, dropout and one linear layer.

    (N, in_channels, H, W) -> (N, num_classes)

    Args:
        input_size: (H, W), which decides the linear layer's width where nothing is pooled.
        pool: avg or max over the whole map (Lin et al. 2013, arXiv 1312.4400, section 3.2), or none to flatten it.
        dropout: probability of dropping a feature.
    """

    linear: nn.Linear

    def __init__(self, in_channels: int, num_classes: int, input_size: Size, *, pool: str = "avg", dropout: float = 0.0):
        num_features = in_channels * num_positions(pool, input_size)
        layers = {
            "pool": make_global_pool(pool),
            "flatten": nn.Flatten(),
            "dropout": nn.Dropout(dropout) if dropout else nn.Identity(),
            "linear": nn.Linear(num_features, num_classes),
        }
        super().__init__(active(layers))


class MlpHead(nn.Sequential):
    """Pooling, then linear layers with activations between them; with pool "none" a fully connected net.

    (N, in_channels, H, W) -> (N, num_classes)

    Args:
        input_size: (H, W), which decides the first layer's width where nothing is pooled.
        pool: avg, max, or none to flatten the map.
        hidden: features of each hidden layer.
        norm: batch, layer or none, after each hidden layer.
        dropout: probability of dropping a hidden feature.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        input_size: Size,
        *,
        pool: str = "avg",
        hidden: Sequence[int] = (512, 256),
        norm: str = "none",
        activation: str = "relu",
        dropout: float = 0.0,
    ):
        widths = [in_channels * num_positions(pool, input_size), *hidden]
        layers: dict[str, nn.Module] = {"pool": make_global_pool(pool), "flatten": nn.Flatten()}
        for i, (num_in, num_out) in enumerate(zip(widths, hidden, strict=False)):
            layers[f"hidden{i}"] = nn.Sequential(
                active(
                    {
                        "linear": nn.Linear(num_in, num_out, bias=norm == "none"),
                        "norm": make_flat_norm(norm, num_out),
                        "act": make_activation(activation),
                        "dropout": nn.Dropout(dropout) if dropout else nn.Identity(),
                    }
                )
            )
        layers["linear"] = nn.Linear(widths[-1], num_classes)
        super().__init__(active(layers))


class HeadInUnits(nn.Module):
    """A head that learns standardised numbers and gives them in the user's units: head(x) * std + mean.

    (N, in_channels, H, W) -> (N, D)

    The numbers are buffers, so that they travel with the weights.

    Args:
        mean, std: D numbers each, of the training set.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, head: nn.Module, *, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        self.head = head
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x) * self.std + self.mean


class GlobalMaxPool(nn.Module):
    """(N, C, H, W) -> (N, C, 1, 1).

    amax, because AdaptiveMaxPool2d has no deterministic gradient on a GPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.amax((2, 3), keepdim=True)


def make_global_pool(pool: str) -> nn.Module:
    """avg or max over height and width, or none: identity."""
    makers = {"avg": lambda: nn.AdaptiveAvgPool2d(1), "max": GlobalMaxPool, "none": nn.Identity}
    return pick("pool", pool, makers)()


def num_positions(pool: str, input_size: Size) -> int:
    """Positions of the map that are left for the linear layer."""
    height, width = pair(input_size)
    return height * width if pool == "none" else 1


def make_flat_norm(norm: str, num_features: int) -> nn.Module:
    """The norm of that name for (N, num_features)."""
    makers = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "none": nn.Identity}
    return pick("norm", norm, makers)(num_features)
