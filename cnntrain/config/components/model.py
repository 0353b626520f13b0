"""The parts of a net: what each stem, block, stage and head takes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnntrain.config.components import registry
from cnntrain.config.components.parameters import REQUIRED, Component, Parameter, keyword_faults, show, value_faults
from cnntrain.config.schema import ModelConfig
from cnntrain.errors import did_you_mean

NORMS = ("batch", "group", "layer", "none")
ACTIVATIONS = ("relu", "leaky_relu", "gelu", "silu", "elu", "tanh", "none")
RESIDUAL_BLOCKS = ("residual", "bottleneck", "preact_residual")

KERNEL_SIZE = Parameter("size", 3, "height and width of the kernel, positions", low=1)
DILATION = Parameter("size", 1, "distance between two positions of the kernel", low=1)
GROUPS = Parameter("int", 1, "groups of channels that the convolution keeps apart; divides both numbers of channels", low=1)
NORM = Parameter("choice", "batch", "normalisation; not given: model.norm", choices=NORMS)
NORM_GROUPS = Parameter("int", None, "groups of norm group; null: 32, or the largest divisor of the channels below", low=1, optional=True)
ACTIVATION = Parameter("choice", "relu", "activation function; not given: model.activation", choices=ACTIVATIONS)
SHORTCUT = Parameter(
    "choice",
    "auto",
    "beside the branch: auto (1x1 projection where the shape changes, else identity), projection (always), zero_pad (no parameters)",
    choices=("auto", "projection", "zero_pad"),
)
DROPOUT = Parameter("float", 0.0, "probability of dropping a feature (in a convolution block: a whole channel)", low=0.0, high=0.99)
STRIDE = Parameter("size", 1, "positions from one window to the next; divides height and width", low=1)
OUT_CHANNELS = Parameter("int", REQUIRED, "channels of the output", low=1)
POOL = Parameter(
    "mapping",
    None,
    "pooling after the activation; null: none",
    optional=True,
    parameters={
        "type": Parameter("choice", REQUIRED, "what a window gives", choices=("max", "avg")),
        "kernel_size": Parameter("size", 2, "height and width of the window, positions", low=1),
        "stride": Parameter("size", None, "positions from one window to the next; null: kernel_size", low=1, optional=True),
        "padding": Parameter("size", 0, "positions added on each side, at most half of the kernel", low=0),
    },
)
CONV = {
    "kernel_size": KERNEL_SIZE,
    "padding": Parameter("size", "same", "zeros on each side; same: dilation * (kernel_size - 1) / 2", low=0, words=("same",)),
    "dilation": DILATION,
    "groups": GROUPS,
    "bias": Parameter("bool", None, "a bias in the convolution; null: only where there is no norm", optional=True),
    "norm": NORM,
    "norm_groups": NORM_GROUPS,
    "activation": ACTIVATION,
    "order": Parameter(
        "choice", "conv_norm_act", "order of the block's layers", choices=("conv_norm_act", "norm_act_conv", "conv_act_norm")
    ),
    "pool": POOL,
    "dropout": DROPOUT,
}
RESIDUAL = {
    "kernel_size": KERNEL_SIZE,
    "dilation": DILATION,
    "groups": GROUPS,
    "norm": NORM,
    "norm_groups": NORM_GROUPS,
    "activation": ACTIVATION,
    "shortcut": SHORTCUT,
}
EXPANSION = Parameter("int", 4, "out_channels over the channels of the 3x3 convolution", low=1)

STAGE: dict[str, Parameter] = {
    "block": Parameter("str", REQUIRED, "kind of the stage's blocks"),
    "num_blocks": Parameter("int", 1, "number of blocks", low=1),
    "out_channels": Parameter("int", REQUIRED, "channels that each block gives", low=1),
    "stride": Parameter("size", 1, "factor by which the stage's start divides height and width", low=1),
    "downsample": Parameter(
        "choice",
        "stride",
        "what divides them: the first block's stride, or a pooling before it",
        choices=("stride", "max_pool", "avg_pool"),
    ),
}
STEMS: dict[str, Component] = {
    "conv": Component("one convolution block", {"out_channels": OUT_CHANNELS, "stride": STRIDE, **CONV}),
    "none": Component("no layers: the stages meet the image", {}),
}
BLOCKS: dict[str, Component] = {
    "conv": Component("convolution, norm, activation, and pooling or dropout if asked for", CONV),
    "residual": Component("two convolutions beside a shortcut (He et al. 2015, arXiv 1512.03385)", RESIDUAL),
    "bottleneck": Component(
        "1x1, 3x3 and 1x1 convolutions beside a shortcut (He et al. 2015, arXiv 1512.03385)", {**RESIDUAL, "expansion": EXPANSION}
    ),
    "preact_residual": Component("norm and activation before each of two convolutions (He et al. 2016, arXiv 1603.05027)", RESIDUAL),
    "norm_act": Component(
        "norm and activation alone; closes a net of preact_residual blocks",
        {"norm": NORM, "norm_groups": NORM_GROUPS, "activation": ACTIVATION},
    ),
}
HEAD_POOL = Parameter("choice", "avg", "over the whole map: avg, max, or none to flatten it", choices=("avg", "max", "none"))
HEADS: dict[str, Component] = {
    "linear": Component("global pooling and one linear layer", {"pool": HEAD_POOL, "dropout": DROPOUT}),
    "mlp": Component(
        "global pooling (or none) and a fully connected net",
        {
            "pool": HEAD_POOL,
            "hidden": Parameter("numbers", (512, 256), "features of each hidden layer, whole numbers", low=1),
            "norm": Parameter("choice", "none", "normalisation after each hidden layer", choices=("batch", "layer", "none")),
            "activation": ACTIVATION,
            "dropout": DROPOUT,
        },
    ),
}


def model_faults(model: ModelConfig) -> list[str]:
    """Everything about the parts that can be said without geometry, each fault a sentence that starts with the key."""
    faults = part_faults("model.stem", model.stem, "stem")
    if isinstance(model.stages, list | tuple):
        for i, stage in enumerate(model.stages):
            faults += stage_faults(f"model.stages[{i}]", stage)
    else:
        faults.append(f"model.stages={show(model.stages)} must be a list such as [{{block: conv, out_channels: 32}}, ...]")
    if isinstance(model.head, Mapping) and "num_classes" in model.head:
        faults.append(
            "model.head.num_classes: the number of classes comes from the data; leave it out (num_classes=N serves where there is no data)"
        )
        faults += part_faults("model.head", {k: v for k, v in model.head.items() if k != "num_classes"}, "head")
    else:
        faults += part_faults("model.head", model.head, "head")
    return faults + (effect_faults(model) if not faults else [])


def part_faults(place: str, part: Any, kind: str) -> list[str]:
    """Faults of a stem or head, {type: ..., ...}."""
    known = registry.components(kind)
    if not isinstance(part, Mapping):
        return [f"{place}={show(part)} must be a mapping such as {{type: {next(iter(known))}, ...}}"]
    if "type" not in part:
        return [f"{place}.type is missing: one of {', '.join(known)}"]
    name = part["type"]
    if name not in known:
        return [f"{place}.type={show(name)}: no such {kind}; {did_you_mean(str(name), known)}"]
    given = {k: v for k, v in part.items() if k != "type"}
    faults = keyword_faults(place, given, known[name].parameters, owner=f"{kind} {name}")
    if name == "mlp" and not faults:
        faults += whole_faults(f"{place}.hidden", given.get("hidden", ()))
    return faults


def stage_faults(place: str, stage: Any) -> list[str]:
    """Faults of one stage: its own keys and those of its block."""
    known = registry.components("block")
    if not isinstance(stage, Mapping):
        return [f"{place}={show(stage)} must be a mapping such as {{block: conv, out_channels: 32}}"]
    if "block" not in stage:
        hint = " (a stage names it with block, not with type)" if "type" in stage else ""
        return [f"{place}.block is missing: one of {', '.join(known)}{hint}"]
    name = stage["block"]
    if name not in known:
        return [f"{place}.block={show(name)}: no such block; {did_you_mean(str(name), known)}"]
    return keyword_faults(place, stage, {**known[name].parameters, **STAGE}, owner=f"block {name}")


def effect_faults(model: ModelConfig) -> list[str]:
    """Settings that would do nothing."""
    faults = []
    for place, part in places(model):
        norm = part.get("norm", model.norm)
        if part.get("norm_groups") is not None and norm != "group":
            faults.append(f"{place}.norm_groups={show(part['norm_groups'])} has no effect with norm {norm}; set {place}.norm to group")
        downsample, stride = part.get("downsample", "stride"), part.get("stride", 1)
        if downsample != "stride" and stride in (1, [1, 1], (1, 1)):
            faults.append(f"{place}.downsample={downsample} has no effect with stride 1; set {place}.stride to 2")
    shipped = {stage["block"] for stage in model.stages} <= set(BLOCKS)
    if model.zero_init_residual and shipped and not any(stage["block"] in RESIDUAL_BLOCKS for stage in model.stages):
        faults.append("model.zero_init_residual=true has no effect: no stage has a residual block; set it to false")
    return faults


def places(model: ModelConfig) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "model.stem", model.stem
    for i, stage in enumerate(model.stages):
        yield f"model.stages[{i}]", stage


def whole_faults(place: str, values: Sequence[Any]) -> list[str]:
    """Faults of a list whose entries must be whole numbers."""
    whole = Parameter("int", REQUIRED, "", low=1)
    return [fault for i, value in enumerate(values) for fault in value_faults(f"{place}[{i}]", value, whole)]
