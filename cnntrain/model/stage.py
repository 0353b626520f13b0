"""A stage: blocks that work at one size, after a pooling where the stage downsamples by one."""

from collections.abc import Sequence

from torch import Tensor, nn

from cnntrain.model.conv import make_pool
from cnntrain.model.geometry import Size


class Stage(nn.Module):
    """(N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride)); floor where a pooling downsamples."""

    def __init__(self, blocks: Sequence[nn.Module], *, downsample: nn.Module | None = None):
        super().__init__()
        self.downsample = downsample or nn.Identity()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.downsample(x))


def make_downsample(downsample: str, stride: Size) -> nn.Module:
    """The pooling at a stage's start for max_pool and avg_pool; identity for stride, where the first block strides.

    A pooling's windows have the size of the stride, so that they do not overlap.
    """
    return nn.Identity() if downsample == "stride" else make_pool(downsample.removesuffix("_pool"), stride)
