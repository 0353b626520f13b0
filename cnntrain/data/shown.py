"""Network inputs as pictures again: what augmentation did, in the image's own colours."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


def as_shown(images: Tensor, steps: Sequence[Mapping[str, Any]]) -> list[np.ndarray]:
    """Undo normalize.

    Args:
        images: (B, 1 or 3, H, W) float32, what a pipeline returned.
        steps: of that pipeline, with statistics in numbers.

    Returns:
        B pictures (H, W, 3) uint8.
    """
    for step in reversed(steps):
        if step["type"] == "normalize":
            mean, std = (torch.tensor(step[name])[:, None, None] for name in ("mean", "std"))
            images = images * std + mean
    levels = (images * 255).round().clamp(0, 255).to(torch.uint8)
    return [picture.permute(1, 2, 0).expand(-1, -1, 3).numpy() for picture in levels]
