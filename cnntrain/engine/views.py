"""Test-time augmentation: the outputs of a network averaged over several views of each image."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from cnntrain.errors import ConfigError

Infer = Callable[[nn.Module, Tensor], Tensor]


def build_infer(tta: str, image_size: tuple[int, int]) -> Infer:
    """How evaluation asks a network: (model, images) -> outputs.

    Raises:
        ConfigError: the images are too small to be moved.
    """
    if tta == "flip_translate" and min(image_size) < 2:
        raise ConfigError(
            f"trainer.tta=flip_translate moves images by a pixel, but these are {image_size[0]}x{image_size[1]}; take trainer.tta=flip"
        )
    return VIEWS[tta]


def as_it_is(model: nn.Module, images: Tensor) -> Tensor:
    return model(images)


def mirrored(model: nn.Module, images: Tensor) -> Tensor:
    """The mean over each image and its mirror image, (N, num_outputs) float32."""
    return (model(images).float() + model(images.flip(3)).float()) / 2


def mirrored_and_moved(model: nn.Module, images: Tensor) -> Tensor:
    """Half of the image as it is, a quarter moved by one pixel down and right, a quarter up and left; each mirrored too.

    The border is reflected where a moved image leaves it open. Source: Jordan 2024, arXiv 2404.00498, section 3.5.
    """
    wide = functional.pad(images, (1, 1, 1, 1), mode="reflect")
    moved = (mirrored(model, view) for view in (wide[:, :, :-2, :-2], wide[:, :, 2:, 2:]))
    return mirrored(model, images) / 2 + sum(moved) / 4


VIEWS: dict[str, Infer] = {"none": as_it_is, "flip": mirrored, "flip_translate": mirrored_and_moved}
