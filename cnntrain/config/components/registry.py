"""The closed list of component names, and the door for a user's own.

A user's file, named by `--import my_blocks.py`, or an installed package (see installed.py), registers a component:

    @cnntrain.register("block", "wide")
    class WideBlock(nn.Module):
        def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1, factor: int = 2): ...

How each kind is called, keywords being what the YAML says:

    block(in_channels, out_channels, stride=..., **keywords) -> Module
    stem(in_channels, **keywords) -> Module
    head(in_channels, num_classes, input_size, **keywords) -> Module; input_size is (height, width) in pixels
    transform(**keywords) -> callable on one (C, H, W) tensor
    mix(**keywords) -> callable(images, targets, generator) -> (images, targets); targets are (N, num_classes) shares, generator is
        numpy's, keyed by (seed, step)
    optimizer(parameter_groups, **keywords) -> torch.optim.Optimizer
    schedule(step, total_steps, **keywords) -> share of the peak lr
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from cnntrain.config.components.installed import load_installed
from cnntrain.config.components.parameters import REQUIRED, Component, Parameter

KINDS = ("block", "stem", "head", "transform", "mix", "optimizer", "schedule")
T = TypeVar("T", bound=Callable[..., Any])

_builders: dict[str, dict[str, Callable[..., Any]]] = {kind: {} for kind in KINDS}
_components: dict[str, dict[str, Component]] = {kind: {} for kind in KINDS}


def register(kind: str, name: str) -> Callable[[T], T]:
    """Make a user's class or function known as `type: name` (for a block `block: name`).

    Its parameters behind those that it is called with become its YAML keys; their annotations and defaults are checked.

    Raises:
        ValueError: the kind is unknown, or the name is taken.
    """
    if kind not in KINDS:
        raise ValueError(f"register({kind!r}, ...): kind is one of {', '.join(KINDS)}")

    def decorate(builder: T) -> T:
        known = _builders[kind].get(name)
        if (known is not None and known is not builder) or name in shipped(kind):
            raise ValueError(f"{kind} {name!r} is already registered; choose another name")
        _builders[kind][name] = builder
        _components[kind][name] = Component(first_line(builder), from_signature(kind, builder))
        return builder

    return decorate


def shipped(kind: str) -> dict[str, Component]:
    """The package's own components of a kind."""
    from cnntrain.config.components.data import TRANSFORMS
    from cnntrain.config.components.engine import OPTIMIZERS, SCHEDULES
    from cnntrain.config.components.mixes import MIXES
    from cnntrain.config.components.model import BLOCKS, HEADS, STEMS

    tables = {
        "block": BLOCKS,
        "stem": STEMS,
        "head": HEADS,
        "transform": TRANSFORMS,
        "mix": MIXES,
        "optimizer": OPTIMIZERS,
        "schedule": SCHEDULES,
    }
    return tables[kind]


class Known(Mapping[str, Component]):
    """Shipped and registered components of a kind; a name that is neither is looked for in the installed packages."""

    def __init__(self, kind: str):
        self.kind = kind

    def __getitem__(self, name: str) -> Component:
        """Raises KeyError, also for what is no name: `in` and `get` rely on it."""
        if not isinstance(name, str):
            raise KeyError(name)
        table = shipped(self.kind).get(name) or _components[self.kind].get(name)
        if table is None:
            load_installed()
            table = _components[self.kind][name]
        return table

    def __iter__(self) -> Iterator[str]:
        return iter([*shipped(self.kind), *_components[self.kind]])

    def __len__(self) -> int:
        return len(shipped(self.kind)) + len(_components[self.kind])


def components(kind: str) -> Known:
    """The components of a kind, by name."""
    return Known(kind)


def user_builder(kind: str, name: str) -> Callable[..., Any] | None:
    """The registered builder, or None for a shipped (or unknown) name."""
    if name not in shipped(kind) and name not in _builders[kind]:
        load_installed()
    return _builders[kind].get(name)


NUM_POSITIONAL = {"block": 2, "stem": 1, "head": 3, "transform": 0, "mix": 0, "optimizer": 1, "schedule": 2}


def from_signature(kind: str, builder: Callable[..., Any]) -> dict[str, Parameter]:
    """A builder's parameters behind those that it is called with, as data; types that the table has no word for are `any`."""
    words = {int: "int", float: "float", bool: "bool", str: "str"}
    found = {}
    parameters = [
        p for p in inspect.signature(builder, eval_str=True).parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    for parameter in parameters[NUM_POSITIONAL[kind] :]:
        default = REQUIRED if parameter.default is parameter.empty else parameter.default
        found[parameter.name] = Parameter(words.get(parameter.annotation, "any"), default, "", optional=default is None)
    return found


def first_line(builder: Callable[..., Any]) -> str:
    doc = inspect.getdoc(builder) or ""
    return doc.partition("\n")[0]
