"""Validation of a training run: the metrics of its val set, and which pictures it gets wrong."""

from collections.abc import Iterator

from torch import Tensor

from cnntrain.commands.building import Parts
from cnntrain.engine.evaluator import Batch, evaluate
from cnntrain.engine.events import Listener, ValidationStepDone
from cnntrain.engine.signals import Signals
from cnntrain.metrics.classification import ClassificationTotals

MOST_WRONG = 32


class Validation:
    """Called by the trainer at the end of each epoch.

    `totals` are the last validation's. `wrong` holds (index, predicted class, its probability) of its first
    misclassified images, and `wrong_images` these as the network got them: enough for one picture.
    """

    def __init__(self, parts: Parts, signals: Signals, tell: Listener):
        self.parts, self.signals, self.tell = parts, signals, tell
        self.epoch = 0
        self.totals = ClassificationTotals(parts.num_classes)
        self.wrong: list[tuple[int, int, float]] = []
        self.wrong_images: list[Tensor] = []

    def __call__(self) -> dict[str, float]:
        self.epoch += 1
        self.wrong, self.wrong_images = [], []
        parts = self.parts
        self.totals = evaluate(parts.model, self.batches(), parts.arithmetic, num_classes=parts.num_classes, on_batch=self.keep_wrong)
        return {f"val/{name}": value for name, value in self.totals.metrics().items()}

    def batches(self) -> Iterator[Batch]:
        for number, batch in enumerate(self.signals.polled(self.parts.val.batches(0)), start=1):
            self.images = batch[0]
            yield batch
            self.tell(ValidationStepDone(self.epoch, number))

    def keep_wrong(self, logits: Tensor, labels: Tensor, indices: Tensor) -> None:
        room = MOST_WRONG - len(self.wrong)
        if room <= 0:
            return
        best = logits.softmax(1).max(1)
        missed = (best.indices != labels).nonzero().flatten().cpu()[:room]
        predicted, probability = best.indices.cpu()[missed], best.values.cpu()[missed]
        self.wrong += zip(indices[missed].tolist(), predicted.tolist(), probability.tolist(), strict=True)
        self.wrong_images += list(self.images[missed])
