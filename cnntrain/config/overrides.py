"""Overrides applied one by one, so that every typo of a command line is told, each in one sentence."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from cnntrain.config.check import parameters_of
from cnntrain.config.components.parameters import Parameter, show, value_faults
from cnntrain.config.open_parts import is_open, keywords_at
from cnntrain.errors import ConfigError, did_you_mean


def word_of(override: Override) -> str:
    """The override as Hydra reads it."""
    assert override.input_line is not None, override
    return override.input_line


def is_group(override: Override, groups: Mapping[str, Sequence[str]]) -> bool:
    """Whether it chooses a file of a group rather than setting a value."""
    return not isinstance(override.value(), dict) and (override.key_or_group in groups or "/" in override.key_or_group)


def group_faults(override: Override, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """A name that the group does not have."""
    group = override.key_or_group
    if group not in groups or override.is_delete() or override.is_sweep_override():
        return []
    value = override.value()
    names = value if isinstance(value, list) else [value]
    return [no_such_config(group, str(name), groups[group]) for name in names if name is not None and str(name) not in groups[group]]


def no_such_config(group: str, name: str, known: Sequence[str]) -> str:
    there = ", ".join(known)
    near = get_close_matches(name, known, 1)
    return f"{group}={name}: no such config; " + (f"did you mean {group}={near[0]}? " if near else "") + f"there are: {there}"


def apply(config: DictConfig, override: Override, schema: type, groups: Mapping[str, Sequence[str]]) -> bool:
    """Sets one value as Hydra will.

    Returns:
        Whether the key had to be added: it is not in the YAML, but its component takes it.

    Raises:
        ConfigError: the key or its value cannot be.
    """
    key, value = override.key_or_group, override.value()
    path = tuple(key.split("."))
    listed = depth_found(config, path)
    if override.is_delete():
        delete(config, path, listed, groups)
        return False
    adds = listed < len(path)
    if adds:
        allowed = keywords_at(path[:listed], config) if listed else None
        if allowed is None or path[listed] not in allowed:
            raise ConfigError(no_option(config, path, listed, groups, allowed))
    adds = adds or (isinstance(value, dict) and is_open(path))
    try:
        OmegaConf.update(config, key, value, merge=True, force_add=adds)
    except OmegaConfBaseException as error:
        parameter = parameters_of(schema).get(key)
        told = value_faults(key, value, parameter) if parameter is not None else section_faults(key, value, schema)
        node = OmegaConf.select(config, key)
        wanted = "a list: [...]" if isinstance(node, ListConfig) else "a mapping: {...}" if isinstance(node, DictConfig) else None
        reason = f" must be {wanted}" if wanted else f": {str(error).splitlines()[0]}"
        raise ConfigError(told[0] if told else f"{key}={show(value)}{reason}") from error
    return adds


def section_faults(key: str, value: Any, schema: type) -> list[str]:
    """A name given to a part that is no group of this command."""
    inside = [each for each in parameters_of(schema) if each.startswith(f"{key}.")]
    return [f"{key}={show(value)}: there is nothing to choose here; {key} has the keys {', '.join(inside)}"] if inside else []


def depth_found(config: Any, path: Sequence[str]) -> int:
    """How many parts of the path exist."""
    node = config
    for depth, part in enumerate(path):
        if isinstance(node, ListConfig) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, DictConfig) and part in node.keys():  # noqa: SIM118 (`in` is False for a value that is still missing)
            skip = OmegaConf.is_missing(node, part) or OmegaConf.is_interpolation(node, part)
            node = None if skip else node[part]
        else:
            return depth
    return len(path)


def delete(config: DictConfig, path: Sequence[str], listed: int, groups: Mapping[str, Sequence[str]]) -> None:
    if listed < len(path):
        raise ConfigError(no_option(config, path, listed, groups, None))
    parent = OmegaConf.select(config, ".".join(path[:-1])) if len(path) > 1 else config
    try:
        if isinstance(parent, ListConfig):
            raise ConfigError(f"~{'.'.join(path)}: an entry of a list cannot be taken out; write the whole list")
        with open_dict(parent):
            del parent[path[-1]]
    except OmegaConfBaseException as error:
        raise ConfigError(f"~{'.'.join(path)}: this key always has a value; set another one") from error


def no_option(
    config: DictConfig, path: Sequence[str], listed: int, groups: Mapping[str, Sequence[str]], allowed: Mapping[str, Parameter] | None
) -> str:
    """`no option optimizer.lrr; did you mean optimizer.lr?`, from the keys beside it, then from those elsewhere."""
    key, word = ".".join(path), path[listed]
    parent = OmegaConf.select(config, ".".join(path[:listed])) if listed else config
    if isinstance(parent, ListConfig):
        place = ".".join(path[:listed])
        there = f"its {len(parent)} entries are {place}.0 to {place}.{len(parent) - 1}" if len(parent) else "it is empty"
        return f"no option {key}: {place} is a list, and {there}"
    if not isinstance(parent, DictConfig):
        return f"no option {key}: {'.'.join(path[:listed])} is one value"
    head = ".".join(path[:listed]) + "." if listed else ""
    tail = "." + ".".join(path[listed + 1 :]) if listed + 1 < len(path) else ""
    beside = list(dict.fromkeys([*map(str, parent.keys()), *(allowed or {}), *(groups if not listed else ())]))
    elsewhere = {full.rpartition(".")[2]: full for full in reversed(list(all_keys(config)))}
    near = get_close_matches(word, beside, 1)
    if path[-1] in elsewhere and not (near and listed):
        return f"no option {key}; did you mean {elsewhere[path[-1]]}?"
    if near:
        suggestion = f"{head}{near[0]}{tail}"
        return f"no option {key}; did you mean {suggestion}?"
    near = get_close_matches(path[-1], list(elsewhere), 1)
    if near and not listed:
        return f"no option {key}; did you mean {elsewhere[near[0]]}?"
    return f"no option {key}; {did_you_mean(word, beside, head=head)}"


def all_keys(node: Any, prefix: str = "") -> list[str]:
    """Dotted keys of mappings, not of what lists hold."""
    found: list[str] = []
    if isinstance(node, DictConfig):
        for name in map(str, node.keys()):
            full = f"{prefix}{name!s}"
            simple = OmegaConf.is_missing(node, name) or OmegaConf.is_interpolation(node, name)
            child = None if simple else node[name]
            found += all_keys(child, f"{full}.") if isinstance(child, DictConfig) else [full]
    return found
