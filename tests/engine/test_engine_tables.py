"""The torch-free tables say what the builders take."""

import inspect
from collections.abc import Callable

import pytest
import torch
from torch import nn

from cnntrain.config.components.engine import OPTIMIZERS, SCHEDULES, WARMUP
from cnntrain.config.components.parameters import REQUIRED
from cnntrain.engine.optimizer import CLASSES, without_compiler
from cnntrain.engine.schedule import SHAPES


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedules_table_equals_its_functions_keywords(name: str) -> None:
    table = {k: p.default for k, p in SCHEDULES[name].parameters.items() if k not in WARMUP}
    keywords = inspect.signature(SHAPES[name]).parameters.values()
    assert table == {p.name: p.default for p in keywords if p.kind is p.KEYWORD_ONLY}


def test_every_schedule_and_optimizer_has_a_builder() -> None:
    assert set(SCHEDULES) == set(SHAPES)
    assert set(OPTIMIZERS) == set(CLASSES)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizers_table_has_torchs_keywords_and_defaults(name: str) -> None:
    torchs = inspect.signature(CLASSES[name]).parameters
    for key, parameter in OPTIMIZERS[name].parameters.items():
        if key == "decay_norm_bias":
            continue
        assert key in torchs
        # two defaults of ours differ on purpose: lr is required, and SGD has momentum
        if parameter.default is not REQUIRED and (name, key) != ("sgd", "momentum"):
            assert torchs[key].default == parameter.default


def test_all_optimizers_are_torchs_own() -> None:
    assert all(issubclass(c, torch.optim.Optimizer) for c in CLASSES.values())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_without_the_compilers_hooks_steps_as_torchs_own(name: str) -> None:
    def trained(make: Callable[[list[nn.Parameter]], torch.optim.Optimizer]) -> list[torch.Tensor]:
        torch.manual_seed(0)
        parameters = [nn.Parameter(torch.randn(3, 2)), nn.Parameter(torch.randn(2))]
        optimizer = make(parameters)
        for _ in range(3):
            optimizer.zero_grad()
            sum((p**2).sum() for p in parameters).backward()  # type: ignore[union-attr]
            optimizer.step()
        return [p.detach() for p in parameters]

    ours = trained(lambda p: without_compiler(CLASSES[name], [{"params": p}], {"lr": 0.1}))
    torchs = trained(lambda p: CLASSES[name](p, lr=0.1))  # type: ignore[call-arg]
    assert all(torch.equal(a, b) for a, b in zip(ours, torchs, strict=True))
