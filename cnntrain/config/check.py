"""Everything that can be said against a configuration without data, geometry or torch; all of it at once."""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any

from cnntrain.config.components.parameters import REQUIRED, Component, Parameter, keyword_faults, show, value_faults
from cnntrain.config.explain_rules import explain_rules
from cnntrain.config.rules import eval_rules, source_rules, stats_rules, train_rules
from cnntrain.config.schema import MISSING as MUST_BE_GIVEN
from cnntrain.config.schema import AnyConfig, DataCheckConfig, DataStatsConfig, EvalConfig, ExplainConfig, TrainConfig
from cnntrain.errors import did_you_mean

WORDS = {int: "int", float: "float", bool: "bool", str: "str"}


def faults_of(config: AnyConfig, *, rules: bool = True) -> list[str]:
    """Faults of values and components; where there is none, those between settings.

    Args:
        rules: false where a part of the command line could not be read, so that settings may seem not to agree.
    """
    faults = closed_faults(config)
    if isinstance(config, EvalConfig):
        return faults or (eval_rules(config) if rules else [])
    if isinstance(config, DataCheckConfig):
        return faults or (source_rules(config.data) if rules else [])
    if isinstance(config, ExplainConfig):
        from cnntrain.config.components.model import model_faults

        faults += model_faults(config.model)
        return faults or (explain_rules(config) if rules else [])
    if isinstance(config, DataStatsConfig):
        faults += transforms_faults(config)
        return faults or (stats_rules(config) if rules else [])
    faults += open_faults(config)
    return faults or (train_rules(config) if rules else [])


@cache
def parameters_of(schema: type) -> dict[str, Parameter]:
    """Dotted key -> what it takes, for the closed parts of a schema."""
    hints = typing.get_type_hints(schema)
    found: dict[str, Parameter] = {}
    for each in fields(schema):
        hint = hints[each.name]
        if is_dataclass(hint):
            assert isinstance(hint, type)
            found |= {f"{each.name}.{key}": parameter for key, parameter in parameters_of(hint).items()}
            continue
        limits = dict(each.metadata)
        word = limits.pop("type", None) or WORDS.get(without_none(hint))
        if word is not None:
            default = REQUIRED if each.default in (MISSING, MUST_BE_GIVEN) else each.default
            found[each.name] = Parameter(word, default, **limits)
    return found


def without_none(hint: Any) -> Any:
    """`int` of `int | None`."""
    if isinstance(hint, types.UnionType):
        return next(kind for kind in typing.get_args(hint) if kind is not type(None))
    return hint


def closed_faults(config: Any) -> list[str]:
    """Faults of every key in the schema: type, range, choice."""
    faults = []
    schema: type = type(config)
    for key, parameter in parameters_of(schema).items():
        value = config
        for part in key.split("."):
            value = getattr(value, part)
        faults += value_faults(key, value, parameter)
    return faults


def given_faults(values: Mapping[str, Any], schema: type, prefix: str = "") -> list[str]:
    """Faults of the keys that a YAML file gives; what it leaves to ${...} is not looked at."""
    known, faults = parameters_of(schema), []
    for name, value in values.items():
        key = f"{prefix}{name}"
        section = any(each.startswith(f"{key}.") for each in known)
        if section and not isinstance(value, Mapping):
            faults.append(f"{key}={show(value)} must be a mapping of keys to values")
        elif isinstance(value, Mapping):
            faults += given_faults(value, schema, f"{key}.")
        elif key in known and "${" not in str(value) and value != MUST_BE_GIVEN:
            faults += value_faults(key, value, known[key])
    return faults


def open_faults(config: TrainConfig) -> list[str]:
    """Faults of the components: each against the table of what it takes."""
    from cnntrain.config.components.model import model_faults
    from cnntrain.config.components.registry import components

    return [
        *model_faults(config.model),
        *transforms_faults(config),
        *component_faults("optimizer", config.optimizer, components("optimizer")),
        *component_faults("schedule", config.schedule, components("schedule")),
    ]


def transforms_faults(config: TrainConfig | DataStatsConfig) -> list[str]:
    """Faults of the steps, and of what mixes batches."""
    from cnntrain.config.components.data import transform_faults
    from cnntrain.config.components.mixes import mix_faults

    return [
        *transform_faults("transforms.train", config.transforms.train, image_size=config.data.image_size),
        *transform_faults("transforms.eval", config.transforms.eval, image_size=config.data.image_size),
        *mix_faults("transforms.mix", config.transforms.mix),
    ]


def component_faults(place: str, part: Any, known: Mapping[str, Component]) -> list[str]:
    """Faults of {type: NAME, ...}."""
    if not isinstance(part, Mapping):
        return [f"{place}={show(part)} must be a mapping such as {{type: {next(iter(known))}, ...}}"]
    name = part.get("type")
    if name is None:
        return [f"{place}.type is missing; there are: {', '.join(known)}"]
    if name not in known:
        return [f"{place}.type={show(name)}: no such {place}; {did_you_mean(str(name), known)}"]
    given = {key: value for key, value in part.items() if key != "type"}
    return keyword_faults(place, given, known[name].parameters, owner=f"{place} {name}")
