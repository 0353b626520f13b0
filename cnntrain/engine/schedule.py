"""Learning rates as pure functions of the step: nothing to save, nothing to restore."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from math import cos, pi
from typing import Any

from cnntrain.config.components.registry import user_builder

Schedule = Callable[[int], float]


def build_schedule(schedule: Mapping[str, Any], *, peak: float, total_steps: int, steps_per_epoch: int) -> Schedule:
    """The lr of each optimizer step, counted from 0.

    A shape runs over the steps after the warmup; it gives a share of the peak for (step, total_steps).
    """
    keywords = dict(schedule)
    name = keywords.pop("type")
    warmup_steps = round(keywords.pop("warmup_epochs", 0.0) * steps_per_epoch)
    warmup_start = keywords.pop("warmup_start", 0.01)
    shape = user_builder("schedule", name) or SHAPES[name]

    def lr_at(step: int) -> float:
        if step < warmup_steps:
            return peak * linear_between(warmup_start, 1.0, step / warmup_steps)
        return peak * shape(step - warmup_steps, max(1, total_steps - warmup_steps), **keywords)

    return lr_at


def constant(step: int, total_steps: int) -> float:  # noqa: ARG001
    return 1.0


def step(step: int, total_steps: int, *, milestones: Sequence[float] = (0.5, 0.75), gamma: float = 0.1) -> float:
    """gamma to the power of the milestones passed. Source: He et al. 2015, arXiv 1512.03385, section 4.2."""
    return gamma ** bisect_right([m * total_steps for m in milestones], step)


def cosine(step: int, total_steps: int, *, final: float = 0.0) -> float:
    """Source: Loshchilov, Hutter 2016, arXiv 1608.03983, eq. 5."""
    return final + (1 - final) * 0.5 * (1 + cos(pi * min(1.0, step / total_steps)))


def linear(step: int, total_steps: int, *, final: float = 0.0) -> float:
    return linear_between(1.0, final, min(1.0, step / total_steps))


def one_cycle(
    step: int, total_steps: int, *, peak_at: float = 0.3, start: float = 0.04, final: float = 0.0, shape: str = "cosine"
) -> float:
    """Up to the peak and down again. Source: Smith, Topin 2017, arXiv 1708.07120; start 0.04 is torch's div_factor 25."""
    between = cosine_between if shape == "cosine" else linear_between
    peak_step = peak_at * total_steps
    if step < peak_step:
        return between(start, 1.0, step / peak_step)
    return between(1.0, final, min(1.0, (step - peak_step) / (total_steps - peak_step)))


def linear_between(a: float, b: float, share: float) -> float:
    return a + (b - a) * share


def cosine_between(a: float, b: float, share: float) -> float:
    return b + (a - b) * 0.5 * (1 + cos(pi * share))


SHAPES: dict[str, Callable[..., float]] = {
    "constant": constant,
    "step": step,
    "cosine": cosine,
    "linear": linear,
    "one_cycle": one_cycle,
}
