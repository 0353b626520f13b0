"""Sizes of feature maps in whole numbers: what a convolution or a pooling makes of (height, width)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cnntrain.errors import ShapeError

Size = int | Sequence[int]  # the same for both axes, or [height, width]
Padding = Literal["same"] | Size


def pair(size: Size) -> tuple[int, int]:
    """3 -> (3, 3) and [3, 5] -> (3, 5)."""
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width


def output_length(length: int, *, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Positions of a kernel along one axis; below 1 where it does not fit.

    Source: Dumoulin, Visin 2016, arXiv 1603.07285, relationship 15.
    """
    return (length + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


def output_size(size: Size, kernel_size: Size, stride: Size = 1, padding: Size = 0, dilation: Size = 1) -> tuple[int, int]:
    """(height, width) of the output, axis by axis; see output_length."""
    height, width = (
        output_length(length, kernel_size=k, stride=s, padding=p, dilation=d)
        for length, k, s, p, d in zip(pair(size), pair(kernel_size), pair(stride), pair(padding), pair(dilation), strict=True)
    )
    return height, width


def resolve_padding(padding: Padding, kernel_size: Size, dilation: Size = 1) -> tuple[int, int]:
    """Zeros on each side, (vertical, horizontal).

    "same" is half of the kernel's reach, dilation * (kernel_size - 1) / 2: stride 1 keeps the size, and any
    stride s gives ceil(size / s).

    Raises:
        ShapeError: the reach is odd (an even kernel_size), so that no equal padding keeps the size.
    """
    if not isinstance(padding, str):
        return pair(padding)
    reach = [d * (k - 1) for k, d in zip(pair(kernel_size), pair(dilation), strict=True)]
    if any(r % 2 for r in reach):
        raise ShapeError(
            f"padding=same needs an odd kernel_size, but kernel_size is {as_text(kernel_size)} "
            f"(dilation * (kernel_size - 1) = {max(r for r in reach if r % 2)} cannot be halved); "
            "choose an odd kernel_size or, where it is a key, give padding as a number"
        )
    return reach[0] // 2, reach[1] // 2


def as_text(size: Size) -> str:
    """(3, 3) -> 3, and (3, 5) -> 3x5."""
    height, width = pair(size)
    return str(height) if height == width else f"{height}x{width}"


def left_over(length: int, *, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> tuple[int, int]:
    """What the floor in output_length drops at the far border: (rows of the padded input, those of them that are no padding)."""
    rows = (length + 2 * padding - dilation * (kernel_size - 1) - 1) % stride
    return rows, max(0, rows - padding)


@dataclass(frozen=True)
class ReceptiveField:
    """What one position of a feature map sees of the image, in pixels, as (height, width).

    Source: Araujo, Norris, Sim 2019, "Computing receptive fields of convolutional neural networks", Distill, eq. 2.

    Args:
        size: extent of the patch of the image that one position depends on.
        jump: distance in the image between two neighbouring positions (the effective stride).
        start: first pixel that the map's first position sees; negative where padding reaches beyond the image.
    """

    size: tuple[int, int] = (1, 1)
    jump: tuple[int, int] = (1, 1)
    start: tuple[int, int] = (0, 0)

    def after(self, kernel_size: Size, stride: Size = 1, dilation: Size = 1, padding: Size = 0) -> "ReceptiveField":
        """The receptive field after one more convolution or pooling."""
        kernels, strides, dilations, paddings = pair(kernel_size), pair(stride), pair(dilation), pair(padding)
        (r_h, r_w), (j_h, j_w), (s_h, s_w) = self.size, self.jump, self.start
        return ReceptiveField(
            size=(r_h + dilations[0] * (kernels[0] - 1) * j_h, r_w + dilations[1] * (kernels[1] - 1) * j_w),
            jump=(j_h * strides[0], j_w * strides[1]),
            start=(s_h - paddings[0] * j_h, s_w - paddings[1] * j_w),
        )

    def beside(self, other: "ReceptiveField") -> "ReceptiveField":
        """The receptive field of a sum of two maps: the smallest patch that holds both."""
        first = [min(pair) for pair in zip(self.start, other.start, strict=True)]
        past = [max(a + b, c + d) for a, b, c, d in zip(self.start, self.size, other.start, other.size, strict=True)]
        return ReceptiveField(
            size=(past[0] - first[0], past[1] - first[1]),
            jump=(max(self.jump[0], other.jump[0]), max(self.jump[1], other.jump[1])),
            start=(first[0], first[1]),
        )
