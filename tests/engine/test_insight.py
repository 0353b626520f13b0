"""What is seen in a network: against the formula that its last layer makes of it, and against plain forward passes."""

import pytest
import torch
from torch import nn

from cnntrain.engine import attribution
from cnntrain.engine.insight import feature_maps, first_kernels, grad_cam
from cnntrain.engine.precision import Arithmetic

PLAIN = Arithmetic(torch.device("cpu"), "fp32", channels_last=False)


class Tiny(nn.Module):
    """A stem, one stage, a head as networks here have them."""

    stem: nn.Sequential
    stages: nn.Sequential
    head: nn.Sequential

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.stages = nn.Sequential(nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3, padding=1), nn.ReLU(inplace=True)))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.stages(self.stem(x)))


def test_behind_average_pooling_the_heat_is_the_class_activation_map() -> None:
    # Zhou et al. 2015, arXiv 1512.04150, eq. 2: the maps weighted by the class's own weights
    net, images, outputs = Tiny().eval(), torch.randn(4, 3, 6, 6), torch.tensor([0, 1, 2, 1])
    maps = net.stages(net.stem(images)).detach()
    wanted = torch.einsum("bc,bchw->bhw", net.get_parameter("head.2.weight").detach()[outputs], maps).relu()
    wanted = wanted / wanted.amax((1, 2), keepdim=True).clamp(min=1e-12)
    torch.testing.assert_close(grad_cam(net, images, outputs, PLAIN), wanted)


def test_a_map_of_few_rows_is_passed_over_for_an_earlier_one() -> None:
    net = Tiny().eval()
    net.stages.append(nn.Sequential(nn.Conv2d(5, 5, 3, stride=2, padding=1)))
    heat = grad_cam(net, torch.randn(2, 3, 6, 6), torch.tensor([0, 1]), PLAIN)
    assert heat is not None
    assert heat.shape == (2, 6, 6)
    assert grad_cam(net, torch.randn(2, 3, 3, 3), torch.tensor([0, 1]), PLAIN) is None


def test_images_of_an_evaluation_can_be_looked_at_again() -> None:
    with torch.inference_mode():
        images = torch.randn(2, 3, 6, 6)
    assert grad_cam(Tiny().eval(), images, torch.tensor([0, 1]), PLAIN) is not None


def test_feature_maps_are_what_the_parts_give() -> None:
    net, image = Tiny().eval(), torch.randn(3, 6, 6)
    stem, stage = feature_maps(net, image, PLAIN)
    assert (stem.name, stage.name) == ("stem", "stages[0]")
    torch.testing.assert_close(stage.maps, net.stages(net.stem(image[None]))[0].detach())


def test_the_first_kernels_are_the_weights_that_meet_the_picture() -> None:
    net = Tiny()
    found = first_kernels(net, (3, 6, 6))
    assert found is not None
    assert (found.path, found.is_conv) == ("stem.0", True)
    assert torch.equal(found.weights, net.get_parameter("stem.0.weight").detach())
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 6, 2))
    units = first_kernels(flat, (3, 6, 6))
    assert units is not None
    assert torch.equal(units.weights, flat.get_parameter("1.weight").detach().reshape(2, 3, 6, 6))
    assert first_kernels(nn.Sequential(nn.Linear(7, 2)), (3, 6, 6)) is None


def test_attributions_add_up_to_the_change_of_the_output() -> None:
    pytest.importorskip("captum")
    # completeness: Sundararajan et al. 2017, arXiv 1703.01365, proposition 1
    net, images, outputs = Tiny().eval(), torch.randn(2, 3, 6, 6), torch.tensor([0, 2])
    net.set_submodule("stages.0.0", nn.Identity())
    found, _ = attribution.integrated_gradients(net, images, outputs, PLAIN, num_steps=200)
    change = (net(images) - net(torch.zeros_like(images))).gather(1, outputs[:, None])[:, 0]
    torch.testing.assert_close(found.sum((1, 2, 3)), change.detach(), atol=0.02, rtol=0.02)
    heat = attribution.as_heat(found)
    assert heat.shape == (2, 6, 6)
    assert float(heat.min()) >= 0
    assert float(heat.max()) == 1
