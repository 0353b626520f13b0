"""The shipped nets against torchvision and the papers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torchvision import models

from cnntrain.config.schema import ModelConfig
from cnntrain.model.factory import build_model, check_model

CONF = Path(__file__).parents[2] / "conf" / "model"


def shipped(name: str, **changes: Any) -> ModelConfig:
    return ModelConfig(**{**OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml")), **changes})  # type: ignore[dict-item]


def num_parameters(model: ModelConfig, *, num_classes: int = 10, size: int = 32) -> int:
    return sum(layer.num_parameters for layer in check_model(model, in_channels=3, num_classes=num_classes, image_size=(size, size)))


def counted(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@torch.no_grad()
def shake_norms(network: nn.Module) -> None:
    """Statistics, weights and biases that differ from channel to channel, so that a norm in the wrong place shows."""
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.normal_(std=0.2)
            norm.running_var.uniform_(0.5, 2)
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_(std=0.2)


def assert_same_logits(ours: nn.Module, theirs: nn.Module) -> None:
    """Copies their weights to ours, entry by entry in the order of the state_dict, and compares the logits."""
    values = theirs.state_dict().values()
    ours.load_state_dict(dict(zip(ours.state_dict(), values, strict=True)))
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected, found = theirs.eval()(x), ours.eval()(x)
    assert expected.std() > 1e-3
    assert torch.allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "count"), [("resnet18", 11_689_512), ("resnet34", 21_797_672), ("resnet50", 25_557_032)])
def test_parameters_at_1000_classes_equal_torchvisions(name: str, count: int) -> None:
    assert num_parameters(shipped(name), num_classes=1000, size=224) == count


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_logits_equal_torchvisions(name: str) -> None:
    torch.manual_seed(0)
    theirs = models.get_model(name, weights=None)
    shake_norms(theirs)
    assert_same_logits(build_model(shipped(name), in_channels=3, num_classes=1000, image_size=(64, 64)), theirs)


@pytest.mark.parametrize(("name", "keywords"), [("resnext50_32x4d", {"expansion": 2, "groups": 32}), ("wide_resnet50_2", {"expansion": 2})])
def test_resnext_and_wide_resnet_are_settings_of_the_bottleneck(name: str, keywords: dict[str, int]) -> None:
    resnet50 = shipped("resnet50")
    wider = shipped("resnet50", stages=[{**stage, **keywords} for stage in resnet50.stages])
    with torch.device("meta"):
        theirs = models.get_model(name, weights=None)
    assert num_parameters(wider, num_classes=1000, size=64) == counted(theirs)


@pytest.mark.parametrize(("name", "millions"), [("resnet20", 0.27), ("resnet56", 0.85), ("plain20", 0.27), ("plain56", 0.85)])
def test_cifar_nets_have_the_papers_parameters(name: str, millions: float) -> None:
    # He et al. 2015, table 6; zero-padded shortcuts have none, so the plain nets have as many
    assert round(num_parameters(shipped(name)) / 1e6, 2) == millions


@pytest.mark.parametrize(
    ("name", "num_layers"), [("plain18", 18), ("plain20", 20), ("plain34", 34), ("plain56", 56), ("resnet20", 20), ("resnet56", 56)]
)
def test_name_counts_convolutions_and_linear_layers(name: str, num_layers: int) -> None:
    layers = check_model(shipped(name), in_channels=3, num_classes=10, image_size=(64, 64))
    assert sum(layer.kind in ("Conv2d", "Linear") for layer in layers) == num_layers


@pytest.mark.parametrize("depth", [18, 34])
def test_plain_net_is_the_resnet_without_shortcuts(depth: int) -> None:
    with torch.device("meta"):
        theirs = models.get_model(f"resnet{depth}", weights=None)
    without = sum(p.numel() for name, p in theirs.named_parameters() if "downsample" not in name)
    assert num_parameters(shipped(f"plain{depth}"), num_classes=1000, size=64) == without


def test_vgg11_has_the_convolutions_of_torchvisions() -> None:
    with torch.device("meta"):
        theirs = models.vgg11_bn(weights=None).features
    conv_biases = sum(layer.out_channels for layer in theirs if isinstance(layer, nn.Conv2d))
    linear = 512 * 10 + 10
    assert num_parameters(shipped("vgg11")) == counted(theirs) - conv_biases + linear


@pytest.mark.parametrize(("num_blocks", "factor", "millions"), [(6, 4, 8.9), (2, 8, 11.0), (4, 10, 36.5)])
def test_wide_resnets_have_the_papers_parameters(num_blocks: int, factor: int, millions: float) -> None:
    # Zagoruyko, Komodakis 2016, table 4: WRN-40-4, WRN-16-8, WRN-28-10
    *wide, closing = shipped("wide_resnet16_4").stages
    wide = [{**stage, "num_blocks": num_blocks, "out_channels": stage["out_channels"] * factor // 4} for stage in wide]
    model = shipped("wide_resnet16_4", stages=[*wide, {**closing, "out_channels": 64 * factor}])
    assert round(num_parameters(model) / 1e6, 1) == millions


def test_preact_resnet18_has_the_parameters_of_the_common_cifar_code() -> None:
    # github.com/kuangliu/pytorch-cifar, PreActResNet18: 11,171,146; its net lacks the closing norm (2 * 512)
    assert num_parameters(shipped("preact_resnet18")) == 11_171_146 + 2 * 512


def test_resnet9_is_the_dawnbench_net() -> None:
    convs = [(3, 64), (64, 128), (128, 128), (128, 128), (128, 256), (256, 512), (512, 512), (512, 512)]
    assert num_parameters(shipped("resnet9")) == sum(9 * a * b + 2 * b for a, b in convs) + 512 * 10 + 10


SIZES = {"vgg11": 16, "small_vgg": 16}


@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_shipped_net_trains_one_step(name: str) -> None:
    model = shipped(name)
    assert model.name == name
    size = SIZES.get(name, 8)
    network = build_model(model, in_channels=1, num_classes=5, image_size=(size, size))
    logits = network(torch.randn(2, 1, size, size))
    assert logits.shape == (2, 5)
    nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())
