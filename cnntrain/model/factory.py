"""From the model section of the configuration to a Network: the one file of this room that sees it.

The image's shape is followed from part to part on the meta device (shapes without numbers), so that each part is
told its real input channels and a part that does not fit is told by its place in the YAML.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from cnntrain.config.components import registry
from cnntrain.config.schema import ModelConfig
from cnntrain.errors import ConfigError, ShapeError, did_you_mean
from cnntrain.model.conv import ConvBlock, NormActBlock
from cnntrain.model.geometry import Size
from cnntrain.model.head import HeadInUnits, LinearHead, MlpHead
from cnntrain.model.init import init_weights
from cnntrain.model.network import Network
from cnntrain.model.residual import BottleneckBlock, PreActResidualBlock, ResidualBlock
from cnntrain.model.shapes import DoesNotFit, LayerShape, Shape, output_shape, trace
from cnntrain.model.stage import Stage, make_downsample
from cnntrain.model.stem import ConvStem, make_no_stem

Builder = Callable[..., nn.Module]

# called, a user's own too, as stem(in_channels, **keywords), block(in_channels, out_channels, stride=..., **keywords)
# and head(in_channels, num_classes, input_size, **keywords)
BUILDERS: dict[str, dict[str, Builder]] = {
    "stem": {"conv": ConvStem, "none": make_no_stem},
    "block": {
        "conv": ConvBlock,
        "residual": ResidualBlock,
        "bottleneck": BottleneckBlock,
        "preact_residual": PreActResidualBlock,
        "norm_act": NormActBlock,
    },
    "head": {"linear": LinearHead, "mlp": MlpHead},
}
STAGE_KEYS = ("block", "num_blocks", "out_channels", "stride", "downsample")


def build_model(
    model: ModelConfig,
    *,
    in_channels: int,
    num_classes: int,
    image_size: tuple[int, int],
    units: tuple[Sequence[float], Sequence[float]] | None = None,
) -> Network:
    """The network with its first weights, drawn from torch's global generator.

    Args:
        num_classes: outputs: classes, or numbers to predict.
        units: mean and standard deviation of each number to predict; the network's outputs are in these units.

    Raises:
        ShapeError: a part does not fit its input.
    """
    network = make_plan(model, in_channels, num_classes, image_size).make()
    init_weights(network, name=model.init, zero_init_residual=model.zero_init_residual)
    if units is not None:
        network.head = HeadInUnits(network.head, mean=units[0], std=units[1])
    return network


def check_model(model: ModelConfig, *, in_channels: int, num_classes: int, image_size: tuple[int, int]) -> list[LayerShape]:
    """Every layer's shapes and parameters, without computing and without drawing a random number.

    Raises:
        ShapeError: a part does not fit its input.
    """
    plan = make_plan(model, in_channels, num_classes, image_size)
    with torch.device("meta"):
        return trace(plan.make(), (in_channels, *image_size))


@dataclass(frozen=True)
class Part:
    """A stem, a stage's pooling, a block or a head that is still to be made.

    Args:
        place: where the YAML describes it, such as model.stages[1].
        name: what it is, such as "block residual".
        make: makes it on torch's current default device.
        is_users: it was registered by the user, so that any exception may come from it.
    """

    place: str
    name: str
    make: Callable[[], nn.Module]
    is_users: bool = False


@dataclass(frozen=True)
class Plan:
    """All parts of a network, in order; a stage is its pooling and its blocks."""

    stem: Part
    stages: list[tuple[Part, list[Part]]]
    head: Part

    def make(self) -> Network:
        stem = self.stem.make()
        stages = [Stage([block.make() for block in blocks], downsample=pooling.make()) for pooling, blocks in self.stages]
        return Network(stem, stages, self.head.make())


def make_plan(model: ModelConfig, in_channels: int, num_classes: int, image_size: tuple[int, int]) -> Plan:
    """Follows the shape from the image to the logits. Raises ShapeError at the first part that does not fit."""
    walk = Walk((in_channels, *image_size))
    stem = walk.add(part_of(model, "model.stem", "stem", model.stem["type"], keywords(model.stem), in_channels))
    stages = [plan_stage(model, f"model.stages[{i}]", stage, walk) for i, stage in enumerate(model.stages)]
    channels, height, width = walk.shape
    head = part_of(model, "model.head", "head", model.head["type"], keywords(model.head), channels, num_classes, (height, width))
    walk.add(head, must_be=(num_classes,))
    return Plan(stem, stages, head)


def plan_stage(model: ModelConfig, place: str, stage: Mapping[str, Any], walk: "Walk") -> tuple[Part, list[Part]]:
    stride, downsample = stage.get("stride", 1), stage.get("downsample", "stride")
    pooling = walk.add(Part(place, f"downsample {downsample}", partial(make_downsample, downsample, stride)))
    blocks = []
    for i in range(stage.get("num_blocks", 1)):
        strides = {"stride": stride if i == 0 and downsample == "stride" else 1}
        part = part_of(model, place, "block", stage["block"], {**strides, **keywords(stage)}, walk.shape[0], stage["out_channels"])
        blocks.append(walk.add(part, out_channels=stage["out_channels"]))
    return pooling, blocks


def keywords(section: Mapping[str, Any]) -> dict[str, Any]:
    """The component's own keys of a stem, stage or head."""
    own = STAGE_KEYS if "block" in section else ("type",)
    return {key: value for key, value in section.items() if key not in own}


def part_of(model: ModelConfig, place: str, kind: str, name: str, given: Mapping[str, Any], *arguments: int | Size) -> Part:
    """The part with the model's norm and activation where it takes them and does not state its own.

    A head's norm is not the model's, which stands after convolutions.
    """
    users = registry.user_builder(kind, name)
    if users is None and name not in BUILDERS[kind]:
        key = f"{place}.{'block' if kind == 'block' else 'type'}"
        known = did_you_mean(name, BUILDERS[kind])
        raise ConfigError(f"{key}={name} is unknown; {known} One of your own comes by --import FILE.py")
    builder = users or BUILDERS[kind][name]
    inherited = {"activation": model.activation} if kind == "head" else {"norm": model.norm, "activation": model.activation}
    takes = registry.components(kind)[name].parameters
    defaults = {key: value for key, value in inherited.items() if key in takes}
    return Part(place, f"{kind} {name}", partial(builder, *arguments, **{**defaults, **given}), users is not None)


class Walk:
    """The shape (C, H, W) of the image on its way through the parts."""

    def __init__(self, shape: Shape):
        self.image = shape
        self.shape = shape

    def add(self, part: Part, *, must_be: Shape | None = None, out_channels: int | None = None) -> Part:
        """Makes and runs the part on the meta device to learn its output shape.

        Args:
            must_be: the only right output shape; None: any (C, H, W).
            out_channels: the only right C, for a block.

        Raises:
            ShapeError: the part does not fit, or gives what the next one cannot take.
        """
        try:
            with torch.device("meta"):
                shape = output_shape(part.make(), self.shape)
        except DoesNotFit as fault:
            raise ShapeError(f"{part.place}: {fault} (images are {self.image[1]}x{self.image[2]}); {remedy(part, fault.path)}") from None
        except ShapeError as fault:
            raise ShapeError(f"{part.place}: {part.name} does not fit its {as_text(self.shape)} input: {fault}") from None
        except ConfigError as fault:
            raise ConfigError(f"{part.place}: {fault}") from None
        except Exception as error:
            if not part.is_users:
                raise
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise ShapeError(f"{part.place}: {part.name} failed on its {as_text(self.shape)} input: {reason}") from error
        if len(shape) != 3 if must_be is None else shape != must_be:
            wanted = "channels x height x width" if must_be is None else as_text(must_be)
            raise ShapeError(f"{part.place}: {part.name} makes {as_text(shape)} of its {as_text(self.shape)} input, but {wanted} is needed")
        if out_channels not in (None, shape[0]):
            raise ShapeError(
                f"{part.place}: {part.name} gives {shape[0]} channels, but out_channels={out_channels} is asked of it; "
                "give as many as its second argument says"
            )
        self.shape = shape
        return part


def remedy(part: Part, layer: str) -> str:
    """What to type when a layer of the part is larger than its input."""
    keys = {
        "": f"lower {part.place}.stride",
        "pool": f"leave out {part.place}.pool or make it smaller",
        "conv": f"lower {part.place}.kernel_size",
    }
    change = keys.get(layer.rpartition(".")[2], f"change {part.place}")
    return f"{change}, or raise data.image_size"


def as_text(shape: Shape) -> str:
    """(64, 8, 8) -> 64x8x8."""
    return "x".join(str(n) for n in shape) or "no tensor"
