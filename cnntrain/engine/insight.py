"""What a trained network looks at and what lies inside it: Grad-CAM, feature maps, first kernels."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnntrain.engine.precision import Arithmetic

SMALLEST_MAP = 4  # rows and columns; on fewer a heat map says nothing of where


@dataclass(frozen=True)
class FeatureMaps:
    """What one part of the network makes of a picture.

    Args:
        name: stem, or stages[i].
        maps: (C, h, w) float32 on the CPU.
    """

    name: str
    maps: Tensor


@dataclass(frozen=True)
class Kernels:
    """The weights that meet the picture.

    Args:
        path: the layer's name in the network.
        weights: (O, C, h, w) float32 on the CPU; of a linear layer as high and wide as the picture.
        is_conv: whether it is a convolution.
    """

    path: str
    weights: Tensor
    is_conv: bool


def parts_of(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The stem and the stages, in order."""
    yield "stem", model.get_submodule("stem")
    for number, stage in enumerate(model.get_submodule("stages").children()):
        yield f"stages[{number}]", stage


def feature_maps(model: nn.Module, image: Tensor, arithmetic: Arithmetic) -> list[FeatureMaps]:
    """Of one image (C, H, W), through stem and stages; a part without layers is left out."""
    found = []
    with torch.no_grad():
        x = arithmetic.images(image[None].clone())
        for name, part in parts_of(model):
            x = part(x)
            if any(True for _ in part.parameters()):
                found.append(FeatureMaps(name, x[0].float().cpu()))
    return found


def first_kernels(model: nn.Module, image_shape: tuple[int, int, int]) -> Kernels | None:
    """The first layer with weights, where its weights can be seen as pictures; None for any other."""
    for path, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d):
            return Kernels(path, layer.weight.detach().float().cpu(), True)
        if isinstance(layer, nn.Linear):
            if layer.in_features != image_shape[0] * image_shape[1] * image_shape[2]:
                return None
            return Kernels(path, layer.weight.detach().float().cpu().unflatten(1, image_shape), False)
    return None


def grad_cam(model: nn.Module, images: Tensor, outputs: Tensor, arithmetic: Arithmetic) -> Tensor | None:
    """Where the last feature maps speak for an output of the network, for images (B, C, H, W) in evaluation mode.

    Only what follows those maps is differentiated, so that it costs little more than a forward pass.
    Source: Selvaraju et al. 2017, arXiv 1610.02391, eq. 1 and 2

    Args:
        outputs: (B,) int64, the output that each image is asked about.

    Returns:
        (B, h, w) float32 on the CPU, each divided by its largest value; zeros where nothing speaks for the output. None
        where no map has 4 rows and columns.
    """
    parts = [part for _, part in parts_of(model)]
    with torch.no_grad():
        x, deepest = arithmetic.images(images.clone()), None
        for number, part in enumerate(parts):
            x = part(x)
            if any(True for _ in part.parameters()) and min(x.shape[2:]) >= SMALLEST_MAP:
                deepest, maps = number, x
    if deepest is None:
        return None
    maps = maps.detach().requires_grad_()
    with torch.enable_grad():
        x = maps + 0  # what comes next may work in place, which a leaf does not allow
        for part in parts[deepest + 1 :]:
            x = part(x)
        said = model.get_submodule("head")(x).gather(1, outputs.to(x.device)[:, None])
        (gradient,) = torch.autograd.grad(said.sum(), maps)
    heat = (gradient.mean((2, 3), keepdim=True) * maps.detach()).sum(1).clamp(min=0).float()
    largest = heat.amax((1, 2), keepdim=True)
    return torch.where(largest > 0, heat / largest.clamp(min=torch.finfo(torch.float32).tiny), 0.0).cpu()
