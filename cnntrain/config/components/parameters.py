"""A component's parameters as data: a type, a range, a meaning; and the check of a value against them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from cnntrain.config.durations import is_duration
from cnntrain.errors import did_you_mean

REQUIRED = object()  # the default of a parameter that has none


@dataclass(frozen=True)
class Parameter:
    """One keyword of a component.

    Args:
        type: "int", "float", "bool", "str", "size" (pixels, or [height, width]), "numbers" (a list),
            "names" (a word, or a list of words), "duration",
            "cadence" (steps, or a duration), "mapping" (with its own `parameters`), "choice", "any".
        meaning: what it does, with its unit.
        low, high: inclusive bounds, also for each entry of a size or list; `above` is an exclusive lower bound.
        choices: allowed words.
        optional: null is allowed.
        words: words allowed in place of the type's own values, such as "same" for a padding.
    """

    type: str
    default: Any
    meaning: str
    low: float | None = None
    above: float | None = None
    high: float | None = None
    choices: tuple[str | int, ...] = ()
    words: tuple[str, ...] = ()
    optional: bool = False
    parameters: Mapping[str, "Parameter"] = field(default_factory=dict)

    @property
    def wants(self) -> str:
        """The sentence's end: what a value must be."""
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices)) + (" or null" if self.optional else "")
        base = {
            "int": "a whole number",
            "float": "a number",
            "bool": "true or false",
            "str": "a word",
            "size": "a whole number or [height, width]",
            "numbers": "a list of numbers",
            "names": "a word or a list of words",
            "duration": "a duration such as 90s or 10m",
            "cadence": "a whole number of steps, or a duration such as 10m",
            "mapping": "a mapping such as {" + ", ".join(f"{k}: ..." for k in self.parameters) + "}",
            "any": "a value",
        }[self.type]
        bounds = [f"{sign} {bound:g}" for sign, bound in ((">=", self.low), (">", self.above), ("<=", self.high)) if bound is not None]
        words = [*self.words, *(["null"] if self.optional else [])]
        return " ".join([base, " and ".join(bounds)]).rstrip() + "".join(f" or {w}" for w in words)


@dataclass(frozen=True)
class Component:
    """A shipped or registered component: what it is, and what it takes."""

    meaning: str
    parameters: Mapping[str, Parameter]


def value_faults(place: str, value: Any, want: Parameter) -> list[str]:
    """Faults of one value, each a sentence that starts with the key."""
    if value is None:
        return [] if want.optional else [f"{place} is null, but it must be {want.wants}"]
    if isinstance(value, str) and value in want.words:
        return []
    if want.choices:
        if value in want.choices:
            return []
        hint = f"; {did_you_mean(str(value), want.choices)}" if isinstance(value, str) else ""
        return [f"{place}={show(value)} is not {want.wants}" + (hint if "did you mean" in hint else "")]
    if want.type == "mapping":
        if not isinstance(value, Mapping):
            return [f"{place}={show(value)} must be {want.wants}"]
        return keyword_faults(place, value, want.parameters, owner=place)
    if not is_of_type(value, want.type) or not all(in_range(v, want) for v in entries(value)):
        return [f"{place}={show(value)} must be {want.wants}"]
    return []


def keyword_faults(place: str, given: Mapping[str, Any], parameters: Mapping[str, Parameter], *, owner: str) -> list[str]:
    """Unknown, missing and wrong keywords of one component, all of them."""
    faults = []
    for name, value in given.items():
        if name not in parameters:
            faults.append(f"{place}.{name}: {owner} takes no {name}; {did_you_mean(str(name), parameters)}")
        else:
            faults += value_faults(f"{place}.{name}", value, parameters[name])
    for name, parameter in parameters.items():
        if parameter.default is REQUIRED and name not in given:
            faults.append(f"{place}.{name} is missing: {owner} needs it ({parameter.meaning})")
    return faults


def is_of_type(value: Any, type_name: str) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    number = whole or (isinstance(value, float) and isfinite(value))
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return {
        "int": whole,
        "float": number,
        "bool": isinstance(value, bool),
        "str": isinstance(value, str),
        "size": whole or (is_list and len(value) == 2 and all(is_of_type(v, "int") for v in value)),
        "numbers": is_list and len(value) > 0 and all(is_of_type(v, "float") for v in value),
        "names": isinstance(value, str) or (is_list and len(value) > 0 and all(isinstance(v, str) for v in value)),
        "duration": isinstance(value, str) and is_duration(value),
        "cadence": whole or (isinstance(value, str) and is_duration(value)),
        "any": True,
    }[type_name]


def entries(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def in_range(value: Any, want: Parameter) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return True
    return (
        (want.low is None or value >= want.low) and (want.above is None or value > want.above) and (want.high is None or value <= want.high)
    )


def show(value: Any) -> str:
    """A value as one would type it on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k}:{show(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(show(v) for v in value) + "]"
    return str(value)
