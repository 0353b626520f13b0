"""Which keywords an open part of the configuration takes at a place, for keys that its YAML does not list."""

from collections.abc import Mapping
from typing import Any

from cnntrain.config.components.parameters import Parameter
from cnntrain.config.components.registry import components

# path of the part ('*' is a list index), the key that names its component, the component's kind
PARTS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("optimizer",), "type", "optimizer"),
    (("schedule",), "type", "schedule"),
    (("model", "stem"), "type", "stem"),
    (("model", "head"), "type", "head"),
    (("model", "stages", "*"), "block", "block"),
    (("transforms", "train", "*"), "type", "transform"),
    (("transforms", "eval", "*"), "type", "transform"),
    (("transforms", "mix", "*"), "type", "mix"),
)


def is_open(path: tuple[str, ...]) -> bool:
    """Whether a path lies in an open part."""
    return any(begins(path, part) for part, _, _ in PARTS)


def begins(path: tuple[str, ...], part: tuple[str, ...]) -> bool:
    return len(path) >= len(part) and all(mine in ("*", theirs) for mine, theirs in zip(part, path, strict=False))


def keywords_at(path: tuple[str, ...], config: Mapping[str, Any]) -> dict[str, Parameter] | None:
    """What the mapping at a path takes; None outside the open parts, or where the component is unknown.

    Args:
        path: such as ("model", "stages", "1", "pool").
        config: the configuration as plain data, or as Hydra holds it.
    """
    for part, name_key, kind in PARTS:
        if begins(path, part):
            return keywords_of(kind, named(config, path[: len(part)], name_key), name_key, path[len(part) :])
    return None


def keywords_of(kind: str, name: str | None, name_key: str, below: tuple[str, ...]) -> dict[str, Parameter] | None:
    from cnntrain.config.components.model import STAGE

    component = components(kind).get(name or "")
    if component is None:
        return None
    found = {name_key: Parameter("str", name, f"which {kind}"), **component.parameters}
    if kind == "block":
        found |= STAGE
    for key in below:
        if key not in found:
            return None
        found = dict(found[key].parameters)
    return found


def named(config: Any, path: tuple[str, ...], name_key: str) -> str | None:
    """The component's name at a path."""
    for key in path:
        config = config[int(key)] if key.isdigit() else config[key]
    return config.get(name_key) if isinstance(config, Mapping) else None
