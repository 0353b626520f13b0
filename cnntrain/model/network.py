"""The whole net: stem -> stages -> head."""

from collections.abc import Sequence

from torch import Tensor, nn


class Network(nn.Module):
    """(N, in_channels, H, W) float32 -> logits (N, num_classes) float32."""

    def __init__(self, stem: nn.Module, stages: Sequence[nn.Module], head: nn.Module):
        super().__init__()
        self.stem = stem
        self.stages = nn.Sequential(*stages)
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(x)))
