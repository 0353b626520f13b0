"""Attributions by captum, where it is installed: which pixels speak for an output, seen from the picture itself."""

from importlib.util import find_spec

import torch
from torch import Tensor, nn

from cnntrain.engine.precision import Arithmetic

NUM_STEPS = 32  # of the path; the sum then misses the change of the output by about a hundredth


def is_installed() -> bool:
    return find_spec("captum") is not None


def integrated_gradients(
    model: nn.Module, images: Tensor, outputs: Tensor, arithmetic: Arithmetic, *, num_steps: int = NUM_STEPS
) -> tuple[Tensor, Tensor]:
    """Gradients summed along the straight path from a picture of zeros, which normalisation makes the mean colour.

    Source: Sundararajan et al. 2017, arXiv 1703.01365, eq. 2

    Args:
        images: (B, C, H, W) float32.
        outputs: (B,) int64, the output that each image is asked about.

    Returns:
        Attributions (B, C, H, W) float32 on the CPU, and (B,): by how much their sum misses the change of the output.
    """
    from captum.attr import IntegratedGradients

    images = arithmetic.images(images.clone())
    with torch.enable_grad():
        found, missed = IntegratedGradients(model).attribute(
            images,
            torch.zeros_like(images),
            target=outputs.to(images.device),
            n_steps=num_steps,
            internal_batch_size=len(images),
            return_convergence_delta=True,
        )
    return found.detach().float().cpu(), missed.detach().float().cpu()


def as_heat(attributions: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H, W) in 0..1: the size over the channels, of which the highest hundredth is one."""
    size = attributions.abs().sum(1)
    top = size.flatten(1).quantile(0.99, dim=1)[:, None, None]
    return torch.where(top > 0, (size / top.clamp(min=torch.finfo(torch.float32).tiny)).clamp(max=1), 0.0)
