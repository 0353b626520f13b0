"""How weights start; norms start at weight 1 and bias 0 as torch makes them."""

from collections.abc import Callable

from torch import nn
from torch.nn import init

from cnntrain.model.conv import pick

Layer = nn.Conv2d | nn.Linear


def he(layer: Layer) -> None:
    """Normal with variance 2 / fan_out for convolutions; linear layers stay as torch makes them, as in torchvision's ResNets.

    Source: He et al. 2015, arXiv 1502.01852, eq. 14.
    """
    if isinstance(layer, nn.Conv2d):
        init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        zero_bias(layer)


def xavier(layer: Layer) -> None:
    """Uniform with variance 2 / (fan_in + fan_out). Source: Glorot, Bengio 2010, eq. 16."""
    init.xavier_uniform_(layer.weight)
    zero_bias(layer)


def normal(layer: Layer) -> None:
    """Normal with standard deviation 0.01. Source: Krizhevsky et al. 2012, section 5."""
    init.normal_(layer.weight, std=0.01)
    zero_bias(layer)


def torch_own(layer: Layer) -> None:
    """As torch makes the layer: uniform within 1 / sqrt(fan_in)."""


INITS: dict[str, Callable[[Layer], None]] = {"he": he, "xavier": xavier, "normal": normal, "torch": torch_own}


def init_weights(network: nn.Module, *, name: str, zero_init_residual: bool = False) -> None:
    """Give every convolution and linear layer its first weights, drawn from torch's global generator.

    Args:
        name: a name in INITS; all but "torch" also draw anew what a user's own block has drawn for such layers.
        zero_init_residual: silence each block's `branch` (Goyal et al. 2017, arXiv 1706.02677, section 5.1).
    """
    draw = pick("init", name, INITS)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            draw(layer)
    if zero_init_residual:
        for path, module in network.named_modules():
            if path.rpartition(".")[2] == "branch":
                silence(module)


def silence(branch: nn.Module) -> None:
    """Zero the branch's last norm or convolution, so that it gives 0.

    In a pre-activation branch that is the convolution: a zeroed norm before a ReLU would get no gradient and never wake.
    """
    layers = [m for m in branch.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.GroupNorm)]
    for parameter in layers[-1].parameters(recurse=False) if layers else ():
        init.zeros_(parameter)


def zero_bias(layer: Layer) -> None:
    if layer.bias is not None:
        init.zeros_(layer.bias)
