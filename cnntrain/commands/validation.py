"""Validation of a training run: the metrics of its val set, and which pictures it gets most wrong."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from cnntrain.commands.building import Parts
from cnntrain.commands.outcomes import outcomes_of
from cnntrain.engine.evaluator import Batch, evaluate
from cnntrain.engine.events import Listener, ValidationStepDone
from cnntrain.engine.signals import Signals

MOST_WRONG = 32


@dataclass(frozen=True)
class Mistake:
    """An image that the network got wrong.

    Args:
        wrongness: see Outcomes.wrongness.
        index: its place in the validation set.
        cells: what is written of it.
        image: (C, H, W), as the network got it.
    """

    wrongness: float
    index: int
    cells: list[str]
    image: Tensor


class Validation:
    """Called by the trainer at the end of each epoch. `totals` and `worst` are the last validation's."""

    def __init__(self, parts: Parts, signals: Signals, tell: Listener):
        self.parts, self.signals, self.tell = parts, signals, tell
        self.epoch = 0
        self.outcomes = outcomes_of(parts.task, parts.data.train.classes)
        self.totals = parts.task.totals()
        self.worst: list[Mistake] = []

    def __call__(self) -> dict[str, float]:
        self.epoch += 1
        self.worst = []
        parts = self.parts
        self.totals = evaluate(
            parts.measured, self.batches(), parts.arithmetic, task=parts.task, infer=parts.infer, on_batch=self.keep_worst
        )
        return {f"val/{name}": value for name, value in self.totals.metrics().items()}

    def batches(self) -> Iterator[Batch]:
        for number, batch in enumerate(self.signals.polled(self.parts.val.batches(0)), start=1):
            self.images = batch[0]
            yield batch
            self.tell(ValidationStepDone(self.epoch, number))

    def keep_worst(self, outputs: Tensor, targets: Tensor, indices: Tensor) -> None:
        highest = self.outcomes.wrongness(outputs, targets).topk(min(MOST_WRONG, len(outputs)))
        for wrongness, place in zip(highest.values.tolist(), highest.indices.tolist(), strict=True):
            if not wrongness > (self.worst[-1].wrongness if len(self.worst) == MOST_WRONG else 0.0):
                break
            cells = self.outcomes.cells(outputs[place : place + 1], targets[place : place + 1])[0]
            self.worst.append(Mistake(wrongness, int(indices[place]), cells, self.images[place].clone()))
            self.worst = sorted(self.worst, key=lambda mistake: (-mistake.wrongness, mistake.index))[:MOST_WRONG]
