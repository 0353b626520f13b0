"""Training images that start small and grow: early steps cost less, and evaluation keeps the full size."""

from torch import Tensor
from torch.nn import functional

from cnntrain.config.progressive import size_at


class GrowingImages:
    """Brings a batch to the size of its step, which depends on the step alone.

    Args:
        image_size: (height, width), which is reached at `until`.
        start: share of image_size in the first step.
        until: share of the training.
        total_steps: optimizer steps of the whole training.
    """

    def __init__(self, image_size: tuple[int, int], *, start: float, until: float, total_steps: int):
        self.image_size, self.start, self.until, self.total_steps = image_size, start, until, total_steps

    def __call__(self, images: Tensor, targets: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) float32 -> (N, C, h, w), antialiased; targets as they are."""
        size = size_at(step / self.total_steps, self.image_size, start=self.start, until=self.until)
        if size == tuple(images.shape[-2:]):
            return images, targets
        return functional.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False), targets
