"""The network that a configuration describes, layer by layer, without torch.

What has no shadow (a user's own part, a keyword that shadows.py does not know) or does not fit its input raises
NoOutline: then torch must tell.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cnntrain.config.schema import ModelConfig
from cnntrain.errors import ShapeError
from cnntrain.model.geometry import ReceptiveField, pair
from cnntrain.model.layers import Block, Layer, Map, NoOutline, Shape, Tape
from cnntrain.model.shadows import BLOCKS, HEADS, STEMS, WITH_SHORTCUT, shortcut_kind

STAGE_KEYS = ("block", "num_blocks", "out_channels", "stride", "downsample")


@dataclass(frozen=True)
class Outline:
    """A network from the image to the logits.

    Args:
        other_multiply_adds: those of a user's own functions, which are no layers.
    """

    name: str
    image: Shape
    layers: list[Layer]
    blocks: list[Block]
    other_multiply_adds: int = 0


def outline(model: ModelConfig, *, in_channels: int, num_classes: int, image_size: tuple[int, int]) -> Outline:
    """The whole network.

    Raises:
        NoOutline: a part is not known here, or does not fit its input.
    """
    tape, blocks = Tape(), []
    image = (in_channels, *image_size)
    try:
        x = shadow(STEMS, model.stem["type"])("stem", tape, Map(image, ReceptiveField()), **inherited(model, model.stem))
        for number, stage in enumerate(model.stages):
            x, more = of_stage(model, f"stages.{number}", stage, tape, x)
            blocks += more
        shadow(HEADS, model.head["type"])("head", tape, x, num_classes, **inherited(model, model.head))
    except (TypeError, KeyError, ShapeError) as error:  # a keyword or a word that has no shadow, or padding=same that cannot be
        raise NoOutline(str(error)) from error
    return Outline(model.name, image, tape.layers, blocks)


def of_stage(model: ModelConfig, path: str, stage: Mapping[str, Any], tape: Tape, x: Map) -> tuple[Map, list[Block]]:
    stride, downsample = stage.get("stride", 1), stage.get("downsample", "stride")
    if downsample != "stride":
        x = tape.pool(f"{path}.downsample", x, type=downsample.removesuffix("_pool"), kernel_size=stride)
    blocks = []
    for number in range(stage.get("num_blocks", 1)):
        own = stride if number == 0 and downsample == "stride" else 1
        place, out_channels = f"{path}.blocks.{number}", stage["out_channels"]
        given = {"stride": own, **inherited(model, stage)}
        y = shadow(BLOCKS, stage["block"])(place, tape, x, out_channels, **given)
        asked = stage.get("shortcut", "auto")
        kind = shortcut_kind(asked, x.shape[0], out_channels, own) if stage["block"] in WITH_SHORTCUT else None
        blocks.append(Block(place, stage["block"], x.shape, y.shape, y.field, pair(own), kind, asked))
        x = y
    return x, blocks


def shadow(table: Mapping[str, Callable[..., Map]], name: str) -> Callable[..., Map]:
    if name not in table:
        raise NoOutline(f"{name} is the user's own")
    return table[name]


def inherited(model: ModelConfig, section: Mapping[str, Any]) -> dict[str, Any]:
    """A part's own keywords, with the model's norm and activation where it states none; a head's norm is not the model's."""
    is_stage = "block" in section
    own = {key: value for key, value in section.items() if key not in (STAGE_KEYS if is_stage else ("type",))}
    if section.get("type") in ("linear", "none"):
        return own
    if section.get("type") == "mlp":
        return {"activation": model.activation, **own}
    own |= {} if is_stage else {key: section[key] for key in ("out_channels", "stride") if key in section}
    return {"norm": model.norm, "activation": model.activation, **own}
