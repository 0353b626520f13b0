"""Random networks for Hypothesis: every shipped part with its keywords, whether or not it fits."""

from typing import Any

from hypothesis import strategies as st

from cnntrain.config.schema import ModelConfig

CHANNELS = st.sampled_from([4, 6, 8])
NORMS = st.sampled_from(["batch", "group", "layer", "none"])
ACTIVATIONS = st.sampled_from(["relu", "gelu", "none"])


def some(**strategies: Any) -> Any:
    """A mapping with some of the keywords."""
    return st.fixed_dictionaries({}, optional=strategies)


def sizes(*numbers: int) -> Any:
    """One number, or one for each axis."""
    return st.one_of(st.sampled_from(numbers), st.lists(st.sampled_from(numbers), min_size=2, max_size=2))


POOLED = {"kernel_size": sizes(2, 3), "stride": sizes(1, 2), "padding": st.integers(0, 1)}
POOL = st.one_of(st.none(), st.fixed_dictionaries({"type": st.sampled_from(["max", "avg"])}, optional=POOLED))
CONV = {
    "kernel_size": sizes(1, 2, 3, 5),
    "padding": st.one_of(st.just("same"), sizes(0, 1, 2)),
    "dilation": sizes(1, 2),
    "groups": st.sampled_from([1, 2, 4]),
    "bias": st.sampled_from([None, True, False]),
    "norm": NORMS,
    "activation": ACTIVATIONS,
    "order": st.sampled_from(["conv_norm_act", "norm_act_conv", "conv_act_norm"]),
    "pool": POOL,
    "dropout": st.sampled_from([0.0, 0.1]),
}
RESIDUAL = {
    "kernel_size": sizes(1, 3, 5),
    "dilation": sizes(1, 2),
    "groups": st.sampled_from([1, 2]),
    "norm": NORMS,
    "activation": ACTIVATIONS,
    "shortcut": st.sampled_from(["auto", "projection", "zero_pad"]),
}
BLOCKS = {
    "conv": CONV,
    "residual": RESIDUAL,
    "bottleneck": {**RESIDUAL, "expansion": st.sampled_from([1, 2, 4])},
    "preact_residual": RESIDUAL,
    "norm_act": {"norm": NORMS, "activation": ACTIVATIONS},
}


@st.composite
def stages(draw: Any) -> dict[str, Any]:
    name = draw(st.sampled_from(list(BLOCKS)))
    place = draw(some(num_blocks=st.integers(1, 2), stride=sizes(1, 2), downsample=st.sampled_from(["stride", "max_pool", "avg_pool"])))
    return {"block": name, "out_channels": draw(CHANNELS), **place, **draw(some(**BLOCKS[name]))}


STEM = st.one_of(
    st.just({"type": "none"}),
    st.tuples(CHANNELS, some(stride=sizes(1, 2), **CONV)).map(lambda pair: {"type": "conv", "out_channels": pair[0], **pair[1]}),
)
HEAD = st.one_of(
    some(pool=st.sampled_from(["avg", "max", "none"]), dropout=st.sampled_from([0.0, 0.5])).map(lambda own: {"type": "linear", **own}),
    some(
        pool=st.sampled_from(["avg", "max", "none"]),
        hidden=st.lists(st.integers(1, 9), min_size=1, max_size=2),
        norm=st.sampled_from(["batch", "layer", "none"]),
    ).map(lambda own: {"type": "mlp", **own}),
)
MODELS = st.builds(
    ModelConfig,
    norm=st.sampled_from(["batch", "none"]),
    activation=ACTIVATIONS,
    stem=STEM,
    stages=st.lists(stages(), max_size=3),
    head=HEAD,
)
IMAGES = st.tuples(st.integers(1, 20), st.integers(1, 20))
