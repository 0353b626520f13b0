"""An exponential moving average of a network's weights, which is measured and kept in their place where it is asked for."""

from copy import deepcopy
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

Pair = tuple[Tensor, Tensor]


class Average:
    """Follows a network: after each optimizer step, average = d * average + (1 - d) * weights.

    BatchNorm's running means and variances are averaged in the same way, so that they belong to the averaged weights
    and not to the latest; whole numbers, such as its count of batches, are copied.

    Args:
        model: the network on its device, from whose weights the average starts.
        decay: d.
        warmup: let d of the n-th update be min(decay, (1 + n) / (10 + n)), so that the first weights, which are random, are
            soon forgotten. Source: tf.train.ExponentialMovingAverage, num_updates.
    """

    def __init__(self, model: nn.Module, *, decay: float, warmup: bool = True):
        self.model = deepcopy(model).eval().requires_grad_(False)
        self.followed = model
        self.decay, self.warmup = decay, warmup
        self.num_updates = 0

    @torch.no_grad()
    def update(self, taken: Tensor | None = None) -> None:
        """Take in the weights as they are now.

        Args:
            taken: () float32 on a GPU, 0 where a step was rejected and the average stays; it still counts for the warm-up,
                since asking would make the main process wait. None: the step was taken.
        """
        self.num_updates += 1
        averaged, copied = self.pairs
        own, followed = zip(*averaged, strict=True)
        weight = 1 - self.decay_of(self.num_updates)
        if taken is None:
            torch._foreach_lerp_(own, followed, weight)
        else:
            way = torch._foreach_sub(followed, own)
            torch._foreach_mul_(way, taken * weight)
            torch._foreach_add_(own, way)
        for copy, tensor in copied:
            copy.copy_(tensor)

    @cached_property
    def pairs(self) -> tuple[list[Pair], list[Pair]]:
        """(own tensor, followed tensor) of those that are averaged and of those that are copied; walking a network costs 0.1 ms."""
        own, followed = tensors_of(self.model), tensors_of(self.followed)
        pairs = [(own[name], followed[name]) for name in own]
        return [pair for pair in pairs if pair[0].is_floating_point()], [pair for pair in pairs if not pair[0].is_floating_point()]

    def decay_of(self, update: int) -> float:
        """d of the n-th update, counted from 1."""
        return min(self.decay, (1 + update) / (10 + update)) if self.warmup else self.decay

    @torch.no_grad()
    def start_from(self, model: nn.Module) -> None:
        """Begin anew at the weights of a network."""
        self.num_updates = 0
        self.model.load_state_dict(model.state_dict())

    def load(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.model.load_state_dict(tensors)
        self.num_updates = state["num_updates"]

    def tensors(self) -> dict[str, Tensor]:
        return self.model.state_dict()

    def state_dict(self) -> dict[str, Any]:
        return {"num_updates": self.num_updates}


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, as the network itself holds them."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
