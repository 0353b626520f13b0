"""Changes of a whole training batch: what each takes. One of transforms.mix is drawn for each batch."""

from collections.abc import Mapping, Sequence
from typing import Any

from cnntrain.config.components import registry
from cnntrain.config.components.parameters import Component, Parameter, keyword_faults, show
from cnntrain.errors import did_you_mean

P = Parameter("float", 1.0, "share of the batches drawn for it that are mixed", above=0, high=1)


def alpha(default: float) -> Parameter:
    return Parameter("float", default, "the share of an image comes from Beta(alpha, alpha): small mixes little, 1 evenly", above=0)


MIXES: dict[str, Component] = {
    "mixup": Component(
        "blend each image and its target with another's (Zhang et al. 2017, arXiv 1710.09412)", {"alpha": alpha(0.2), "p": P}
    ),
    "cutmix": Component(
        "set a rectangle of another image into each, and of its target as much (Yun et al. 2019, arXiv 1905.04899)",
        {"alpha": alpha(1.0), "p": P},
    ),
}
NEEDS_CLASSES = ("cutmix",)  # how much of an image is seen says nothing about a number that it stands for
OWN = "a mix of your own comes with --import FILE.py"


def mix_faults(place: str, mixes: Any) -> list[str]:
    """Everything that is wrong with a list of mixes, told before torch is imported."""
    if not isinstance(mixes, Sequence) or isinstance(mixes, str):
        return [f"{place}={show(mixes)} must be a list such as [{{type: mixup}}]; [] mixes nothing"]
    known = registry.components("mix")
    faults = []
    for number, mix in enumerate(mixes):
        at = f"{place}[{number}]"
        if not isinstance(mix, Mapping) or "type" not in mix:
            faults.append(f"{at}={show(mix)} must be a mapping with a type, such as {{type: mixup}}")
        elif mix["type"] not in known:
            faults.append(f"{at}.type={show(mix['type'])}: no such mix; {did_you_mean(str(mix['type']), known)} ({OWN})")
        else:
            given = {key: value for key, value in mix.items() if key != "type"}
            faults += keyword_faults(at, given, known[mix["type"]].parameters, owner=str(mix["type"]))
    return faults


def task_faults(place: str, mixes: Sequence[Mapping[str, Any]], task: str) -> list[str]:
    """Mixes that make no sense for what the targets are.

    Args:
        mixes: a list without other faults.
        task: classification, multilabel or regression.
    """
    if task != "regression":
        return []
    return [
        f"{place}[{number}].type={mix['type']} needs classes, but the targets are numbers; take mixup"
        for number, mix in enumerate(mixes)
        if mix["type"] in NEEDS_CLASSES
    ]
