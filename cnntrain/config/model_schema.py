"""The part of the schema that describes a network, and the command that needs nothing else. No torch, no Hydra."""

from dataclasses import dataclass, field
from typing import Any


def setting(default: Any, meaning: str, **limits: Any) -> Any:
    """A field with its meaning and limits (low, above, high, choices, optional, type; see Parameter)."""
    metadata = {"meaning": meaning, **limits}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class ModelConfig:
    """The architecture: stem -> stages -> head."""

    name: str = setting("custom", "the architecture's name in tables and folders")
    norm: str = setting(
        "batch", "normalisation after each convolution, unless a part names its own", choices=("batch", "group", "layer", "none")
    )
    activation: str = setting(
        "relu", "activation function, unless a part names its own", choices=("relu", "leaky_relu", "gelu", "silu", "elu", "tanh", "none")
    )
    init: str = setting(
        "he",
        "how weights start: he (fan out, for ReLU), xavier, normal (std 0.01), torch (each layer's own)",
        choices=("he", "xavier", "normal", "torch"),
    )
    zero_init_residual: bool = setting(
        False, "start the last norm (or convolution) of each residual branch at 0, so that a block begins as its shortcut"
    )
    stem: Any = setting(dict, "first layers: {type: conv, out_channels: ..., ...}")
    stages: list[Any] = setting(list, "list of stages: {block: ..., num_blocks: ..., out_channels: ..., stride: ..., ...}")
    head: Any = setting(dict, "last layers: {type: linear, pool: avg, ...}")


@dataclass
class ExplainDataConfig:
    """The images that the network would get; none is read."""

    channels: int = setting(3, "image channels: 1 gray, 3 colour", low=1)
    image_size: Any = setting(64, "height and width of the network's input: pixels, or [height, width]", type="size", low=1)


@dataclass
class ExplainConfig:
    """`cnntrain explain`."""

    num_classes: int = setting(10, "number of classes, the network's outputs", low=1)
    format: str = setting(
        "text", "what is printed: text (a table), full (every layer with its formulas) or json", choices=("text", "full", "json")
    )
    layer: str | None = setting(
        None, "explain this layer, block or part with its formulas, by its name in the table, such as stages.1.blocks.0", optional=True
    )
    diagram: str | None = setting(None, "file to draw the network into: NAME.svg or NAME.png", optional=True)
    data: ExplainDataConfig = field(default_factory=ExplainDataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
