"""Optimizers of torch.optim by name, with or without weight decay on norms and biases."""

from collections.abc import Mapping
from functools import partial
from inspect import unwrap
from typing import Any

import torch
from torch import nn

from cnntrain.config.components.parameters import REQUIRED
from cnntrain.config.components.registry import components, user_builder

CLASSES: dict[str, type[torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}
FUSED_ON_CUDA = ("sgd", "adam", "adamw", "adagrad")


def build_optimizer(optimizer: Mapping[str, Any], model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of a model whose parameters already lie on their device."""
    name = optimizer["type"]
    known = components("optimizer")[name].parameters
    defaults = {key: parameter.default for key, parameter in known.items() if parameter.default is not REQUIRED}
    keywords = {**defaults, **{key: value for key, value in optimizer.items() if key != "type"}}
    decay_all = keywords.pop("decay_norm_bias", True)
    groups = parameter_groups(model, decay_all)
    builder = user_builder("optimizer", name)
    if builder is not None:
        return builder(groups, **keywords)
    if "betas" in keywords:
        keywords["betas"] = tuple(keywords["betas"])
    if not next(model.parameters()).is_cuda:
        return without_compiler(CLASSES[name], groups, keywords)
    if name in FUSED_ON_CUDA:
        keywords["fused"] = True
    return CLASSES[name](groups, **keywords)


def without_compiler(kind: type[torch.optim.Optimizer], groups: list[dict[str, Any]], keywords: dict[str, Any]) -> torch.optim.Optimizer:
    """The same optimizer, whose methods do not import torch's compiler on their first call (1-3 s) to keep it out.

    torch wraps each method for that; what is never compiled needs none of it. Without such a wrapper nothing happens.
    """
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        method = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if method is not None:
            method.__dynamo_disable = method
    optimizer = kind(groups, **keywords)
    optimizer.step = torch.no_grad()(partial(unwrap(kind.step), optimizer))  # type: ignore[method-assign]
    return optimizer


def parameter_groups(model: nn.Module, decay_all: bool) -> list[dict[str, Any]]:
    """One group, or two: the second holds norms and biases (every parameter of fewer than two dimensions), undecayed."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    if decay_all:
        return [{"params": parameters}]
    matrices = [p for p in parameters if p.ndim >= 2]
    vectors = [p for p in parameters if p.ndim < 2]
    return [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr
