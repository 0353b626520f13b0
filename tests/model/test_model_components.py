"""The tables of the model's parts: equal to the builders, and faults in the user's words."""

import inspect
import subprocess
import sys
from typing import Any

import pytest

from cnntrain.config.components.model import ACTIVATIONS, BLOCKS, HEADS, NORMS, POOL, STAGE, STEMS, model_faults
from cnntrain.config.components.parameters import REQUIRED, Component, value_faults
from cnntrain.config.schema import ModelConfig
from cnntrain.model.conv import ACTIVATIONS as BUILT_ACTIVATIONS
from cnntrain.model.conv import make_pool
from cnntrain.model.factory import BUILDERS, STAGE_KEYS

CONV = {"block": "conv", "out_channels": 8}
TABLES: dict[str, dict[str, Component]] = {"stem": STEMS, "block": BLOCKS, "head": HEADS}


def signature_of(builder: Any) -> dict[str, Any]:
    """Keyword-only parameters and their defaults."""
    parameters = inspect.signature(builder).parameters.values()
    return {p.name: REQUIRED if p.default is p.empty else p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def defaults_of(parameters: Any) -> dict[str, Any]:
    return {name: parameter.default for name, parameter in parameters.items()}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, table in TABLES.items() for name in table])
def test_table_equals_the_builders_signature(kind: str, name: str) -> None:
    expected = signature_of(BUILDERS[kind][name])
    if kind == "block":
        assert expected.pop("stride") == STAGE["stride"].default
    assert defaults_of(TABLES[kind][name].parameters) == expected


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, table in TABLES.items() for name in table])
def test_every_default_passes_its_own_check(kind: str, name: str) -> None:
    for key, parameter in TABLES[kind][name].parameters.items():
        if parameter.default is not REQUIRED:
            assert value_faults(key, parameter.default, parameter) == []


def test_pools_keys_are_make_pools() -> None:
    parameters = inspect.signature(make_pool).parameters
    assert {name: REQUIRED if p.default is p.empty else p.default for name, p in parameters.items()} == defaults_of(POOL.parameters)


def test_choices_are_the_same_in_table_schema_and_code() -> None:
    fields = ModelConfig.__dataclass_fields__
    assert set(ACTIVATIONS) == set(BUILT_ACTIVATIONS) == set(fields["activation"].metadata["choices"])
    assert set(NORMS) == set(fields["norm"].metadata["choices"])


def test_stage_keys_are_the_factorys() -> None:
    assert tuple(STAGE) == STAGE_KEYS


def test_tables_import_no_torch() -> None:
    code = "import sys, cnntrain.config.components.model; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def faults(**keys: Any) -> list[str]:
    return model_faults(ModelConfig(**{"stem": {"type": "none"}, "stages": [CONV], "head": {"type": "linear"}, **keys}))


def stage_fault(**keys: Any) -> str:
    (fault,) = faults(stages=[CONV, {**CONV, **keys}])
    return fault


def test_good_model_has_no_faults() -> None:
    pool = {"type": "max", "kernel_size": 3, "stride": 2, "padding": 1}
    stem = {"type": "conv", "out_channels": 8, "kernel_size": [7, 5], "stride": 2, "pool": pool}
    stages = [{**CONV, "padding": "same", "pool": None}, {"block": "bottleneck", "out_channels": 8, "num_blocks": 2, "stride": [1, 2]}]
    assert faults(stem=stem, stages=stages, head={"type": "mlp", "hidden": [8, 4], "pool": "none"}, zero_init_residual=True) == []


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"stride": 0}, "model.stages[1].stride=0 must be a whole number or [height, width] >= 1"),
        ({"kernel_size": [3, 0]}, "model.stages[1].kernel_size=[3,0] must be a whole number or [height, width] >= 1"),
        ({"num_blocks": 1.5}, "model.stages[1].num_blocks=1.5 must be a whole number >= 1"),
        ({"padding": "valid"}, "model.stages[1].padding=valid must be a whole number or [height, width] >= 0 or same"),
        ({"kernel_sise": 3}, "model.stages[1].kernel_sise: block conv takes no kernel_sise; did you mean kernel_size?"),
        ({"norm": "bach"}, "model.stages[1].norm=bach is not one of batch, group, layer, none; did you mean batch?"),
        (
            {"pool": {"type": "max", "kernel": 2}},
            "model.stages[1].pool.kernel: model.stages[1].pool takes no kernel; did you mean kernel_size?",
        ),
        ({"block": "residul"}, "model.stages[1].block=residul: no such block; did you mean residual?"),
        ({"norm_groups": 4}, "model.stages[1].norm_groups=4 has no effect with norm batch; set model.stages[1].norm to group"),
        ({"downsample": "max_pool"}, "model.stages[1].downsample=max_pool has no effect with stride 1; set model.stages[1].stride to 2"),
    ],
)
def test_stage_fault_names_its_place(keys: dict[str, Any], message: str) -> None:
    assert stage_fault(**keys) == message


def test_missing_out_channels_are_told() -> None:
    assert faults(stages=[{"block": "conv"}]) == [
        "model.stages[0].out_channels is missing: block conv needs it (channels that each block gives)"
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"stem": {}}, "model.stem.type is missing: one of conv, none"),
        ({"stem": "conv"}, "model.stem=conv must be a mapping such as {type: conv, ...}"),
        ({"stem": {"type": "conf"}}, "model.stem.type=conf: no such stem; did you mean conv?"),
        ({"stages": {"block": "conv"}}, "model.stages={block:conv} must be a list such as [{block: conv, out_channels: 32}, ...]"),
        ({"stages": ["conv"]}, "model.stages[0]=conv must be a mapping such as {block: conv, out_channels: 32}"),
        ({"head": None}, "model.head=null must be a mapping such as {type: linear, ...}"),
        ({"head": {"type": "linear", "pool": "mean"}}, "model.head.pool=mean is not one of avg, max, none"),
        ({"head": {"type": "mlp", "hidden": [8, 4.5]}}, "model.head.hidden[1]=4.5 must be a whole number >= 1"),
        (
            {"head": {"type": "linear", "num_classes": 10}},
            "model.head.num_classes: the number of classes comes from the data; leave it out (num_classes=N serves where there is no data)",
        ),
        ({"zero_init_residual": True}, "model.zero_init_residual=true has no effect: no stage has a residual block; set it to false"),
    ],
)
def test_fault_of_the_model_names_its_place(keys: dict[str, Any], message: str) -> None:
    assert faults(**keys) == [message]


def test_missing_block_is_told_and_type_hinted_at() -> None:
    (plain,) = faults(stages=[{"out_channels": 8}])
    assert plain.startswith("model.stages[0].block is missing: one of conv, residual, bottleneck, preact_residual, norm_act")
    (hinted,) = faults(stages=[{"type": "conv", "out_channels": 8}])
    assert hinted.endswith("(a stage names it with block, not with type)")


def test_all_faults_are_told_at_once() -> None:
    found = faults(stem={"type": "conv"}, stages=[{**CONV, "stride": 0}, {**CONV, "groups": 0}], head={"type": "mpl"})
    assert [fault.partition("=")[0].partition(" ")[0] for fault in found] == [
        "model.stem.out_channels",
        "model.stages[0].stride",
        "model.stages[1].groups",
        "model.head.type",
    ]
