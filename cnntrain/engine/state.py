"""Where a run is: what a checkpoint keeps beside weights and optimizer."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from math import inf, isnan
from typing import Any

from cnntrain.measures import higher_is_better


@dataclass(frozen=True)
class Objective:
    """What is best, and in which direction."""

    name: str

    @property
    def higher_is_better(self) -> bool:
        return higher_is_better(self.name)

    def better(self, value: float, than: float | None) -> bool:
        """A tie keeps the earlier epoch; not-a-number is never better."""
        if isnan(value):
            return False
        if than is None:
            than = -inf if self.higher_is_better else inf
        return value > than if self.higher_is_better else value < than


@dataclass
class Progress:
    """Counters of a run.

    Args:
        step: optimizer steps done.
        epoch: epochs done: trained, validated and told.
        batch: batches done of the epoch that is open; 0 between two epochs.
        images: training images that the network has seen, each as often as it did.
        best, last: metrics with `epoch` and `step`, of the best and of the last validated epoch.
        epochs_since_best: for early stopping.
        seconds: wall time spent so far, over all starts of the run.
        train_images, train_seconds: for the images/s of the whole run.
        rejected_steps, rejected_in_a_row: steps that changed nothing, since their numbers were not finite.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    images: int = 0
    best: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    epochs_since_best: int = 0
    seconds: float = 0.0
    train_images: int = 0
    train_seconds: float = 0.0
    rejected_steps: int = 0
    rejected_in_a_row: int = 0

    def __post_init__(self) -> None:
        self.settle: Callable[[], None] = lambda: None  # asks a GPU for what it has not told yet

    def note(self, metrics: dict[str, float], objective: Objective) -> bool:
        """Take an epoch's metrics; is it the best so far?"""
        self.last = {"epoch": self.epoch, "step": self.step, **metrics}
        is_best = objective.better(metrics[objective.name], self.best.get(objective.name))
        if is_best:
            self.best = self.last
        self.epochs_since_best = 0 if is_best else self.epochs_since_best + 1
        return is_best

    @property
    def images_per_second(self) -> float:
        return self.train_images / self.train_seconds if self.train_seconds else 0.0

    def state_dict(self) -> dict[str, Any]:
        self.settle()
        return asdict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """What an older form does not have stays as it is.

        Raises:
            ValueError: a value that no run has.
        """
        for each in fields(self):
            if each.name in state:
                value = state[each.name]
                if not is_like(getattr(self, each.name), value):
                    raise ValueError(f"{each.name} is {value!r}")
                setattr(self, each.name, value)


def is_like(own: Any, value: Any) -> bool:
    """Whether a value from elsewhere is a counter, a time or a mapping of metrics, as the run's own."""
    if isinstance(own, dict):
        return isinstance(value, dict) and all(isinstance(number, int | float | None) for number in value.values())
    return isinstance(value, int | float if isinstance(own, float) else int) and not isinstance(value, bool) and value >= 0
