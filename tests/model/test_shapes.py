"""The layer table: what each layer takes, gives and owns."""

import pytest
import torch
from torch import Tensor, nn

from cnntrain.model.conv import ConvBlock
from cnntrain.model.head import LinearHead
from cnntrain.model.network import Network
from cnntrain.model.shapes import DoesNotFit, LayerShape, output_shape, trace
from cnntrain.model.stage import Stage


def tiny() -> Network:
    block = ConvBlock(4, 8, stride=2, pool={"type": "max", "kernel_size": 2})
    return Network(ConvBlock(3, 4, norm="none", activation="none"), [Stage([block])], LinearHead(8, 5, 2))


TINY = [
    LayerShape("stem.conv", "Conv2d", (3, 8, 8), (4, 8, 8), 3 * 4 * 9 + 4),
    LayerShape("stages.0.blocks.0.conv", "Conv2d", (4, 8, 8), (8, 4, 4), 4 * 8 * 9),
    LayerShape("stages.0.blocks.0.norm", "BatchNorm2d", (8, 4, 4), (8, 4, 4), 2 * 8),
    LayerShape("stages.0.blocks.0.act", "ReLU", (8, 4, 4), (8, 4, 4), 0),
    LayerShape("stages.0.blocks.0.pool", "MaxPool2d", (8, 4, 4), (8, 2, 2), 0),
    LayerShape("head.pool", "AdaptiveAvgPool2d", (8, 2, 2), (8, 1, 1), 0),
    LayerShape("head.flatten", "Flatten", (8, 1, 1), (8,), 0),
    LayerShape("head.linear", "Linear", (8,), (5,), 8 * 5 + 5),
]


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_every_layer_is_listed_in_order(device: str) -> None:
    with torch.device(device):
        network = tiny()
    assert trace(network, (3, 8, 8)) == TINY


def test_tracing_leaves_the_network_as_it_was() -> None:
    network = tiny()
    network.stem.eval()
    modes = [module.training for module in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trace(network, (3, 8, 8))
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


class Scale(nn.Module):
    """A layer with a parameter of its own beside a child, and one linear layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(6))
        self.linear = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * self.linear(self.linear(x))


def test_parameters_add_up_to_the_networks() -> None:
    layers = trace(Scale(), (6,))
    assert [layer.path for layer in layers] == ["linear", "linear", ""]
    assert sum(layer.num_parameters for layer in layers) == 6 * 6 + 6 + 6


def test_identity_gives_what_it_takes() -> None:
    assert output_shape(nn.Identity(), (3, 8, 9)) == (3, 8, 9)


def test_kernel_larger_than_its_padded_input_is_told_with_the_arithmetic() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 4, 5, padding=1, dilation=3))
    with pytest.raises(DoesNotFit) as caught:
        trace(layers, (3, 8, 20))
    assert caught.value.path == "0"
    assert str(caught.value) == (
        "conv with kernel_size 5, stride 1, padding 1, dilation 3 does not fit its 8x20 input: "
        "floor((8 + 2*1 - 3*(5 - 1) - 1) / 1) + 1 = -2"
    )


@pytest.mark.parametrize("pool", [nn.MaxPool2d((2, 3)), nn.AvgPool2d((2, 3))])
def test_pool_larger_than_its_input_is_told(pool: nn.Module) -> None:
    with pytest.raises(DoesNotFit, match=r"_pool with kernel_size 2x3, stride 2x3, padding 0 does not fit its 2x2 input"):
        trace(pool, (1, 2, 2))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 4, (5, 3), stride=(2, 1), padding=(2, 0), dilation=(1, 2)),
        nn.Conv2d(3, 6, 3, padding="same", groups=3),
        nn.BatchNorm2d(3),
        nn.MaxPool2d(3, 2, 1, dilation=2),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AvgPool2d((2, 3), stride=2, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveMaxPool2d((None, 2)),
        nn.Linear(13, 5),
    ],
)
def test_shapes_without_numbers_are_those_of_the_computation(layer: nn.Module) -> None:
    computed = tuple(layer(torch.zeros(2, 3, 11, 13)).shape[1:])
    with torch.device("meta"):
        assert output_shape(nn.Sequential(layer).to("meta"), (3, 11, 13)) == computed


def test_channels_that_do_not_fit_are_told_without_numbers_too() -> None:
    with pytest.raises(RuntimeError, match="channel"):
        output_shape(nn.Conv2d(3, 4, 3, device="meta"), (5, 8, 8))
